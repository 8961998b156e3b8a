"""Ledgers as text: one command a line, what the ledger answers after `=>`. Nothing is left unsaid.

    open A 100.00                         an account: [balance] [CCY] [type] [limit=20.00 | limit=none]
    limit A 50.00 | limit A none                    [min=10.00] [max=99.00] [from=day]
    close A | reopen A | freeze A DEBIT | unfreeze A BOTH
    pay P1 A->B 15.00 => reserved, settled          [CCY] [REVIEW | DECLINE] [until=day: to be captured]
    approve P1 A | refuse P1 A | cancel P1 A        the payment and its debtor
    capture P1 A C1 5.00 => captured                [final]; `rest` in the place of an amount
    extend P1 A 12 => extended                      the day on which it ends
    journal J1 A -9.00 B 9.00 => posted             legs; the first account is its home; `/`: a new entry;
                                                    [hold=day] [at=day] [late=NEXT_PERIOD]
    confirm J1 A | void J1 A                        the journal and its home
    undo J1 A R1 [B -5.00 A 5.00]                   reverse a journal: all that is left, or legs
    unpay P1 A R1 [5.00]                            reverse a payment
    period 2026-10 5                                closed through that day
    deliver => settled                              the legs under way, and their answers
    expect A 85.00 [held 10.00] [incoming 5.00] [closed]
    clearing 0.00                                   what is between the branches
    days A 1 5                                      the value days of the postings of an account, so far

Commands take [on=day], the time at which they happen, and [seen=day], Kafka's; [event=id].

`A` lives on branch 0, `A.1` on branch 1, and so on. An answer is a word such as `settled`, or one with its
code: `rejected insufficient_funds`, `refused exists`, `dead invalid_limit`; a line without `=>` expects none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count, pairwise
from typing import Any

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.ledger.rows import CLOSED
from pipeline.domain.ledger.stream import LedgerRules
from tests.ledger.branches import DAY, TENANT, Branches, clearing_total, decided, envelope, opened

BRANCHES = 3

_WORDS: dict[type, str] = {
    ev.PaymentReserved: "reserved",
    ev.PaymentSettled: "settled",
    ev.PaymentRejected: "rejected",
    ev.PaymentFailed: "failed",
    ev.PaymentCancelledOutcome: "cancelled",
    ev.PaymentExpired: "expired",
    ev.PaymentCapturedOutcome: "captured",
    ev.PaymentExtendedOutcome: "extended",
    ev.CommandRefused: "refused",
}
_PLAIN = {("cancelled", "cancelled"), ("expired", "expired"), ("voided", "cancelled")}
"""Answers whose code says nothing more."""


@cache
def account_id(name: str) -> str:
    """Return the id of the account that a script calls `name`: one that lives on the branch of its suffix."""
    if name.startswith(("$", "?")):
        return name.removeprefix("?")  # as it is
    stem, _, branch = name.partition(".")
    wanted = int(branch or 0)
    ids = (f"{stem}{number}" for number in count())
    return next(found for found in ids if partition_of(f"{TENANT}/{found}", BRANCHES) == wanted)


def minor(text: str) -> int:
    """Return an amount with two decimals in minor units."""
    whole, _, cents = text.partition(".")
    assert len(cents) == 2, f"{text}: two decimals"
    return int(whole + cents)


def _options(words: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=") for word in words if "=" in word)


def _seen(words: Sequence[str]) -> int:
    """Return the day on which Kafka has a command: `seen`, or `on`, or the first."""
    options = _options(words)
    return int(options.get("seen", options.get("on", 0)))


def _legs(words: Sequence[str]) -> tuple[ev.JournalLeg, ...]:
    """Return legs: `A -9.00` debits A, `B 9.00` credits B; a currency is of the leg before it."""
    legs: list[ev.JournalLeg] = []
    entry, name = 0, ""
    for word in words:
        if word == "/":
            entry += 1
        elif "=" in word:
            continue
        elif word in ("USD", "EUR"):
            legs[-1] = structs.replace(legs[-1], currency=word)
        elif word.lstrip("-").replace(".", "").isdigit():
            side = "DEBIT" if word.startswith("-") else "CREDIT"
            amount = minor(word.removeprefix("-"))
            legs.append(ev.JournalLeg(len(legs) + 1, entry, account_id(name), side, amount, "EUR"))
        else:
            name = word
    return tuple(legs)


class Script:
    """Plays a ledger and compares every answer."""

    def __init__(self, rules: LedgerRules | None = None) -> None:
        self.ledger = Branches(BRANCHES, rules)
        self.number = 0

    def play(self, text: str) -> Branches:
        """Play every line; raise AssertionError with the line whose answer differs."""
        for line in filter(None, (raw.partition("#")[0].strip() for raw in text.splitlines())):
            command, _, expected = line.partition("=>")
            verb, *words = command.split()
            wanted = [answer.strip() for answer in expected.split(",") if answer.strip()]
            given = getattr(self, f"_{verb}")(*words)
            assert given == wanted, f"{line}\n    the ledger says: {', '.join(given) or 'nothing'}"
        return self.ledger

    def _tell(self, event: Any, seen_day: int = 0) -> list[str]:
        """Apply one command, but no leg; return the answers."""
        self.ledger.recorded_at = seen_day * DAY
        partition = self.ledger.put(event)
        branch = self.ledger.branches[partition]
        branch.waiting.rotate(1)  # before the legs that wait: those move when the script says so
        dead = len(branch.dead)
        said = self._answers(self.ledger.step(partition))
        return said + [f"dead {code}" for code in branch.dead[dead:]]

    @staticmethod
    def _answers(items: list[tuple[str, str, Any]]) -> list[str]:
        answers = []
        for topic, _, event in items:
            if topic == "payment-events":
                word = _WORDS[type(event)]
            elif topic == "journal-events":
                word = event.state.lower()
            else:
                continue
            plain = event.code == "ok" or (word, event.code) in _PLAIN
            answers.append(word if plain else f"{word} {event.code}")
        return answers

    def _event(self, *words: str) -> dict[str, Any]:
        options = _options(words)
        self.number += 1
        return envelope(options.get("event", f"event-{self.number}"), int(options.get("on", 0)) * DAY)

    def _open(self, name: str, *words: str) -> list[str]:
        changes: dict[str, Any] = {}
        for word in words:
            if word.startswith("limit="):
                limit = word.removeprefix("limit=")
                changes["overdraft_limit_minor"] = None if limit == "none" else minor(limit)
            elif word.startswith("currency="):
                changes["currency"] = word.removeprefix("currency=")
            elif word in ACCOUNT_TYPES:
                changes["account_type"] = word
            elif word.isalpha():
                changes["currency"] = word
            else:
                changes["initial_balance_minor"] = minor(word)
        event = self._event()
        return self._tell(opened(event.pop("event_id"), account_id(name), **changes))

    def _limit(self, name: str, limit: str, *words: str) -> list[str]:
        options = _options(words)
        starts = options.get("from")
        return self._tell(
            ev.AccountLimitSet(
                **self._event(*words),
                account_id=account_id(name),
                overdraft_limit_minor=None if limit == "none" else minor(limit),
                minimum_balance_minor=minor(options["min"]) if "min" in options else None,
                maximum_balance_minor=minor(options["max"]) if "max" in options else None,
                effective_at=None if starts is None else int(starts) * DAY,
            ),
            _seen(words),
        )

    def _freeze(self, name: str, side: str) -> list[str]:
        return self._tell(
            ev.AccountFrozen(**self._event(), account_id=account_id(name), side=side, reason="x")
        )

    def _unfreeze(self, name: str, side: str) -> list[str]:
        return self._tell(
            ev.AccountUnfrozen(**self._event(), account_id=account_id(name), side=side, reason="x")
        )

    def _reopen(self, name: str) -> list[str]:
        return self._tell(ev.AccountReopened(**self._event(), account_id=account_id(name), reason="x"))

    def _period(self, period_id: str, day: str) -> list[str]:
        event = ev.PeriodClosed(**self._event(), period_id=period_id, closed_through=int(day) * DAY)
        self.ledger.put(event)
        return self._deliver()

    def _close(self, name: str) -> list[str]:
        return self._tell(
            ev.AccountClosed(
                **self._event(),
                account_id=account_id(name),
                reason="customer_request",
                regulatory_notification_sent=False,
            )
        )

    def _pay(self, payment_id: str, way: str, amount: str, *words: str) -> list[str]:
        debtor, creditor = map(account_id, way.split("->"))
        changes: dict[str, Any] = self._event(*words)
        for word in words:
            if word in ("REVIEW", "DECLINE"):
                changes["outcome"] = word
            elif "=" not in word:
                changes["currency"] = word
        until = _options(words).get("until")
        if until is not None:
            changes["hold_expires_at"] = int(until) * DAY
        event_id = changes.pop("event_id")
        payment = decided(event_id, payment_id, debtor, creditor, minor(amount), **changes)
        return self._tell(payment, _seen(words))

    def _capture(self, payment_id: str, name: str, capture_id: str, amount: str, *words: str) -> list[str]:
        captured = ev.PaymentCaptured(
            **self._event(*words),
            payment_id=payment_id,
            debtor_account_id=account_id(name),
            capture_id=capture_id,
            amount_minor=None if amount == "rest" else minor(amount),
            final="final" in words,
        )
        return self._tell(captured, _seen(words))

    def _extend(self, payment_id: str, name: str, day: str, *words: str) -> list[str]:
        extended = ev.PaymentExtended(
            **self._event(*words),
            payment_id=payment_id,
            debtor_account_id=account_id(name),
            hold_expires_at=int(day) * DAY,
        )
        return self._tell(extended, _seen(words))

    def _journal(self, journal_id: str, *words: str) -> list[str]:
        options = _options(words)
        legs = _legs(words)
        submitted = ev.JournalSubmitted(
            **self._event(*words),
            journal_id=journal_id,
            account_id=legs[0].account_id,
            legs=legs,
            reference=f"reference of {journal_id}",
            reason=None,
            effective_at=int(options["at"]) * DAY if "at" in options else None,
            late=options.get("late", "REFUSE"),
            hold_expires_at=int(options["hold"]) * DAY if "hold" in options else None,
        )
        return self._tell(submitted, _seen(words))

    def _confirm(self, journal_id: str, name: str, *words: str) -> list[str]:
        event = self._event(*words)
        return self._tell(
            ev.JournalConfirmed(**event, journal_id=journal_id, account_id=account_id(name)), _seen(words)
        )

    def _void(self, journal_id: str, name: str, *words: str) -> list[str]:
        event = self._event(*words)
        return self._tell(
            ev.JournalVoided(**event, journal_id=journal_id, account_id=account_id(name), reason="x"),
            _seen(words),
        )

    def _undo(self, journal_id: str, name: str, reversal_id: str, *words: str) -> list[str]:
        reversed_ = ev.JournalReversed(
            **self._event(*words),
            journal_id=journal_id,
            account_id=account_id(name),
            reversal_id=reversal_id,
            legs=_legs(words),
            reason="a mistake",
            effective_at=None,
            late="NEXT_PERIOD",
        )
        return self._tell(reversed_, _seen(words))

    def _unpay(self, payment_id: str, name: str, reversal_id: str, *words: str) -> list[str]:
        amounts = [word for word in words if "=" not in word]
        reversed_ = ev.PaymentReversed(
            **self._event(*words),
            payment_id=payment_id,
            debtor_account_id=account_id(name),
            reversal_id=reversal_id,
            amount_minor=minor(amounts[0]) if amounts else None,
            reason="a mistake",
        )
        return self._tell(reversed_, _seen(words))

    def _reviewed(self, payment_id: str, name: str, approved: bool) -> list[str]:
        return self._tell(
            ev.PaymentReviewed(
                **self._event(),
                payment_id=payment_id,
                debtor_account_id=account_id(name),
                approved=approved,
                reviewer="reviewer",
                reason="reason",
            )
        )

    def _approve(self, payment_id: str, name: str) -> list[str]:
        return self._reviewed(payment_id, name, True)

    def _refuse(self, payment_id: str, name: str) -> list[str]:
        return self._reviewed(payment_id, name, False)

    def _cancel(self, payment_id: str, name: str) -> list[str]:
        return self._tell(
            ev.PaymentCancelled(
                **self._event(), payment_id=payment_id, debtor_account_id=account_id(name), reason="reason"
            )
        )

    def _days(self, name: str, *days: str) -> list[str]:
        postings = [one for one in self.ledger.said(ev.PostingRecorded) if one.account_id == account_id(name)]
        times = [one.occurred_at if one.effective_at is None else one.effective_at for one in postings]
        assert [time / DAY for time in times] == [float(day) for day in days], [time / DAY for time in times]
        return []

    def _deliver(self) -> list[str]:
        dead = len(self.ledger.dead())
        said = self._answers(self.ledger.deliver())
        return said + [f"dead {code}" for code in self.ledger.dead()[dead:]]

    def _expect(self, name: str, balance: str, *words: str) -> list[str]:
        account = self.ledger.account(account_id(name))
        assert account is not None, f"{name} does not exist"
        assert account.balance_minor == minor(balance), f"{name} has {account.balance_minor}, not {balance}"
        said = dict(pairwise(words))
        held, incoming = minor(said.get("held", "0.00")), minor(said.get("incoming", "0.00"))
        assert (account.debits_pending, account.credits_pending) == (held, incoming), account
        assert (account.status == CLOSED) == ("closed" in words)
        return []

    def _clearing(self, total: str) -> list[str]:
        found = clearing_total(self.ledger)
        assert found == minor(total), f"between the branches: {found}"
        return []


def play(text: str, rules: LedgerRules | None = None) -> Branches:
    """Play a ledger from nothing; return it."""
    return Script(rules).play(text)
