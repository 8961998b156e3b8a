"""Matches whole files: all items in the order of time, then time until all is due."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.backtest.matching.reading import Files
from pipeline.backtest.matching.results import Results
from pipeline.backtest.matching.streams import Events, Stream

Progress = Callable[[int], None]
"""Is told how many items have come."""
TOLD_EACH = 500
"""Items between two words about progress."""


def run(files: Files, stream: Stream, progress: Progress = lambda done: None) -> Results:
    """Return what a stream says of files."""
    events = Events()
    found = Results(events)
    for done, row in enumerate(files.rows(), 1):
        found.hear(stream.apply(events.of(row)))
        if done % TOLD_EACH == 0:
            progress(done)
    for said in stream.end():
        found.hear(said)
    progress(len(files))
    return found
