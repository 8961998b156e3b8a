"""What the streams say of the invariants themselves: no alert, and totals that are those of the journal.

The totals show that the stream which checks the journal has read all of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.verify.findings import Findings, about
from pipeline.verify.journal import Journal
from pipeline.verify.model.record import Record

COUNTERS = ("debits", "debits_minor", "credits", "credits_minor")


def check_alerts(findings: Findings, alerts: Iterable[Record]) -> None:
    """Say what was found broken while the streams ran."""
    for record in alerts:
        said = record.fields
        if record.event != "InvariantBroken":
            findings.wrong(about("invariant_alerts", f"{record.topic}[{record.partition}]@{record.offset}"))
            continue
        where = f"{said.get('topic')}[{said.get('partition')}]@{said.get('offset')}"
        of = f" of {said.get('tenant_id')}/{said['account_id']}" if said.get("account_id") else ""
        text = f"{said.get('invariant')}{of}: expected {said.get('expected')}, found {said.get('found')}"
        text += f" at {where}"
        findings.count("invariant_alerts")
        findings.wrong(about("invariant_alerts", text))


def check_totals(findings: Findings, totals: Iterable[Record], journal: Journal) -> None:
    """Compare what was counted of each clearing account, hour by hour, with the postings."""
    latest = {
        (record.key or b"").decode(): [record.fields.get(name) for name in COUNTERS] for record in totals
    }
    for key in sorted(latest.keys() | journal.totals.keys()):
        found, folded = latest.get(key), journal.totals.get(key)
        findings.count("clearing_totals")
        if found != folded:
            findings.wrong(about("clearing_totals", f"{key}: counted {found}, the postings make {folded}"))
