"""What the streams say of the invariants themselves: no alert, and totals that are those of the journal.

The totals show that the stream which checks the journal has read all of it.
"""

from __future__ import annotations

from pipeline.verify.journal import Journal
from pipeline.verify.reader import CLEARING_TOTALS, INVARIANT_ALERTS, Reader
from pipeline.verify.report import Check

COUNTERS = ("debits", "debits_minor", "credits", "credits_minor")


def check_invariants(reader: Reader, journal: Journal) -> list[Check]:
    """Return whether an invariant was found broken, and whether what went through clearing was counted."""
    alerts = Check("invariant_alerts", "No invariant was found broken while the streams ran.")
    for partition in range(reader.partitions(INVARIANT_ALERTS)):
        for record, event in reader.events(INVARIANT_ALERTS, partition):
            said = event.fields
            where = f"{said['topic']}[{said['partition']}]@{said['offset']}"
            about = "" if said["account_id"] is None else f" of {said['tenant_id']}/{said['account_id']}"
            alerts.expect(
                False,
                f"{record.place}: {said['invariant']}{about}: expected {said['expected']},"
                f" found {said['found']} at {where}",
            )
    totals = Check("clearing_totals", "What went through each clearing account was counted, hour by hour.")
    latest: dict[str, list[int]] = {}
    for partition in range(reader.partitions(CLEARING_TOTALS)):
        for record, event in reader.events(CLEARING_TOTALS, partition):
            latest[(record.key or b"").decode()] = [event.fields[name] for name in COUNTERS]
    for key in sorted(latest.keys() | journal.totals.keys()):
        found, folded = latest.get(key), journal.totals.get(key)
        totals.expect(found == folded, f"{key}: counted {found}, the postings make {folded}")
    return [alerts, totals]
