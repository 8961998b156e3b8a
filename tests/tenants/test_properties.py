"""No tenant sees or feels another: rows, views, paths, and the fraud stream with a neighbour and without."""

from __future__ import annotations

import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from pipeline.cli.asking import account_path
from pipeline.cli.problems import BadInput
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.scheduled_rows import CLOCK_KEY
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.views import TableView
from pipeline.domain.ledger.rows import Account, account_key
from pipeline.domain.ledger.stream import Ledger
from pipeline.domain.ledger.views import BALANCES
from pipeline.domain.positions.rows import Position, pack_position, position_key
from pipeline.domain.positions.views import POSITIONS
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import Tenant, Tenants
from pipeline.web import answers
from pipeline.web.problems import Problem
from pipeline.web.query import ACCOUNT_LIST, ITEM, LIST, parse, path_parts
from pipeline.web.scope import Scope
from tests.cli.fake_worker import Worker, home
from tests.examples import examples
from tests.fraud.logs import busy_log
from tests.kernel.side_by_side import Log, Replay
from tests.ledger.branches import Branches
from tests.ledger.test_properties import COUNT, Put, few_schedules
from topologies.app import VIEWS

TENANTS = ("a", "ab", "a b", "a.", "b", "a%2Fb", "a\x01", "ä")
ACCOUNTS = ("a", "b", "ab", "x y")
_SIGNS = ("/", "\0", "..", ".", "%2F", "%00", "?", "#", "$clearing:EUR:0")
_pieces = st.sampled_from([*TENANTS, *ACCOUNTS, *_SIGNS])
_crafted = st.lists(_pieces, max_size=4).map("".join)
"""What somebody may try in the place of an id."""
_tenant = st.one_of(st.sampled_from(TENANTS), _crafted)


@pytest.fixture(scope="module")
def worker() -> Iterator[Any]:
    """A worker whose tables have the same accounts of tenants with names much like each other's."""
    with tempfile.TemporaryDirectory() as folder:
        running = Worker(Path(folder))
        for tenant in TENANTS:
            for account in ACCOUNTS:
                row = {account_key(tenant, account): Account(0, "EUR").pack()}
                running.commit("ledger", row, home(account, tenant))
                held = pack_position(Position("EUR", 10**8, 10**10, 0, 0, 1))
                rows = {position_key(tenant, account, "x/y"): held}
                running.commit("positions", rows, home(account, tenant))
        yield running
        running.close()


@examples(50)
@given(st.data())
async def test_a_crafted_request_shows_rows_of_its_tenant_only(worker: Any, data: st.DataObject) -> None:
    view = data.draw(st.sampled_from([BALANCES, POSITIONS]))
    length = data.draw(st.sampled_from([0, 2, len(view.key)]))
    parts = data.draw(st.lists(_tenant, min_size=length, max_size=length))
    asked = data.draw(st.fixed_dictionaries({}, optional={"tenant": _tenant, "after": _crafted}))
    allowed = ITEM if len(parts) == len(view.key) else ACCOUNT_LIST if parts else LIST
    try:
        path = path_parts(dict(zip(view.key, parts, strict=False)))
        scope = Scope(view, path, parse(MultiDict(asked), "", allowed))
        page = await answers.answer(worker, scope)
    except Problem as problem:
        assert problem.status in (400, 404)
        return
    owner = parts[0] if parts else asked["tenant"]
    assert {row["tenant_id"] for _, row in page.rows} <= {owner}
    if len(parts) > 1:
        assert {row["account_id"] for _, row in page.rows} <= {parts[1]}


@pytest.mark.parametrize(
    "view", [view for view in VIEWS if isinstance(view, TableView)], ids=lambda view: view.name
)
def test_no_list_is_of_all_tenants(view: Any) -> None:
    with pytest.raises(Problem, match=r"tenant: must be given, as in \?tenant=north"):
        parse(MultiDict(), "", LIST)
    with pytest.raises(ValueError, match="of one tenant"):
        _ = Scope(view, (), parse(MultiDict(), "", ACCOUNT_LIST)).prefix


@given(_crafted)
def test_what_a_command_asks_for_is_the_tenant_that_was_written(account: str) -> None:
    tenant_id, _, account_id = account.partition("/")
    try:
        path = account_path("balances", account)
    except BadInput:
        assert not (tenant_id and account_id)
        return
    assert [urllib.parse.unquote(part) for part in path.split("/")] == ["", "balances", tenant_id, account_id]


@given(
    st.lists(st.text(max_size=4), min_size=2, max_size=2),
    st.lists(st.text(max_size=4), min_size=2, max_size=2),
)
def test_rows_of_two_accounts_never_have_one_key_or_prefix(one: list[str], other: list[str]) -> None:
    for ids in (one, other):
        if not all(part and len(part) <= ID_CHARS_MAX and not {"\0", "/"} & set(part) for part in ids):
            return
    for key in (account_key, lambda *ids: position_key(*ids, "i")):
        first, second = key(*one), key(*other)
        assert (first == second) == (one == other)
    within = Scope(POSITIONS, (one[0],), parse(MultiDict(), "", ACCOUNT_LIST)).prefix
    assert position_key(*other, "i").startswith(within) == (one[0] == other[0])


@examples(30)
@given(st.integers(0, 2**32))
def test_a_tenant_is_decided_alike_whoever_else_is_there(seed: int) -> None:
    chance = Random(seed)
    log: Log = [
        (msgspec.structs.replace(event, tenant_id=chance.choice(["a", "ab"])), at)
        for event, at in busy_log(chance, 150)
    ]
    gate = Gate(Tenants(default=Tenant(payments_per_second=1, burst=20)))
    together = _applied(gate, log)
    for tenant in ("a", "ab"):
        alone = _applied(gate, [(event, at) for event, at in log if event.tenant_id == tenant])
        assert _of(tenant, together.rows) == {
            key: row for key, row in alone.rows.data.items() if key != CLOCK_KEY
        }
        said = {
            topic: [(key, event) for key, event in events if event.tenant_id == tenant]
            for topic, events in together.said.items()
        }
        assert {topic: events for topic, events in said.items() if events} == alone.said


def _applied(gate: Gate, log: Log) -> Replay:
    replay = Replay(FraudLog(Terms(gate=gate)))
    replay.by_rows(log)
    return replay


def _of(tenant: str, rows: MemoryRows) -> dict[bytes, bytes]:
    """Return the rows of a tenant; the clock is the partition's, and of all tenants together."""
    return {
        key: row
        for key, row in rows.data.items()
        if key != CLOCK_KEY and key.split(b"\0")[1] == tenant.encode()
    }


@examples(20)
@given(few_schedules)
def test_the_books_of_a_tenant_are_alike_whoever_else_keeps_some(schedule: list[Any]) -> None:
    """Two tenants, `acme` and `acme2`, do the same on the same accounts, in turn; each branch by itself."""
    ledger = Branches(COUNT)
    for action in schedule:
        if isinstance(action, Put):
            ledger.recorded_at = action.recorded_at
            ledger.put(action.event)
    ledger.deliver()
    for number, branch in enumerate(ledger.branches):
        mine: list[tuple[Any, int]] = branch.log
        theirs = [(msgspec.structs.replace(event, tenant_id="acme2"), at) for event, at in mine]
        together = [one for pair in zip(mine, theirs, strict=True) for one in pair]
        both_rows, both_said = _booked(together, number)
        for tenant, log in (("acme", mine), ("acme2", theirs)):
            rows, said = _booked(log, number)
            assert _with(tenant, both_rows) == _with(tenant, rows)
            assert [one for one in both_said if one[2].tenant_id == tenant] == said


def _booked(log: list[tuple[Any, int]], number: int) -> tuple[MemoryRows, list[Any]]:
    ledger, rows, said = Ledger(), MemoryRows(), []
    for event, at in log:
        out = Outbox()
        with suppress(Reject):
            ledger.apply(event, Arrival(at, number, COUNT), rows, out)
        said += out.items
    return rows, said


def _with(tenant: str, rows: MemoryRows) -> dict[bytes, bytes]:
    """Return the rows that name a tenant; the others are the clock of the branch."""
    name = f"\0{tenant}\0".encode()
    return {key: row for key, row in rows.data.items() if name in key + b"\0"}
