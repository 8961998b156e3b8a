"""What today's rules keep of an earlier log beyond what an earlier version kept is what the log says.

Rows without it are compared in `test_earlier_tables.py`; here is what `earlier_rows.py` takes away of the
ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.ledger import holds, journals, limits
from pipeline.domain.ledger import rows as ledger
from tests.streams.earlier_rows import Rows
from tests.streams.test_earlier_tables import SETTINGS, TABLES, apply, bench_of, decoded, stored

COMMIT = "fa04242"


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> list[Rows]:
    """The rows that today's ledger makes of the earlier log, branch by branch."""
    return asyncio.run(replay(tmp_path_factory))


async def replay(folders: pytest.TempPathFactory) -> list[Rows]:
    (spec,) = (spec for spec in TABLES[COMMIT] if spec.name == "ledger")
    found = []
    for partition in range(SETTINGS[COMMIT].partitions):
        bench = bench_of(COMMIT, spec, folders.mktemp("ledger"), partition)
        try:
            await apply(bench, 10**4)
            found.append(stored(bench))
        finally:
            bench.close()
    return found


def of_family(branches: list[Rows], family: str) -> Iterator[tuple[list[str], bytes]]:
    """Yield the parts of each key of a family, and its row."""
    for rows in branches:
        for key, row in rows.items():
            if key.startswith(family.encode() + b"\0"):
                yield key.decode().split("\0")[1:], row


def first_of(kind: type, *fields: str) -> dict[tuple[str, ...], Any]:
    """Return the first command of a kind for each id: the one that had an effect."""
    found: dict[tuple[str, ...], Any] = {}
    for event in decoded(COMMIT, "ledger-commands"):
        if type(event) is kind:
            found.setdefault(tuple(getattr(event, field) for field in fields), event)
    return found


def newest_value_times(field: str) -> dict[tuple[str, str], int]:
    """Return the latest value time of the postings of each payment or journal."""
    found: dict[tuple[str, str], int] = {}
    for event in decoded(COMMIT, "postings"):
        identity = getattr(event, field) if type(event) is ev.PostingRecorded else None
        if identity is not None:
            counts_at = event.occurred_at if event.effective_at is None else event.effective_at
            place = event.tenant_id, identity
            found[place] = max(counts_at, found.get(place, counts_at))
    return found


def test_a_payment_keeps_type_and_end_of_its_command_and_the_value_time_of_its_postings(
    branches: list[Rows],
) -> None:
    commands = first_of(ev.PaymentDecided, "tenant_id", "payment_id")
    times = newest_value_times("payment_id")
    seen = 0
    for (tenant, payment_id), row in of_family(branches, "p"):
        payment, command = ledger.unpack_payment(row), commands[tenant, payment_id]
        assert (payment.payment_type, payment.hold_expires_at) == (
            command.payment_type,
            command.hold_expires_at,
        )
        assert (payment.metadata, payment.asked_minor) == (None, None)
        assert payment.effective_at == times.get((tenant, payment_id)), payment_id
        seen += payment.effective_at is not None
    assert seen > 500


def test_a_capture_keeps_how_it_was_asked_for(branches: list[Rows]) -> None:
    commands = first_of(ev.PaymentCaptured, "tenant_id", "payment_id", "capture_id")
    seen = set()
    for (tenant, payment_id), row in of_family(branches, "h"):
        for part in holds.unpack_hold(row).captures:
            command = commands[tenant, payment_id, part.capture_id]
            assert (part.final, part.rest) == (command.final, command.amount_minor is None)
            seen.add((part.final, part.rest))
    assert len(seen) == 3


def test_a_journal_keeps_the_value_time_of_its_postings_and_whether_a_reversal_named_an_amount(
    branches: list[Rows],
) -> None:
    submitted = first_of(ev.JournalSubmitted, "tenant_id", "journal_id")
    taken_back = first_of(ev.PaymentReversed, "tenant_id", "reversal_id")
    undone = first_of(ev.JournalReversed, "tenant_id", "reversal_id")
    times = newest_value_times("journal_id")
    kinds = set()
    for (tenant, journal_id, account), row in of_family(branches, "j"):
        journal, place = journals.unpack_journal(row), (tenant, journal_id)
        assert journal.account_id == account and journal.metadata is None
        assert journal.posted_at == times.get(place), journal_id
        if place in submitted:
            assert journal.rest is False and journal.not_before is None
        elif place in taken_back:
            assert journal.rest == (taken_back[place].amount_minor is None)
        else:
            assert journal.rest == (not undone[place].legs)
        kinds.add((place in submitted, journal.rest, journal.posted_at is None))
    assert len(kinds) > 3


def test_the_time_of_a_limit_is_not_before_it_was_to_count(branches: list[Rows]) -> None:
    asked = {
        row_key("t", event.tenant_id, event.account_id): event
        for event in decoded(COMMIT, "ledger-commands")
        if type(event) is ev.AccountLimitSet
    }
    found = {row_key("t", *parts): limits.unpack_limits(row) for parts, row in of_family(branches, "t")}
    for key, known in found.items():
        starts = asked[key].effective_at
        assert known.since is not None
        assert known.since >= (asked[key].occurred_at if starts is None else starts)
    assert len(found) > 8


def test_open_holds_are_found_by_account_and_are_counted(branches: list[Rows]) -> None:
    open_holds = {
        (tenant, payment_id)
        for (tenant, payment_id), row in of_family(branches, "h")
        if not holds.unpack_hold(row).ended
    }
    due = {(parts[2], parts[4]) for parts, _ in of_family(branches, "d")}
    by_account = {
        (parts[0], parts[6], parts[1]) for parts, _ in of_family(branches, "y") if parts[2] == "DEBIT"
    }
    assert due == open_holds
    assert {(tenant, payment_id) for tenant, payment_id, _ in by_account} == open_holds
    counts = {tuple(parts): ledger.unpack_number(b"o", row) for parts, row in of_family(branches, "o")}
    accounts = [(tenant, account) for tenant, _, account in by_account]
    assert counts == {place: accounts.count(place) for place in accounts} != {}
