"""The reconciliation job: postings of nostro accounts and the bank's statement lines -> matches and breaks.

Each account has ten days: 50 payments and the bank's lines of them; a statement ends every five days. Of the
lines, four in five name the payment's reference, one in seven its id, the others nothing: these are matched
by score. One posting in ten comes after its line. Planted, one each in a hundred payments: an amount that is
18 % too large, a line that comes twice, a payment without a line, a line without a payment. Empty statements
move event time on, as far as it takes until every item is due, and due again where something is suggested.

Within an account no two payments have one amount, and no two planted ones together have that of a third: so
there is one right match for each line, and one right kind for each break.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from pipeline.domain.kernel import events as ev
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import expect
from tests.benchmarks.inputs import TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run

SOURCE = "reconciliation-items"
RESULTS = "reconciliation-results"
DAYS, PAYMENTS_A_DAY = 10, 50
STATEMENT_DAYS = 5
LATER_DAYS = (2, 3, 36, 37, 38, 39, 70, 71, 72, 73)
"""Days behind the last ones with an empty statement: an event has room for eight decisions."""
BEFORE_DAYS = DAYS + LATER_DAYS[-1] + 2
"""How long before now the first day is."""
DAY_US = 86_400 * 1_000_000
SECOND_US = 1_000_000
AMOUNT_STEP = 4
PLANTED_MINOR, PLANTED_STEP = 260_00, 4_37
"""The planted payments of an account have larger amounts, minor units: from the first one on, by this step.
18 % of them are less than a part of a larger payment that is still to come could lack."""
PLANTED = ("AMOUNT", "DUPLICATE", "MISSING_EXTERNAL", "MISSING_INTERNAL")
PLANTED_EVERY = 25
"""Payments, of which one has something planted on it: each kind in turn."""

Match = tuple[str, int, str, str]
"""Statement, line number, posting, tier."""
Break = tuple[str, str | None, int | None, str | None]
"""Kind, statement, line number, posting."""


class Payment(NamedTuple):
    """A payment over a nostro account, as it happened."""

    name: str
    amount: int
    at: int
    reference: str | None
    """What the bank says of it."""
    planted: str | None
    late: bool
    """Whether its posting comes after its line."""


@dataclass
class Account:
    """A nostro account on its way through the days."""

    name: str
    payments: int = 0
    balance: int = 0
    statements: int = 0
    lines: int = 0
    """Of the statement that is not closed yet."""
    total: int = 0
    """The sum of these lines, minor units."""


@dataclass
class ReconciliationInput:
    """The items of a round, and what they must lead to: matches and breaks, filled while `events` is read."""

    seed: str
    items: int
    matches: set[Match] = field(default_factory=set)
    breaks: Counter[Break] = field(default_factory=Counter)

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, posting_recorded, statement_line or statement_closed)."""
        rng = random.Random(self.seed)
        # A payment is two items.
        count = max(2, round(self.items / (2 * DAYS * PAYMENTS_A_DAY)))
        accounts = [Account(f"nostro-{self.seed}-{number:04d}") for number in range(count)]
        start = (now_us() // DAY_US - BEFORE_DAYS) * DAY_US
        for day in range(DAYS):
            for account in accounts:
                for event in self._day(account, start + day * DAY_US, rng):
                    yield f"{TENANT}/{account.name}", event
                if day % STATEMENT_DAYS == STATEMENT_DAYS - 1:
                    yield f"{TENANT}/{account.name}", _closed(account, start + day * DAY_US + DAY_US // 2)
        for later in LATER_DAYS:
            for account in accounts:
                at = start + (DAYS - 1 + later) * DAY_US
                yield f"{TENANT}/{account.name}", _closed(account, at)

    def _day(self, account: Account, start: int, rng: random.Random) -> Iterator[Any]:
        payments = [
            self._payment(account, start + number * SECOND_US, rng) for number in range(PAYMENTS_A_DAY)
        ]
        postings = [payment for payment in payments if payment.planted != "MISSING_INTERNAL"]
        yield from (_posting(account, payment) for payment in postings if not payment.late)
        for payment in payments:
            for _ in range({"MISSING_EXTERNAL": 0, "DUPLICATE": 2}.get(payment.planted or "", 1)):
                line = _line(account, payment)
                account.lines += 1
                account.total += line.amount_minor
                yield line
            self._foresee(account, payment)
        yield from (_posting(account, payment) for payment in postings if payment.late)

    def _payment(self, account: Account, at: int, rng: random.Random) -> Payment:
        account.payments += 1
        number = account.payments
        planted = PLANTED[number // PLANTED_EVERY % 4] if number % PLANTED_EVERY == 0 else None
        name, dice = f"{account.name}-{number}", rng.random()
        reference = _invoice(name) if dice < 0.8 else f"pay-{name}"
        said = reference if planted or dice < 0.95 else None
        size = PLANTED_MINOR + number // PLANTED_EVERY * PLANTED_STEP if planted else AMOUNT_STEP * number
        amount = size if rng.random() < 0.5 else -size
        return Payment(name, amount, at, said, planted, planted is None and number % 10 == 0)

    def _foresee(self, account: Account, payment: Payment) -> None:
        """Note what a payment must lead to, once its lines are there."""
        statement, line_no = _statement(account), account.lines
        posting, planted = f"posting-{payment.name}", payment.planted
        tier = "REFERENCE" if payment.reference else "SCORED"
        if planted is None:
            self.matches.add((statement, line_no, posting, tier))
            return
        if planted == "DUPLICATE":
            self.matches.add((statement, line_no - 1, posting, tier))
        if planted in ("AMOUNT", "MISSING_EXTERNAL"):
            self.breaks[planted, None, None, posting] += 1
        if planted != "MISSING_EXTERNAL":
            self.breaks[planted, statement, line_no, None] += 1


def _invoice(name: str) -> str:
    """Return the reference of a payment: no two are alike, else what differs by chance would look related."""
    return f"invoice {blake2b(name.encode(), digest_size=6).hexdigest()}"


def _posting(account: Account, payment: Payment) -> ev.PostingRecorded:
    posting = f"posting-{payment.name}"
    side = "CREDIT" if payment.amount > 0 else "DEBIT"
    return ev.PostingRecorded(
        *envelope(posting, payment.at),
        *(posting, f"entry-{payment.name}", f"pay-{payment.name}", account.name, "nostro", side),
        *(abs(payment.amount), "EUR", int(payment.name.rpartition("-")[2]), 0, 0, _invoice(payment.name)),
        *(payment.at, 0),
    )


def _line(account: Account, payment: Payment) -> ev.StatementLine:
    statement, line_no = _statement(account), account.lines + 1
    amount = payment.amount + (payment.amount * 18 // 100 if payment.planted == "AMOUNT" else 0)
    return ev.StatementLine(
        *envelope(f"line-{statement}-{line_no}", payment.at),
        *(statement, account.name, line_no, payment.reference, amount, "EUR"),
        *(payment.at, payment.at // DAY_US, "incoming payment" if amount > 0 else "outgoing payment"),
    )


def _statement(account: Account) -> str:
    """Return the id of the statement that is not closed yet."""
    return f"{account.name}-{account.statements}"


def _closed(account: Account, at: int) -> ev.StatementClosed:
    """Close the statement of an account, `at` microseconds UTC."""
    statement, opening, lines = _statement(account), account.balance, account.lines
    account.balance += account.total
    account.statements += 1
    account.lines = account.total = 0
    return ev.StatementClosed(
        *envelope(f"close-{statement}", at),
        *(statement, account.name, "EUR", opening, account.balance, lines, at),
    )


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who reconciles; every round has accounts of its own."""

    def ours(number: int) -> dict[str, Any]:
        app_id = f"reconciliation-{number}"
        start = bench.ends(SOURCE, RESULTS)
        bench.start_at(app_id, {SOURCE: start[SOURCE]})
        job = ReconciliationInput(f"r{number}", bench.sizes.payments)
        records = bench.produce(SOURCE, job.events())
        found = bench.run_ours("reconciliation", app_id, records, continues=True)
        check(bench.read(RESULTS, start), job)
        return rated(found, records, matches=len(job.matches), breaks=job.breaks.total())

    return {"reconciliation": ours}


def check(results: Iterable[Any], job: ReconciliationInput) -> None:
    """Raise Inexact unless every line and posting is matched or in a break as foreseen, once."""
    matches: Counter[Match] = Counter()
    breaks: Counter[Break] = Counter()
    others: Counter[str] = Counter()
    for event in results:
        if isinstance(event, ev.ItemMatched):
            (posting,) = event.posting_ids
            matches[event.statement_id, event.line_no, posting, event.tier] += 1
        elif isinstance(event, ev.BreakOpened):
            kind = event.kind or event.type
            breaks[kind, event.statement_id, event.line_no, event.posting_id] += 1
        elif not isinstance(event, ev.MatchSuggested):
            others[type(event).__name__] += 1
    expect("results that nothing leads to", others, Counter())
    expect("matches that are wrong or missing", _differing(matches, Counter(job.matches)), [])
    expect("breaks that are wrong or missing", _differing(breaks, job.breaks), [])


def _differing(found: Counter[Any], expected: Counter[Any]) -> list[Any]:
    """Return some of what was found too often, or too seldom."""
    return [*(found - expected), *(expected - found)][:5]
