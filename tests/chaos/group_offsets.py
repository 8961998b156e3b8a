"""How far the streams have read their logs, as their group says it, also after a broker that crashed.

Kafka 4.1.2 was seen to answer after SIGKILL, until the next commit, with the offsets of 90 seconds before,
though its log of offsets has all later ones. Streams go by offsets of their own. So after a crash what is
behind those, or behind what the group has said before, is taken for what they say.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.verify.findings import Problem

Offsets = dict[tuple[str, int], int]


class GroupOffsets:
    """The group's offsets by source and partition, as they are asked for in the course of a run."""

    def __init__(self, broker_crashed: bool = False) -> None:
        self._crashed = broker_crashed
        """Whether the broker was killed since the last answer: only then may offsets go back."""
        self._older = broker_crashed
        """Whether answers may be older than what is applied."""
        self._said: Offsets = {}
        self.now: Offsets = {}
        """How far the streams have read."""

    def broker_crashed(self) -> None:
        """Take note that the broker was killed."""
        self._crashed = self._older = True

    def take(self, said: Offsets, applied: Mapping[tuple[str, int], int] | None = None) -> list[Problem]:
        """Take an answer of the group; return where it has gone back and must not.

        `applied`: what the streams say themselves (None: nobody has looked).
        """
        back = [
            Problem("offsets", *place, offset, f"the group has gone back from {self._said[place]}")
            for place, offset in said.items()
            if offset < self._said.get(place, 0) and not self._crashed
        ]
        self._said, self._crashed = said, False
        if self._older:
            known, own = self.now, applied or {}
            said = {place: max(said[place], known.get(place, 0), own.get(place, 0)) for place in said}
        self.now = said
        return back
