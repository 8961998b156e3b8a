"""payment-alerts, held against the lives of payments. When one is due, settings decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.verify.findings import Findings, about, at
from pipeline.verify.model.record import Record

CHECK = "stuck"


def check_stuck(findings: Findings, alerts: Iterable[Record], has_ended: Callable[[str, str], bool]) -> None:
    """Follow the alerts of one branch. `has_ended`: whether a payment (tenant, id) has come to its end."""
    stuck: dict[tuple[str, str], str] = {}
    for record in alerts:
        fields = record.fields
        findings.count(CHECK)
        if record.event not in ("PaymentStuck", "PaymentResumed"):
            findings.wrong(at(CHECK, record, f"{record.event} is no alert of a payment"))
            continue
        key = fields["tenant_id"], fields["payment_id"]
        if record.event == "PaymentStuck":
            if key in stuck:
                findings.wrong(at(CHECK, record, f"{'/'.join(key)} is stuck already"))
            stuck[key] = fields["event_id"]
        elif stuck.pop(key, None) != fields["stuck_id"]:
            findings.wrong(at(CHECK, record, f"{'/'.join(key)} was not stuck, or with another alert"))
    for key in sorted(stuck):
        if has_ended(*key):
            findings.wrong(about(CHECK, f"payment {'/'.join(key)} has ended, and is still stuck"))
