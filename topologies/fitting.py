"""Whether streams fit together: one wrongly declared would run, and be missed by whoever waits for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import schemas
from pipeline.runtime.kafka.topics import DEAD_LETTERS, TOPICS, UPSTREAM
from pipeline.runtime.settings import concepts
from pipeline.web.pages import by_path
from schemas.topics import routing
from topologies.topology import Topology, TopologyError

NAME = re.compile(r"[a-z][a-z0-9-]*")
"""Names of streams and tables are parts of names of topics, and labels of metrics."""


def require_fit(streams: Sequence[Topology]) -> None:
    """Raises TopologyError, one line with every fault, for streams that are declared wrongly."""
    found = [*_names(streams)]
    for stream in streams:
        found += [f"stream {stream.name}: {fault}" for fault in _faults(stream)]
    try:
        by_path([view for stream in streams for view in stream.views])
    except ValueError as error:
        found.append(str(error))
    if found:
        raise TopologyError("; ".join(found))


def _names(streams: Sequence[Topology]) -> Iterator[str]:
    for what, names in (
        ("stream", [stream.name for stream in streams]),
        ("table", [stream.table for stream in streams if stream.table is not None]),
    ):
        for name, times in Counter(names).items():
            if times > 1:
                yield f"{what} {name} is declared {times} times"
            if not NAME.fullmatch(name):
                yield f"{what} {name!r}: a name has small letters, digits and dashes"
    tables = {stream.table for stream in streams}
    for stream in streams:
        if stream.table is None and stream.name in tables:
            yield f"stream {stream.name} has no table, and a table has its name: they would share a changelog"


def _faults(stream: Topology) -> Iterator[str]:
    declared = {topic.name for topic in TOPICS} - {DEAD_LETTERS.name}
    for topic in (stream.source, *stream.outputs):
        if topic not in declared:
            yield f"there is no topic {topic!r} in schemas/"
    if keyless := sorted(_events(stream.source) - set(routing())):
        yield f"it reads {stream.source}, but {stream.source}/topic.toml gives {keyless[0]} no key"
    for topic in stream.outputs:
        if topic in UPSTREAM:
            yield f"{topic} is written by upstreams alone"
    for view in stream.views:
        if view.table != stream.table:
            yield f"its view {view.name} is of the table {view.table}, and its own is {stream.table}"
    yield from _settings(stream.settings)


def _events(topic: str) -> set[str]:
    return {schema.record_name for schema in schemas.load() if schema.topic == topic}


def _settings(kinds: Iterable[type]) -> Iterator[str]:
    for kind in kinds:
        if kind not in set(concepts()):
            yield f"{kind.__name__} is not `SETTINGS` of its concept's settings.py"
