"""payment-alerts, held against the lives of payments."""

from __future__ import annotations

from pipeline.verify.branch import Branch
from pipeline.verify.reader import PAYMENT_ALERTS, Reader
from pipeline.verify.report import Check


def check_stuck(check: Check, reader: Reader, partition: int, branch: Branch) -> None:
    """Follow the alerts of one branch; `branch` has the state that its payments have come to."""
    stuck: dict[str, str] = {}
    for record, (name, fields) in reader.events(PAYMENT_ALERTS, partition):
        key = f"{fields['tenant_id']}/{fields['payment_id']}"
        if name == "PaymentStuck":
            check.expect(key not in stuck, f"{record.place}: {key} is stuck already")
            stuck[key] = fields["event_id"]
        elif name == "PaymentResumed":
            same = stuck.pop(key, None) == fields["stuck_id"]
            check.expect(same, f"{record.place}: {key} was not stuck, or with another alert")
        else:
            check.fail(f"{record.place}: {name} is no alert of a payment")
    for key in stuck:
        state = branch.state.get(key, "reserved")
        check.expect(state == "reserved", f"payment {key} is {state}, and still stuck")
