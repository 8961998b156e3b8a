"""The ledger stream: commands of a branch in, journal and balances out; legs carried between two branches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.rows import Account, unpack_account
from pipeline.runtime.settings import load_settings
from tests.ledger.branches import DAY, decided, envelope, opened
from tests.runtime.task_bench import closed, own_accounts
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import Step, StreamBench, assert_replays
from topologies import ledger
from topologies.configuration import Configuration

A, B, NOSTRO, NOBODY = own_accounts(4)
C, D = own_accounts(2, partition=1)
NAMES = {A: "A", B: "B", NOSTRO: "NOSTRO", NOBODY: "NOBODY", C: "C", D: "D"}
TODAY = 20_000 * DAY
SPEC = ledger.STREAMS[0].spec(Configuration(load_settings()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path)
    yield built
    built.close()


def pay(
    payment_id: str, amount_minor: int, debtor: str = A, creditor: str = B, at: int = TODAY, **changes: Any
) -> ev.PaymentDecided:
    """Return a decision, approved unless told; its event has the payment's id."""
    return decided(payment_id, payment_id, debtor, creditor, amount_minor, **{"occurred_at": at, **changes})


def cancelled(payment_id: str) -> ev.PaymentCancelled:
    head = envelope(f"cancel {payment_id}", TODAY)
    return ev.PaymentCancelled(**head, payment_id=payment_id, debtor_account_id=A, reason="none")


def posted(payment_id: str) -> ev.LegPosted:
    """Return an answer that nobody has asked for."""
    ids: dict[str, Any] = {"payment_id": payment_id, "debtor_account_id": A, "creditor_account_id": C}
    return ev.LegPosted(**envelope("leg"), leg_id="leg", **ids, amount_minor=1, currency="EUR")


def shown(topic: str, partition: int, key: str, event: Any) -> str:
    """Return one output; a key that is not its account's shows."""
    if type(event) is ev.PostingRecorded:
        assert key == f"acme/{event.account_id}"
        name = NAMES.get(event.account_id, event.account_id)
        sign = "+" if event.side == "CREDIT" else "-"
        return f"{topic} {name}{sign}{event.amount_minor}={event.balance_minor_after}"
    if type(event) is ev.HoldRecorded:
        assert key == f"acme/{event.account_id}"
        name = NAMES.get(event.account_id, event.account_id)
        return f"{topic} {name} {event.change} {event.amount_minor}={event.held_minor_after}"
    if topic == "ledger-commands":
        return f"{type(event).__name__} to {NAMES[key.removeprefix('acme/')]} on {partition}"
    debtor = getattr(event, "debtor_account_id", None) or event.account_id
    assert key == f"acme/{debtor}"
    return f"{type(event).__name__} {event.code}"


def show(bench: StreamBench, step: Step) -> str:
    """Return what became of a command; every branch keeps its outputs on its own number, commands apart."""
    if step.dead is not None:
        return step.dead
    outputs = [output for output in step.said if output[0] != "balances"]
    assert {partition for topic, partition, *_ in step.said if topic != "ledger-commands"} <= {
        bench.partition
    }
    for _, _, key, balance in (output for output in step.said if output[0] == "balances"):
        assert key == f"acme/{balance.account_id}"
        assert balance.balance_minor == accounts(bench)[balance.account_id].balance_minor
    return ", ".join(shown(*output) for output in outputs)


def accounts(bench: StreamBench) -> dict[str, Account]:
    """Return the committed accounts of a branch, which must balance."""
    assert bench.store is not None
    rows = bench.store.committed_scan(b"a\0")
    found = {key.decode().split("\0")[2]: unpack_account(row) for key, row in rows}
    assert sum(account.balance_minor for account in found.values()) == 0
    return found


SETTLED = "PaymentReserved ok, PaymentSettled ok"
HELD_FOR_C = "PaymentReserved ok, postings A PLACED 60=60, LegRequested to C on 1"
LIFE: list[tuple[Any, str]] = [
    (pay("p0", 1), "PaymentRejected debtor_not_found"),
    (cancelled("p1"), "CommandRefused payment_not_found"),
    (opened("a", A, 100), "postings $opening:EUR:0-100=-100, postings A+100=100"),
    (opened("a", A, 100), "CommandRefused exists"),
    (opened("b", B), ""),
    (pay("p0", 1), "CommandRefused exists"),
    (
        pay("p1", 60),
        f"{SETTLED}, postings A-60=40, postings B+60=60",
    ),
    (pay("p1", 60), "CommandRefused exists"),
    (pay("p1", 61), "CommandRefused exists_with_different_amount"),
    (pay("p2", 41), "PaymentRejected insufficient_funds"),
    (
        pay("p3", 5, at=TODAY - 10 * DAY),
        f"{SETTLED}, postings A-5=35, postings B+5=65",
    ),
    (pay("p4", 5, at=TODAY - 91 * DAY), "PaymentRejected too_old"),
    (pay("p5", 5, outcome="REVIEW"), "PaymentReserved ok, postings A PLACED 5=5"),
    (cancelled("p5"), "postings A RELEASED 5=0, PaymentCancelledOutcome cancelled"),
    (cancelled("p5"), "CommandRefused already_failed"),
    (posted("p1"), "leg_not_expected"),
    (closed(A, 1), "CommandRefused too_old"),
    (msgspec.structs.replace(closed(A, 2), occurred_at=TODAY), "CommandRefused account_not_empty"),
    (opened("n", NOSTRO, account_type="nostro"), ""),
    (
        pay("p6", 5, creditor=NOSTRO),
        f"{SETTLED}, postings A-5=30, postings NOSTRO+5=5, reconciliation-items NOSTRO+5=5",
    ),
]


async def test_early_late_and_repeated_commands_have_one_effect_each(
    bench: StreamBench, tmp_path: Path
) -> None:
    for event, expected in LIFE:
        assert show(bench, await bench.step(bench.of(event))) == expected, event
    balances = {NAMES.get(name, name): account.balance_minor for name, account in accounts(bench).items()}
    assert balances == {"$opening:EUR:0": -100, "A": 30, "B": 65, "NOSTRO": 5}
    latest = {event.account_id: event for *_, event in bench.decoded(only(bench, "balances"))}
    assert {NAMES.get(name, name): event.balance_minor for name, event in latest.items()} == balances
    await assert_replays(bench, tmp_path)


def only(bench: StreamBench, topic: str) -> dict[tuple[str, int], list[Any]]:
    """Return what a bench has written to one topic."""
    return {place: records for place, records in bench.written().items() if place[0] == topic}


async def test_accounts_of_both_versions_are_opened_and_closed_in_one_log(bench: StreamBench) -> None:
    ids = own_accounts(50)
    for number, account in enumerate(ids):
        bench.of(opened(f"open {account}", account, overdraft_limit_minor=7), version=number % 2 + 1)
    for number, account in enumerate(ids):
        bench.of(closed(account, number), version=number % 2 + 1)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.dead() == []
    found = accounts(bench)
    assert [found[account].overdraft_limit_minor for account in ids] == [0, 7] * 25
    assert {account.status for account in found.values()} == {1}


@pytest.mark.parametrize("count", [3, 40], ids=["few", "columns"])
async def test_every_command_is_applied_or_a_dead_letter(
    count: int, bench: StreamBench, tmp_path: Path
) -> None:
    goods = [opened(f"e{number}", account, 5) for number, account in enumerate(own_accounts(count))]
    price = ev.TradeSettled(**envelope("e"), trade_id="t", account_id=A, settled_at=0)
    await assert_applied_or_dead(bench, goods, "account_id", price, tmp_path)


ACCOUNT_COMMANDS = [
    *(ev.AccountOpened, ev.AccountLimitSet, ev.AccountFrozen, ev.AccountUnfrozen, ev.AccountClosed),
    *(ev.AccountReopened, ev.PeriodClosed),
]
PAYMENT_COMMANDS = [
    *(ev.PaymentDecided, ev.PaymentReviewed, ev.PaymentCancelled, ev.PaymentCaptured, ev.PaymentExtended),
    *(ev.PaymentReversed, ev.LegRequested, ev.LegPosted, ev.LegRefused),
]
JOURNAL_COMMANDS = [
    *(ev.JournalSubmitted, ev.JournalConfirmed, ev.JournalVoided, ev.JournalReversed),
    *(ev.JournalLegsRequested, ev.JournalLegsAnswered, ev.JournalLegsEnded),
]


@pytest.mark.parametrize("kinds", [PAYMENT_COMMANDS, JOURNAL_COMMANDS], ids=["payments", "journals"])
async def test_extreme_values_are_applied_or_dead_letters(kinds: list[type], tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [*ACCOUNT_COMMANDS, *kinds])


class Branches:
    """Two branches and the legs between them, carried byte for byte."""

    def __init__(self, folder: Path) -> None:
        self.both = [StreamBench(SPEC, folder, number) for number in (0, 1)]
        self.applied = [0, 0]
        self.carried = [0, 0]

    def put(self, *events: Any) -> None:
        """Append commands to the logs of their accounts' branches."""
        for event in events:
            account = getattr(event, "debtor_account_id", None) or event.account_id
            self.both[int(account in (C, D))].of(event)

    async def turn(self, number: int, size: int = 1) -> str:
        """Apply a branch's next commands as one batch and carry its legs; show what a single one gave."""
        bench = self.both[number]
        records = bench.log[self.applied[number] :][:size]
        self.applied[number] += len(records)
        shown = ""
        if len(records) == size == 1:
            shown = show(bench, await bench.step(records[0]))
        elif records:
            await bench.accept(*records)
            await bench.settled()
        for written, *_ in bench.producer.commits[self.carried[number] :]:
            for target in (0, 1):
                for key, value, *_ in written.get(("ledger-commands", target), []):
                    self.both[target].record(value, key)
        self.carried[number] = len(bench.producer.commits)
        return shown

    async def deliver(self, sizes: tuple[int, int] = (100, 100)) -> None:
        """Apply everything that waits anywhere."""
        while any(len(bench.log) > done for bench, done in zip(self.both, self.applied, strict=True)):
            for number, size in enumerate(sizes):
                await self.turn(number, size)

    def clearing(self) -> list[int]:
        """Return the balances of the clearing accounts."""
        found = [accounts(bench).get(f"$clearing:EUR:{bench.partition}") for bench in self.both]
        return [0 if account is None else account.balance_minor for account in found]


@pytest.fixture
def branches(tmp_path: Path) -> Iterator[Branches]:
    built = Branches(tmp_path)
    yield built
    for bench in built.both:
        bench.close()


async def test_a_payment_between_branches_settles_leg_by_leg_and_a_leg_counts_once(
    branches: Branches,
) -> None:
    branches.put(opened("a", A, 100), opened("c", C))
    await branches.deliver()
    branches.put(pay("p1", 60, creditor=C))
    assert await branches.turn(0) == HELD_FOR_C
    assert accounts(branches.both[0])[A].available_minor == 40
    assert branches.clearing() == [0, 0]
    legs = "postings $clearing:EUR:1-60=-60, postings C+60=60, LegPosted to A on 0"
    assert await branches.turn(1) == legs
    assert branches.clearing() == [0, -60]  # on its way
    settled = "postings A-60=40, postings $clearing:EUR:0+60=60, PaymentSettled ok"
    assert await branches.turn(0) == settled
    assert branches.clearing() == [60, -60]
    rows = [bench.rows() for bench in branches.both]
    for number, code in ((1, "leg_exists"), (0, "leg_not_expected")):
        again = branches.both[number].log[-1]
        branches.both[number].record(again.value, again.key)
        assert await branches.turn(number) == code
    assert [bench.rows() for bench in branches.both] == rows


async def test_a_refused_leg_gives_the_hold_back(branches: Branches) -> None:
    branches.put(opened("a", A, 100), pay("p1", 60, creditor=C))
    await branches.turn(0)
    assert await branches.turn(0) == HELD_FOR_C
    assert await branches.turn(1) == "LegRefused to A on 0"
    assert await branches.turn(0) == "postings A RELEASED 60=0, PaymentFailed creditor_not_found"
    account = accounts(branches.both[0])[A]
    assert (account.balance_minor, account.available_minor, account.debits_pending) == (100, 100, 0)
    assert branches.clearing() == [0, 0]
    branches.put(pay("p1", 60, creditor=C))
    assert await branches.turn(0) == "CommandRefused exists"


@pytest.mark.parametrize("sizes", [(1, 1), (100, 3), (2000, 2000)])
async def test_payments_in_both_directions_are_exact_in_any_batches(
    sizes: tuple[int, int], branches: Branches, tmp_path: Path
) -> None:
    start = 1_000_000
    branches.put(*[opened(f"open {account}", account, start) for account in (A, B, C, D)])
    await branches.deliver()
    ways = [(A, C), (C, A), (B, D), (D, NOBODY), (A, B), (C, B)]
    expected = dict.fromkeys((A, B, C, D), start)
    bad: list[list[int]] = [[], []]
    for number in range(600):  # enough for a batch that goes by columns as a whole
        debtor, creditor = ways[number % len(ways)]
        branches.put(*[pay(f"p{number}", number, debtor, creditor)] * (1 + number % 2))
        if creditor != NOBODY:
            expected[debtor] -= number
            expected[creditor] += number
        if number % 50 == 7:
            for bench, offsets in zip(branches.both, bad, strict=True):
                offsets.append(bench.record(bench.log[-1].value[:-1], bench.log[-1].key).offset)
    await branches.deliver(sizes)
    found = {name: account for bench in branches.both for name, account in accounts(bench).items()}
    assert {name: found[name].balance_minor for name in expected} == expected
    assert sum(branches.clearing()) == 0
    assert {account.debits_pending + account.credits_pending for account in found.values()} == {0}
    for bench, offsets in zip(branches.both, bad, strict=True):
        assert bench.dead() == [(offset, "malformed_value") for offset in offsets]
        await assert_replays(bench, tmp_path)
