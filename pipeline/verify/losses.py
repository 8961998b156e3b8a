"""What logs have lost: records that were deleted, and what people have said about it.

A log that does not begin at offset 0 has lost its beginning. People may have accepted that (the topic
`operator-actions`); then it is named, and is no failure. Either way a model cannot tell from what is left
what a stream had to say, so such streams are left out of the comparison. What still is judged: the journal
and the balances by their own arithmetic, every other log, and each dead letter of a record that is left. A
compacted topic is no log: where it begins says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.verify.decode import Decoder
from pipeline.verify.log import TopicLog
from pipeline.verify.model.wire import BALANCES, CLEARING_TOTALS, POSITIONS
from pipeline.verify.report import Check

ACTIONS = "operator-actions"
COMPACTED = frozenset((BALANCES, POSITIONS, CLEARING_TOTALS))

Place = tuple[str, int]
"""Topic and partition."""


class Accepted(NamedTuple):
    """A loss that somebody has accepted: `end` is the first offset that was left then."""

    first: int
    """The first offset that no stream had read; `end`, if all that is gone was read."""
    end: int
    operator: str
    reason: str


class Losses:
    """Where logs begin, and which losses are accepted."""

    def __init__(self, begins: Mapping[Place, int], accepted: Mapping[Place, list[Accepted]]) -> None:
        """`begins`: the first offset of each log that does not begin at 0."""
        self.begins = dict(begins)
        self._accepted = accepted

    def __contains__(self, place: object) -> bool:
        """Whether a log has lost its beginning."""
        return place in self.begins

    def acceptance(self, place: Place) -> Accepted | None:
        """Return what covers all that a log has lost; None where nobody has accepted it."""
        covering = [one for one in self._accepted.get(place, ()) if one.end >= self.begins[place]]
        return covering[-1] if covering else None

    def unread(self, topic: str, partition: int, offset: int) -> bool:
        """Return whether a record was lost before any stream had read it, and that is accepted."""
        return any(one.first <= offset < one.end for one in self._accepted.get((topic, partition), ()))

    def report(self, check: Check, logs: int) -> None:
        """Say in a check what is lost; `logs`: how many were looked at."""
        check.count(logs)
        for place, first in sorted(self.begins.items()):
            named = f"{place[0]}[{place[1]}]"
            gone = f"{named}: offsets 0 to {first - 1} are gone"
            accepted = self.acceptance(place)
            if accepted is None:
                command = f"ledgerflow accept-loss {place[0]}/{place[1]} --up-to {first} --reason '...'"
                check.fail(f"{gone}, and nobody has accepted it ({command})")
                continue
            unread = (
                f"{accepted.first} to {accepted.end - 1} were never read"
                if accepted.first < accepted.end
                else "all of them were read"
            )
            check.note(f"{gone}, {unread}; accepted by {accepted.operator}: {accepted.reason}")


def losses_of(log: TopicLog, decoder: Decoder, topics: Iterable[str]) -> Losses:
    """Return what the logs among some topics have lost. Raises LogError."""
    begins = {
        (topic, number): first
        for topic in topics
        if topic not in COMPACTED
        for number in range(log.partitions(topic))
        if (first := log.first(topic, number)) > 0
    }
    accepted: dict[Place, list[Accepted]] = {}
    for fields in actions_of(log, decoder):
        if fields["action"] == "LOSS_ACCEPTED":
            place = fields["topic"], fields["partition"]
            about = fields["first_offset"], fields["end_offset"], fields["operator"], fields["reason"]
            accepted.setdefault(place, []).append(Accepted(*about))
    return Losses(begins, accepted)


def actions_of(log: TopicLog, decoder: Decoder) -> Iterator[dict[str, Any]]:
    """Yield what operators have decided: the fields of their actions. Raises LogError."""
    for number in range(log.partitions(ACTIONS)):
        for record in log.read(ACTIONS, number):
            name, fields, _ = decoder.read(record.value)
            if name == "OperatorActed":
                yield fields
