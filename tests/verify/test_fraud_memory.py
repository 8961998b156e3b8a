"""What the model of the fraud stream keeps: as much as the windows of the product allow, and no more."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import record_key
from pipeline.verify.model.fraud_log import FraudBranch
from pipeline.verify.model.record import Record
from tests.fraud.plain_log import NAMES, plain
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import (
    in_role,
    list_parts,
    model_parts,
    published,
    rule_set,
    watch_list,
)

BEGINS, DAY_US = 1_790_000_000_000_000, 86_400_000_000
FLAT_FROM_DAY = 560
"""States of accounts are kept 400 days and the window of ids; what is in a queue waits for its bucket."""
DAYS = 900


class Partition:
    """A partition whose accounts, payees and devices are ever new ones, by the model alone."""

    def __init__(self) -> None:
        self.branch = FraudBranch(0, 1, with_rows=False)
        self._offsets = count()

    def take(self, event: Any, at_us: int) -> list[tuple[str, dict[str, Any]]]:
        """Apply an event; return what is said on the stream's own log."""
        value, key = b"value", record_key(event).encode()
        place = ("fraud-commands", 0, next(self._offsets), at_us // 1000)
        code, out = self.branch.apply(Record(*place, key, value, {}, NAMES[type(event)], plain(event), None))
        assert code is None
        return [(one.event, one.fields) for one in out if one.topic == "fraud-commands"]

    def day(self, number: int) -> None:
        """A payment is made, and received; every 20th one proves to be fraud."""
        at_us = BEGINS + number * DAY_US
        names = f"debtor-{number // 5}", f"payee-{number // 2}"
        head = f"e{number}", "acme", at_us, "c", None
        about = 80_00 if number % 3 else 200_000_00, "EUR", "transfer", "r", "app", f"device-{number}"
        paid = ev.PaymentInitiated(*head, f"p{number}", *names, *about)
        self.take(paid, at_us)
        said = self.take(
            ev.FundsReceived(*head, f"p{number}", names[1], names[0], 80_00, "EUR", at_us, ()), at_us
        )
        if number % 20 == 0:
            label = ev.PaymentLabelled(*head, f"p{number}", *names, "FRAUD", "CUSTOMER", at_us)
            said += self.take(label, at_us)
        for name, fields in said:
            if name == "PayeeRiskChanged":
                self.take(ev.PayeeRiskChanged(**{**fields, "event_id": f"card {number}"}), at_us)

    def sizes(self) -> Counter[str]:
        """Return how much is kept of each kind."""
        branch, known = self.branch, self.branch.of("acme")
        found = Counter(
            decisions=len(branch.decisions),
            alerts=len(branch.alerts) + len(branch.open_alerts),
            states=len(branch.kept.states),
            queued=sum(len(keys) for one in branch.kept.queues.values() for _, keys in one.closed),
        )
        for name in ("payers", "receivers", "pairs", "devices", "cards"):
            found[name] = len(getattr(known, name))
        return found


def test_what_is_over_is_forgotten() -> None:
    partition = Partition()
    for number in range(FLAT_FROM_DAY):
        partition.day(number)
    before = partition.sizes()
    for number in range(FLAT_FROM_DAY, DAYS):
        partition.day(number)
    after = partition.sizes()
    assert min(before.values()) > 10
    for name, size in after.items():
        assert size <= before[name] + 64, name  # two buckets of a queue


@pytest.mark.parametrize("kind", ["rules", "models"])
def test_of_what_is_published_only_what_is_in_use_is_kept(kind: str) -> None:
    partition = Partition()
    publications = partition.branch.publications
    for number in range(12):
        if kind == "rules":
            rules = rule_set(number + 1, watch_list("seen", 3, prefix=f"acc{number}"))
            made: list[Any] = [*list_parts(rules), published(rules)]
        else:
            data = model_bytes(number)
            made = [*model_parts(data, len(data)), in_role(data, 1, from_us=BEGINS - 100 + number)]
        for event in made:
            partition.take(event, BEGINS)
    assert len(publications.read_sets if kind == "rules" else publications.models) == 8
    assert len(publications.contents) == 8
