"""What comes in, beside what was made of it: each input of a branch once and in order, or a dead letter.

payments[p]  -> decided, or refused for its tenant; commands and reviews passed on
accounts[p]  -> passed on; the ends of periods to every branch
journals[p]  -> passed on
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from pipeline.verify.accounts import PERIOD
from pipeline.verify.branch import BY_TENANT, Branch, about, cause_of, same_order, take
from pipeline.verify.dead import DeadLetters, digest
from pipeline.verify.reader import Reader
from pipeline.verify.report import Check

PASSED_ON = {
    "PaymentReviewed": "payment_reviewed",
    "PaymentCancelled": "payment_cancelled",
    "PaymentCaptured": "payment_captured",
    "PaymentExtended": "payment_extended",
    "PaymentReversed": "payment_reversed",
}
"""Commands of the topic payments, as their refusals name them."""


class Inputs:
    """Holds the inputs of branches against what was found in the ledger's log and in its answers."""

    def __init__(self, reader: Reader, dead: DeadLetters) -> None:
        self._reader = reader
        self._dead = dead
        self.check = Check(
            "inputs_ledger",
            "Each payment, account and journal input is either applied, once and in order, or a dead letter.",
        )

    def payments(self, partition: int, branch: Branch) -> None:
        """Compare the payments of a branch, and the commands that are for some."""
        passed: list[bytes] = []
        reviews: list[bytes] = []
        for record, event in self._reader.inputs("payments", partition):
            self.check.count()
            if self._dead.holds(record):
                continue
            if event is None:
                self.check.fail(f"{record.place} is no event and no dead letter")
            elif event.name == "PaymentInitiated":
                event_id, payment_id = event.fields["event_id"], event.fields["payment_id"]
                by_tenant = cause_of(record, payment_id, event_id), f"{BY_TENANT}:payment_initiated"
                if not (take(branch.decided, about(event_id, event.fields)) or take(branch.said, by_tenant)):
                    self.check.fail(
                        f"{record.place}: no decision, or not about this payment, and no dead letter"
                    )
            elif event.name in PASSED_ON:
                passed.append(digest(record))
                if event.name == "PaymentReviewed":
                    reviews.append(passed[-1])
            else:
                self.check.fail(f"{record.place}: {event.name} is no payment event and no dead letter")
        same_order(self.check, "payments", partition, passed, branch.passed["payments"])
        same_order(self.check, "payments", partition, reviews, branch.reviewed)

    def passed_on(self, topic: str, names: Container[str], partition: int, branch: Branch) -> None:
        """Compare what a topic has for a branch, all of which is passed on."""
        passed = []
        for record, event in self._reader.inputs(topic, partition):
            self.check.count()
            if self._dead.holds(record):
                continue
            if event is None or event.name not in names:
                self.check.fail(f"{record.place} is no event of {topic} and no dead letter")
            elif event.name != PERIOD:
                passed.append(digest(record))
        same_order(self.check, topic, partition, passed, branch.passed[topic])

    def periods(self) -> Counter[bytes]:
        """Return the ends of periods, which must come to every branch."""
        periods: Counter[bytes] = Counter()
        for partition in range(self._reader.partitions("accounts")):
            for record, event in self._reader.inputs("accounts", partition):
                if event is not None and event.name == PERIOD and not self._dead.holds(record):
                    periods[digest(record)] += 1
        return periods
