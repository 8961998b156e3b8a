"""A decision of the fraud stream, as rows and events have it, and what is said when its id comes again."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_payers import Payment
from pipeline.verify.model.wire import msgpack

DECISION_LAYOUT = 2
OF_THRESHOLDS = re.compile(r"[0-9]+-[0-9a-f]{12}")


class Verdict(NamedTuple):
    """What is said of a payment; a reason is a rule and its detail."""

    outcome: str
    score: int
    reasons: tuple[tuple[str, str], ...]
    rules_version: str = ""


UNSCORED = Verdict("APPROVE", 0, ())
"""Of payments that the ledger surely refuses."""


@dataclass(slots=True)
class Decided:
    """What was decided on a payment id, and what labels and receipts need of it."""

    at_us: int
    debtor: str
    creditor: str
    content: tuple[str, ...]
    verdict: Verdict
    payment: Payment | None
    """As the features have it; None: an earlier version decided, and labels do not go to it."""
    origins: list[tuple[int, int]] = field(default_factory=list)
    learned: bool = False
    waits: bool = False
    fraud_us: int | None = None
    """When it was labelled fraud."""
    labelled_us: int | None = None
    """When it was labelled last."""

    def row(self) -> bytes:
        """Return the row of the payment id."""
        paid, facts = self.payment, None
        if paid is not None:
            origins = [number for one in self.origins for number in one]
            facts = [self.creditor, paid.minor, paid.currency, paid.device, paid.country, origins]
            facts += [self.learned, self.waits, self.fraud_us, self.labelled_us]
        content = hash_of("\0".join(self.content))
        known = [self.at_us, hash_of(self.debtor), content, self.verdict, None, facts]
        return bytes([DECISION_LAYOUT]) + msgpack(known)


def is_of_thresholds(version: str) -> bool:
    """Whether a decision is one of an earlier version, by the thresholds of a file."""
    return bool(OF_THRESHOLDS.fullmatch(version))


def in_words(verdict: Verdict) -> dict[str, Any]:
    """Return the fields by which events name a verdict."""
    reasons = [{"rule": rule, "detail": detail} for rule, detail in verdict.reasons]
    return {**verdict._asdict(), "reasons": reasons}


def content_of(event: dict[str, Any]) -> tuple[str, ...]:
    """Return what an approval is bound to."""
    names = event["debtor_account_id"], event["creditor_account_id"]
    return *names, str(event["amount_minor"]), event["currency"]


def again(earlier: Decided, content: tuple[str, ...], review_from: int) -> Verdict:
    """Return the verdict on an id that comes again: the first one, but no approval for other content."""
    verdict = earlier.verdict
    if verdict.outcome != "APPROVE" or content == earlier.content:
        return verdict
    reason = ("payment_id_reused", f"this id came before with other content, scored {verdict.score}")
    score = max(verdict.score, review_from)
    return Verdict("REVIEW", score, (*verdict.reasons, reason), verdict.rules_version)


def verdict_in(said: dict[str, Any], version: str) -> Verdict:
    """Return the verdict that an event names."""
    reasons = tuple((reason["rule"], reason["detail"]) for reason in said["reasons"])
    return Verdict(said["outcome"], said["score"], reasons, version)


@lru_cache(100_000)
def hash_of(text: str) -> int:
    """Return the 64 bits (BLAKE2b) by which rows keep a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
