"""`ledgerflow model publish|list|withdraw`: models of fraud decisions, by the topic fraud-rules."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput
from pipeline.cli.proposals import person
from pipeline.cli.publications import (
    From,
    Tenant,
    now_us,
    since_of,
    state_of,
    tell_published,
    tell_refused,
    text_of,
    time_text,
    whose,
)
from pipeline.cli.published import SHOWN_BY, Log, read_log
from pipeline.cli.reach import settings_for
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import DryRun, event_of, send_all, settings_to_send, show_unsent
from pipeline.domain.fraud.deciding.models import KIND_OF, Fitted
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from pipeline.domain.fraud.model.artefact import KINDS, MODEL_BYTES_MAX
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.domain.fraud.publishing.checks import base64_of, model_parts
from pipeline.events import Actor, FraudModelPartPublished, FraudModelPublished, ModelRole
from pipeline.input_event import InputEvent
from pipeline.runtime.kafka.access import OPERATOR

app = typer.Typer(
    no_args_is_help=True, help="Models of fraud decisions: publish one, list them, withdraw it."
)


class Role(StrEnum):
    """What a model is used for."""

    LIVE = "live"
    SHADOW = "shadow"
    ANOMALY = "anomaly"


RoleOf = Annotated[
    Role,
    typer.Option(
        "--role", help="live: its score decides; shadow: noted beside it; anomaly: what is strange."
    ),
]


@app.command("publish")
def publish_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `ledgerflow train` has made.", show_default=False)
    ],
    role: RoleOf = Role.LIVE,
    tenant: Tenant = None,
    since: From = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Publish a model: checks it against the features of this release, and sends its parts and its role.

    The model that had the role before stays until that time has come. Parts that are known are not stored
    again, so a shadow model is made live by publishing the same file as live.
    """
    model = read_model(file, role)
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run, OPERATOR)
    events = events_of(model, role, tenant, since, Actor(**person(settings)))
    if dry_run:
        show_unsent(events, settings.partitions)
        return
    name = model.name
    what = f"model {name[:12]} is {role.value} from {_since(events[-1])} on, for {tenant or 'all tenants'}"
    tell_published(send_all(settings, events), what, {"model_sha256": name}, as_json, SHOWN_BY)


@app.command("withdraw")
def withdraw_model(
    role: RoleOf = Role.LIVE,
    tenant: Tenant = None,
    since: From = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Let no model have a role from a time on: without a live one, rules alone decide.

    For one tenant that is so although there is a model for all. Nothing is lost: publish the file again.
    """
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run, OPERATOR)
    events = events_of(None, role, tenant, since, Actor(**person(settings)))
    if dry_run:
        show_unsent(events, settings.partitions)
        return
    what = f"no model is {role.value} from {_since(events[-1])} on, for {tenant or 'all tenants'}"
    tell_published(send_all(settings, events), what, {"model_sha256": None}, as_json, SHOWN_BY)


@app.command("list")
def list_models(
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Show which model has which role, whose and from when on. Reads the topic fraud-rules."""
    log = read_log(settings_for(data, bootstrap_servers, schema_registry_url))
    rows = models_in(log, now_us())
    if as_json:
        typer.echo(json.dumps({"models": rows, "refused": [one._asdict() for one in log.refused]}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("role", "of", "model", "from", "state"):
        table.add_column(header, overflow="fold")
    for row in rows:
        name = "none: rules alone" if row["model_sha256"] is None else row["model_sha256"][:12]
        tenants = row["of_tenant"] or "all tenants"
        table.add_row(row["role"], tenants, name, row["effective_from"], row["state"])
    screen().print(table, markup=False)
    tell_refused(log.refused)


def fitted_of(file: Path) -> Fitted:
    """Return the model of a file. Raises ModelRefused, OSError."""
    with file.open("rb") as opened:
        return Fitted(opened.read(MODEL_BYTES_MAX + 1))


def read_model(file: Path, role: Role) -> Fitted:
    """Return the model of a file, one that can have a role. Raises BadInput, OSError."""
    try:
        model = fitted_of(file)
    except ModelRefused as refused:
        raise BadInput(f"{file}: no model for this release: {refused}") from None
    wanted = KIND_OF[role.name]
    if model.model.kind != wanted:
        raise BadInput(f"{file}: a model of kind {KINDS[model.model.kind]}; {role.value} is {KINDS[wanted]}")
    return model


def events_of(
    model: Fitted | None, role: Role, tenant: str | None, since: str | None, actor: Actor
) -> list[InputEvent]:
    """Return the events that give a model a role; None: nobody has it then. Raises BadInput."""
    of, effective_from = whose(tenant), since_of(since)
    name = None if model is None else model.name
    parts = [] if model is None else model_parts(model.data)
    events: list[InputEvent] = [
        event_of(
            FraudModelPartPublished,
            of,
            model_sha256=name,
            number=number,
            part=base64_of(part),
            actor=actor,
        )
        for number, part in enumerate(parts)
    ]
    given = event_of(
        FraudModelPublished, of, role=ModelRole(role.name), model_sha256=name, parts=len(parts),
        of_tenant=tenant, effective_from=effective_from,
        catalogue_version=CATALOGUE.version, actor=actor,
    )  # fmt: skip
    return [*events, given]


def models_in(log: Log, at_us: int) -> list[dict[str, Any]]:
    """Return who has which role, by role, tenant and time; `state` as of a time."""
    roles = sorted(log.known.roles, key=lambda one: (one.role, one.tenant_id or "", one.from_us))
    holding = {(one.role, one.tenant_id): one.from_us for one in roles if one.from_us <= at_us}
    return [
        {
            "role": one.role.lower(),
            "of_tenant": one.tenant_id,
            "model_sha256": one.sha256,
            "effective_from": text_of(one.from_us),
            "state": state_of(one.from_us, holding.get((one.role, one.tenant_id)), at_us),
        }
        for one in roles
    ]


def _since(event: InputEvent) -> str:
    assert isinstance(event, FraudModelPublished)
    return time_text(event.effective_from)
