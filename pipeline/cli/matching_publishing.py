"""`ledgerflow matching publish|withdraw|list`: weights of matching, by the topic matching-rules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from pipeline.backtest.matching.learning import read_weights
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.payment_files import in_one_line
from pipeline.cli.problems import BadInput
from pipeline.cli.proposals import person
from pipeline.cli.publications import (
    From,
    Refused,
    Tenant,
    applied,
    now_us,
    read_topic,
    since_of,
    state_of,
    tell_published,
    tell_refused,
    text_of,
    time_text,
    whose,
)
from pipeline.cli.reach import settings_for
from pipeline.cli.records import TopicRecord
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import DryRun, event_of, send_all, settings_to_send, show_unsent
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.broadcasts import ALL_TENANTS, take_broadcast
from pipeline.domain.reconciliation.desk.knowledge import weights_key
from pipeline.domain.reconciliation.desk.rows import PublishedWeights, read
from pipeline.domain.reconciliation.scoring.weights import Weights
from pipeline.events import Actor, MatchingRole, MatchingWeightsPublished
from pipeline.runtime.kafka.access import OPERATOR
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder

TOPIC = "matching-rules"
SHOWN_BY = "`ledgerflow matching list`"
OF_THE_PRODUCT = "those of the product"


class Log(NamedTuple):
    """What a log of weights comes to."""

    by_tenant: dict[str, PublishedWeights]
    """`*`: those of all tenants."""
    refused: tuple[Refused, ...]


def publish_weights(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What `matching learn` has made.", show_default=False),
    ],
    tenant: Tenant = None,
    since: From = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Publish weights of matching: whatever is decided from a time on is scored by them.

    A tenant's own weights win over those of all tenants. Nothing that is decided already is decided anew.
    """
    weights = canonical_weights(file)
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run, OPERATOR)
    event = weights_event(weights, tenant, since, Actor(**person(settings)))
    what = f"weights {weights.hash()[:12]} hold"
    _publish(settings, event, what, dry_run=dry_run, as_json=as_json)


def withdraw_weights(
    tenant: Tenant = None,
    since: From = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Go back to the weights of the product from a time on.

    For one tenant that is so although there are weights for all. Nothing is lost: publish the file again.
    """
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run, OPERATOR)
    event = weights_event(None, tenant, since, Actor(**person(settings)))
    what = f"the weights of matching are {OF_THE_PRODUCT}"
    _publish(settings, event, what, dry_run=dry_run, as_json=as_json)


def list_weights(
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Show which weights of matching were published: whose, from when on, which hold now.

    Reads the topic matching-rules. The newest eight of a tenant are known. What the stream refuses goes to
    standard error.
    """
    log = read_log(settings_for(data, bootstrap_servers, schema_registry_url))
    rows = weights_in(log, now_us())
    if as_json:
        typer.echo(json.dumps({"weights": rows, "refused": [one._asdict() for one in log.refused]}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("of", "weights", "from", "state"):
        table.add_column(header, overflow="fold")
    for row in rows:
        name = OF_THE_PRODUCT if row["sha256"] is None else row["sha256"][:12]
        table.add_row(row["of_tenant"] or "all tenants", name, row["effective_from"], row["state"])
    screen().print(table, markup=False)
    tell_refused(log.refused)


def canonical_weights(file: Path) -> Weights:
    """Return the weights of a file that a log can carry: their canonical form. Raises BadInput, OSError."""
    with in_one_line():
        weights = read_weights(file)
    if file.read_bytes() != weights.canonical():
        raise BadInput(
            f"{file}: not the canonical form of its weights (every feature, sorted keys, no blanks), by which"
            f" they are known: `ledgerflow matching show --canonical {file}` prints that"
        )
    return weights


def weights_event(
    weights: Weights | None, tenant: str | None, since: str | None, actor: Actor
) -> MatchingWeightsPublished:
    """Return the event that puts weights into use; None: those of the product. Raises BadInput."""
    return event_of(
        MatchingWeightsPublished,
        whose(tenant),
        role=MatchingRole.LIVE,
        of_tenant=tenant,
        weights=None if weights is None else weights.canonical().decode(),
        sha256=None if weights is None else weights.hash(),
        effective_from=since_of(since),
        actor=actor,
    )


def read_log(settings: Settings) -> Log:
    """Read the topic to its present end. Raises Failed, BadInput."""
    known = _Known()
    refused = read_topic(settings, TOPIC, _KINDS, known.take)
    return Log(known.by_tenant(), refused)


def log_of(records: Iterable[TopicRecord], decoder: Decoder) -> Log:
    """Return what records come to; those of a tenant come in the order of its partition."""
    known = _Known()
    refused = applied(records, decoder, TOPIC, _KINDS, known.take)
    return Log(known.by_tenant(), refused)


def weights_in(log: Log, at_us: int) -> list[dict[str, Any]]:
    """Return the weights that are known, by tenant and time; `state` as of a time."""
    rows = []
    for tenant, published in sorted(log.by_tenant.items()):
        holding = max((from_us for from_us, _ in published.sets if from_us <= at_us), default=None)
        rows += [
            {
                "of_tenant": None if tenant == ALL_TENANTS else tenant,
                "sha256": sha256(text.encode()).hexdigest() if text else None,
                "effective_from": text_of(from_us),
                "state": state_of(from_us, holding, at_us),
            }
            for from_us, text in published.sets
        ]
    return rows


_KINDS = (ev.MatchingWeightsPublished,)


class _Known:
    """What the stream keeps of weights, by its own rules."""

    def __init__(self) -> None:
        self._rows = MemoryRows()
        self._tenants: set[str] = set()

    def take(self, event: ev.MatchingWeightsPublished) -> None:
        """Take an event. Raises Reject."""
        take_broadcast(event, self._rows)
        self._tenants.add(event.tenant_id)

    def by_tenant(self) -> dict[str, PublishedWeights]:
        """Return the weights of each tenant."""
        found = {tenant: read(self._rows, weights_key(tenant), PublishedWeights) for tenant in self._tenants}
        return {tenant: published for tenant, published in found.items() if published is not None}


def _publish(
    settings: Settings, event: MatchingWeightsPublished, what: str, *, dry_run: bool, as_json: bool
) -> None:
    if dry_run:
        show_unsent([event], settings.partitions)
        return
    said = f"{what} from {time_text(event.effective_from)} on, for {event.of_tenant or 'all tenants'}"
    tell_published(send_all(settings, [event]), said, {"sha256": event.sha256}, as_json, SHOWN_BY)
