"""`ledgerflow rules publish|list`: sets of fraud rules, to the topic fraud-rules and from it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.proposals import person
from pipeline.cli.publications import (
    HOLDS,
    LATER,
    REPLACED,
    now_us,
    tell_published,
    tell_refused,
    text_of,
)
from pipeline.cli.published import SHOWN_BY, Log, read_log
from pipeline.cli.reach import settings_for
from pipeline.cli.rules import read_rules
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import DryRun, event_of, send_all, settings_to_send, show_unsent
from pipeline.domain.fraud.expressions.canonical import checked_part, head_bytes, name_of, parts_of
from pipeline.domain.fraud.expressions.rule_sets import RuleSet
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from pipeline.domain.fraud.publishing.checks import ALL_TENANTS
from pipeline.domain.kernel.times import EPOCH
from pipeline.events import Actor, FraudListPartPublished, FraudRulesPublished
from pipeline.input_event import InputEvent
from pipeline.runtime.kafka.access import OPERATOR


def publish_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rules, TOML.", show_default=False)],
    dry_run: DryRun = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Publish a file of fraud rules: checks it as `rules lint` does, and sends its lists and the set.

    It holds from its `effective_from` on, by event time, and takes the place of earlier versions. A version
    has one content: the same file again changes nothing, another content needs a new version.
    """
    rules = read_rules(file)
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run, OPERATOR)
    events = events_of(rules, Actor(**person(settings)))
    if dry_run:
        show_unsent(events, settings.partitions)
        return
    sent = send_all(settings, events)
    name = f"{rules.set_id}@{rules.version}"
    since = text_of(rules.effective_from_us)
    tell_published(sent, f"{name} holds from {since} on", {"sha256": name_of(rules)}, as_json, SHOWN_BY)


def list_rules(
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Show the sets of fraud rules that were published: whose, from when on, which versions hold now.

    Reads the topic fraud-rules. Of each set the newest eight versions are known; the set of the package holds
    until a set of its name, `default`, is published. What the streams refuse goes to standard error.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    log = read_log(settings)
    rows = rules_in(log, now_us())
    if as_json:
        typer.echo(json.dumps({"sets": rows, "refused": [one._asdict() for one in log.refused]}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("set", "of", "version", "from", "state", "lists", "sha256"):
        table.add_column(header, overflow="fold")
    for row in rows:
        whose = row["of_tenant"] or "all tenants"
        said = (row["set"], whose, row["version"], row["effective_from"], row["state"], row["lists"])
        table.add_row(*map(str, said), row["sha256"][:12])
    screen().print(table, markup=False)
    tell_refused(log.refused)


def events_of(rules: RuleSet, actor: Actor) -> list[InputEvent]:
    """Return the events that publish a set: parts of its lists, then the set."""
    tenant, parts = rules.tenant_id or ALL_TENANTS, parts_of(rules)
    events: list[InputEvent] = []
    for part in parts:
        read = checked_part(part)
        events.append(
            event_of(
                FraudListPartPublished, tenant, list_sha256=read.sha256, number=read.number,
                part=part.decode(), actor=actor,
            )
        )  # fmt: skip
    head = event_of(
        FraudRulesPublished, tenant, set_id=rules.set_id, version=rules.version, of_tenant=rules.tenant_id,
        effective_from=EPOCH + timedelta(microseconds=rules.effective_from_us), sha256=name_of(rules),
        catalogue_version=CATALOGUE.version, head=head_bytes(rules).decode(), parts=len(parts), actor=actor,
    )  # fmt: skip
    return [*events, head]


def rules_in(log: Log, at_us: int) -> list[dict[str, Any]]:
    """Return the versions that are known, by tenant, set and version; `state` as of a time."""
    sets = sorted(log.known.sets, key=lambda one: (one.tenant_id or "", one.set_id, one.version))
    begun = {
        (one.tenant_id, one.set_id): one.version for one in sets if log.times[one.sha256] <= at_us
    }  # the last one of each is the highest
    rows = []
    for one in sets:
        holds = begun.get((one.tenant_id, one.set_id), -1)
        state = REPLACED if one.version < holds else HOLDS if one.version == holds else LATER
        rows.append(
            {
                "set": one.set_id,
                "of_tenant": one.tenant_id,
                "version": one.version,
                "effective_from": text_of(log.times[one.sha256]),
                "state": state,
                "lists": len(one.lists),
                "sha256": one.sha256,
            }
        )
    return rows
