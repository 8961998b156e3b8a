"""The declaration of a stream, from the log that it reads to the views of its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.domain.kernel.columns import BatchPath
from pipeline.domain.kernel.settings import ConceptSettings
from pipeline.domain.kernel.views import View
from pipeline.runtime.slices import SLICE_RECORDS
from pipeline.runtime.streams import COLUMNS_FROM, LINGER_S, Rules, StreamSpec
from topologies.configuration import Configuration

RulePair = tuple[Rules, BatchPath | None]
"""The rules of a stream for single events, and for batches of columns if it has them."""


class TopologyError(ValueError):
    """Streams are declared so that they do not fit together. The text is one line."""


class Topology(NamedTuple):
    """One stream: one input log, one pure function, one table or none, output topics, views of the table.

    Its topics are declared in `schemas/<topic>/topic.toml`.
    """

    name: str
    source: str
    """The topic that it reads."""
    rules: Callable[[Configuration], RulePair]
    """Makes its rules. Raises SettingsError for an invalid file of the operator."""
    outputs: tuple[str, ...]
    """The topics that its rules write to."""
    table: str | None = None
    settings: tuple[type[ConceptSettings], ...] = ()
    """The settings that its rules use."""
    views: tuple[View, ...] = ()
    delay_tolerant: bool = False
    """Its outputs may be late: it collects records for LINGER_S seconds, and commits less often."""
    columns_from: int = COLUMNS_FROM
    """Of how many records on a batch goes by columns; fewer where its rows cost much."""
    slice_records: int = SLICE_RECORDS
    """How many records of a backlog are applied at once; more where a run costs much before its first one."""
    earlier_source: str | None = None
    """The topic that it read in an earlier version, where that was another one (`ledgerflow migrate`)."""

    def spec(self, configuration: Configuration) -> StreamSpec:
        """Return the stream as the runtime runs it. Raises SettingsError as `rules` does."""
        by_rows, by_columns = self.rules(configuration)
        linger_s = LINGER_S if self.delay_tolerant else 0.0
        specified = StreamSpec(self.name, self.source, by_rows, self.table, by_columns, linger_s)
        return specified._replace(
            columns_from=self.columns_from,
            slice_records=self.slice_records,
            earlier_source=self.earlier_source,
        )
