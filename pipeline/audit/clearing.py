"""Invariant 4: the clearing accounts of all branches sum to the money in flight, zero when it is quiet.

    totals of all branches -> end of the ledger's log -> [the ledger is past it] -> end of the journal
                           -> [the totals are past it] -> totals again -> whatever has not changed is at rest

What is booked in clearing on one branch is told to the others in the same transaction, by the ledger's log,
and they book the other side when they get to it. So the other side of all that is in the first totals is in
the second ones. Where both are the same, both sides of everything are in them, and debits are credits. Totals
are kept by the hour in which things happened, which both sides share, so that most of a day is at rest
however busy the present is.
"""

from __future__ import annotations

from collections import defaultdict

from pipeline.audit.findings import Finding, Say
from pipeline.audit.log import Ends, Log, is_past
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.topics import CLEARING_TOTALS

COMMANDS, JOURNAL = "ledger-commands", "postings"
READ_MAX = 20_000
"""Offsets of a partition that one step reads; what is left is for the next one."""

Key = tuple[str, str, int]
"""(tenant, currency, hour of the day)."""
Counters = tuple[int, int, int, int]
"""Debits and their minor units, credits and theirs; of a journal of many legs the numbers may differ."""


class Totals:
    """What has gone through clearing on all branches, as the invariants stream says."""

    def __init__(self, log: Log, codec: Codec) -> None:
        self._log = log
        self._codec = codec
        self._read: dict[int, int] = {}
        self._latest: dict[tuple[str, str, int, int], Counters] = {}

    def read_on(self) -> bool:
        """Read what has come; return whether that was all of it.

        All that stands there, not only what is shown: whoever knows that the streams have applied a posting
        needs what they have said of it in the same transaction.
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
        """Return the sums over all branches."""
        found: defaultdict[Key, Counters] = defaultdict(lambda: (0, 0, 0, 0))
        for (tenant, currency, hour, _), (debits, debited, credits, credited) in self._latest.items():
            sums = found[tenant, currency, hour]
            found[tenant, currency, hour] = (
                sums[0] + debits, sums[1] + debited, sums[2] + credits, sums[3] + credited,
            )  # fmt: skip
        return dict(found)


class ClearingAudit:
    """Compares totals with later ones; each step does what can be done now, and never waits."""

    def __init__(self, log: Log, codec: Codec, say: Say) -> None:
        self._log = log
        self._say = say
        self._totals = Totals(log, codec)
        self._before: dict[Key, Counters] | None = None
        self._commands: Ends = {}
        self._postings: Ends | None = None

    def step(self) -> bool:
        """Go on; return whether totals were compared."""
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
        """Begin anew: another worker may have done this in between."""
        self._before = None

    def _begin(self, totals: dict[Key, Counters]) -> None:
        self._before = totals
        self._commands, self._postings = self._log.ends(COMMANDS, committed=False), None

    def _compare(self, key: Key, counters: Counters) -> None:
        _, debits_minor, _, credits_minor = counters
        if debits_minor == credits_minor:
            return
        tenant, currency, hour = key
        self._say(
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
