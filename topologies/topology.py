"""What a topology file declares: one stream, from the log that it reads to the views of its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.domain.kernel.columns import BatchPath
from pipeline.domain.kernel.settings import ConceptSettings
from pipeline.domain.kernel.views import View
from pipeline.runtime.streams import LINGER_S, Rules, StreamSpec
from topologies.configuration import Configuration

RulePair = tuple[Rules, BatchPath | None]
"""The rules of a stream by rows, and by columns where it has them."""


class Topology(NamedTuple):
    """One stream: one log in, one pure function, one table (or none), outputs, views of the table.

    Its topics are declared in `schemas/<topic>/topic.toml`.
    """

    name: str
    source: str
    """The topic that it reads."""
    rules: Callable[[Configuration], RulePair]
    """Makes its rules. Raises SettingsError for a file that is no valid one."""
    outputs: tuple[str, ...]
    """The topics that its rules write to."""
    table: str | None = None
    settings: tuple[type[ConceptSettings], ...] = ()
    """Whose fields its rules follow."""
    views: tuple[View, ...] = ()
    delay_tolerant: bool = False
    """Nobody waits for what it says: its log gathers records for a moment, and there are fewer commits."""

    def spec(self, configuration: Configuration) -> StreamSpec:
        """Return the stream as the runtime runs it. Raises SettingsError as `rules` does."""
        by_rows, by_columns = self.rules(configuration)
        linger_s = LINGER_S if self.delay_tolerant else 0.0
        return StreamSpec(self.name, self.source, by_rows, self.table, by_columns, linger_s)
