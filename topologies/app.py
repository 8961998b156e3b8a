"""The composition root: settings in, a Faust app with every stream out."""

from __future__ import annotations

from collections.abc import Callable

from pipeline import audit
from pipeline.runtime.app import App, create_app
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import StreamSpec
from pipeline.web import pages
from topologies import (
    fraud,
    history,
    intake,
    invariants,
    ledger,
    lifecycle,
    positions,
    reconciliation,
    tenants,
)

TOPOLOGIES: tuple[Callable[[Settings], list[StreamSpec]], ...] = (
    intake.build,
    fraud.build,
    ledger.build,
    history.build,
    invariants.build,
    lifecycle.build,
    positions.build,
    reconciliation.build,
)
"""Every topology, in the order of the data flow."""


def specs(settings: Settings) -> list[StreamSpec]:
    """Return the specification of every stream."""
    return [spec for build in TOPOLOGIES for spec in build(settings)]


def tables(settings: Settings) -> tuple[str, ...]:
    """Return the names of the tables, each of which needs a changelog topic."""
    return tuple(spec.table for spec in specs(settings) if spec.table is not None)


def build(settings: Settings, *, worker: int = 0, streams: tuple[str, ...] = ()) -> App:
    """Return the app of a worker with the named streams (all by default)."""
    registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
    registry.connect()
    app = create_app(settings, Codec(registry), worker=worker)
    app.tenants = tenants.tenants(settings).version
    for spec in specs(settings):
        if not streams or spec.name in streams:
            app.add_stream(spec)
    pages.mount(app)
    audit.mount(app, settings, Codec(registry))
    return app
