"""What is known of one partition (branch) while it is checked, and how its records are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.verify.log import Record
from pipeline.verify.report import Check


class Hold(NamedTuple):
    """An amount that is reserved."""

    debtor: str
    amount_minor: int


class Branch:
    """What is known of one partition while it is checked."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        """First answers to a payment or a command, by their cause."""
        self.ends: Counter[str] = Counter()
        """Ends of payments, by their cause."""
        self.refused: Counter[str] = Counter()
        """Refusals, by their cause."""
        self.decided: Counter[tuple[str, ...]] = Counter()
        """Decisions, by the event id and the content of the payment they are about."""
        self.screened: Counter[tuple[str, ...]] = Counter()
        """Screenings, by outcome, and the id and content of their decision."""
        self.reviewed: list[bytes] = []
        """Digests of the reviews that were passed on to the lives of payments, in order."""
        self.passed: dict[str, list[bytes]] = {"accounts": [], "payments": []}
        """Digests of what was passed on unchanged, by the topic it comes from, in order."""
        self.state: dict[str, str] = {}
        """The state of each payment, by tenant/payment."""
        self.holds: dict[str, Hold] = {}
        self.reviews: set[str] = set()


def cause_of(record: Record, event_id: str | None) -> str:
    """Return what tells causes apart: event ids alone do not, where two upstreams use one of them.

    An answer has the key of the command that it answers.
    """
    return f"{(record.key or b'').decode(errors='replace')} {event_id}"


def about(event_id: str, fields: dict[str, Any]) -> tuple[str, ...]:
    names = (
        "tenant_id",
        "payment_id",
        "debtor_account_id",
        "creditor_account_id",
        "currency",
        "amount_minor",
    )
    return (event_id, *(str(fields[name]) for name in names))


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
