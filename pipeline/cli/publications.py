"""What commands that publish share: options, what is said, a topic of publications as the streams read it.

records of the topic -> events -> the streams' own rules, given by the command -> what was refused
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from pipeline.cli.letters import milliseconds
from pipeline.cli.problems import BadInput
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_topic
from pipeline.cli.records import TopicReader, TopicRecord, decoder
from pipeline.cli.sending import Sent
from pipeline.domain.fraud.publishing.checks import ALL_TENANTS
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.times import EPOCH
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder
from schemas.topics import topics

HOLDS, LATER, REPLACED = "holds", "later", "replaced"
BYTES_MAX = {topic.name: 1024 * topic.event_kib_max for topic in topics(planned=True)}
"""Of an event, by topic."""
Tenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="TENANT", help="For this tenant alone.", show_default="all tenants"),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="From this event time on.", show_default="now"),
]


class Refused(NamedTuple):
    """A record that the streams do not apply."""

    place: str
    code: str


def read_topic(
    settings: Settings, topic: str, kinds: Iterable[type], apply: Callable[[Any], None]
) -> tuple[Refused, ...]:
    """Apply a topic to its present end, as `applied`. Raises Failed, BadInput."""
    partitions = require_topic(require_kafka(settings), topic)
    with errors_in_one_line(settings), closing(TopicReader(settings, topic, partitions)) as reader:
        return applied(reader.all(), decoder(settings), topic, kinds, apply)


def applied(
    records: Iterable[TopicRecord],
    read: Decoder,
    topic: str,
    kinds: Iterable[type],
    apply: Callable[[Any], None],
) -> tuple[Refused, ...]:
    """Apply the events of records, those of a tenant in the order of its partition; return what was refused.

    `kinds`: the classes of events that the topic has. `apply` raises Reject for an event that is refused.
    """
    known = {kind.__name__: kind for kind in kinds}
    refused = []
    for record in records:
        code = _refusal(record, read, BYTES_MAX[topic], known, apply)
        if code is not None:
            refused.append(Refused(record.place, code))
    return tuple(refused)


def _refusal(
    record: TopicRecord,
    read: Decoder,
    bytes_max: int,
    known: dict[str, type],
    apply: Callable[[Any], None],
) -> str | None:
    if len(record.value or b"") > bytes_max:
        return "too_large"
    name, fields, code = read.read(record.value)
    kind = known.get(name or "")
    if kind is None:
        return code or "unexpected_event"
    event: Any = msgspec.convert(fields, kind)
    if record.key != f"{event.tenant_id}/{event.tenant_id}".encode():
        return "wrong_key"
    try:
        apply(event)
    except Reject as reject:
        return reject.code
    return None


def whose(tenant: str | None) -> str:
    """Return the tenant of an event that is for a tenant, or (None) for all of them. Raises BadInput."""
    if tenant == ALL_TENANTS:
        raise BadInput(f"--tenant: no tenant is called {ALL_TENANTS}: leave it out for all of them")
    return ALL_TENANTS if tenant is None else tenant


def since_of(given: str | None) -> datetime:
    """Return the time from which on something is to hold, in milliseconds; None: now. Raises BadInput."""
    from_ms = now_us() // 1_000 if given is None else milliseconds(given)
    return EPOCH + timedelta(milliseconds=from_ms)


def state_of(from_us: int, holding_from_us: int | None, at_us: int) -> str:
    """Return the state, at a time, of what holds from a time on; of its name that holds which began last."""
    if from_us > at_us:
        return LATER
    return HOLDS if from_us == holding_from_us else REPLACED


def tell_published(sent: list[Sent], what: str, about: dict[str, Any], as_json: bool, shown_by: str) -> None:
    """Say what was sent; the streams' answer is a dead letter or none. `shown_by`: commands that show it."""
    if as_json:
        typer.echo(json.dumps({"sent": [one._asdict() for one in sent], **about}))
        return
    records = "1 record" if len(sent) == 1 else f"{len(sent)} records"
    typer.echo(f"sent {records}, the last to {sent[-1].said}\n{what}")
    typer.echo(f"the streams apply it, or make a dead letter of it: {shown_by}", err=True)


def tell_refused(refused: tuple[Refused, ...]) -> None:
    """Say which records the streams do not apply."""
    for one in refused:
        typer.echo(f"refused: {one.place}: {one.code}", err=True)


def now_us() -> int:
    """Return the time of this machine, microseconds UTC."""
    return (datetime.now(UTC) - EPOCH) // timedelta(microseconds=1)


def text_of(time_us: int) -> str:
    """Return a time, microseconds UTC, as text; what is no time of this calendar as it is."""
    try:
        return time_text(EPOCH + timedelta(microseconds=time_us))
    except OverflowError:
        return f"{time_us} us"


def time_text(moment: datetime) -> str:
    """Return a time in UTC as text, such as 2026-03-01T09:30:00Z."""
    return moment.isoformat().replace("+00:00", "Z")
