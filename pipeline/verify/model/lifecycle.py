"""The model of the lifecycle stream: the steps of each payment, and all that wait, gone through one by one.

What never changes: a step is an event of the log, in its order; a payment that waits has one due time, one
that is stuck has an alert; the clock is what the ledger has said, never the fraud stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.verify.model.lifecycle_life import WAITING_FOR, Life, Names, become_stuck, due_key, stuck_key
from pipeline.verify.model.record import Record
from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS, Ended
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    DAY_US,
    INVARIANT_ALERTS,
    LAYOUT,
    LONG_MAX,
    LONG_MIN,
    OUTCOMES,
    PAYMENT_ALERTS,
    TABLE,
    Dead,
    Expected,
    end_of_hold,
    has_impossible_id,
    row_key,
)

SECOND_US = 1_000_000
BOUND_S = {"SCHEDULED": 3_600, "SCREENED": 3_600, "RESERVED": 3_600, "HELD": 28_800, "AUTHORISED": 3_600}
"""The default settings."""
NAMED = ("SCHEDULED", "HELD", "AUTHORISED")
"""States that a view shows by their names."""
ALERTS_AT_ONCE = 100
CLOCK = struct.Struct("<Bqq")


def scheduled(branch: LifecycleBranch, event: dict[str, Any]) -> None:
    if branch.life is None or branch.life.ended:
        begun = branch.begin(False)
        begun.execute_at, begun.hold_end = event["execute_at"], end_of_hold(event)
        branch.step("SCHEDULED", "ok")


def screened(branch: LifecycleBranch, event: dict[str, Any]) -> None:
    life, passed = branch.life, event["outcome"] in ("APPROVE", "REVIEW")
    waited = life is not None and life.state == "SCHEDULED"
    if life is None or life.without_trace or waited:
        begun = life if life is not None and waited else branch.begin(False)
        begun.for_review = event["outcome"] == "REVIEW"
        if not waited:
            begun.hold_end, begun.link = end_of_hold(event), event.get("link_id")
        if passed:
            begun.passed, begun.accused = True, False
        branch.step("SCREENED", event["outcome"].lower())
        return
    news = passed and not life.passed and not life.accused
    life.passed = life.passed or news
    if life.ended:  # the ledger has yet to answer: until then it is needed
        life.again_at = max(branch.now, branch.seen)
    if life.ended or news:
        branch.keep()


def reviewed(branch: LifecycleBranch, event: dict[str, Any]) -> None:
    life = branch.life
    if life is not None and life.for_review and life.content[0] == event["debtor_account_id"]:
        if event["approved"] and needs_two(branch, life):
            return  # it was proposed
        branch.reviewed(life, event["approved"])


def needs_two(branch: LifecycleBranch, life: Life) -> bool:
    """Whether it takes two people to let a payment go on."""
    told = branch.tenants.setting(branch.cause.fields["tenant_id"], "four_eyes") or {}
    least = told.get("reviews", {}).get(life.content[3])
    return least is not None and (life.link is not None or life.content[2] >= least)


def decided(branch: LifecycleBranch, event: dict[str, Any]) -> None:
    branch.tick(event)
    if (event["command"], event["outcome"]) != ("payment_reviewed", "APPROVED"):
        return
    life = branch.life
    if life is not None and life.for_review and life.content[0] == event["account_id"]:
        branch.reviewed(life, True)


def outcome(branch: LifecycleBranch, event: dict[str, Any]) -> None:
    branch.tick(event)
    life = branch.life
    state = (branch.cause.event or "").rpartition("Payment")[2].upper()
    traceless = state == "REJECTED" and event["code"] in Life.WITHOUT_TRACE
    if life is not None and life.state != "SCREENED" and traceless:
        branch.count(life)
    else:
        if life is None or life.without_trace:
            life = branch.begin(False)
        if state in ("RESERVED", "SETTLED", "CAPTURED") and not life.passed and not life.accused:
            life.accused = True
            branch.accuse(event)
        if state == "RESERVED" and life.for_review:
            state = "HELD"
        elif state == "RESERVED" and life.hold_end is not None:
            state = "AUTHORISED"
        elif state == "EXTENDED":
            state, life.hold_end = "AUTHORISED", event["hold_expires_at"]
        elif state == "CAPTURED":
            state = "AUTHORISED" if event["held_minor"] > 0 else "SETTLED"
        branch.step(state, event["code"])


def refused(branch: LifecycleBranch, event: dict[str, Any]) -> None:
    branch.tick(event)
    if event["payment_id"] is not None and branch.life is not None:
        branch.count(branch.life)


@dataclass
class LifecycleBranch(StreamModel):
    """The lives of one partition's payments."""

    lives: dict[Names, Life] = field(default_factory=dict)
    waiting: dict[Names, int] = field(default_factory=dict)
    """Due times."""
    now: int = LONG_MIN
    next_look: int = LONG_MAX
    """Nothing is due before."""
    bounds_s: Mapping[str, int] = field(default_factory=lambda: BOUND_S)
    """How long a payment may wait, by its state, seconds of event time."""
    keep_days: int = max(DUPLICATES_DAYS, REVERSALS_DAYS)
    """How long a payment that has ended is kept, in event time."""
    past: Ended = field(default_factory=lambda: Ended("ef"))
    rules: ClassVar = {
        "PaymentScheduled": scheduled,
        "PaymentScreened": screened,
        "PaymentReviewed": reviewed,
        **dict.fromkeys(OUTCOMES, outcome),
        "CommandRefused": refused,
        "CommandProposed": lambda branch, event: branch.tick(event),
        "ProposalDecided": decided,
    }

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Apply one record, and raise what is due by then."""
        before = self.now, self.next_look
        code, _ = super().apply(record)
        if code is not None:
            return code, []
        self.look()
        if before != (self.now, self.next_look):
            self.row(row_key("w"), CLOCK.pack(LAYOUT, self.now, self.next_look))
        return None, self.out

    def check_ids(self, event: dict[str, Any]) -> None:
        ids = {name: value for name, value in event.items() if value is not None}
        if "payment_id" in ids and has_impossible_id(ids):
            raise Dead("invalid_id")

    @property
    def names(self) -> Names:
        return self.cause.fields["tenant_id"], self.cause.fields["payment_id"]

    @property
    def life(self) -> Life | None:
        life = self.lives.get(self.names)
        return None if life is None or self.is_over(life) else life

    def is_over(self, life: Life) -> bool:
        """Whether a payment has ended so long ago that it counts as unknown."""
        return life.ended and self.now - life.needed_at > self.keep_days * DAY_US

    @property
    def seen(self) -> int:
        """Return the time of the present record, as far as it is believed."""
        occurred_at: int = self.cause.fields["occurred_at"]
        return min(occurred_at, self.cause.timestamp_ms * 1000)

    def tick(self, event: dict[str, Any]) -> None:
        """Move the clock; not by what is said of a payment that waits in front of the ledger."""
        if event.get("execute_at") is None:
            self.now = max(self.now, self.seen)

    def begin(self, for_review: bool) -> Life:
        """Begin the life of the present payment."""
        event = self.cause.fields
        names = ("debtor_account_id", "creditor_account_id", "amount_minor", "currency")
        earlier, life = self.life, Life([event[name] for name in names], for_review)
        if earlier is not None:  # what was screened of its id is still to be answered
            life.passed, life.accused = earlier.passed, earlier.accused
        self.lives[self.names] = life
        return life

    def keep(self) -> None:
        """Say the row of the present payment."""
        self._keep(self.names)

    def accuse(self, event: dict[str, Any]) -> None:
        """Say that the present record moves money that no screening has let through."""
        cause, amount = self.cause, event["amount_minor"]
        step = "payment_" + (cause.event or "").rpartition("Payment")[2].lower()
        self.say(
            INVARIANT_ALERTS,
            event["debtor_account_id"],
            "InvariantBroken",
            self.id_of(f"settled_unscreened:{self.number}:{cause.offset}"),
            invariant="settled_unscreened",
            account_id=event["debtor_account_id"],
            currency=event["currency"],
            entry_id=None,
            expected="payment_screened that does not decline it, before",
            found=f"{step} of payment {event['payment_id']}, {amount} minor units",
            topic="payment-events",
            partition=self.number,
            offset=cause.offset,
        )

    def reviewed(self, life: Life, approved: bool) -> None:
        """Let the present payment go on, or not."""
        life.for_review = False
        state = life.state
        if state == "HELD":
            state = "AUTHORISED" if approved and life.hold_end is not None else "RESERVED"
        self.step(state, "approved" if approved else "declined")

    def step(self, state: str, code: str) -> None:
        """Add the present record to the life of its payment."""
        event, life = self.cause.fields, self.lives[self.names]
        if life.stuck is not None:
            self.row(stuck_key(self.names, life), None)
            about = {"payment_id": event["payment_id"], "debtor_account_id": life.content[0]}
            resumed_id = self.id_of("payment_resumed")
            debtor, was = life.content[0], {"stuck_id": life.stuck}
            self.say(PAYMENT_ALERTS, debtor, "PaymentResumed", resumed_id, **about, **was)
            life.stuck = None
        name = "payment_" + (self.cause.event or "").rpartition("Payment")[2].lower()
        if self.cause.event == "ProposalDecided":
            name = "payment_reviewed"
        recorded_at = self.cause.timestamp_ms * 1000
        ids = [event[kind] for kind in ("event_id", "causation_id", "correlation_id")]
        life.steps.append([name, state, code, event["occurred_at"], recorded_at, *ids])
        life.state, life.at = state, max(self.now, self.seen)
        due = None
        if state in self.bounds_s:
            start = life.at
            if state == "AUTHORISED" and life.hold_end is not None:
                start = max(start, life.hold_end)
            if state == "SCHEDULED" and life.execute_at is not None:
                start = max(start, life.execute_at)
            seconds = (start + self.bounds_s[state] * SECOND_US + SECOND_US - 1) // SECOND_US
            due = min(max(seconds, 0) * SECOND_US, LONG_MAX)
        else:
            life.for_review = False
        if due != life.due:
            self._wait(life, due)
        self._keep(self.names)
        if life.ended:
            self._end(life)

    def _end(self, life: Life) -> None:
        """Let a payment be forgotten in time, and forget others."""
        keys, changes = self.past.add(life.at, row_key("p", *self.names), self.keep_days * DAY_US)
        for key in dict.fromkeys(keys):
            tenant, payment = key.decode().split("\0")[1:]
            old = self.lives.get((tenant, payment))
            if old is not None and self.is_over(old):
                del self.lives[tenant, payment]
                self.row(key, None)
            elif (
                old is not None
                and old.ended
                # Screened again; or the ledger is far behind of what the fraud stream has ended.
                and (old.needed_at > old.at or self.past.newest - old.at > self.keep_days * DAY_US)
            ):
                self.past.open.append(key)
        for change in (*changes, self.past.row()):
            self.row(*change)

    def _wait(self, life: Life, due: int | None) -> None:
        """Wait for another due time, or for none."""
        if life.due is not None:
            del self.waiting[self.names]
            self.row(due_key(life.due, self.names), None)
        if due is not None:
            self.waiting[self.names] = due
            self.row(due_key(due, self.names), b"\1")
            self.next_look = min(self.next_look, due)
        life.due = due

    def count(self, life: Life) -> None:
        """Count a command about the present payment that had no effect."""
        life.refused += 1
        self._keep(self.names)

    def look(self) -> None:
        """Raise what is due."""
        if self.next_look > self.now:
            return
        due = sorted((due_key(due, names), due, names) for names, due in self.waiting.items())
        late = [one for one in due if one[1] <= self.now][:ALERTS_AT_ONCE]
        for key, at, names in late:
            self.row(key, None)
            del self.waiting[names]
            self._raise(names, at)
        rest = due[len(late) :]
        self.next_look = rest[0][1] if rest else LONG_MAX

    def _raise(self, names: Names, at: int) -> None:
        fields = become_stuck(names, self.lives[names], at)
        self._keep(names)
        self.row(stuck_key(names, self.lives[names]), b"\1")
        key = f"{names[0]}/{fields['debtor_account_id']}".encode()
        self.out.append(Expected(PAYMENT_ALERTS, key, "PaymentStuck", fields, self.cause.offset))

    def _keep(self, names: Names) -> None:
        self.row(row_key("p", *names), self.lives[names].row())

    def row(self, key: bytes, value: bytes | None) -> None:
        """Expect a row; only the last of a record counts."""
        self.out = [one for one in self.out if one.topic != TABLE or one.key != key]
        super().row(key, value)

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield what is stuck."""
        for (tenant_id, payment_id), life in self.lives.items():
            if life.stuck is not None:
                names = ("debtor_account_id", "creditor_account_id", "amount_minor", "currency")
                yield {
                    "tenant_id": tenant_id,
                    "payment_id": payment_id,
                    **dict(zip(names, life.content, strict=True)),
                    "state": life.state.lower() if life.state in NAMED else "processing",
                    "waiting_for": WAITING_FOR[life.state],
                    "progressed_at": life.at,
                    "stuck_id": life.stuck,
                    "refused_commands": life.refused,
                    "link_id": life.link,
                }
