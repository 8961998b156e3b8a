"""The decisions that a run reads and makes, and their queue."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.fraud.decisions import (
    DECIDED,
    Decision,
    Paid,
    pack_decision,
    read_decision,
)
from pipeline.domain.fraud.repeated import debtor_hash
from pipeline.domain.kernel.retention import Queues
from pipeline.domain.kernel.rows import PrefetchingRows


class DecisionBook:
    """Decisions by row key, read once and written once.

    The time of a tenant is that of its newest judged payment on the partition.
    """

    def __init__(self, rows: PrefetchingRows, kept_us: int) -> None:
        self._rows, self._kept_us = rows, kept_us
        self._queues = Queues(DECIDED, rows, kept_us)
        self._known: dict[bytes, Decision | None] = {}
        self._changed: dict[bytes, None] = {}

    def load(self, keys: Iterable[bytes]) -> None:
        """Read the rows of decisions that are not read yet, in one call. Raises UnreadableRow."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        for key, row in zip(missing, self._rows.get_many(missing), strict=True):
            self._known[key] = None if row is None else read_decision(row)

    def newest_at(self, tenant_id: str) -> int:
        """Return the time of a tenant, microseconds UTC."""
        return self._queues.of(tenant_id).newest_at

    def of(self, key: bytes, newest_at: int, within_us: int) -> Decision | None:
        """Return a decision that is not older than the tenant's time by more than `within_us`."""
        if key not in self._known:
            self.load((key,))
        decision = self._known[key]
        return None if decision is None or newest_at - decision.at_us > within_us else decision

    def of_debtor(self, key: bytes, tenant_id: str, debtor_account_id: str) -> Decision | None:
        """Return a decision on a payment of a debtor, as long as labels go to it."""
        decision = self.of(key, self.newest_at(tenant_id), self._kept_us)
        if decision is None or decision.paid is None or decision.debtor != debtor_hash(debtor_account_id):
            return None
        return decision

    def add(self, tenant_id: str, key: bytes, decision: Decision) -> None:
        """Keep a decision, and delete those that are over by its time."""
        self._known[key] = decision
        self._changed[key] = None
        queue = self._queues.of(tenant_id)
        if not queue.enqueue(decision.at_us, key):
            return
        keys = queue.sweep()
        if keys:
            self.load(keys)
        for old in keys:
            known = self._known[old]
            if known is not None and queue.newest_at - known.at_us > self._kept_us:
                self._rows.delete(old)
                self._known[old] = None

    def change(self, key: bytes) -> None:
        """Note that a decision was changed."""
        self._changed[key] = None

    def write(self) -> None:
        """Write the decisions that were changed, and where the queues stand."""
        changed = [(key, self._known[key]) for key in self._changed]
        self._rows.put_many((key, pack_decision(one)) for key, one in changed if one is not None)
        self._queues.write()


def facts_of(decision: Decision) -> Paid:
    """Return the facts of a decision that has them, as those that `of_debtor` returns."""
    assert decision.paid is not None, "the decision of an earlier version has no facts"
    return decision.paid
