"""Whether the streams are at rest, judged from outside: by the offsets of topics and of the streams' group.

    ends of all topics -> where no transaction is open -> what the group has committed -> ends again

The order is what makes the judgement right. A stream's outputs are in their topics before its transaction
commits what it has read. So where the group has committed all that stood there when the ends were looked at,
and the ends are still the same afterwards, nothing is under way: neither what was read and not committed, nor
what was written and not read. Without the last look, outputs that came in between would be overlooked.

A broker that crashed may say older offsets of the group. Where it says that the streams are behind and
nothing moves, what they say themselves counts (`own_offsets`): it is written in the same transactions.

The offsets of a transaction may be visible before its records are: each partition has its own mark of the
end. So the ends are those of all records, committed or not, and an open transaction is no rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.log_ends import Place, asking
from pipeline.runtime.kafka.log_ends import ends as ends_of
from pipeline.runtime.kafka.own_offsets import OWN_WITHIN_S, Readers, own_offsets
from pipeline.runtime.kafka.topics import READ, UPSTREAM

ANSWER_WITHIN_S = 30.0
MARKS_MAX = 50
"""A distance up to this may be the marks of transactions, which are no records: it is worth a look."""
LOOK_WITHIN_S = 10.0
LOOK_EVERY_S = 0.2
OWN_EVERY_S = 2.0
"""What the streams say themselves is read where nothing has grown for so long, and not more often."""

Offsets = Mapping[Place, int]


class RestWatch:
    """Looks at partitions again and again. Where the cluster does not answer, it raises KafkaException."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        group: str,
        places: Iterable[Place],
        read: Sequence[str] = READ,
        within_s: float = ANSWER_WITHIN_S,
        readers: Readers | None = None,
    ) -> None:
        """`group`: the streams' consumer group, which is asked how far it has read, and never joined; it
        reads the topics `read`. `within_s`: how long the cluster may take for an answer. `readers`: the
        streams of each log, so that they can be asked themselves; without it the group's word is all."""
        self._within_s = within_s
        self._connection = connection
        self._readers = readers
        self._own: Offsets = {}
        self._own_at = float("-inf")
        self._group = group
        self._consumer = BoundedConsumer(
            {**connection, "group.id": group, "enable.auto.commit": False, "log_level": 0}
            | {"isolation.level": "read_committed", "enable.partition.eof": True}
            | {"auto.offset.reset": "error"}
        )
        self._asking = {which: asking(connection, group, committed=which) for which in (True, False)}
        self._places = list(places)
        self._read = frozenset(read)
        self._grown_at = time.monotonic()
        self.ends: Offsets = {}
        """Behind all records of every partition, as of the last look."""
        self.stable: Offsets = {}
        """Up to where readers of committed records get, as of the last look."""
        self.committed = 0
        """The sum of the group's offsets, as of the last look."""

    @property
    def still_s(self) -> float:
        """For how long nothing has grown, seconds."""
        return time.monotonic() - self._grown_at

    @property
    def upstream_ends(self) -> Offsets:
        """Behind all that upstreams have written, as of the last look."""
        return {place: end for place, end in self.ends.items() if place[0] in UPSTREAM}

    def look(self) -> str | None:
        """Return what is going on, for people; None where the streams are at rest at this moment.

        Where the group has no member and has never committed anything, no worker has run: then nothing is
        left to it.
        """
        ends = self._look_at_ends()
        self.stable = stable = self._ends_of(committed=True)
        behind = self._behind(stable)
        if behind is not None:
            return behind
        for place, end in ends.items():
            if place[0] not in UPSTREAM and stable[place] < end:
                return f"a transaction is open on {_named(place)}"
        return None if self._look_at_ends() == ends else "the topics are still growing"

    def close(self) -> None:
        """Give back the connections."""
        for consumer in (self._consumer, *self._asking.values()):
            consumer.close()

    def _look_at_ends(self) -> Offsets:
        ends = self._ends_of(committed=False)
        if ends != self.ends:
            self.ends, self._grown_at = ends, time.monotonic()
        return ends

    def _ends_of(self, *, committed: bool) -> Offsets:
        return ends_of(self._asking[committed], self._places, self._within_s)

    def _behind(self, ends: Offsets) -> str | None:
        """Return where the group has not read up to `ends`, which are those of committed records."""
        asked = [TopicPartition(*place) for place in self._places if place[0] in self._read]
        found = self._consumer.committed(asked, timeout=self._within_s)
        read = {(place.topic, place.partition): max(place.offset, 0) for place in found}
        self.committed = sum(read.values())
        if not self.committed and not self._has_members():
            return None
        if self._short_of(ends, read):
            own = self._said_by_streams()
            read = {place: max(offset, own.get(place, 0)) for place, offset in read.items()}
        left = self._short_of(ends, read)
        if not left:
            return None
        furthest = max(left, key=left.__getitem__)
        if left[furthest] <= MARKS_MAX and self._only_marks({place: read[place] for place in left}, ends):
            return None
        return f"the streams are {left[furthest]} records behind on {_named(furthest)}"

    @staticmethod
    def _short_of(ends: Offsets, read: Offsets) -> dict[Place, int]:
        return {place: ends[place] - offset for place, offset in read.items() if ends[place] > offset}

    def _said_by_streams(self) -> Offsets:
        """Return how far the streams say that they have read, once nothing has grown for a while."""
        now = time.monotonic()
        if self.still_s < OWN_EVERY_S:
            self._own = {}
        elif self._readers is not None and now - self._own_at >= OWN_EVERY_S:
            numbers = {number for _, number in self._places}
            try:
                asked = self._connection, self._group, self._readers, numbers, OWN_WITHIN_S
                self._own = own_offsets(*asked)
            except KafkaException:  # such as a login that may not read them
                self._own = {}
            self._own_at = time.monotonic()
        return self._own

    def _has_members(self) -> bool:
        # Not by the admin client's newer calls about groups: see tests/project/test_admin_calls.py.
        # A client for each question: one that lives through a broker's silence may get no answer ever after.
        admin = AdminClient({**self._connection, "log_level": 0})
        groups = admin.list_groups(self._group, timeout=self._within_s)
        return any(group.members for group in groups if group.id == self._group)

    def _only_marks(self, read: Offsets, ends: Offsets) -> bool:
        """Look at what is left to read; False if a record is among it, or where it takes too long to see."""
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in read.items()])
        ended: set[Place] = set()
        skipped = self._consumer.skipped_count
        deadline = time.monotonic() + LOOK_WITHIN_S
        try:
            while len(ended) < len(read) and time.monotonic() < deadline:
                message = self._consumer.poll(LOOK_EVERY_S)
                if self._consumer.skipped_count != skipped:
                    return False
                if message is None:
                    continue
                error, place = message.error(), (message.topic(), message.partition())
                if error is None or error.code() == KafkaError._AUTO_OFFSET_RESET:
                    return False  # a record, or one that is gone
                if error.code() == KafkaError._PARTITION_EOF and message.offset() >= ends[place]:
                    ended.add(place)
            return len(ended) == len(read)
        finally:
            self._consumer.unassign()


class Patience:
    """How long to wait for rest: `timeout_s`, and longer for as long as the streams come nearer to it.

    They do where they commit, and upstreams have written nothing since the wait began. So a slow machine is
    waited for; streams that hang, and an upstream that never ends, are not.
    """

    def __init__(
        self, watch: RestWatch, timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._watch = watch
        self._timeout_s = timeout_s
        self._clock = clock
        self._began: tuple[Offsets, int] | None = None
        self._nearer_at = clock()

    def is_over(self) -> bool:
        """Say after a look whether to give up."""
        upstream, committed = self._watch.upstream_ends, self._watch.committed
        if self._began is None:
            self._began = upstream, committed
        elif self._began[0] == upstream and self._began[1] < committed:
            self._began = upstream, committed
            self._nearer_at = self._clock()
        return self._clock() - self._nearer_at >= self._timeout_s


def wait_for_rest(
    watch: RestWatch, quiet_s: float, timeout_s: float, on_wait: Callable[[], object] = lambda: None
) -> str | None:
    """Wait until the streams are at rest and nothing has grown for `quiet_s`; return None then.

    Returns what is going on where patience ends (`Patience`).
    """
    patience = Patience(watch, timeout_s)
    while True:
        busy = watch.look()
        if busy is None and watch.still_s >= quiet_s:
            return None
        if patience.is_over():
            return busy or "the topics are still growing"
        time.sleep(LOOK_EVERY_S)
        on_wait()


def _named(place: Place) -> str:
    return f"{place[0]}[{place[1]}]"


def places_of(topics: Sequence[str], partitions: int) -> list[Place]:
    """Return all partitions of topics that have the same number of them."""
    return [(topic, number) for topic in topics for number in range(partitions)]
