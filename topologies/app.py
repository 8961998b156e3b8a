"""The composition root: makes a Faust app with every stream from the settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module

from pipeline import audit
from pipeline.domain.kernel.views import View
from pipeline.runtime.app import App, create_app
from pipeline.runtime.avro.codec import FOREIGN, Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.avro.registry_start import connect
from pipeline.runtime.avro.writer_schemas import WriterSchema
from pipeline.runtime.faults import Fault, Faults
from pipeline.runtime.streams import StreamSpec
from pipeline.runtime.ticks import Ticker
from pipeline.web import pages
from topologies.configuration import Configuration
from topologies.fitting import require_fit
from topologies.tenants import tenants
from topologies.ticks import TICKING
from topologies.topology import Topology

FILES = (
    "intake",
    "fraud",
    "ledger",
    "history",
    "invariants",
    "fraud_intake",
    "reconciliation_intake",
    "lifecycle",
    "positions",
    "reconciliation",
    "requests",
)
"""The topology files, in the order of the data flow: each has its `STREAMS`."""


def _declared() -> Iterator[Topology]:
    for name in FILES:
        streams: tuple[Topology, ...] = import_module(f"topologies.{name}").STREAMS
        yield from streams


STREAMS: tuple[Topology, ...] = tuple(_declared())
"""Every stream."""
TABLES: tuple[str, ...] = tuple(stream.table for stream in STREAMS if stream.table is not None)
"""The names of the tables, each of which needs a changelog topic."""
TABLELESS: tuple[str, ...] = tuple(stream.name for stream in STREAMS if stream.table is None)
"""The names of the streams without a table, each of which needs a changelog of its source offset."""
VIEWS: tuple[View, ...] = tuple(view for stream in STREAMS for view in stream.views)
"""Every view of the tables. The web pages, their index and the reference are made from them."""


def specs(configuration: Configuration) -> list[StreamSpec]:
    """Return every stream as the runtime runs it.

    Raises SettingsError for an invalid file, TopologyError for streams that do not fit together.
    """
    require_fit(STREAMS)
    return [stream.spec(configuration) for stream in STREAMS]


def build(configuration: Configuration, *, worker: int = 0, streams: tuple[str, ...] = ()) -> App:
    """Return the app of a worker with the named streams (all by default).

    Waits for the schema registry. Raises as `specs` and as `registry_start.connect`.
    """
    settings = configuration.settings
    registry = Registry(settings.registry(), settings.data_dir / "schemas")
    connect(registry, settings.schema_registry_url, _say)
    refuse = settings.foreign_schemas == "refuse"
    codec = Codec(registry, refuse_foreign=refuse)
    app = create_app(settings, codec, worker=worker)
    codec.on_foreign = partial(_report_foreign, app.faults, refuse)
    app.tenants = tenants(configuration).version
    for spec in specs(configuration):
        if not streams or spec.name in streams:
            app.add_stream(spec)
    if settings.tick_seconds:
        ticker = Ticker(app, lambda: app.tasks.running, TICKING, settings.tick_seconds)
        app.keep_running(ticker.run)
    pages.mount(app, VIEWS)
    audit.mount(app, settings, codec.another())
    return app


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _report_foreign(faults: Faults, refused: bool, schema_id: int, writer: WriterSchema) -> None:
    what = "its events are refused" if refused else "its events are applied without what is new"
    faults.report(Fault(FOREIGN, f"schema {schema_id}", f"{writer.difference}; {what}"))
