"""What the model of the fraud stream has decided on a payment id, in rows and in events."""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.verify.model.fraud_debtors import Payment, hash_of, packed
from pipeline.verify.model.fraud_rules import Verdict
from pipeline.verify.model.fraud_settings import SETTINGS

COUNTRY_LENGTH_MAX = 8
LAYOUT = 2
"""Of the rows of decisions: at their end they have what labels need of a payment, not written yet."""


class Decision(NamedTuple):
    """What was decided on a payment id; `held` is the payment while a reviewer may approve it."""

    at_us: int
    content: tuple[str, ...]
    verdict: Verdict
    held: Payment | None

    def row(self) -> bytes:
        """Return the row of the payment id."""
        content = hash_of("\0".join(self.content))
        decided = [self.at_us, hash_of(self.content[0]), content, said(self.verdict), self.held]
        return packed([*decided, None], LAYOUT)


def in_words(verdict: Verdict) -> dict[str, Any]:
    """Return the fields by which events name a verdict."""
    reasons = [{"rule": rule, "detail": detail} for rule, detail in verdict.reasons]
    return {**verdict._asdict(), "reasons": reasons}


def said(verdict: Verdict) -> list[Any]:
    """Return a verdict as rows keep it."""
    return [*verdict]


def seen_by_rules(event: dict[str, Any], at_us: int) -> Payment:
    """Return a payment as the rules see it; an empty device or country is none."""
    device, country = event.get("device_id"), event.get("counterparty_country")
    return Payment(
        at_us // 1_000_000,
        event["amount_minor"],
        hash_of(event["creditor_account_id"]),
        hash_of(device) if device else None,
        country.upper()[:COUNTRY_LENGTH_MAX] if country else None,
    )


def again(earlier: Decision, content: tuple[str, ...]) -> Verdict:
    """Return the verdict on an id that comes again: the first one, but no approval for other content."""
    verdict = earlier.verdict
    if verdict.outcome != "APPROVE" or content == earlier.content:
        return verdict
    reason = ("payment_id_reused", f"this id came before with other content, scored {verdict.score}")
    return Verdict("REVIEW", max(verdict.score, SETTINGS["review_score_min"]), (*verdict.reasons, reason))


def verdict_in(said: dict[str, Any], version: str) -> Verdict:
    """Return the verdict that an event names."""
    reasons = tuple((reason["rule"], reason["detail"]) for reason in said["reasons"])
    return Verdict(said["outcome"], said["score"], reasons, version)
