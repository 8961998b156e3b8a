"""Events of two accounts, drawn by a seed: payments and lines, statements, people, corrections, weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from tests.reconciliation_judge.desk_log import DAY, DeskLog

REFERENCES = (None, None, "INV 2041", "INV 2042", "INV 2043", "NOTPROVIDED", "RF18 5390 0754 7034")
WORDS = ("rent", "goods", "May", "June", "north", "mills", "invoice 99871", "cafe")
PARTIES = (None, "Northern Mills", "Corner Cafe", "City Parking")
AMOUNTS = (-10_000, -12_345, 9_999, -500, 70_012, -40_050)


class Town:
    """What happens, and the desk that sees it; people answer what the desk has said."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.log = DeskLog()
        self.number = 0
        self.day = 5
        self.account = "nostro"
        self.postings: list[str] = []
        self.lines: dict[str, list[int]] = {}
        """The amounts of the lines of today, by account."""
        self.balances: dict[str, int] = {}

    def days(self, count: int) -> Iterator[Any]:
        """Yield the events of so many things that happen."""
        for _ in range(count):
            self.account = self.random.choice(("nostro", "nostro", "nostro", "quiet"))
            step = self.random.choice((0, 0, 1, 1, 2, 5))
            if step:
                yield from self.close()
            self.day += step
            yield from self.business()
        yield from self.close()

    def envelope(self) -> dict[str, Any]:
        self.number += 1
        return {
            "event_id": f"event-{self.number}",
            "tenant_id": "acme",
            "occurred_at": self.day * DAY + self.number,
            "correlation_id": "c",
            "causation_id": None,
        }

    def of_account(self) -> dict[str, Any]:
        return {**self.envelope(), "account_id": self.account}

    def text(self) -> str:
        return " ".join(self.random.sample(WORDS, self.random.randrange(4)))

    def posting(self, amount: int, reference: str | None, text: str, **more: Any) -> Any:
        common = self.of_account()
        side = "CREDIT" if amount > 0 else "DEBIT"
        name = f"entry-{self.number}:{side}"
        if self.account == "nostro":
            self.postings.append(name)
        about: dict[str, Any] = {
            "posting_id": name,
            "entry_id": f"entry-{self.number}",
            "payment_id": f"pay-{self.number:06}",
            "account_type": "nostro",
            "side": side,
            "amount_minor": abs(amount),
            "currency": "EUR",
            "account_sequence": self.number,
            "balance_minor_after": 0,
            "branch": 0,
            "reference": reference,
            "metadata": {"description": text} if text else None,
        }
        return ev.PostingRecorded(**common, **{**about, **more})

    def line(self, amount: int, reference: str | None, text: str, **more: Any) -> Any:
        common = self.of_account()
        lines = self.lines.setdefault(self.account, [])
        lines.append(amount)
        about: dict[str, Any] = {
            "statement_id": f"S{self.day}",
            "line_no": len(lines),
            "external_reference": reference,
            "amount_minor": amount,
            "currency": "EUR",
            "booked_at": common["occurred_at"],
            "value_date": self.day,
            "description": text,
            "counterparty_name": self.random.choice(PARTIES),
        }
        return ev.StatementLine(**common, **{**about, **more})

    def close(self) -> Iterator[Any]:
        """Close the statements of the day: some never, some with a fault."""
        here = self.account
        for account, amounts in sorted(self.lines.items()):
            self.account = account
            opening = self.balances.get(self.account, 0)
            closing = self.balances[self.account] = opening + sum(amounts)
            fault = self.random.randrange(12)
            if fault == 0:
                continue
            common = self.of_account()
            yield ev.StatementClosed(
                **common, statement_id=f"S{self.day}", currency="EUR",
                opening_balance_minor=opening + (77 if fault == 1 else 0),
                closing_balance_minor=closing + (55 if fault == 2 else 0),
                line_count=len(amounts) + (fault == 3), closed_at=common["occurred_at"],
            )  # fmt: skip
        self.account, self.lines = here, {}

    def business(self) -> Iterator[Any]:
        """Yield what one thing that happens comes to."""
        amount = self.random.choice(AMOUNTS) * self.random.choice((1, 1, 3))
        reference, text = self.random.choice(REFERENCES), self.text()
        part = amount // 3
        both: dict[int, tuple[int, ...]] = {0: (amount,), 2: (abs(amount),), 3: (amount,), 4: (amount,)}
        both[8] = (amount, -amount)
        theirs: dict[int, tuple[int, ...]] = {1: (amount,), 2: (abs(amount) - 350,), 3: (part, amount - part)}
        theirs[4] = (-amount,)
        what = self.random.randrange(16)
        if what == 5:
            yield self.line(amount, reference, text)
            yield self.line(-amount, reference, text, is_reversal=True)
        elif what == 6:
            yield self.line(-350, reference, "fee", entry_kind="FEE")
        elif what == 7:
            for _ in range(3):
                yield self.person()
        elif what == 9:
            yield from self.correct()
        elif what == 10:
            yield from self.exchange(abs(amount), reference, text)
        elif what == 11:
            yield self.weights()
        else:
            is_listed = what in both or what in theirs
            for one in both.get(what, () if is_listed else (amount,)):
                yield self.posting(one, reference, text)
            for one in theirs.get(what, () if is_listed else (amount,)):
                yield self.line(one, reference, text)

    def exchange(self, amount: int, reference: str | None, text: str) -> Iterator[Any]:
        """Yield a rate, and a posting in dollars whose line is in euros."""
        about: dict[str, Any] = {"base_currency": "USD", "quote_currency": "EUR", "rate_e8": 92_000_000}
        yield ev.RateQuoted(**self.envelope(), **about, effective_from=(self.day - 1) * DAY)
        yield self.posting(amount, reference, text, currency="USD")
        is_told = self.random.random() < 0.5
        more: dict[str, Any] = (
            {"original_amount_minor": amount, "original_currency": "USD"} if is_told else {}
        )
        yield self.line(amount * 92 // 100, reference, text, **(more if is_told else {}))

    def weights(self) -> Any:
        """Publish weights: higher or lower thresholds, from now or some days later; or the product's."""
        told = json.loads(DEFAULT_WEIGHTS.canonical())
        told["confirm_from"] += self.random.choice((-1_000, 500, 1_000))
        told["suggest_from"] += self.random.choice((0, 500))
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        is_none = self.random.random() < 0.3
        whose = self.random.choice((None, "acme"))
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return ev.MatchingWeightsPublished(
            **{**self.envelope(), "tenant_id": whose or "*"}, role="LIVE", of_tenant=whose,
            weights=None if is_none else text, sha256=None if is_none else sha256,
            effective_from=(self.day + self.random.choice((0, 3))) * DAY,
        )  # fmt: skip

    def person(self) -> Any:
        """Confirm or reject what was said of a line, or two postings."""
        self.account = "nostro"
        kind = self.random.choice((ev.MatchConfirmed, ev.MatchRejected))
        here = [one for one in self.log.said if one.account_id == "nostro"]
        said = [one for one in here if getattr(one, "line_id", None)]
        refs: tuple[ev.LineRef, ...] = ()
        postings = self.random.sample(self.postings, min(len(self.postings), 2))
        if said and self.random.random() < 0.5:
            one = self.random.choice(said)
            refs = (ev.LineRef(one.statement_id, one.line_no, one.line_id),)
            postings = list(getattr(one, "posting_ids", ())) or postings[:1]
        actor = ev.Actor("idp", "anna", "s1")
        return kind(**self.of_account(), lines=refs, posting_ids=tuple(postings), actor=actor)

    def correct(self) -> Iterator[Any]:
        """Yield the correction of a break that is open, by two people, and its posting."""
        ended = {one.break_id for one in self.log.said if isinstance(one, ev.BreakResolved)}
        found = [one for one in self.log.said if isinstance(one, ev.BreakOpened)]
        open_now = [one for one in found if one.break_id not in ended and one.difference_minor]
        if not open_now:
            return
        one = self.random.choice(open_now)
        self.account, left = one.account_id, one.difference_minor or 0
        sides = ("CREDIT", "DEBIT") if left > 0 else ("DEBIT", "CREDIT")
        legs = tuple(
            ev.JournalLeg(number, 0, account, side, abs(left), one.currency)
            for number, (account, side) in enumerate(zip((self.account, "suspense"), sides, strict=True))
        )
        about: dict[str, Any] = {"break_id": one.break_id}
        asked = self.of_account()
        anna, bob = (ev.Actor("idp", name, "s1") for name in ("anna", "bob"))
        yield ev.CorrectionSuggested(**asked, **about, legs=legs, reference="fix", reason="it is", actor=anna)
        about["correction_id"] = asked["event_id"]
        if self.random.random() < 0.3:
            yield ev.CorrectionApproved(**self.of_account(), **about, actor=anna)
        yield ev.CorrectionApproved(**self.of_account(), **about, actor=bob)
        yield self.posting(left, "fix", "", currency=one.currency, journal_id=f"correction-{one.break_id}-1")
