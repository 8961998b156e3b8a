"""Whether what came out is what had to come out: read committed from the topics, added up plainly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.runtime.codec import Codec
from pipeline.runtime.settings import Settings
from tests.benchmarks.digest import digest_of
from tests.benchmarks.inputs import LedgerInput

Offsets = dict[str, list[int]]
"""The next offset of every partition of some topics."""
READ_RECORDS = 10_000
TIMEOUT_S = 30.0
RETRY_S = 0.1

Answer = TypeVar("Answer")


class Inexact(AssertionError):
    """A job came to a wrong result: its speed does not matter."""


def ends(settings: Settings, topics: tuple[str, ...]) -> Offsets:
    """Return where the topics end now."""
    consumer = Consumer({**settings.librdkafka(), "group.id": "benchmark-ends"})

    def end(topic: str, number: int) -> int:
        offset: int = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=TIMEOUT_S)[1]
        return offset

    try:
        return {
            topic: [_patiently(partial(end, topic, number)) for number in range(settings.partitions)]
            for topic in topics
        }
    finally:
        consumer.close()


def start_group_at(settings: Settings, group: str, offsets: Offsets) -> None:
    """Commit offsets for a group that has no members yet: it starts there, not at the beginning."""
    starts = [
        TopicPartition(topic, number, offset)
        for topic, found in offsets.items()
        for number, offset in enumerate(found)
        if offset  # a group without an offset starts at the beginning anyway
    ]
    if not starts:
        return
    consumer = Consumer({**settings.librdkafka(), "group.id": group})
    try:
        _patiently(lambda: consumer.commit(offsets=starts, asynchronous=False))
    finally:
        consumer.close()


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Return what Kafka answers; for a while after their creation, topics and groups have nobody to ask."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def read(settings: Settings, codec: Codec, topic: str, start: list[int]) -> Iterator[Any]:
    """Yield the committed events of a topic from `start` to its end, in order per partition.

    Raises Inexact if records cannot be decoded, or if some stay uncommitted for TIMEOUT_S.
    """
    consumer = Consumer(
        {
            **settings.librdkafka(),
            "group.id": "benchmark-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, offset) for number, offset in enumerate(start)])
    # An end is told several times where a transaction's marker is still on its way: the offset decides.
    unread = dict(enumerate(ends(settings, (topic,))[topic]))
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while unread:
            messages = consumer.consume(READ_RECORDS, timeout=0.5)
            records = []
            for message in messages:
                if message.error() is None:
                    records.append(message.value())
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                elif message.offset() >= unread.get(message.partition(), 0):
                    unread.pop(message.partition(), None)
            decoded = codec.decode(records)
            if decoded.dead:
                raise Inexact(f"{len(decoded.dead)} records of {topic} cannot be read")
            yield from decoded.events
            if records:
                deadline = time.monotonic() + TIMEOUT_S
            elif time.monotonic() > deadline:
                raise Inexact(f"{topic} is not committed up to its end: {unread}")
    finally:
        consumer.close()


def check_balances(settings: Settings, codec: Codec, start: Offsets, sums: Counter[str]) -> None:
    """Raise Inexact unless the last balance_updated of every account has the account's sum."""
    found = {
        event.account_id: event.debits_posted
        for event in read(settings, codec, "balances", start["balances"])
    }
    _expect("accounts whose last balance_updated is right", _agreeing(found, sums), len(sums))


def check_ledger(settings: Settings, codec: Codec, start: Offsets, job: LedgerInput) -> int:
    """Raise Inexact unless every payment settled once and the postings add up; return their number.

    Per branch the postings sum to zero; an account's sequence has no gap, and each posting's balance is the
    one before it plus its amount; every account ends at the balance that the generator knows.
    """
    balances: Counter[str] = Counter()
    sequences: Counter[str] = Counter()
    branches: Counter[int] = Counter()
    ids: set[str] = set()
    count = wrong = 0
    for event in read(settings, codec, "postings", start["postings"]):
        amount = event.amount_minor if event.side == "CREDIT" else -event.amount_minor
        account = event.account_id
        balances[account] += amount
        sequences[account] += 1
        branches[event.branch] += amount
        ids.add(event.posting_id)
        count += 1
        wrong += (
            event.balance_minor_after != balances[account] or event.account_sequence != sequences[account]
        )
    _expect("postings with a wrong balance or sequence", wrong, 0)
    _expect("postings with an id of their own", len(ids), count)
    _expect("branches that sum to zero", sum(not total for total in branches.values()), len(branches))
    _expect("accounts with the right balance", _agreeing(balances, job.balances), len(job.balances))
    outcomes = Counter(
        type(event).__name__ for event in read(settings, codec, "payment-events", start["payment-events"])
    )
    _expect("outcomes", outcomes, Counter(PaymentReserved=job.payments, PaymentSettled=job.payments))
    return count


def check_table(name: str, digest: str, sums: Counter[str]) -> None:
    """Raise Inexact unless a table's digest is that of `sums`."""
    _expect(f"{name}: digest of its {len(sums)} sums", digest, digest_of(sums.items()))


def _agreeing(found: dict[str, int] | Counter[str], expected: Counter[str]) -> int:
    return sum(found.get(account) == total for account, total in expected.items())


def _expect(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Inexact(f"{what}: {found}, expected {expected}")
