"""What is known of one partition (branch) while it is checked, and how its records are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.verify.due import Clock
from pipeline.verify.log import Record
from pipeline.verify.report import Check


class Hold:
    """What is held for a payment, minor units."""

    __slots__ = ("debtor", "held", "reserved")

    def __init__(self, debtor: str, reserved: int) -> None:
        self.debtor = debtor
        """tenant/account"""
        self.reserved = reserved
        self.held = reserved
        """What was not captured."""


class Capture(NamedTuple):
    """A part of a hold that was booked on both accounts."""

    capture_id: str
    amount_minor: int
    debit: int
    credit: int
    """Both as `journal.transfer` says them."""


@dataclass
class Authorised:
    """A hold that is to be captured."""

    cause: str
    """Of its decision."""
    expires_at: int
    due: bool = False
    """Whether the branch's event time has come to its end."""


BY_TENANT = "by_tenant"
"""How refusals for what a tenant may do are counted, before the name of the command."""


class Branch:
    """What is known of one partition while it is checked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.said: Counter[tuple[str, str]] = Counter()
        """What was said of payments and commands, by cause and what it is."""
        self.decided: Counter[tuple[str, ...]] = Counter()
        """Decisions, by the event id and the content of the payment they are about."""
        self.screened: Counter[tuple[str, ...]] = Counter()
        """Screenings, by outcome, and the id and content of their decision."""
        self.reviewed: list[bytes] = []
        """Digests of the reviews that were passed on to the lives of payments, in order."""
        self.passed: dict[str, list[bytes]] = {"accounts": [], "payments": [], "journals": []}
        """Digests of what was passed on unchanged, by the topic it comes from, in order."""
        self.periods: Counter[bytes] = Counter()
        """Digests of the ends of periods, which come to every branch."""
        self.state: dict[str, str] = {}
        """The state of each payment, by tenant/payment."""
        self.holds: dict[str, Hold] = {}
        self.reviews: set[str] = set()
        self.captures: dict[str, list[Capture]] = {}
        self.settled: dict[str, tuple[str, int]] = {}
        """Of payments that were captured or reversed: the cause of the settlement, and its amount."""
        self.authorised: dict[str, Authorised] = {}


def cause_of(record: Record, subject: str | None, event_id: str | None) -> str:
    """Return what tells causes apart: event ids alone do not, where two upstreams use one of them.

    An answer has the key of the command that it answers. `subject`: the payment or the journal.
    """
    return f"{(record.key or b'').decode(errors='replace')}\0{subject}\0{event_id}"


def about(event_id: str, fields: dict[str, Any]) -> tuple[str, ...]:
    names = (
        "tenant_id",
        "payment_id",
        "debtor_account_id",
        "creditor_account_id",
        "currency",
        "amount_minor",
    )
    return (event_id, *(str(fields[name]) for name in names), str(fields.get("hold_expires_at")))


def take(counter: Counter[Any], key: Any) -> bool:
    """Take one out of a counter; False where there is none."""
    times = counter.get(key, 0)
    if times > 1:
        counter[key] = times - 1
    elif times == 1:
        del counter[key]
    return times > 0


def same_order(
    check: Check, topic: str, partition: int, inputs: list[bytes], outputs: Iterable[bytes]
) -> None:
    """Say where what was passed on is not exactly what came in, in the same order."""
    passed = list(outputs)
    missing, extra = Counter(inputs) - Counter(passed), Counter(passed) - Counter(inputs)
    if missing:
        check.fail(f"{topic}[{partition}]: {missing.total()} records are neither passed on nor dead letters")
    if extra:
        check.fail(
            f"{topic}[{partition}]: {extra.total()} records were passed on too often, changed, or dead too"
        )
    if not missing and not extra and inputs != passed:
        first = next(
            place for place, (one, other) in enumerate(zip(inputs, passed, strict=True)) if one != other
        )
        check.fail(
            f"{topic}[{partition}]: passed on in another order, from the {first + 1}th applied record on"
        )
