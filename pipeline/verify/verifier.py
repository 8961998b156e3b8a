"""Verification from the topics alone: wait until it is quiet, read everything, say what does not hold.

    dead letters -> every log through its stream's model, partition by partition, what came of it compared
                 -> the journal by its own arithmetic -> what was planted -> views

Nothing is imported from the streams: no domain code, no tables. What is checked are the design's invariants:

    1 zero_sum, entries          per branch and currency the postings sum to zero, entry by entry
    2 fold, balances, accounts   each balance is the fold of its postings, sequences have no gap
    3 inputs_*, answers, lives   one effect per event id; applied + dead letters = input, disjoint
    4 clearing, pending, holds   money in flight is zero when it is quiet; holds belong to payments, journals
      journals, legs, reversals  all legs of a journal or none; no more is taken back than was posted
    5 views                      what the workers answer is what the topics say
    personal                     what is said of parties is encrypted
    all invariant_alerts, clearing_totals    what checks them all the time has read all, and is silent

What settings decide is taken as the streams have said it, see README.md; all that follows must be right.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime.avro.connection import Connection
from pipeline.runtime.avro.writer_schemas import judged
from pipeline.verify.balances import Balances
from pipeline.verify.comparison import Comparison
from pipeline.verify.dead import DeadLetters
from pipeline.verify.decode import Decoder, registry_schemas
from pipeline.verify.invariants import check_alerts, check_totals
from pipeline.verify.journal import Journal
from pipeline.verify.log import KafkaLog, TopicLog
from pipeline.verify.losses import Losses, actions_of, losses_of
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    BALANCES,
    CLEARING_TOTALS,
    COMMANDS,
    FRAUD_COMMANDS,
    HISTORY_ALERTS,
    INVARIANT_ALERTS,
    ITEMS,
    PARTIES,
    PAYMENT_ALERTS,
    POSITION_COMMANDS,
    POSTINGS,
    UPSTREAM,
)
from pipeline.verify.moves import moves_of
from pipeline.verify.personal import check_personal
from pipeline.verify.planted import Planted, PlantedChecks, read_manifests
from pipeline.verify.present import PresentSettings
from pipeline.verify.reader import TOPICS, OnProgress, Reader
from pipeline.verify.report import SAYS, Checks, Report
from pipeline.verify.streams import JUDGED, LIFECYCLE, OUTPUTS, Stream
from pipeline.verify.stuck import check_stuck
from pipeline.verify.topics import Listener
from pipeline.verify.views import Fetch, check_views, fetch_json

ENDED = ("SETTLED", "REJECTED", "FAILED", "CANCELLED", "EXPIRED")
"""States of payments to which nothing more happens."""
READ = (*UPSTREAM, FRAUD_COMMANDS, COMMANDS, POSITION_COMMANDS, ITEMS)
"""Logs of which every record is asked for among the dead letters."""


def verify(
    connection: Mapping[str, str],
    registry: Connection,
    manifests: Sequence[Path] = (),
    workers: Sequence[str] = (),
    wait_quiet_s: float = 3.0,
    on_progress: OnProgress | None = None,
    timeout_s: float = 120.0,
    fetch: Fetch = fetch_json,
    group: str = "ledgerflow",
    present: PresentSettings | None = None,
) -> Report:
    """Verify a cluster and return what was found; `report.ok` is the verdict.

    `connection` is the connection part of a librdkafka configuration (`Settings.librdkafka()`), `registry`
    that of the registry's client (`Settings.registry()`).
    `manifests` are files that `ledgerflow load` wrote, `workers` base URLs of views (none: not checked).
    Waits until the topics have not grown for `wait_quiet_s` and the streams' consumer `group` (the settings'
    app_id) has read them, at most `timeout_s`, and longer only for as long as the streams get on; traffic
    that never stops is a failed check, because records under way cannot be told from lost ones. About 1 KiB
    of memory per payment. With `present` what settings decide is judged by these; without it, as the streams
    have said it.
    Raises LogError where Kafka or the registry gives no answer, ValueError for a bad manifest.
    """
    started = time.monotonic()
    planted = read_manifests(manifests)
    log = KafkaLog(connection, group)
    try:
        busy = log.wait_until_quiet(list(TOPICS), wait_quiet_s, timeout_s)
        decoder = Decoder(registry_schemas(registry), judged)
        report = verify_log(log, decoder, planted, workers, on_progress, fetch, present)
    finally:
        log.close()
    quiet = Checks(("quiet",)).of("quiet")
    quiet.expect(busy is None, f"after {timeout_s:.0f} s {busy}")
    report.checks.insert(0, quiet)
    report.seconds = time.monotonic() - started
    return report


def verify_log(
    log: TopicLog,
    decoder: Decoder,
    planted: Sequence[Planted] = (),
    workers: Sequence[str] = (),
    on_progress: OnProgress | None = None,
    fetch: Fetch = fetch_json,
    present: PresentSettings | None = None,
) -> Report:
    """Verify what a log holds."""
    checks = Checks([name for name in SAYS if name not in ("quiet", "views")])
    expected = max(log.partitions(COMMANDS), 1)
    topics = checks.of("topics")
    for topic in TOPICS:
        found = log.partitions(topic)
        topics.expect(found == expected, f"{topic} has {found} partitions, ledger-commands {expected}")
    reader = Reader(log, decoder, checks, on_progress)
    if not topics.ok:
        return Report([topics], reader.records)
    losses = losses_of(log, decoder, TOPICS)
    verification = Verification(reader, checks, planted, present, losses)
    verification.decide(actions_of(log, decoder))
    verification.run()
    losses.report(checks.of("logs"), expected * len(TOPICS))
    if verification.left_out:
        checks.of("logs").note(f"not comparable with its model: {', '.join(verification.left_out)}")
    views = check_views(workers, verification.balances.latest, fetch)
    return Report([*checks.all, views], reader.records)


class Verification:
    """One pass over all topics."""

    def __init__(
        self,
        reader: Reader,
        checks: Checks,
        planted: Sequence[Planted],
        present: PresentSettings | None,
        losses: Losses,
    ) -> None:
        self._reader = reader
        self._lost = losses
        self._whole_journal = not any((POSTINGS, number) in losses for number in range(reader.count))
        self.left_out: list[str] = []
        """The streams, by partition, that could not be compared with their models."""
        self._checks = checks
        self._present = present
        self._journal = Journal(checks)
        self.balances = Balances(checks)
        self._planted = PlantedChecks(checks, [item for item in planted if self._can_judge(item)])
        self._dead = DeadLetters(checks)
        self._dead.begins = losses.begins
        self._moved: Mapping[tuple[str, int], int] = {}
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)
        for topic, listener in self._planted.listeners.items():
            self._listeners[topic].append(listener)
        if self._whole_journal:
            self._listeners[POSTINGS].append(self._journal.see)
        self._listeners[COMMANDS].append(self._journal.hear)
        self._listeners[BALANCES].append(self.balances.see)

    def decide(self, actions: Iterable[Mapping[str, Any]]) -> None:
        """Take in what operators have decided: the fields of their actions."""
        decided = list(actions)
        self._dead.ranges.decide(decided)
        self._moved = moves_of(decided)

    def run(self) -> None:
        """Check everything."""
        reader = self._reader
        partitions = range(reader.count)
        for number in partitions:
            self._dead.add(reader.letters(number))
        streams: tuple[Stream, ...] = JUDGED
        settings: Mapping[str, Mapping[str, Any]] = {}
        as_said = {stream.table for stream in JUDGED}
        if self._present is not None:
            streams, settings = (*JUDGED, LIFECYCLE), self._present.arguments
            as_said = set()
        comparison = Comparison(
            reader, self._checks, self._dead, streams, settings, self._listeners,
            as_said=as_said, lost=self._lost.begins, moved=self._moved,
        )  # fmt: skip
        comparison.run(after_branch=self._after_branch)
        self.left_out = comparison.left_out
        check_alerts(self._checks, self._all(INVARIANT_ALERTS))
        check_personal(self._checks, self._all(PARTIES))
        if self._whole_journal:
            self._journal.close()
            self.balances.compare(self._journal)
            check_totals(self._checks, self._all(CLEARING_TOTALS), self._journal)
        else:
            self.balances.settle()
        for batch in reader.skipped:
            self._dead.ranges.pass_over(*batch)
        self._dead.finish(READ)
        self._planted.run(self._dead)

    def _can_judge(self, item: Planted) -> bool:
        """Whether what was planted was read, and what came of it is there."""
        if any((topic, number) in self._lost for topic in OUTPUTS for number in range(self._reader.count)):
            return False
        return not any(self._lost.unread(*place) for place in item.places)

    def _all(self, topic: str) -> Iterator[Record]:
        for number in range(self._reader.count):
            yield from self._reader.output(topic, number)

    def _after_branch(self, number: int, models: Mapping[str, StreamModel]) -> None:
        """Check what follows from one partition alone, when its streams have been replayed."""
        ledger = models.get("ledger")
        for _ in self._heard(HISTORY_ALERTS, self._reader.output(HISTORY_ALERTS, number)):
            pass  # what was planted is looked for here; the stream itself is not judged
        if self._whole_journal:
            self._journal.close_branch(number)
        if ledger is not None and (PAYMENT_ALERTS, number) not in self._lost:
            assert isinstance(ledger, Branch)
            check_stuck(self._checks, self._reader.output(PAYMENT_ALERTS, number), _ends_of(ledger))

    def _heard(self, topic: str, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            for listener in self._listeners[topic]:
                listener(record)
            yield record


def _ends_of(ledger: Branch) -> Callable[[str, str], bool]:
    def has_ended(tenant: str, payment_id: str) -> bool:
        payment = ledger.payments.get((tenant, payment_id))
        return payment is not None and payment.state in ENDED

    return has_ended
