"""Topics beside the models: every log is put through its stream's model, and all that came of it compared.

    intake of every input -> what every partition must have of prices and periods
    partition by partition: fraud-commands -> fraud, ledger-commands -> ledger, postings -> history, ...
    at the end: what branches have said to each other

Each transaction holds its outputs and its source offset. So whatever the offsets `before` cover must be in
the outputs, and nothing may be in the outputs that the sources, as far as they are read, do not explain.
Without `before` it is quiet: the two are one, and the comparison is exact. A comparison may be run again when
the topics have grown; it goes on where it has stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import chain, dropwhile, takewhile
from typing import Any

from pipeline.verify.applied import AppliedOffset
from pipeline.verify.broadcasts import Broadcasts
from pipeline.verify.dead import DeadLetters
from pipeline.verify.findings import Findings, Problem, at
from pipeline.verify.lanes import Lane
from pipeline.verify.legs import Pair, sender_of
from pipeline.verify.matching import COUNTED, check_of_wrong
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    BROADCAST_ON,
    COMMANDS,
    FRAUD_COMMANDS,
    ITEMS,
    LEGS,
    MESSAGES,
    POSITION_COMMANDS,
    TABLE,
    TO_ALL,
    Expected,
    home_of,
)
from pipeline.verify.streams import ALL, INPUT_CHECKS, INTAKES, TABLELESS, WRITTEN, Output, Stream, check_of
from pipeline.verify.topics import Heard, Listener, Topics
from pipeline.verify.versions import Versions

Offsets = Mapping[tuple[str, int], int]
"""By topic and partition."""
BROADCAST_TO = (
    *(("prices", POSITION_COMMANDS), ("accounts", COMMANDS), ("rates", COMMANDS)),
    *(("rates", FRAUD_COMMANDS), ("fraud-rules", FRAUD_COMMANDS)),
    *(("rates", ITEMS), ("matching-rules", ITEMS)),
)
"""Inputs whose events, or some of them, come to every partition of a log."""
CHECKS = {
    FRAUD_COMMANDS: INPUT_CHECKS[FRAUD_COMMANDS],
    COMMANDS: "inputs_ledger",
    ITEMS: "inputs_reconciliation",
    POSITION_COMMANDS: "inputs_positions",
}
"""By log, the check of what several streams write there."""
AfterBranch = Callable[[int, Mapping[str, StreamModel]], None]


class Replay:
    """One partition of a log put through its model, and what came of it compared."""

    def __init__(self, comparison: Comparison, stream: Stream, number: int) -> None:
        self.stream = stream
        self.number = number
        self._comparison = comparison
        self.applied: AppliedOffset | None = None
        self.lanes: dict[str, Lane | Versions] = {
            output.topic: comparison.lane(output, number) for output in stream.outputs
        }
        if comparison.group is not None and stream not in TABLELESS:
            topic = stream.changelog(comparison.group)
            self.applied = AppliedOffset(comparison.findings, (topic, number))
            rows = Heard(comparison.topics.output(topic, number, ALL), (), self._is_foretold)
            self.lanes[TABLE] = Versions(comparison.findings, "table", rows, (topic, number))
        arguments: dict[str, Any] = dict(comparison.settings.get(stream.table, {}))
        arguments["with_rows"] = comparison.group is not None
        if stream.judges or stream.table in comparison.as_said:
            arguments["witness"] = self._find
        if stream.table in comparison.as_said:
            arguments["letter"] = comparison.dead.code_of
        self.model: StreamModel = stream.model(number, comparison.topics.count, **arguments)
        self._source = comparison.source_of(stream, number)
        self._waiting: deque[Record] = deque()
        """Records that were read, of which not all is there that they have caused."""
        self._listeners = comparison.listeners_of_source(stream)

    def _find(self, topic: str, ahead: int, matches: Callable[[Record], bool], sure: bool) -> Record | None:
        lane = self.lanes[topic]
        assert isinstance(lane, Lane)
        return lane.find(ahead, matches, sure)

    def _new(self, least: int | None) -> Iterator[Record]:
        """Yield the records that are new; those from `least` on wait where what was said is judged."""
        if not self.stream.judges:
            yield from self._source
            return
        self._waiting.extend(self._source)
        while self._waiting and (least is None or self._waiting[0].offset < least):
            yield self._waiting.popleft()

    def _is_foretold(self, record: Record) -> bool:
        """Whether a record of the changelog is a row that the model says."""
        assert self.applied is not None
        foretold = self.stream.foretold
        return self.applied.is_row(record) and (foretold is None or (record.key or b"").startswith(foretold))

    def go_on(self, before: Offsets | None) -> None:
        """Apply the records that are new. `before`: as `finish`."""
        comparison, stream = self._comparison, self.stream
        check, known = INPUT_CHECKS.get(stream.log), WRITTEN.get(stream.log)
        for read in self._new(None if before is None else before[stream.log, self.number]):
            record = comparison.dead.refused(read)
            if check is not None:
                comparison.findings.count(check)
            if known is not None and comparison.group is None and record.topic == stream.log:
                comparison.arrive(record, known)
            if comparison.dead.ranges.cover(record.topic, self.number, record.offset):
                continue
            for listener in self._listeners:
                listener(record)
            code, said = self.model.apply(record)
            for name, text in self.model.wrong():
                comparison.findings.wrong(at(check_of_wrong(name), record, f"{name}: {text}"))
            if stream.buries:
                comparison.dead.judge(record, code)
            for wanted in said:
                if stream.judges and wanted.event in COUNTED:
                    comparison.findings.count(COUNTED[wanted.event])
                lane = self.lanes.get(wanted.topic)
                if wanted.event in BROADCAST_ON:
                    comparison.broadcasts[stream.log, wanted.topic].send(wanted, self.number)
                elif lane is not None:
                    lane.expect(wanted)
                elif wanted.topic in (COMMANDS, FRAUD_COMMANDS):
                    comparison.send(wanted, self.number)

    def finish(self, before: Offsets | None) -> None:
        """Say what is missing and what is too much."""
        stream, least = self.stream, None if before is None else before[self.stream.log, self.number]
        causes = {record.fields.get("event_id") for record in self._waiting}
        for record in self._waiting:
            self._comparison.dead.holds(record)
        for lane in self.lanes.values():
            lane.finish(least, causes)
        if stream.judges and before is None:
            for name, text in self.model.wrong_at_rest():
                place = (check_of_wrong(name), stream.log, self.number, -1)
                self._comparison.findings.wrong(Problem(*place, f"{name}: {text}"))
        if self.applied is not None:
            self.applied.finish(least)


class Comparison:
    """All topics beside all models."""

    def __init__(
        self,
        topics: Topics,
        findings: Findings,
        dead: DeadLetters,
        streams: Sequence[Stream],
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        listeners: Mapping[str, Sequence[Listener]] | None = None,
        *,
        as_said: Container[str] = (),
        group: str | None = None,
        lost: Container[tuple[str, int]] = (),
        moved: Offsets | None = None,
    ) -> None:
        """`settings`: arguments of the models, by stream; `listeners` are shown what is read of topics;
        `as_said`: streams of which it is taken as they have said it what settings decide; `group`: the
        streams' consumer group, if the changelogs of their tables are compared, too: then the topics may
        grow, and every record is of the newest version of its schema; `lost`: logs that have lost their
        beginning: what depends on them is shown to listeners, and left out of the comparison; `moved`: up to
        where logs were read by streams that read another one now (`moves.py`)."""
        self._moved = moved or {}
        self.topics = topics
        self.findings = findings
        self.dead = dead
        self.settings = settings or {}
        self.as_said = as_said
        self.group = group
        self.lost = lost
        self.left_out: list[str] = []
        """The streams, by partition, that could not be compared."""
        self._unsaid: set[tuple[str, int]] = set()
        """Logs of which is not known what came of them."""
        self._streams = streams
        self._listeners = listeners or {}
        self.broadcasts = {
            (source, log): Broadcasts(
                findings, CHECKS[log] if log in (FRAUD_COMMANDS, ITEMS) else INPUT_CHECKS[source], source, log
            )
            for source, log in BROADCAST_TO
        }
        self._replays: dict[tuple[str, int], Replay] = {}
        self._pairs: dict[tuple[str, int, int], Pair] = {}
        self._written: dict[tuple[str, int], Iterator[Record]] = {}

    def source_of(self, stream: Stream, number: int) -> Iterator[Record]:
        """Return what a stream has read of a partition, in an earlier version, too."""
        records = self.topics.source(stream.log, number)
        begun = 0 if stream not in INTAKES else self._moved.get((stream.log, number), 0)
        if begun:
            return dropwhile(lambda record: record.offset < begun, records)
        left = 0 if stream.earlier is None else self._moved.get((stream.earlier, number), 0)
        if stream.earlier is None or not left:
            return records
        earlier = self.topics.source(stream.earlier, number)
        return chain(takewhile(lambda record: record.offset < left, earlier), records)

    def lane(self, output: Output, number: int) -> Lane | Versions:
        """Return what compares an output of one partition."""
        records = self.topics.output(output.topic, number, output.events, output.again)
        listeners = () if output.again else self._listeners.get(output.topic, ())
        heard = Heard(records, listeners, output.where)
        check = output.check
        if output.compacted:
            assert check is not None
            return Versions(self.findings, check, heard, (output.topic, number), self.group is None)
        of = check_of if check is None else lambda said: check
        return Lane(self.findings, of, heard, self.group is None)

    def listeners_of_source(self, stream: Stream) -> Sequence[Listener]:
        """Return what is shown the records of a log; those of outputs are shown where they are compared."""
        return self._listeners.get(stream.log, ()) if stream.log in WRITTEN else ()

    def run(
        self,
        before: Offsets | None = None,
        after_branch: AfterBranch | None = None,
    ) -> None:
        """Compare everything. `after_branch` is given each partition and the models of it, by stream."""
        numbers = range(self.topics.count)
        for number in numbers:
            self._replay(TABLELESS, number, before)
        for number in numbers:
            models = self._replay(self._streams, number, before)
            if self.group is not None:
                self._arrivals(number)
            for broadcast in self.broadcasts.values():
                broadcast.finish(number, before, self._unsaid, self.topics.count)
            if after_branch is not None:
                after_branch(number, models)
            if self.group is None:  # all that branches so far have said to each other is there
                self._finish_pairs(number, before)
        self._finish_pairs(self.topics.count, before)

    def model(self, stream: Stream, number: int) -> StreamModel:
        """Return the model of a partition that may still grow."""
        return self._replays[stream.table, number].model

    def applied(self, stream: Stream, number: int) -> int:
        """Return the newest source offset in the changelog of a partition that may still grow."""
        applied = self._replays[stream.table, number].applied
        return 0 if applied is None else applied.last

    def _replay(
        self, streams: Sequence[Stream], number: int, before: Offsets | None
    ) -> dict[str, StreamModel]:
        models = {}
        for stream in streams:
            place = stream.table, number
            if any((topic, number) in self.lost for topic in stream.topics):
                self._leave_out(stream, number)
                continue
            replay = self._replays.pop(place, None) or Replay(self, stream, number)
            replay.go_on(before)
            replay.finish(before)
            models[stream.table] = replay.model
            if self.group is not None:  # a growing topic: it goes on from here
                self._replays[place] = replay
            else:
                replay.model.witness = replay.model.letter = (
                    None  # a cycle would keep every partition in memory
                )
        return models

    def _leave_out(self, stream: Stream, number: int) -> None:
        """Show listeners what is there of a stream that cannot be compared; letters must still be right."""
        self.left_out.append(f"{stream.table}[{number}]")
        self._unsaid.add((stream.log, number))
        listeners, known = self.listeners_of_source(stream), WRITTEN.get(stream.log)
        for record in self.topics.source(stream.log, number):
            for listener in listeners:
                listener(record)
            if known is not None and (stream.log, number) not in self.lost:
                self.arrive(record, known)
            if stream.buries:
                self.dead.holds(record)
        for output in stream.outputs:
            if not output.again:
                for _ in Heard(
                    self.topics.output(output.topic, number, output.events),
                    self._listeners.get(output.topic, ()),
                ):
                    pass

    # --- what branches say to each other

    def _finish_pairs(self, number: int, before: Offsets | None) -> None:
        """Compare what branches up to a number have said to each other."""
        for pair in sorted(pair for pair in self._pairs if max(pair[1:]) <= number):
            log, origin, target = pair
            if any((log, branch) in self._unsaid for branch in (origin, target)):
                continue
            self._pairs[pair].finish(None if before is None else before[log, origin])
            if self.group is None:
                del self._pairs[pair]

    def _arrivals(self, number: int) -> None:
        """Take note of what a growing log has; its stream may have read less."""
        for log, known in WRITTEN.items():
            place = log, number
            if place not in self._written:
                self._written[place] = self.topics.output(log, number, ALL, again=True)
            for record in self._written[place]:
                self.arrive(record, known)

    def arrive(self, record: Record, known: Container[str | None]) -> None:
        """Take note of a record of a log that several streams write."""
        if record.event not in known:
            return self.findings.wrong(at(CHECKS[record.topic], record, "a record that no stream writes"))
        if record.event in BROADCAST_ON:
            self.broadcasts[BROADCAST_ON[record.event or ""], record.topic].arrive(record)
        elif record.event in LEGS or record.event in MESSAGES:
            origin = sender_of(record, self.topics.count)
            if not 0 <= origin < self.topics.count:
                return self.findings.wrong(at("legs", record, f"a leg of branch {origin}"))
            self._pair(record.topic, origin, record.partition).arrive(record)

    def send(self, wanted: Expected, origin: int) -> None:
        """Expect what is said to the branch of its key, or to all."""
        count = self.topics.count
        home = home_of(wanted.key.decode(), count)
        for target in range(count) if wanted.event in TO_ALL else (home,):
            self._pair(wanted.topic, origin, target).send(wanted)

    def _pair(self, log: str, origin: int, target: int) -> Pair:
        pair = self._pairs.get((log, origin, target))
        if pair is None:
            pair = self._pairs[log, origin, target] = Pair(self.findings, log, origin, target)
        return pair
