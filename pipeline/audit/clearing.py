"""Invariant 4: the clearing accounts of all branches sum to the money in flight, zero when nothing is.

    totals of all branches -> end of the ledger's log -> [wait: the ledger is past it] -> end of the journal
                           -> [wait: the totals are past it] -> totals again -> compare the unchanged ones

A branch that books in clearing sends the other branch a command in the same transaction, by the ledger's log,
and that branch books the opposite side when it applies the command. So for everything in the first totals,
the second totals contain the opposite side. Where both totals are equal, they contain both sides of all their
bookings, and debits must equal credits. Totals are kept by hour of the day in event time, which both sides
share. So most of them do not change between two reads, and can be compared however busy the streams are.
"""

from __future__ import annotations

from collections import defaultdict

from pipeline.audit.findings import Finding, Report
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import Ends, Log, is_past
from pipeline.runtime.kafka.topics import CLEARING_TOTALS

COMMANDS, JOURNAL = "ledger-commands", "postings"
READ_MAX = 20_000
"""Most offsets of a partition that one step reads; the next step continues there."""

Key = tuple[str, str, int]
"""(tenant, currency, hour of the day in event time)."""
Counters = tuple[int, int, int, int]
"""(debits, their sum, credits, their sum); sums in minor units. One debit may have several credits."""


class Totals:
    """The totals of clearing on all branches, from the topic `clearing-totals` of the invariants stream."""

    def __init__(self, log: Log, codec: Codec) -> None:
        self._log = log
        self._codec = codec
        self._read: dict[int, int] = {}
        self._latest: dict[tuple[str, str, int, int], Counters] = {}

    def read_on(self) -> bool:
        """Read new totals; return whether the end was reached. Raises LogReadError.

        It reads up to the end of the log, not only up to the last stable offset: a caller that knows that the
        streams have applied a posting needs the total that they wrote in the same transaction.
        """
        ends, whole = self._log.ends(CLEARING_TOTALS, committed=False), True
        for partition, end in ends.items():
            start = self._read.get(partition, 0)
            stop = min(end, start + READ_MAX)
            values = [one.value for one in self._log.read(CLEARING_TOTALS, partition, start, stop)]
            for event in self._codec.decode(values).events:
                if event is not None:
                    place = (event.tenant_id, event.currency, event.hour, event.branch)
                    self._latest[place] = (
                        event.debits, event.debits_minor, event.credits, event.credits_minor,
                    )  # fmt: skip
            self._read[partition] = stop
            whole &= stop == end
        return whole

    def sums(self) -> dict[Key, Counters]:
        """Return the sums over all branches, by tenant, currency and hour."""
        found: defaultdict[Key, Counters] = defaultdict(lambda: (0, 0, 0, 0))
        for (tenant, currency, hour, _), (debits, debited, credits, credited) in self._latest.items():
            sums = found[tenant, currency, hour]
            found[tenant, currency, hour] = (
                sums[0] + debits, sums[1] + debited, sums[2] + credits, sums[3] + credited,
            )  # fmt: skip
        return dict(found)


class ClearingAudit:
    """Compares totals with later ones. A step does what is possible now and never waits for the streams."""

    def __init__(self, log: Log, codec: Codec, report: Report) -> None:
        self._log = log
        self._report = report
        self._totals = Totals(log, codec)
        self._before: dict[Key, Counters] | None = None
        self._commands: Ends = {}
        self._postings: Ends | None = None

    def step(self) -> bool:
        """Do the next step; return whether totals were compared. Raises LogReadError."""
        if self._before is None:
            if self._totals.read_on():
                self._begin(self._totals.sums())
            return False
        if self._postings is None:
            if not is_past(self._log, COMMANDS, self._commands):
                return False
            self._postings = self._log.ends(JOURNAL, committed=False)
        if not is_past(self._log, JOURNAL, self._postings) or not self._totals.read_on():
            return False
        now = self._totals.sums()
        for key, counters in sorted(now.items()):
            if self._before.get(key) == counters:
                self._compare(key, counters)
        self._begin(now)
        return True

    def forget(self) -> None:
        """Start over at the next step, because another worker may have audited meanwhile."""
        self._before = None

    def _begin(self, totals: dict[Key, Counters]) -> None:
        self._before = totals
        self._commands, self._postings = self._log.ends(COMMANDS, committed=False), None

    def _compare(self, key: Key, counters: Counters) -> None:
        _, debits_minor, _, credits_minor = counters
        if debits_minor == credits_minor:
            return
        tenant, currency, hour = key
        self._report(
            Finding(
                "clearing",
                CLEARING_TOTALS,
                0,
                0,
                "0 minor units on the way",
                f"{debits_minor - credits_minor} minor units",
                tenant,
                None,
                currency,
                f"{currency}\0{hour}",
            )
        )
