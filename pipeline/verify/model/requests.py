"""A single-threaded model of one partition of the requests stream: who came first with an id, and with what.

The first claim of an id stands for 91 days of its tenant's time. Whoever comes with the same content repeats
it, whoever comes with another is in conflict with it; both are told what the first one was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.verify.model.retention import DUPLICATES_DAYS, Ended
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    DAY_US,
    LAYOUT,
    REQUEST_RESULTS,
    Dead,
    false_text,
    has_impossible_id,
    msgpack,
    row_key,
)

Names = tuple[str, str]
"""A tenant and the id of a request."""
HEX = frozenset("0123456789abcdef")
PARTS = ("topic", "event", "event_id", "key")
"""What is said of a command."""
COMMANDS = range(1, 1_001)
"""How many commands a request may ask for."""


@dataclass
class First:
    """The first claim of an id."""

    content: str
    at: int
    claim: str
    commands: list[list[str]]
    sent: bool = False


def check(event: dict[str, Any]) -> None:
    if has_impossible_id(event):
        raise Dead("invalid_id")
    text = false_text(event)
    if text is not None:
        raise Dead(text)
    if len(event["content_hash"]) != 64 or not set(event["content_hash"]) <= HEX:
        raise Dead("invalid_content_hash")


def claim(branch: RequestBranch, event: dict[str, Any]) -> None:
    check(event)
    if len(event["commands"]) not in COMMANDS:
        raise Dead("invalid_commands")
    at = min(event["occurred_at"], branch.cause.timestamp_ms * 1000)
    if branch.is_too_old(branch.claimed.newest - at):
        raise Dead("too_old")
    names = event["tenant_id"], event["request_id"]
    first = branch.known(names, max(branch.claimed.newest, at))
    if first is None:
        commands = [[one[name] for name in PARTS] for one in event["commands"]]
        first = branch.firsts[names] = First(event["content_hash"], at, event["event_id"], commands)
        branch.keep(names)
        branch.forget(at, names)
        answer = "ACCEPTED"
    else:
        answer = "REPEATED" if first.content == event["content_hash"] else "CONFLICT"
    branch.say(
        *(REQUEST_RESULTS, names[1], "RequestAnswered", branch.id_of("request_answered")),
        request_id=names[1],
        answer=answer,
        content_hash=first.content,
        claimed_at=first.at,
        sent=first.sent,
        commands=[dict(zip(PARTS, one, strict=True)) for one in first.commands],
        actor=event["actor"],
    )


def sent(branch: RequestBranch, event: dict[str, Any]) -> None:
    check(event)
    names = event["tenant_id"], event["request_id"]
    first = branch.known(names, branch.claimed.newest)
    if first is None or first.content != event["content_hash"]:
        raise Dead("request_not_found")
    if not first.sent:
        first.sent = True
        branch.keep(names)


@dataclass
class RequestBranch(StreamModel):
    """The requests of one partition, as far as its log has been applied."""

    firsts: dict[Names, First] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    """By tenant."""
    window_days: int = DUPLICATES_DAYS
    rules: ClassVar = {"RequestClaimed": claim, "RequestSent": sent}

    @property
    def claimed(self) -> Ended:
        """What the present tenant has claimed."""
        tenant: str = self.cause.fields["tenant_id"]
        return self.ended.setdefault(tenant, Ended("ef", (tenant,)))

    def is_too_old(self, behind_us: int) -> bool:
        """Whether the present claim is too far behind the newest; where settings are not judged: whether it
        is behind and a dead letter says so."""
        if self.letter is not None:
            return behind_us > 0 and self.letter(self.cause) == "too_old"
        return behind_us > self.window_days * DAY_US

    def known(self, names: Names, now: int) -> First | None:
        """Return the first claim of an id, if it still counts."""
        first = self.firsts.get(names)
        return None if first is None or self._is_over(first, now) else first

    def keep(self, names: Names) -> None:
        """Write the row of a request."""
        one = self.firsts[names]
        fields = [one.content, one.at, one.claim, one.sent, one.commands]
        self.row(row_key("r", *names), bytes([LAYOUT]) + msgpack(fields))

    def forget(self, at: int, names: Names) -> None:
        """Let a request be forgotten in time, and forget others."""
        keys, changes = self.claimed.add(at, row_key("r", *names), (self.window_days + 1) * DAY_US)
        for old in dict.fromkeys(keys):
            tenant, request = old.decode().split("\0")[1:]
            first = self.firsts.get((tenant, request))
            if first is not None and self._is_over(first, self.claimed.newest):
                del self.firsts[tenant, request]
                self.row(old, None)
        for change in (*changes, self.claimed.row()):
            self.row(*change)

    def _is_over(self, first: First, now: int) -> bool:
        return now - first.at > (self.window_days + 1) * DAY_US
