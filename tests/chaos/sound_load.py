"""A load in memory once more under wrong rules, of which only what they touch is computed again.

    sound rules -> what every stream made of each record -> the same load under wrong rules

All that a stream knows is in its rows. So as long as a stream whose rules are sound gets the very records
that it got before, it says and writes what it did then. From the first other record on it works for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pipeline.verify.log import Record
from tests.chaos.load_in_memory import RecordByRecord, Topics, simulated, topics_of
from tests.simulated_cluster import SimulatedCluster

DOMAIN = "pipeline.domain."
OF_ONE_STREAM = frozenset({"fraud", "history", "ledger", "lifecycle", "positions", "reconciliation"})
"""Packages of the domain whose rules are of one stream, which has their name. Other rules are of all."""

Set = Callable[[Any, str, Any], None]
"""Sets an attribute of a module or a class."""
Place = tuple[str, int]
"""A stream and its partition."""


class Step(NamedTuple):
    """What a stream made of a record."""

    of: Record
    said: list[tuple[Any, ...]]
    """Arguments of `append`."""
    written: list[tuple[bytes, bytes | None]]
    """Rows; None where one was deleted."""


class Recording(RecordByRecord):
    """Remembers what every stream makes of each record."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.steps: defaultdict[Place, list[Step]] = defaultdict(list)
        self._said: list[tuple[Any, ...]] = []

    def append(self, *about: Any) -> Record:
        """Append a record and return it."""
        self._said.append(about)
        return super().append(*about)

    def _apply(self, record: Record, name: str, stream: Any) -> None:
        written = self.written(name, record.partition)
        before, self._said = len(written), []
        super()._apply(record, name, stream)
        self.steps[name, record.partition].append(Step(record, self._said, written[before:]))
        self._said = []  # what upstreams produce is of no step


class Replaying(RecordByRecord):
    """Lets streams repeat their steps while they are sound and get the same records."""

    def __init__(self, steps: Mapping[Place, list[Step]], wrong: Collection[str] | None, *about: Any) -> None:
        """`wrong`: the streams that repeat nothing; None: all of them."""
        super().__init__(*about)
        self._steps = {place: [] if wrong is None or place[0] in wrong else steps[place] for place in steps}
        self._repeated: defaultdict[Place, int] = defaultdict(int)

    def _apply(self, record: Record, name: str, stream: Any) -> None:
        place = name, record.partition
        steps, number = self._steps.get(place, []), self._repeated[place]
        if number == len(steps) or steps[number].of != record:
            self._steps[place] = steps[:number]  # from here on it works for itself
            super()._apply(record, name, stream)
            return
        self._repeated[place] += 1
        for key, row in steps[number].written:
            if row is None:
                self.rows[place].delete(key)
            else:
                self.rows[place].put(key, row)
        for said in steps[number].said:
            self.append(*said)


class SoundLoad:
    """A load with everything planted that sound rules have processed."""

    def __init__(self, manifest: Path, payments: int, town: bool = False) -> None:
        """`manifest`: where it is written, again each time; `payments`, `town`: as `simulated`."""
        self.manifest = manifest
        self._about: dict[str, Any] = {"payments": payments, "town": town}
        self.cluster = self._simulated(Recording)
        self.topics: Topics = topics_of(self.cluster)
        assert isinstance(self.cluster, Recording)
        self._steps = dict(self.cluster.steps)

    def broken(self, break_rules: Callable[[Set], None], patch: Set) -> Topics:
        """Return the topics of the load under rules that `break_rules` sets by `patch`."""
        touched: set[str | None] = set()

        def put(target: Any, name: str, value: Any) -> None:
            touched.add(stream_of(target))
            patch(target, name, value)

        break_rules(put)
        return self.repeated(None if None in touched else {name for name in touched if name is not None})

    def repeated(self, wrong: Collection[str] | None, steps: int | None = None) -> Topics:
        """Return the topics of the load, each stream repeating its first `steps`, those of `wrong` none."""
        known = {place: made[:steps] for place, made in self._steps.items()}
        return topics_of(self._simulated(lambda *about: Replaying(known, wrong, *about)))

    def _simulated(self, cluster: Callable[..., RecordByRecord]) -> SimulatedCluster:
        self.manifest.unlink(missing_ok=True)  # a run adds to the manifest that is there
        return simulated(self.manifest, **self._about, cluster=cluster)


def stream_of(target: Any) -> str | None:
    """Return the stream that a module, or what is defined in it, is of; None if it may be of several."""
    module = target.__name__ if isinstance(target, ModuleType) else target.__module__
    package = module.removeprefix(DOMAIN).partition(".")[0]
    return package if module.startswith(DOMAIN) and package in OF_ONE_STREAM else None
