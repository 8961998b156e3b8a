"""The checker of the chaos runs: topics, registry and plain arithmetic; it knows nothing of our code.

    committed offsets (before) -> outputs and logs -> committed offsets (after) -> inputs -> compare

Each transaction holds its outputs and its source offset. So whatever the offsets read before cover must be
in the outputs, and nothing may be in the outputs that the offsets read after do not cover. Between the two,
while a run goes on, an output may or may not be there yet; when it is quiet the two are one, and the
comparison is exact. Every comparison is a pure function from records to problems; only `Checker` reads Kafka.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.chaos.comparisons import (
    Problem,
    compare_dead_letters,
    compare_sequence,
    compare_versions,
    duplicated_ids,
    place_of,
    versions_of,
    wrong,
)
from tests.chaos.forwarding import DECISIONS, FORWARDED, predict_forwarding
from tests.chaos.fraud_model import FraudBranch
from tests.chaos.history_model import HistoryBranch
from tests.chaos.invariant_model import InvariantBranch
from tests.chaos.journal_fold import clearing_not_zero, compare_fold, fold_journal
from tests.chaos.ledger_model import Branch
from tests.chaos.lifecycle_model import LifecycleBranch
from tests.chaos.log_reader import LogReader, Record, Slice
from tests.chaos.past_check import Lines, asking, compare_past
from tests.chaos.planted import compare_planted, read_planted
from tests.chaos.position_model import PositionBranch
from tests.chaos.reconciliation_model import ReconciliationBranch
from tests.chaos.stream_model import StreamModel
from tests.chaos.tenants_model import GATE_CODES, Tenants
from tests.chaos.views_check import (
    BALANCE_VIEW,
    BREAK_VIEW,
    POSITION_VIEW,
    STUCK_VIEW,
    View,
    compare_view,
    read_view,
)
from tests.chaos.wire import (
    ACCOUNT_EVENTS,
    ALERTS,
    BALANCES,
    BROADCAST,
    CLEARING_TOTALS,
    COMMANDS,
    DEAD_LETTERS,
    INVARIANT_ALERTS,
    ITEMS,
    JOURNAL_COMMANDS,
    JOURNAL_EVENTS,
    JOURNAL_LEGS,
    LEGS,
    PAYMENT_ALERTS,
    PAYMENT_EVENTS,
    POSITION_COMMANDS,
    POSITIONS,
    POSTINGS,
    RESULTS,
    TABLE,
    UPSTREAM,
    Expected,
    home_of,
)

INPUTS = UPSTREAM
LOGS = (COMMANDS, ITEMS, POSITION_COMMANDS, POSTINGS, PAYMENT_EVENTS)
SOURCES = (*INPUTS, *LOGS)
OUTPUTS = (
    *(POSTINGS, PAYMENT_EVENTS, JOURNAL_EVENTS, BALANCES, ALERTS, POSITIONS, RESULTS, PAYMENT_ALERTS),
    *(CLEARING_TOTALS, INVARIANT_ALERTS, DEAD_LETTERS),
)
BROADCASTS = (("prices", "PriceQuoted", "prices"), ("accounts", "PeriodClosed", "periods"))
"""Inputs whose events come to every partition of a log, and the checks' names."""


class Stream(NamedTuple):
    """A stream that is replayed through a model, partition by partition."""

    log: str
    model: type[StreamModel]
    table: str
    view: View | None
    whole: tuple[str, ...]
    """Outputs that have every event, in order."""
    compacted: tuple[str, ...]
    """Outputs that have at least the last event of each key."""
    buries: bool = True
    """Whether it says which records of its log are dead letters: of several streams the first one does."""

    def changelog(self, group: str) -> str:
        """Return the topic that has the rows of its table."""
        return f"{group}-{self.table}-changelog"


LEDGER = Stream(
    COMMANDS, Branch, "ledger", BALANCE_VIEW, (POSTINGS, PAYMENT_EVENTS, JOURNAL_EVENTS), (BALANCES,)
)
SCREENINGS = ("PaymentScreened", "PaymentReviewed")
"""What the fraud stream writes among the ledger's payment events."""
FRAUD = Stream("payments", FraudBranch, "fraud", None, (ALERTS,), ())
HISTORY = Stream(POSTINGS, HistoryBranch, "history", None, (), ())
STREAMS = (
    FRAUD,
    LEDGER,
    Stream(POSITION_COMMANDS, PositionBranch, "positions", POSITION_VIEW, (), (POSITIONS,)),
    Stream(ITEMS, ReconciliationBranch, "reconciliation", BREAK_VIEW, (RESULTS,), ()),
    HISTORY,
    Stream(PAYMENT_EVENTS, LifecycleBranch, "lifecycle", STUCK_VIEW, (PAYMENT_ALERTS,), ()),
    Stream(POSTINGS, InvariantBranch, "invariants", None, (), (CLEARING_TOTALS,), buries=False),
)


def of_fraud(record: Record) -> bool:
    """Whether the fraud stream says this, on the ledger's log or on payment-events, and not the ledger."""
    if record.topic == COMMANDS:
        return record.event in DECISIONS
    if record.event == "CommandRefused":
        return record.fields["command"] == "payment_initiated" and record.fields["code"] in GATE_CODES
    return record.event in SCREENINGS


class Checker:
    """Reads a cluster's topics and holds everything against everything."""

    def __init__(
        self,
        bootstrap: str,
        registry_url: str,
        group: str,
        view_urls: Sequence[str] = (),
        manifests: Sequence[Path] = (),
        tenants: str = "",
    ) -> None:
        """`tenants` is the text of the workers' file of tenants."""
        self._where = (bootstrap, registry_url, group)
        self._group = group
        self._view_urls = view_urls
        self._manifests = manifests
        self._tenants = Tenants(tenants)
        self._reached: dict[tuple[str, int], int] = {}
        self._kept: dict[str, dict[int, Slice]] = {}
        """What earlier checks have read."""
        self._replays: Replays = {}
        self.dead_letters = 0
        """How many the last check has seen."""

    def check(self, quiet: bool) -> list[Problem]:
        """Return what is wrong; with `quiet` nothing may be under way, and nothing may be missing."""
        reader = LogReader(*self._where)
        try:
            before = reader.committed(SOURCES)
            changelogs = [stream.changelog(self._group) for stream in STREAMS]
            seen = {name: self._read(reader, name) for name in (*OUTPUTS, *changelogs, *LOGS)}
            after = reader.committed(SOURCES)
            inputs = {name: self._read(reader, name) for name in (*INPUTS, *LOGS)}
        finally:
            reader.close()
        back = [
            Problem("offsets", *place, offset, f"the group has gone back from {self._reached[place]}")
            for place, offset in after.items()
            if offset < self._reached.get(place, 0)
        ]
        self._reached = after
        self.dead_letters = sum(len(part.records) for part in seen[DEAD_LETTERS].values())
        comparison = Comparison(seen, inputs, before, after, quiet, self._group, self._tenants, self._replays)
        return back + comparison.run(read_planted(self._manifests) if quiet else (), self._view_urls)

    def _read(self, reader: LogReader, name: str) -> dict[int, Slice]:
        """Return a topic as of now; only what has come since the last time is read."""
        kept = self._kept.get(name, {})
        newer = reader.read(name, {number: part.end for number, part in kept.items()})
        self._kept[name] = {
            number: part._replace(records=[*kept[number].records, *part.records]) if number in kept else part
            for number, part in newer.items()
        }
        return self._kept[name]


@dataclass
class Replay:
    """One partition of a log put through its model, as far as the group has committed it."""

    model: StreamModel
    end: int = 0
    out: list[Expected] = field(default_factory=list)
    dead: dict[int, str] = field(default_factory=dict)

    def go_on(self, records: Iterable[Record]) -> None:
        """Apply the records that are new."""
        for record in records:
            if record.offset < self.end:
                continue
            code, said = self.model.apply(record)
            if code is not None:
                self.dead[record.offset] = code
            self.out += said
            self.end = record.offset + 1


Replays = dict[tuple[str, int], Replay]
"""By table and partition."""


@dataclass
class Comparison:
    """Everything that was read, by topic and partition, and the comparisons made of it."""

    seen: dict[str, dict[int, Slice]]
    inputs: dict[str, dict[int, Slice]]
    before: dict[tuple[str, int], int]
    after: dict[tuple[str, int], int]
    quiet: bool
    group: str
    tenants: Tenants = field(default_factory=Tenants)
    replays: Replays = field(default_factory=dict)
    """Of earlier comparisons; they are brought up to date."""
    problems: list[Problem] = field(default_factory=list)

    def run(self, planted: Iterable[Mapping[str, Any]], view_urls: Sequence[str]) -> list[Problem]:
        """Return all problems. `planted` and views are looked at only when it is quiet."""
        self._leftovers()
        partitions = len(self.inputs[COMMANDS])
        outs = {
            stream: [self._replay(stream, number, partitions) for number in range(partitions)]
            for stream in STREAMS
        }
        self._journal(partitions)
        self._legs(outs[LEDGER], partitions)
        for number in range(partitions):
            nostro = [wanted for wanted in outs[LEDGER][number] if wanted.topic == ITEMS]
            self._forwarding(number, partitions, nostro)
            self._decisions(number, outs[FRAUD][number])
        for name, event, check in BROADCASTS:
            self._broadcast(name, event, check, partitions)
        self._strays()
        for alert in self._all(INVARIANT_ALERTS):
            self.problems.append(wrong("invariants", alert, f"an alert: {alert.fields}"))
        if self.quiet:
            self.problems += compare_planted(planted, {name: self._all(name) for name in OUTPUTS})
            states = {
                stream: [
                    state
                    for number in range(partitions)
                    for state in self.replays[stream.table, number].model.view()
                ]
                for stream in STREAMS
                if stream.view is not None
            }
            tenants = {state["tenant_id"] for stream in states for state in states[stream]}
            for url, stream in itertools.product(view_urls, states):
                rows = read_view(url, stream.view, tenants)
                self.problems += compare_view(url, stream.view, rows, states[stream])
            lines = self._history(partitions)
            for url in view_urls:
                chance = Random(sum(map(len, lines.values())))
                self.problems += compare_past(url, lines, chance, asking(url))
        return self.problems

    def _history(self, partitions: int) -> Lines:
        """Return the lines of every account, as the model has them."""
        models = [self.replays[HISTORY.table, number].model for number in range(partitions)]
        return {
            account: lines
            for model in models
            if isinstance(model, HistoryBranch)
            for account, lines in model.lines.items()
        }

    def _all(self, topic: str) -> list[Record]:
        return [record for part in self.seen[topic].values() for record in part.records]

    def _leftovers(self) -> None:
        """When it is quiet, every record must have been read, and no transaction may be open."""
        if not self.quiet:
            return
        for name, parts in {**self.seen, **self.inputs}.items():
            for number, part in parts.items():
                if not part.whole:
                    text = "an open transaction hides what comes now"
                    self.problems.append(Problem("open", name, number, part.end, text))
        for (name, number), offset in self.after.items():
            left = [record for record in self.inputs[name][number].records if record.offset >= offset]
            if left:
                self.problems.append(wrong("input", left[0], f"{len(left)} records were never read"))

    def _source(self, name: str, number: int) -> list[Record]:
        """Return the records of a source that the group has committed."""
        end = self.after[name, number]
        return [record for record in self.inputs[name][number].records if record.offset < end]

    def _least(self, name: str, number: int, target: str, place: int) -> int:
        """Return up to which source offset the effects must be visible in a target partition."""
        if self.quiet:
            return self.after[name, number]
        return self.before[name, number] if self.seen[target][place].whole else 0

    def _sequence(
        self,
        check: str,
        source: tuple[str, int],
        target: tuple[str, int],
        actual: Sequence[Record],
        expected: Sequence[Expected],
    ) -> None:
        least = self._least(*source, *target)
        needed = sum(wanted.source < least for wanted in expected)
        self.problems += compare_sequence(check, target, actual, expected, needed)

    def _dead(self, name: str, number: int, predicted: Mapping[int, str]) -> None:
        letters = [
            letter
            for letter in self.seen[DEAD_LETTERS][number].records
            if (place_of(letter) or ("", -1, 0))[:2] == (name, number)
        ]
        least = self._least(name, number, DEAD_LETTERS, number)
        self.problems += compare_dead_letters(letters, self._source(name, number), predicted, least)

    def _strays(self) -> None:
        """Find dead letters that name no record of a stream's log on their own partition."""
        for number, part in self.seen[DEAD_LETTERS].items():
            for letter in part.records:
                named = place_of(letter)
                if named is None or named[0] not in SOURCES or named[1] != number:
                    self.problems.append(wrong("dead_letters", letter, f"names {named}"))

    def _replay(self, stream: Stream, number: int, partitions: int) -> list[Expected]:
        """Put one partition of a log through its model, compare all that came of it, and return that."""
        place = (stream.table, number)
        if place not in self.replays:
            self.replays[place] = Replay(stream.model(number, partitions, tenants=self.tenants))
        replay = self.replays[place]
        replay.go_on(self._source(stream.log, number))
        out = replay.out
        if stream.buries:
            self._dead(stream.log, number, replay.dead)
        for topic in stream.whole:
            actual = self.seen[topic][number].records
            if topic == PAYMENT_EVENTS:
                actual = [record for record in actual if not of_fraud(record)]
            expected = [wanted for wanted in out if wanted.topic == topic]
            self._sequence("model", (stream.log, number), (topic, number), actual, expected)
            self.problems += duplicated_ids(actual, expected)
        changelog = stream.changelog(self.group)
        for check, topic, of, state in (
            *((name, name, name, "fields") for name in stream.compacted),
            ("table", changelog, TABLE, "value"),
        ):
            versions = versions_of(wanted for wanted in out if wanted.topic == of)
            least = self._least(stream.log, number, topic, number)
            records = self.seen[topic][number].records
            self.problems += compare_versions(check, (topic, number), records, versions, state, least)
        return out

    def _journal(self, partitions: int) -> None:
        """Add up the journal by itself, and when it is quiet hold the table and clearing against it."""
        changelog = LEDGER.changelog(self.group)
        folds = []
        for number in range(partitions):
            fold, problems = fold_journal(self.seen[POSTINGS][number].records, self.quiet)
            folds.append(fold)
            self.problems += problems
            if self.quiet:
                rows = {
                    record.key or b"": (record.value or b"", record.offset)
                    for record in self.seen[changelog][number].records
                }
                self.problems += compare_fold((changelog, number), rows, fold)
        if self.quiet:
            self.problems += clearing_not_zero(folds)

    def _legs(self, outs: Sequence[Sequence[Expected]], partitions: int) -> None:
        """Compare the legs and answers on every branch with what every other branch sent, each in order."""
        sent: dict[tuple[int, int], list[Expected]] = defaultdict(list)
        for origin, out in enumerate(outs):
            for wanted in out:
                if wanted.topic == COMMANDS:
                    sent[origin, home_of(wanted.key.decode(), partitions)].append(wanted)
        arrived: dict[tuple[int, int], list[Record]] = defaultdict(list)
        for target, part in self.seen[COMMANDS].items():
            for record in part.records:
                if record.event in LEGS:
                    arrived[sender_of(record, partitions), target].append(record)
                elif record.event not in (*ACCOUNT_EVENTS, *DECISIONS, *JOURNAL_COMMANDS, "PeriodClosed"):
                    self.problems.append(wrong("commands", record, "a record that no stream writes"))
        for origin, target in sorted(sent.keys() | arrived.keys()):
            pair = (origin, target)
            if not 0 <= origin < partitions:
                self.problems.append(wrong("legs", arrived[pair][0], f"a leg of branch {origin}"))
                continue
            self._sequence("legs", (COMMANDS, origin), (COMMANDS, target), arrived[pair], sent[pair])

    def _forwarding(self, number: int, partitions: int, nostro: Sequence[Expected]) -> None:
        """Compare what intake passed on, its dead letters, and the ledger's postings of nostro accounts."""
        for name, (target, events) in FORWARDED.items():
            dead, passed = predict_forwarding(self._source(name, number), partitions)
            self._dead(name, number, dead)
            own = set(events).difference(BROADCAST)
            actual = [record for record in self.seen[target][number].records if record.event in own]
            wanted = [one for one in passed if one.event in own]
            self._sequence(f"passed on from {name}", (name, number), (target, number), actual, wanted)
        actual = [record for record in self.seen[ITEMS][number].records if record.event == "PostingRecorded"]
        self._sequence("nostro", (COMMANDS, number), (ITEMS, number), actual, nostro)

    def _decisions(self, number: int, out: Sequence[Expected]) -> None:
        """Compare decisions and screenings, and the commands between them, with the fraud model's."""
        for check, target in (("decisions", COMMANDS), ("screenings", PAYMENT_EVENTS)):
            wanted = [one for one in out if one.topic == target]
            actual = [record for record in self.seen[target][number].records if of_fraud(record)]
            self._sequence(check, ("payments", number), (target, number), actual, wanted)

    def _broadcast(self, name: str, event: str, check: str, partitions: int) -> None:
        """Compare what every partition of a log has of an input with what came in, each key in order."""
        sent: dict[bytes, dict[int, list[Expected]]] = defaultdict(lambda: defaultdict(list))
        for number in range(partitions):
            for wanted in predict_forwarding(self._source(name, number), partitions)[1]:
                if wanted.event == event:
                    sent[wanted.key][number].append(wanted)
        log = FORWARDED[name][0]
        for target in range(partitions):
            arrived: dict[bytes, list[Record]] = defaultdict(list)
            for record in self.seen[log][target].records:
                if record.event == event:
                    arrived[record.key or b""].append(record)
            for key in sorted(arrived.keys() | sent.keys()):
                origins = sent.get(key, {0: []})
                if len(origins) > 1:
                    continue  # one key from several partitions has no order of its own
                ((origin, expected),) = origins.items()
                self._sequence(check, (name, origin), (log, target), arrived[key], expected)


def sender_of(record: Record, partitions: int) -> int:
    """Return the branch that says a leg, or something about one, to another."""
    fields = record.fields
    named = {"LegRequested": "origin_branch", "JournalLegsAnswered": "branch"}.get(record.event or "")
    if named is not None:
        branch: int = fields[named]
        return branch
    by = fields["home_account_id" if record.event in JOURNAL_LEGS else "creditor_account_id"]
    return home_of(f"{fields['tenant_id']}/{by}", partitions)
