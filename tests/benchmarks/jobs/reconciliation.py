"""The reconciliation job: postings of nostro accounts and the bank's statement lines -> matches and breaks.

Each account has ten days: 50 payments, the bank's lines of them, then the statement's end. Of the lines, four
in five name the payment's reference, one in seven its id, the others nothing: these are matched by amount and
date. One posting in ten comes after its line. Planted, one each in a hundred payments: an amount that differs
by one, a line that comes twice, a payment without a line, a line without a payment. A closing statement three
days after the last lets the grace of what is missing run out.

Within an account no two payments have one amount, so that there is one right match for each line.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.domain.kernel import events as ev
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import Offsets, expect
from tests.benchmarks.inputs import TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run

SOURCE = "reconciliation-items"
RESULTS = "reconciliation-results"
DAYS, PAYMENTS_A_DAY = 10, 50
DAY_US = 86_400 * 1_000_000
SECOND_US = 1_000_000
AMOUNT_STEP = 4
"""Amounts are multiples of it, so that one which is off by one is no other payment's."""
PLANTED = ("AMOUNT", "DUPLICATE", "MISSING_EXTERNAL", "MISSING_INTERNAL")
PLANTED_EVERY = 25
"""Payments, of which one has something planted on it: each kind in turn."""

Match = tuple[str, int, str, str]
"""Statement, line number, posting, tier."""
Break = tuple[str, str | None, int | None, str | None]
"""Type, statement, line number, posting."""


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
        start = (now_us() // DAY_US - DAYS - 5) * DAY_US
        for day in range(DAYS):
            for account in accounts:
                for event in self._day(account, day, start + day * DAY_US, rng):
                    yield f"{TENANT}/{account.name}", event
        for account in accounts:
            yield f"{TENANT}/{account.name}", _closed(account, "last", start + (DAYS + 3) * DAY_US, 0, 0)

    def _day(self, account: Account, day: int, start: int, rng: random.Random) -> Iterator[Any]:
        payments = [
            self._payment(account, start + number * SECOND_US, rng) for number in range(PAYMENTS_A_DAY)
        ]
        postings = [payment for payment in payments if payment.planted != "MISSING_INTERNAL"]
        yield from (_posting(account, payment) for payment in postings if not payment.late)
        statement, total, line_no = f"{account.name}-{day}", 0, 0
        for payment in payments:
            for _ in range({"MISSING_EXTERNAL": 0, "DUPLICATE": 2}.get(payment.planted or "", 1)):
                line_no += 1
                line = _line(account, statement, line_no, payment)
                total += line.amount_minor
                yield line
            self._foresee(statement, line_no, payment)
        yield from (_posting(account, payment) for payment in postings if payment.late)
        yield _closed(account, statement, start + DAY_US // 2, total, line_no)

    def _payment(self, account: Account, at: int, rng: random.Random) -> Payment:
        account.payments += 1
        number = account.payments
        planted = PLANTED[number // PLANTED_EVERY % 4] if number % PLANTED_EVERY == 0 else None
        name, dice = f"{account.name}-{number}", rng.random()
        reference = f"invoice {name}" if dice < 0.8 else f"pay-{name}"
        said = reference if planted or dice < 0.95 else None
        amount = AMOUNT_STEP * number * (1 if rng.random() < 0.5 else -1)
        return Payment(name, amount, at, said, planted, planted is None and number % 10 == 0)

    def _foresee(self, statement: str, line_no: int, payment: Payment) -> None:
        """Note what a payment must lead to; `line_no` is that of its last line."""
        posting, planted = f"posting-{payment.name}", payment.planted
        tier = "REFERENCE" if payment.reference else "AMOUNT_DATE"
        if planted is None:
            self.matches.add((statement, line_no, posting, tier))
        elif planted == "DUPLICATE":
            self.matches.add((statement, line_no - 1, posting, tier))
            self.breaks[planted, statement, line_no, None] += 1
        elif planted == "AMOUNT":
            self.breaks[planted, statement, line_no, posting] += 1
        elif planted == "MISSING_EXTERNAL":
            self.breaks[planted, None, None, posting] += 1
        else:
            self.breaks[planted, statement, line_no, None] += 1


def _posting(account: Account, payment: Payment) -> ev.PostingRecorded:
    posting = f"posting-{payment.name}"
    side = "CREDIT" if payment.amount > 0 else "DEBIT"
    return ev.PostingRecorded(
        *envelope(posting, payment.at),
        *(posting, f"entry-{payment.name}", f"pay-{payment.name}", account.name, "nostro", side),
        *(abs(payment.amount), "EUR", int(payment.name.rpartition("-")[2]), 0, 0, f"invoice {payment.name}"),
        *(payment.at, 0),
    )


def _line(account: Account, statement: str, line_no: int, payment: Payment) -> ev.StatementLine:
    amount = payment.amount + (payment.planted == "AMOUNT")
    return ev.StatementLine(
        *envelope(f"line-{statement}-{line_no}", payment.at),
        *(statement, account.name, line_no, payment.reference, amount, "EUR"),
        *(payment.at, payment.at // DAY_US, "incoming payment" if amount > 0 else "outgoing payment"),
    )


def _closed(account: Account, statement: str, at: int, total: int, lines: int) -> ev.StatementClosed:
    opening = account.balance
    account.balance += total
    return ev.StatementClosed(
        *envelope(f"close-{account.name}-{statement}", at),
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
        found = bench.run_ours("reconciliation", app_id, records)
        check(bench, start, job)
        return rated(found, records, matches=len(job.matches), breaks=job.breaks.total())

    return {"reconciliation": ours}


def check(bench: Bench, start: Offsets, job: ReconciliationInput) -> None:
    """Raise Inexact unless every line and posting is matched or in a break as foreseen, once."""
    matches: Counter[Match] = Counter()
    breaks: Counter[Break] = Counter()
    others: Counter[str] = Counter()
    for event in bench.read(RESULTS, start):
        if isinstance(event, ev.ItemMatched):
            (posting,) = event.posting_ids
            matches[event.statement_id, event.line_no, posting, event.tier] += 1
        elif isinstance(event, ev.BreakOpened):
            breaks[event.type, event.statement_id, event.line_no, event.posting_id] += 1
        else:
            others[type(event).__name__] += 1
    expect("results that nothing leads to", others, Counter())
    expect("matches that are wrong or missing", _differing(matches, Counter(job.matches)), [])
    expect("breaks that are wrong or missing", _differing(breaks, job.breaks), [])


def _differing(found: Counter[Any], expected: Counter[Any]) -> list[Any]:
    """Return some of what was found too often, or too seldom."""
    return [*(found - expected), *(expected - found)][:5]
