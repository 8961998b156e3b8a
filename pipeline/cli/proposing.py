"""The part of `ledgerflow rebuild --propose`: corrections as a table, and sent to the topic journals.

Balances of a comparison -> propose -> shown -> with --yes: journal_submitted, each to its account's partition
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import typer
from confluent_kafka import KafkaException, Producer

from pipeline.cli.amounts import money
from pipeline.cli.problems import EXIT_FAILED, BadInput, Failed
from pipeline.cli.proposals import person
from pipeline.cli.screen import Table, screen
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.rebuild.corrections import Party
from pipeline.rebuild.proposals import Balances, Kept, Proposed
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import Settings

JOURNALS = "journals"
DELIVERED_WITHIN_S = 30.0
WAITING_MAX = 1_000
"""Records that wait for Kafka before the next are sent."""


class Asked(NamedTuple):
    """What `--propose` was asked for."""

    against: tuple[Party, ...] = ()
    """The accounts to book corrections against: one a tenant and currency."""
    send: bool = False
    """Whether to send them, not only to show them."""


def person_here(settings: Settings) -> ev.Actor:
    """Return who proposes: as `ledgerflow approve` names who approves, so that the two can be compared."""
    return ev.Actor(**person(settings))


def asked_of(against: Sequence[str], send: bool) -> Asked:
    """Return what was asked for; `against`: TENANT=ACCOUNT each. Raises BadInput."""
    found = []
    for text in against:
        tenant_id, equals, account_id = text.partition("=")
        if not (tenant_id and equals and account_id):
            raise BadInput(f"--against {text!r}: write TENANT=ACCOUNT, such as north=corrections-EUR")
        found.append(Party(tenant_id, account_id))
    return Asked(tuple(found), send)


def require_correction_accounts(asked: Asked, balances: Balances) -> None:
    """Raises BadInput where an account to book against is not open, or two are of one tenant and currency."""
    named: dict[tuple[str, str], Party] = {}
    for party in asked.against:
        account = balances.correcting.get(party)
        if account is None:
            raise BadInput(
                f"--against: there is no account {party}. Open one of the bank's own, which may be overdrawn:"
                f" `ledgerflow account open {party} EUR --type internal --overdraft 1000000`"
            )
        other = named.setdefault((party.tenant_id, account.currency), party)
        if other != party:
            raise BadInput(f"--against: {other} and {party} are both in {account.currency}; name one of them")


def send_all(settings: Settings, codec: Codec, proposed: Sequence[Proposed]) -> None:
    """Send corrections, and wait until Kafka has acknowledged all. Raises Failed, RegistryUnavailable.

    Whatever has arrived before a failure may be sent again: it has one effect.
    """
    producer = Producer({**settings.librdkafka(), "enable.idempotence": True, "log_level": 0})
    failures: list[object] = []
    events = [one.event for one in proposed]
    try:
        for event, value in zip(events, codec.encode(events), strict=True):
            key = record_key(event)
            producer.produce(
                JOURNALS,
                value,
                key.encode(),
                partition_of(key, settings.partitions),
                on_delivery=lambda error, _: failures.append(error) if error is not None else None,
            )
            if len(producer) >= WAITING_MAX:
                producer.flush(DELIVERED_WITHIN_S)
    except KafkaException as error:
        raise Failed(f"Kafka refuses the corrections: {error.args[0]}; send them again") from None
    if producer.flush(DELIVERED_WITHIN_S) or failures:
        why = failures[0] if failures else f"no answer within {DELIVERED_WITHIN_S:.0f} s"
        raise Failed(f"not all corrections have arrived: {why}; send them again, each has one effect")


def show_proposals(
    proposed: Sequence[Proposed], kept: Sequence[Kept], balances: Balances, told: dict[str, Any], *,
    sent: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show what is proposed, and what is not. Raises typer.Exit.

    The exit code is 1 while a balance is uneven and no correction of it was sent.
    """
    right, left = not (proposed or kept or balances.more), kept or balances.more
    code = 0 if right or (sent and not left) else EXIT_FAILED
    if as_json:
        shown = {
            **told,
            "ok": right,
            "sent": sent,
            "corrections": [_row(one) for one in proposed],
            "not_corrected": [{**_account(one), "why": one.why} for one in kept],
            "more_accounts": balances.more,
            "held_differs": balances.held_differ,
        }
        typer.echo(json.dumps(shown))
        raise typer.Exit(code)
    _print_table([_row(one) for one in proposed])
    _print_table([{**_account(one), "why": one.why} for one in kept])
    if balances.more:
        typer.echo(f"{balances.more:,} more accounts are uneven: run it again when these are decided")
    if balances.held_differ:
        typer.echo(f"{balances.held_differ:,} accounts differ in what is held, which no journal puts right")
    if right:
        typer.echo("every posted balance is what these rules make of the log")
    elif not sent:
        typer.echo(f"{len(proposed):,} corrections, none of them sent: --yes sends them")
    else:
        typer.echo(
            f"{len(proposed):,} corrections sent, for a second person to approve: `ledgerflow proposals`"
        )
    raise typer.Exit(code)


def _account(one: Proposed | Kept) -> dict[str, str]:
    uneven = one.uneven
    return {
        "account": str(uneven.party),
        "balance": money(uneven.live_minor, uneven.currency),
        "correct": money(uneven.rebuilt_minor, uneven.currency),
    }


def _row(one: Proposed) -> dict[str, str]:
    against = one.event.legs[1].account_id
    return {
        **_account(one),
        "change": money(one.uneven.change_minor, one.uneven.currency),
        "against": against,
        "journal_id": one.event.journal_id,
        "notes": one.uneven.notes,
    }


def _print_table(rows: Sequence[dict[str, str]]) -> None:
    if not rows:
        return
    table = Table(*rows[0], box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row.values())
    screen().print(table, markup=False)
