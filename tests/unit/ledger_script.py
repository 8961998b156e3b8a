"""Ledgers as text: one command a line, what the ledger answers after `=>`. Nothing is left unsaid.

    open A 100.00                         an account: [balance] [CCY] [type] [limit=20.00 | limit=none]
    limit A 50.00 | limit A none
    close A
    pay P1 A->B 15.00 => reserved, settled          [CCY] [REVIEW | DECLINE] [on=day] [seen=day] [event=id]
    approve P1 A | refuse P1 A | cancel P1 A        the payment and its debtor
    deliver => settled                              the legs under way, and their answers
    expect A 85.00 [held 10.00] [incoming 5.00] [closed]
    clearing 0.00                                   what is between the branches

`A` lives on branch 0, `A.1` on branch 1, and so on. An answer is a word such as `settled`, or one with its
code: `rejected insufficient_funds`, `refused exists`, `dead invalid_limit`; a line without `=>` expects none.
"""

from __future__ import annotations

from functools import cache
from itertools import count, pairwise
from typing import Any

from pipeline.domain import events as ev
from pipeline.domain.ledger import LedgerRules
from pipeline.domain.ledger_rows import ACCOUNT_TYPES, CLOSED
from pipeline.domain.partitions import partition_of
from tests.unit.ledger_branches import DAY, TENANT, Branches, clearing_total, decided, envelope, opened

BRANCHES = 3

_WORDS: dict[type, str] = {
    ev.PaymentReserved: "reserved",
    ev.PaymentSettled: "settled",
    ev.PaymentRejected: "rejected",
    ev.PaymentFailed: "failed",
    ev.PaymentCancelledOutcome: "cancelled",
    ev.CommandRefused: "refused",
}


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
                plain = event.code == "ok" or (word, event.code) == ("cancelled", "cancelled")
                answers.append(word if plain else f"{word} {event.code}")
        return answers

    def _event(self, *words: str) -> dict[str, Any]:
        options = dict(word.split("=") for word in words if "=" in word)
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

    def _limit(self, name: str, limit: str) -> list[str]:
        amount = None if limit == "none" else minor(limit)
        return self._tell(
            ev.AccountLimitSet(**self._event(), account_id=account_id(name), overdraft_limit_minor=amount)
        )

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
        days = dict(word.split("=") for word in words if "=" in word)
        seen = int(days.get("seen", days.get("on", 0)))
        event_id = changes.pop("event_id")
        return self._tell(decided(event_id, payment_id, debtor, creditor, minor(amount), **changes), seen)

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
