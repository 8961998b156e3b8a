"""The ledger under random schedules: several branches, duplicates, legs that are late, against the model.

`Branches.step` checks after every single event that the books of its branch balance and that every account is
the fold of its postings without a gap.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any, NamedTuple

import msgspec
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX, fits
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.domain.ledger.journals import HELD, part_key, unpack_branch_legs
from pipeline.domain.ledger.rows import CLOSED, read_payment
from pipeline.verify.model.ledger import Branch as Model
from pipeline.verify.model.record import Record
from tests.chaos.side_by_side import NAMES, builtins
from tests.examples import examples
from tests.ledger.branches import (
    DAY,
    TENANT,
    Branches,
    clearing_total,
    decided,
    envelope,
    opened,
    replayed,
    said_bytes,
)

COUNT = 3
ACCOUNTS = [f"account-{number}" for number in range(7)]
LEGS = (ev.LegRequested, ev.LegPosted, ev.LegRefused)
ENDS = (ev.PaymentSettled, ev.PaymentRejected, ev.PaymentFailed, ev.PaymentCancelledOutcome)


class Put(NamedTuple):
    """Append a command to its branch's log."""

    event: Any
    recorded_at: int


class Step(NamedTuple):
    """Apply the next command of a branch."""

    branch: int


class Repeat(NamedTuple):
    """Append the leg that a branch is about to apply once more."""

    branch: int


_accounts = st.sampled_from(ACCOUNTS)
_pairs = st.sampled_from([*permutations(ACCOUNTS, 2), (ACCOUNTS[0], ACCOUNTS[0])])
_branches = st.integers(0, COUNT - 1)
_currencies = st.sampled_from(["EUR"] * 12 + ["USD"])
_days = st.sampled_from([100] * 20 + [0, 10, 190, 191]).map(lambda day: day * DAY)
_actions = st.sampled_from(
    ["pay"] * 6
    + ["link", "about link"]
    + ["step"] * 9
    + ["about"] * 3
    + ["change", "again", "repeat", "repeat"]
)


@st.composite
def _payments(draw: st.DrawFn, number: int, amounts: st.SearchStrategy[int]) -> ev.PaymentDecided:
    debtor, creditor = draw(_pairs)
    return decided(
        f"event-{number}",
        f"P{draw(st.integers(0, 20))}",
        debtor,
        creditor,
        draw(amounts),
        occurred_at=draw(_days),
        outcome=draw(st.sampled_from(["APPROVE", "APPROVE", "REVIEW", "REVIEW", "APPROVE", "DECLINE"])),
        currency=draw(_currencies),
    )


@st.composite
def _links(draw: st.DrawFn, number: int, amounts: st.SearchStrategy[int]) -> ev.PaymentsLinkDecided:
    """Return linked payments; some with the opening of the debtor's account, some with a known id."""
    debtor, count = draw(_accounts), draw(st.integers(1, 4))
    payments = tuple(
        ev.DecidedPayment(
            draw(st.sampled_from([f"P{number}-{place}"] * 9 + [f"P{place}"])),
            *(draw(_accounts), draw(amounts), draw(_currencies), "transfer", "of a link"),
            *(None, None, None, None),
            draw(st.sampled_from(["APPROVE"] * 8 + ["REVIEW", "DECLINE"])),
            *(0, ()),
        )
        for place in range(count)
    )
    opening = ev.LinkOpening(
        "c", "checking", draw(_currencies), draw(amounts), draw(st.sampled_from([0, None]))
    )
    return ev.PaymentsLinkDecided(
        **{**envelope(f"event-{number}"), "occurred_at": draw(_days)},
        link_id=f"L{draw(st.integers(0, 20))}",
        debtor_account_id=debtor,
        payments=payments,
        rules_version="test",
        open_account=draw(st.sampled_from([None, None, opening])),
    )


def _about_link(number: int, link: ev.PaymentsLinkDecided) -> st.SearchStrategy[Any]:
    """Return a review or a cancellation of a link, by one of its payments."""
    fields = {**envelope(f"event-{number}"), "debtor_account_id": link.debtor_account_id, "reason": ""}
    fields |= {"payment_id": link.payments[-1].payment_id, "link_id": link.link_id}
    return st.one_of(
        st.booleans().map(
            lambda approved: ev.PaymentReviewed(**fields, approved=approved, reviewer="reviewer")
        ),
        st.just(ev.PaymentCancelled(**fields)),
    )


def _about(number: int, payment: ev.PaymentDecided) -> st.SearchStrategy[Any]:
    """Return a review or a cancellation of a payment; a few name another account as its debtor."""
    fields = {**envelope(f"event-{number}"), "payment_id": payment.payment_id, "reason": ""}
    debtors = st.sampled_from([payment.debtor_account_id] * 9 + ACCOUNTS[:1])
    return st.one_of(
        st.builds(
            lambda debtor, approved: ev.PaymentReviewed(
                **fields, debtor_account_id=debtor, approved=approved, reviewer="reviewer"
            ),
            debtors,
            st.sampled_from([True, True, False]),
        ),
        st.builds(lambda debtor: ev.PaymentCancelled(**fields, debtor_account_id=debtor), debtors),
    )


def _changes(number: int, limits: st.SearchStrategy[int | None]) -> st.SearchStrategy[Any]:
    """Return a new limit or a closure."""
    fields = envelope(f"event-{number}")
    return st.one_of(
        st.builds(
            lambda **own: ev.AccountLimitSet(**fields, **own),
            account_id=_accounts,
            overdraft_limit_minor=limits,
        ),
        st.builds(
            lambda account_id: ev.AccountClosed(
                **fields, account_id=account_id, reason="fraud", regulatory_notification_sent=True
            ),
            _accounts,
        ),
    )


@st.composite
def _schedules(
    draw: st.DrawFn,
    balances: st.SearchStrategy[int],
    amounts: st.SearchStrategy[int],
    limits: st.SearchStrategy[int | None],
) -> list[Any]:
    """Return a schedule: most accounts are opened first, then commands and steps come mixed."""
    schedule: list[Any] = []
    for number, account_id in enumerate(ACCOUNTS[: draw(st.integers(4, len(ACCOUNTS)))]):
        changes = {"currency": draw(_currencies), "overdraft_limit_minor": draw(limits)}
        schedule.append(Put(opened(f"open-{number}", account_id, draw(balances), **changes), 0))
    schedule += [Step(branch) for branch in range(COUNT)] * draw(st.sampled_from([len(ACCOUNTS), 1]))
    for number in range(draw(st.integers(1, 45))):
        what = draw(_actions)
        if what == "step" or what == "repeat":
            schedule.append((Repeat if what == "repeat" else Step)(draw(_branches)))
            continue
        puts = [done.event for done in schedule if isinstance(done, Put)]
        payments = [event for event in puts if type(event) is ev.PaymentDecided]
        if what == "again":
            command = draw(st.sampled_from(puts))
        elif what == "change":
            command = draw(_changes(number, limits))
        elif what == "link":
            command = draw(_links(number, amounts))
        elif what == "about link" and any(type(event) is ev.PaymentsLinkDecided for event in puts):
            links = [event for event in puts if type(event) is ev.PaymentsLinkDecided]
            command = draw(_about_link(number, draw(st.sampled_from(links))))
        elif what == "about" and payments:
            command = draw(_about(number, draw(st.sampled_from(payments))))
        else:
            command = draw(_payments(number, amounts))
        schedule.append(Put(command, draw(_days)))
    return schedule


class Both:
    """The branches and the model, driven through the same schedule."""

    def __init__(self) -> None:
        self.ledger = Branches(COUNT)
        self.models = [Model(number, COUNT, with_rows=False) for number in range(COUNT)]

    def play(self, schedule: list[Any]) -> None:
        """Do what the schedule says, then deliver what still waits."""
        for action in schedule:
            if isinstance(action, Put):
                self.ledger.recorded_at = action.recorded_at
                self.ledger.put(action.event)
            elif isinstance(action, Repeat):
                self._repeat(action.branch)
            elif self.ledger.branches[action.branch].waiting:
                self.step(action.branch)
        while busy := [number for number in range(COUNT) if self.ledger.branches[number].waiting]:
            for number in busy:
                self.step(number)

    def _repeat(self, number: int) -> None:
        waiting = self.ledger.branches[number].waiting
        if waiting and type(waiting[0][0]) in LEGS:
            note("a leg twice")
            waiting.append(waiting[0])

    def step(self, number: int) -> None:
        """Apply one event in both, then check what must hold at any moment."""
        event, recorded_at = self.ledger.branches[number].waiting[0]
        opens = getattr(event, "open_account", None) is not None
        items = self.ledger.step(number)
        self.models[number].apply(_record(event, recorded_at, number))
        for _, _, event in items:
            if type(event) is ev.PaymentReserved:
                account = self.ledger.account(event.debtor_account_id)
                if account is None and opens:  # other branches are asked before its account comes into being
                    continue
                assert account is not None
                limit = account.limit_minor
                assert limit is None or account.available_minor >= -limit
        self._check_clearing()

    def _check_clearing(self) -> None:
        """Clearing is what one branch has done and the other not yet: credited, or, of links, debited."""
        for currency in ("EUR", "USD"):
            credited = {
                event.payment_id + event.debtor_account_id: event.amount_minor
                for branch in self.ledger.branches
                for event, _ in branch.waiting
                if type(event) is ev.LegPosted and event.currency == currency and self._in_flight(event)
            }
            assert clearing_total(self.ledger, currency) == self._owed(currency) - sum(credited.values())

    def _owed(self, currency: str) -> int:
        """Return what settled links have debited at home and other branches have still to credit."""
        found = {}
        for number, branch in enumerate(self.ledger.branches):
            for event, _ in branch.waiting:
                if type(event) is not ev.JournalLegsEnded or not event.posted:
                    continue
                row = branch.rows.get(part_key(TENANT, event.home_account_id, event.journal_id))
                part = None if row is None else unpack_branch_legs(row)
                if part is not None and part.state == HELD:
                    legs = [leg.amount_minor for leg in part.legs if leg.currency == currency]
                    found[number, event.journal_id] = sum(legs)
        return sum(found.values())

    def _in_flight(self, event: Any) -> bool:
        rows = self.ledger.branches[partition_of(f"{TENANT}/{event.debtor_account_id}", COUNT)].rows
        payment = read_payment(rows, TENANT, event.payment_id)
        return payment is not None and payment.state == "IN_FLIGHT"


def _record(event: Any, recorded_at: int, number: int) -> Record:
    """Return a command as the model reads it."""
    place = ("ledger-commands", number, 0, recorded_at // 1000, record_key(event).encode())
    return Record(*place, b"", {}, NAMES[type(event)], builtins(event), None)


def _check_quiet(ledger: Branches) -> None:
    """Check what must hold once nothing is under way any more."""
    assert clearing_total(ledger, "EUR") == clearing_total(ledger, "USD") == 0
    for number, branch in enumerate(ledger.branches):
        ends = Counter(
            event.payment_id
            for _, _, event in branch.said
            if type(event) in ENDS and getattr(event, "code", "") not in ("too_old", "not_yet")
        )
        assert set(ends.values()) <= {1}, "a payment ends once"
        for key, _ in branch.rows.scan(b"p\0"):
            payment_id = key.decode().split("\0")[2]
            payment = read_payment(branch.rows, TENANT, payment_id)
            assert payment is not None and payment.state != "IN_FLIGHT"
            assert ends[payment_id] == (payment.state != "HELD")
        rows, said = replayed(branch, number, COUNT)
        assert list(rows.items()) == list(branch.rows.data.items())
        assert said == said_bytes(branch.said)


def _check_model(both: Both) -> None:
    """Check that the model has the same balances and knows the same end of every payment."""
    for account_id in ACCOUNTS:
        home = both.models[partition_of(f"{TENANT}/{account_id}", COUNT)]
        account, expected = both.ledger.account(account_id), home.accounts.get((TENANT, account_id))
        if account is None or expected is None:
            assert account is None and expected is None
            continue
        assert (account.balance_minor, account.debits_pending) == (expected.balance, expected.debits_pending)
        assert account.credits_pending == expected.credits_pending
        assert (account.status == CLOSED) == expected.closed
    known = {}
    for number, branch in enumerate(both.ledger.branches):
        for key, _ in branch.rows.scan(b"p\0"):
            payment_id = key.decode().split("\0")[2]
            payment = read_payment(branch.rows, TENANT, payment_id)
            assert payment is not None
            known[number, payment_id] = payment.state
    assert known == {
        (model.number, payment_id): payment.state
        for model in both.models
        for (_, payment_id), payment in model.payments.items()
    }
    for state in known.values():
        note(state)


_limits = st.one_of(st.none(), st.integers(0, 30))
few_schedules = _schedules(st.integers(-20, 200), st.integers(1, 60) | st.integers(-1, 1), _limits)
_edge = st.sampled_from([1, 2, INT64_MAX, INT64_MAX - 1, 2**62]) | st.integers(1, INT64_MAX)
edge_schedules = _schedules(
    _edge | st.sampled_from([0, -INT64_MAX]), _edge, st.none() | st.sampled_from([0, INT64_MAX])
)


@examples(150)
@given(few_schedules)
def test_branches_agree_with_the_model(schedule: list[Any]) -> None:
    both = Both()
    both.play(schedule)
    _check_quiet(both.ledger)
    _check_model(both)


@examples(100)
@given(edge_schedules)
def test_money_is_conserved_at_the_edge_of_64_bits(schedule: list[Any]) -> None:
    ledger = Branches(COUNT)
    for action in schedule:
        if isinstance(action, Put):
            ledger.recorded_at = action.recorded_at
            ledger.put(action.event)
        elif ledger.branches[action.branch].waiting:
            ledger.step(action.branch)
    ledger.deliver()
    _check_quiet(ledger)
    for branch in ledger.branches:
        for _, key, event in branch.said:
            assert all(fits(value) for value in msgspec.structs.astuple(event) if type(value) is int)
            assert type(event) not in LEGS or key == record_key(event)
            if getattr(event, "code", "") == "overflow":
                note(f"overflow: {type(event).__name__}")
