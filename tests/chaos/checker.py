"""The checker of the chaos runs: topics, registry and plain arithmetic; it knows nothing of our code.

    committed offsets (before) -> outputs and logs -> committed offsets (after) -> inputs -> compare

Each transaction holds its outputs and its source offset. So whatever the offsets read before cover must be
in the outputs, and nothing may be in the outputs that the offsets read after do not cover. Between the two,
while a run goes on, an output may or may not be there yet; when it is quiet the two are one, and the
comparison is exact. Every comparison is a pure function from records to problems; only `Checker` reads Kafka.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.ledger_model import (
    ACCOUNT_EVENTS,
    ACCOUNT_ROW,
    BALANCES,
    COMMANDS,
    DAY_US,
    ITEMS,
    PAYMENT_EVENTS,
    POSTINGS,
    STATEMENT_EVENTS,
    TABLE,
    TRADE_EVENTS,
    Branch,
    Expected,
    derived,
    home_of,
    misplaced,
)
from tests.chaos.log_reader import TIMEOUT_S, LogReader, Record, Slice

ALERTS, DEAD_LETTERS, POSITION_COMMANDS = "fraud-alerts", "dead-letters", "position-commands"
INPUTS = ("accounts", "payments", "statements", "trades", "prices")
LOGS = (COMMANDS, ITEMS, POSITION_COMMANDS)
SOURCES = (*INPUTS, *LOGS)
OUTPUTS = (POSTINGS, PAYMENT_EVENTS, BALANCES, ALERTS, DEAD_LETTERS)
UNMODELLED = {"positions": POSITION_COMMANDS, "reconciliation-results": ITEMS}
"""Outputs of streams without a model here, and their logs: only causes and ids are checked."""
FORWARDED = {
    "accounts": (COMMANDS, ACCOUNT_EVENTS),
    "statements": (ITEMS, STATEMENT_EVENTS),
    "trades": (POSITION_COMMANDS, TRADE_EVENTS),
}
"""Inputs that are passed on as they are: to which log, and which events they may carry."""
DECISIONS = ("PaymentDecided", "PaymentReviewed", "PaymentCancelled")
LEGS = ("LegRequested", "LegPosted", "LegRefused")
ERROR = "__ledgerflow.errors."

COUNTERS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")

Place = tuple[str, int, int]


class Problem(NamedTuple):
    """What is wrong, and the first record where it shows; the offset is -1 where there is none."""

    check: str
    topic: str
    partition: int
    offset: int
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.topic}[{self.partition}]@{self.offset}: {self.text}"


# --- one sequence of outputs against what must be there


def difference(actual: Record, expected: Expected) -> str | None:
    """Return in what a record differs from what is expected, or None."""
    if actual.key != expected.key:
        return f"key {actual.key!r} instead of {expected.key!r}"
    if expected.value is not None:
        return None if actual.value == expected.value else "other bytes than those of its source"
    if actual.event != expected.event:
        return f"{actual.event or actual.fault} instead of {expected.event}"
    for name, value in expected.fields.items():
        if actual.fields.get(name) != value:
            return f"{expected.event}.{name} is {actual.fields.get(name)!r} instead of {value!r}"
    return None


def compare_sequence(
    check: str,
    place: tuple[str, int],
    actual: Sequence[Record],
    expected: Sequence[Expected],
    at_least: int | None = None,
) -> list[Problem]:
    """Compare outputs with what must come out, in order; `at_least` of them must be there (None: all).

    Returns the first difference only, because what follows it is its consequence.
    """
    for index, (record, wanted) in enumerate(zip(actual, expected, strict=False)):
        text = difference(record, wanted)
        if text is None:
            continue
        if any(record.value == earlier.value and record.key == earlier.key for earlier in actual[:index]):
            text = "duplicate of an earlier record"
        elif any(difference(later, wanted) is None for later in actual[index + 1 :]):
            text = f"out of order or not expected: {text}; what is expected comes later"
        elif any(difference(record, later) is None for later in expected[index + 1 :]):
            text = f"gap: the {wanted.event} caused by offset {wanted.source} is missing"
        return [Problem(check, *place, record.offset, text)]
    if len(actual) > len(expected):
        extra = actual[len(expected)]
        known = any(extra.value == record.value for record in actual[: len(expected)])
        text = "duplicate of an earlier record" if known else f"{extra.event} that nothing has caused"
        return [Problem(check, *place, extra.offset, text)]
    least = len(expected) if at_least is None else at_least
    if len(actual) < least:
        lost = expected[len(actual)]
        end = actual[-1].offset + 1 if actual else 0
        text = f"lost tail: {least - len(actual)} records, first {lost.event} of {lost.key.decode()}"
        return [Problem(check, *place, end, f"{text}, caused by offset {lost.source}")]
    return []


def duplicated_ids(
    place: tuple[str, int], actual: Iterable[Record], expected: Iterable[Expected]
) -> list[Problem]:
    """Find the first event id that stands more often than its causes do.

    An upstream may send one event id twice; the answers to both then have one id, and that is no duplicate.
    """
    allowed = Counter(wanted.fields.get("event_id") for wanted in expected)
    for record in actual:
        event_id = record.fields.get("event_id")
        allowed[event_id] -= 1
        if event_id is not None and allowed[event_id] < 0:
            text = f"event id {event_id} once more than it was caused"
            return [Problem("duplicates", *place, record.offset, text)]
    return []


def compare_causes(place: tuple[str, int], actual: Iterable[Record], log: Iterable[Record]) -> list[Problem]:
    """Find the first output whose cause is not in its stream's log, or that came out once more than that."""
    causes = Counter(record.fields.get("event_id") for record in log if record.event is not None)
    seen: Counter[str] = Counter()
    for record in actual:
        if record.event is None:
            return [Problem("causes", *place, record.offset, f"no event: {record.fault}")]
        event_id, cause = record.fields["event_id"], record.fields["causation_id"]
        seen[event_id] += 1
        if cause not in causes:
            return [Problem("causes", *place, record.offset, f"{record.event} that nothing has caused")]
        if seen[event_id] > causes[cause]:
            text = f"event id {event_id} once more than it was caused"
            return [Problem("duplicates", *place, record.offset, text)]
    return []


# --- the journal by itself


@dataclass
class Fold:
    """The journal of one branch added up, entry by entry."""

    debits: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    credits: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    sequence: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    currency: dict[bytes, str] = field(default_factory=dict)

    def balance(self, key: bytes) -> int:
        """Return an account's balance, minor units."""
        return self.credits[key] - self.debits[key]


def fold_journal(postings: Sequence[Record]) -> tuple[Fold, list[Problem]]:
    """Add up a partition's journal; check pairs, sequences, running balances and zero sums."""
    fold, total = Fold(), Counter[str]()
    for index, record in enumerate(postings):
        posting, key = record.fields, record.key or b""

        def wrong(check: str, text: str, at: Record = record) -> tuple[Fold, list[Problem]]:
            return fold, [Problem(check, at.topic, at.partition, at.offset, text)]

        if record.event != "PostingRecorded":
            return wrong("entries", f"{record.event or record.fault} in the journal")
        amount, side, currency = posting["amount_minor"], posting["side"], posting["currency"]
        (fold.debits if side == "DEBIT" else fold.credits)[key] += amount
        fold.sequence[key] += 1
        total[currency] += amount if side == "CREDIT" else -amount
        if posting["account_sequence"] != fold.sequence[key]:
            text = f"sequence {posting['account_sequence']} of {key.decode()}, not {fold.sequence[key]}"
            return wrong("sequences", text)
        if posting["balance_minor_after"] != fold.balance(key):
            text = f"balance {posting['balance_minor_after']} of {key.decode()}, not {fold.balance(key)}"
            return wrong("running_balance", text)
        if fold.currency.setdefault(key, currency) != currency or posting["branch"] != record.partition:
            return wrong("entries", "a posting of another currency or branch than its account's")
        if index % 2 == 0:
            if index + 1 == len(postings):
                return wrong("entries", "half an entry at the end")
            continue
        first = postings[index - 1].fields
        same = all(first[name] == posting[name] for name in ("entry_id", "amount_minor", "currency"))
        if not same or (first["side"], side) != ("DEBIT", "CREDIT") or amount <= 0:
            return wrong("entries", f"no entry with the posting before it: {posting['entry_id']}")
        if total[currency]:
            return wrong("zero_sum", f"{currency} sums to {total[currency]} after this entry")
    return fold, []


def clearing_not_zero(folds: Iterable[Fold]) -> list[Problem]:
    """Check that the clearing accounts of all branches together are zero; call it when it is quiet."""
    left: Counter[tuple[str, str]] = Counter()
    for fold in folds:
        for key, currency in fold.currency.items():
            tenant, _, account_id = key.decode().partition("/")
            if account_id.startswith("$clearing:"):
                left[tenant, currency] += fold.balance(key)
    return [
        Problem("clearing", POSTINGS, -1, -1, f"{tenant} has {amount} {currency} in flight when it is quiet")
        for (tenant, currency), amount in sorted(left.items())
        if amount
    ]


# --- latest state: balances, changelog, views


def versions_of(states: Iterable[Expected]) -> dict[bytes, list[Expected]]:
    """Return the states that each account or row goes through, by key."""
    found: dict[bytes, list[Expected]] = defaultdict(list)
    for version in states:
        found[version.key].append(version)
    return found


def compare_versions(
    check: str,
    place: tuple[str, int],
    actual: Sequence[tuple[bytes, Any, int]],
    versions: Mapping[bytes, Sequence[Any]],
    at_least: Mapping[bytes, int],
) -> list[Problem]:
    """Compare (key, state, offset) of a compacted topic with the states that each key goes through.

    Compaction and group commit may leave states out, but not the last one of a key, and not their order.
    """
    reached: dict[bytes, int] = defaultdict(int)
    last: dict[bytes, tuple[Any, int]] = {}
    for key, state, offset in actual:
        known = versions.get(key, ())
        while reached[key] < len(known) and known[reached[key]] != state:
            reached[key] += 1
        if reached[key] == len(known):
            text = f"a state of {key!r} that it never had, twice, or out of order"
            return [Problem(check, *place, offset, text)]
        reached[key] += 1
        last[key] = (state, offset)
    for key, least in at_least.items():
        if least and key not in last:
            return [Problem(check, *place, -1, f"nothing of {key!r}")]
        if least and last[key][0] not in versions[key][least - 1 :]:
            return [Problem(check, *place, last[key][1], f"the last state of {key!r} is an old one")]
    return []


def account_row_key(record_key: bytes) -> bytes:
    """Return the table key of an account, from its record key."""
    return b"a\0" + record_key.replace(b"/", b"\0", 1)


def compare_fold(
    place: tuple[str, int], rows: Mapping[bytes, tuple[bytes, int]], fold: Fold
) -> list[Problem]:
    """Check that the last changelog row of every account is the fold of its postings; when it is quiet."""
    for key in fold.currency:
        row, offset = rows.get(account_row_key(key), (b"", -1))
        if len(row) != ACCOUNT_ROW.size:
            return [Problem("table", *place, offset, f"no row of {key.decode()}")]
        *_, debits, _, credits, sequence = ACCOUNT_ROW.unpack(row)
        if (debits, credits, sequence) != (fold.debits[key], fold.credits[key], fold.sequence[key]):
            return [Problem("table", *place, offset, f"the row of {key.decode()} is not its postings' sum")]
    return []


def compare_view(
    url: str, rows: Iterable[Mapping[str, Any]], latest: Mapping[bytes, Mapping[str, Any]]
) -> list[Problem]:
    """Compare all rows of /balances with the last state of every account."""
    shown = {f"{row['tenant_id']}/{row['account_id']}".encode(): row for row in rows}
    missing, extra = latest.keys() - shown.keys(), shown.keys() - latest.keys()
    found = [Problem("views", url, -1, -1, f"{key.decode()} is missing") for key in sorted(missing)[:1]]
    found += [Problem("views", url, -1, -1, f"{key.decode()} is not known") for key in sorted(extra)[:1]]
    names = (*COUNTERS, "balance_minor", "available_minor", "account_sequence", "currency", "status")
    for key in sorted(latest.keys() & shown.keys()):
        for name in (*names, "account_type", "overdraft_limit_minor"):
            if shown[key].get(name) != latest[key][name]:
                text = f"{name} of {key.decode()} is {shown[key].get(name)}, not {latest[key][name]}"
                return [*found, Problem("views", url, -1, -1, text)]
    return found


# --- inputs: applied + dead letters = input


def predict_forwarding(
    records: Iterable[Record], partitions: int
) -> tuple[dict[int, str], list[Expected], list[Record]]:
    """Return what intake and fraud make of an input: dead letters by offset, what is passed on, its causes.

    Of a decision only what comes from the payment is known; outcome, score and reasons are the fraud rules'.
    """
    dead: dict[int, str] = {}
    passed: list[Expected] = []
    causes: list[Record] = []
    for record in records:
        code = misplaced(record, partitions) or refused_at_once(record)
        if code is not None:
            dead[record.offset] = code
            continue
        causes.append(record)
        key, event, source = record.key or b"", record.event or "", record.offset
        if event != "PaymentInitiated":
            target = FORWARDED[record.topic][0] if record.topic in FORWARDED else COMMANDS
            passed.append(Expected(target, key, event, record.fields, source, record.value))
            continue
        unknown = dict.fromkeys(("channel", "device_id", "counterparty_country", "merchant_category"))
        decided = {
            **unknown,
            **record.fields,
            "causation_id": record.fields["event_id"],
            "event_id": derived(record.fields["event_id"], "payment_decided"),
        }
        passed.append(Expected(COMMANDS, key, "PaymentDecided", decided, source))
    return dead, passed, causes


def refused_at_once(record: Record) -> str | None:
    """Return why intake or fraud refuse an event that is well-formed and in its place."""
    topic, fields = record.topic, record.fields
    if topic == "payments":
        if record.event not in ("PaymentInitiated", "PaymentReviewed", "PaymentCancelled"):
            return "unexpected_event"
        names = ("tenant_id", "payment_id", "debtor_account_id", "creditor_account_id")
        ids = [fields[name] for name in names if name in fields]
        return None if all(value and not set(value) & {"/", "\0"} for value in ids) else "invalid_id"
    accepted = FORWARDED[topic][1] if topic in FORWARDED else ("PriceQuoted",)
    return None if record.event in accepted else "unexpected_event"


def predict_alerts(
    causes: Iterable[Record], decisions: Iterable[Record], kept_days: int = 90
) -> list[Expected]:
    """Return the alerts that decisions must have raised; each decision stands beside the record it answers.

    A payment that is not approved raises one alert. The id coming again raises none, unless it is not
    approved now and there is none of this debtor's yet.
    """
    known: dict[tuple[str, str], int] = {}
    alerted: set[tuple[str, str, str]] = set()
    found = []
    for cause, decision in zip(causes, decisions, strict=False):
        if cause.event != "PaymentInitiated" or decision.event != "PaymentDecided":
            continue
        payment, said = cause.fields, decision.fields
        tenant, debtor, creditor = (
            payment[name] for name in ("tenant_id", "debtor_account_id", "creditor_account_id")
        )
        at_us = min(payment["occurred_at"], cause.timestamp_ms * 1000)
        approved = said["outcome"] == "APPROVE"
        key = (tenant, payment["payment_id"])
        repeat = key in known and at_us - known[key] <= kept_days * DAY_US
        if not repeat:
            hopeless = payment["amount_minor"] <= 0 or debtor == creditor or "$" in (debtor[0], creditor[0])
            if not hopeless:  # those leave no trace: the ledger refuses them
                known[key] = at_us
        raises = not approved and not (repeat and (tenant, debtor, key[1]) in alerted)
        if not raises:
            continue
        alerted.add((tenant, debtor, key[1]))
        alert_id = derived(payment["event_id"], "fraud_alert_raised")
        alert = {name: said[name] for name in ("outcome", "score", "reasons", "rules_version", "payment_id")}
        alert |= {"event_id": alert_id, "alert_id": alert_id, "tenant_id": tenant, "account_id": debtor}
        alert |= {name: payment[name] for name in ("occurred_at", "correlation_id")}
        alert["causation_id"] = payment["event_id"]
        found.append(Expected(ALERTS, cause.key or b"", "FraudAlertRaised", alert, cause.offset))
    return found


def compare_alerts(
    place: tuple[str, int],
    actual: Sequence[Record],
    expected: Sequence[Expected],
    at_least: int | None = None,
) -> list[Problem]:
    """Compare a partition's alerts with their causes; no two may have one id for one cause."""
    found = compare_sequence("alerts", place, actual, expected, at_least)
    return found or duplicated_ids(place, actual, expected)


def place_of(letter: Record) -> Place | None:
    """Return the record that a dead letter says it is."""
    try:
        topic = letter.headers[ERROR + "topic"].decode()
        return topic, int(letter.headers[ERROR + "partition"]), int(letter.headers[ERROR + "offset"])
    except (KeyError, ValueError):
        return None


def compare_dead_letters(
    letters: Sequence[Record],
    source: Sequence[Record],
    predicted: Mapping[int, str],
    least: int | None = None,
    *,
    all_known: bool = True,
) -> list[Problem]:
    """Compare the dead letters of one source partition with those that must be there, both ways.

    `least`: letters of earlier offsets must be there (None: all). `all_known`: no others may be.
    """
    by_offset = {record.offset: record for record in source}
    met: set[int] = set()
    newest = -1
    for letter in letters:
        named = place_of(letter)
        here = (letter.topic, letter.partition, letter.offset)
        record = by_offset.get(named[2]) if named else None
        if named is None or record is None:
            return [Problem("dead_letters", *here, f"names {named}, which is no committed record")]
        if record.offset in met:
            return [Problem("dead_letters", *here, f"second dead letter of {named}")]
        if record.offset < newest:
            return [Problem("dead_letters", *here, f"{named} comes after a later record's")]
        if (letter.key, letter.value) != (record.key, record.value):
            return [Problem("dead_letters", *here, f"other bytes than {named}")]
        code = letter.headers.get(ERROR + "code", b"").decode(errors="replace")
        if predicted.get(record.offset, None if all_known else code) != code:
            wanted = predicted.get(record.offset, "no dead letter")
            return [Problem("dead_letters", *here, f"{named} has code {code}, must have: {wanted}")]
        met.add(record.offset)
        newest = record.offset
    for offset, code in sorted(predicted.items()):
        if offset not in met and (least is None or offset < least):
            record = by_offset[offset]
            text = f"neither applied nor a dead letter; must be one: {code}"
            return [Problem("dead_letters", record.topic, record.partition, offset, text)]
    return []


# --- what a load has planted


def compare_planted(
    planted: Iterable[Mapping[str, Any]],
    alerts: Iterable[Record],
    letters: Iterable[Record],
    payment_events: Iterable[Record],
) -> list[Problem]:
    """Check that each planted cause has its effect: one alert a payment, a dead letter, an answer."""
    raised = Counter((alert.fields["tenant_id"], alert.fields["payment_id"]) for alert in alerts)
    dead = {place_of(letter) for letter in letters}
    answers = {
        (said.fields["tenant_id"], said.fields["payment_id"], said.fields["code"])
        for said in payment_events
        if said.fields.get("payment_id") is not None
    }
    found = []
    for item in planted:
        tenant, expected = item["tenant_id"], item["expected"]
        topic, partition, offset = item["records"][-1]
        place = ("planted", topic, partition, offset)
        wanted = [(tenant, payment_id) for payment_id in expected.get("alert") or ()]
        counts = [raised[key] for key in wanted]
        if wanted and (max(counts) > 1 or not any(counts)):
            found.append(Problem(*place, f"{item['name']}: alerts of its payments: {counts}"))
        if expected.get("dead_letter"):
            for lost in (tuple(one) for one in item["records"] if tuple(one) not in dead):
                found.append(Problem("planted", lost[0], lost[1], lost[2], f"{item['name']}: no dead letter"))
        outcome = expected.get("outcome")
        if outcome and (tenant, outcome["payment_id"], outcome["code"]) not in answers:
            found.append(Problem(*place, f"{item['name']}: nobody said {outcome['code']}"))
    return found


def read_planted(manifests: Iterable[Path]) -> list[dict[str, Any]]:
    """Return what the manifests of loads say was planted; a line that a kill cut off is left out."""
    found = []
    for path in manifests:
        for text in path.read_text("utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                break
            if line.get("line") == "planted":
                found.append(line)
    return found


# --- the shell


class Checker:
    """Reads a cluster's topics and holds everything against everything."""

    def __init__(
        self,
        bootstrap: str,
        registry_url: str,
        group: str,
        view_urls: Sequence[str] = (),
        manifests: Sequence[Path] = (),
        window_days: int = 90,
    ) -> None:
        self._where = (bootstrap, registry_url, group)
        self._group = group
        self._view_urls = view_urls
        self._manifests = manifests
        self._window_days = window_days
        self._reached: dict[tuple[str, int], int] = {}

    def check(self, quiet: bool) -> list[Problem]:
        """Return what is wrong; with `quiet` nothing may be under way, and nothing may be missing."""
        reader = LogReader(*self._where)
        try:
            before = reader.committed(SOURCES)
            changelog = f"{self._group}-ledger-changelog"
            seen = {name: reader.read(name) for name in (*OUTPUTS, *UNMODELLED, changelog, *LOGS)}
            after = reader.committed(SOURCES)
            inputs = {name: reader.read(name) for name in INPUTS}
            for name in LOGS:
                starts = {number: part.end for number, part in seen[name].items()}
                newer = reader.read(name, starts)
                inputs[name] = {
                    number: newer[number]._replace(records=[*part.records, *newer[number].records])
                    for number, part in seen[name].items()
                }
        finally:
            reader.close()
        back = [
            Problem("offsets", *place, offset, f"the group has gone back from {self._reached[place]}")
            for place, offset in after.items()
            if offset < self._reached.get(place, 0)
        ]
        self._reached = after
        return back + Comparison(seen, inputs, before, after, quiet, changelog).run(
            self._window_days, read_planted(self._manifests) if quiet else (), self._view_urls
        )


@dataclass
class Comparison:
    """Everything that was read, by topic and partition, and the comparisons made of it."""

    seen: dict[str, dict[int, Slice]]
    inputs: dict[str, dict[int, Slice]]
    before: dict[tuple[str, int], int]
    after: dict[tuple[str, int], int]
    quiet: bool
    changelog: str
    problems: list[Problem] = field(default_factory=list)

    def run(
        self, window_days: int, planted: Iterable[Mapping[str, Any]], view_urls: Sequence[str]
    ) -> list[Problem]:
        self._leftovers()
        partitions = len(self.inputs[COMMANDS])
        branches = [self._branch(number, partitions, window_days) for number in range(partitions)]
        self._legs([out for out, _ in branches], partitions)
        for number in range(partitions):
            nostro = [wanted for wanted in branches[number][0] if wanted.topic == ITEMS]
            self._forwarding(number, partitions, nostro)
        self._prices(partitions)
        self._strays()
        for name, log in UNMODELLED.items():
            for number, part in self.seen[name].items():
                records = self._source(log, number)
                self.problems += compare_causes((name, number), part.records, records)
        if self.quiet:
            self.problems += clearing_not_zero(fold for _, fold in branches)
            latest = {
                wanted.key: wanted.fields for out, _ in branches for wanted in out if wanted.topic == BALANCES
            }
            self._planted(planted)
            for url in view_urls:
                self.problems += compare_view(url, read_view(url, latest), latest)
        return self.problems

    def _leftovers(self) -> None:
        """When it is quiet, every record must have been read, and no transaction may be open."""
        if not self.quiet:
            return
        for name, parts in {**self.seen, **self.inputs}.items():
            for number, part in parts.items():
                if not part.whole:
                    self._add("open", name, number, part.end, "an open transaction hides what comes now")
        for (name, number), offset in self.after.items():
            left = [record for record in self.inputs[name][number].records if record.offset >= offset]
            if left:
                self._add("input", name, number, left[0].offset, f"{len(left)} records were never read")

    def _add(self, check: str, topic: str, number: int, offset: int, text: str) -> None:
        self.problems.append(Problem(check, topic, number, offset, text))

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

    def _dead(self, name: str, number: int, predicted: Mapping[int, str], *, all_known: bool = True) -> None:
        letters = [
            letter
            for letter in self.seen[DEAD_LETTERS][number].records
            if (place_of(letter) or ("", -1, 0))[:2] == (name, number)
        ]
        least = self._least(name, number, DEAD_LETTERS, number)
        self.problems += compare_dead_letters(
            letters, self._source(name, number), predicted, least, all_known=all_known
        )

    def _strays(self) -> None:
        """Find dead letters that name no record of a stream's log on their own partition."""
        for number, part in self.seen[DEAD_LETTERS].items():
            for letter in part.records:
                named = place_of(letter)
                if named is None or named[0] not in SOURCES or named[1] != number:
                    self._add("dead_letters", DEAD_LETTERS, number, letter.offset, f"names {named}")

    def _branch(self, number: int, partitions: int, window_days: int) -> tuple[list[Expected], Fold]:
        """Replay one partition of the ledger's log, compare all that came of it; return it and the fold."""
        model = Branch(number, partitions, window_days)
        dead: dict[int, str] = {}
        out: list[Expected] = []
        for record in self._source(COMMANDS, number):
            code, said = model.apply(record)
            if code is not None:
                dead[record.offset] = code
            out += said
        self._dead(COMMANDS, number, dead)
        source = (COMMANDS, number)
        for topic in (POSTINGS, PAYMENT_EVENTS):
            actual = self.seen[topic][number].records
            expected = [wanted for wanted in out if wanted.topic == topic]
            self._sequence("model", source, (topic, number), actual, expected)
            self.problems += duplicated_ids((topic, number), actual, expected)
        for check, topic, state in (("balances", BALANCES, "fields"), ("table", TABLE, "value")):
            versions = versions_of(wanted for wanted in out if wanted.topic == topic)
            self._compacted(check, number, self.changelog if topic == TABLE else topic, versions, state)
        fold, problems = fold_journal(self.seen[POSTINGS][number].records)
        self.problems += problems
        if self.quiet:
            rows = {
                record.key or b"": (record.value or b"", record.offset)
                for record in self.seen[self.changelog][number].records
            }
            self.problems += compare_fold((self.changelog, number), rows, fold)
        return out, fold

    def _compacted(
        self, check: str, number: int, topic: str, versions: Mapping[bytes, list[Expected]], state: str
    ) -> None:
        """Compare the balances, or the table's changelog, with the states that the model goes through."""
        least = self._least(COMMANDS, number, topic, number)
        needed = {key: sum(one.source < least for one in known) for key, known in versions.items()}
        states = {key: [getattr(one, state) for one in known] for key, known in versions.items()}
        actual = [(r.key or b"", getattr(r, state), r.offset) for r in self.seen[topic][number].records]
        self.problems += compare_versions(check, (topic, number), actual, states, needed)

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
                if record.event == "LegRequested":
                    arrived[record.fields["origin_branch"], target].append(record)
                elif record.event in LEGS:
                    by = f"{record.fields['tenant_id']}/{record.fields['creditor_account_id']}"
                    arrived[home_of(by, partitions), target].append(record)
                elif record.event not in (*ACCOUNT_EVENTS, *DECISIONS):
                    self._add("commands", COMMANDS, target, record.offset, "a record that no stream writes")
        for origin, target in sorted(sent.keys() | arrived.keys()):
            pair = (origin, target)
            if not 0 <= origin < partitions:
                self._add("legs", COMMANDS, target, arrived[pair][0].offset, f"a leg of branch {origin}")
                continue
            self._sequence("legs", (COMMANDS, origin), (COMMANDS, target), arrived[pair], sent[pair])

    def _forwarding(self, number: int, partitions: int, nostro: Sequence[Expected]) -> None:
        """Compare what intake and fraud passed on, their dead letters, and the alerts."""
        for name in ("accounts", "payments", "statements", "trades"):
            dead, passed, causes = predict_forwarding(self._source(name, number), partitions)
            self._dead(name, number, dead)
            target, events = FORWARDED.get(name, (COMMANDS, DECISIONS))
            actual = [record for record in self.seen[target][number].records if record.event in events]
            self._sequence(f"passed on from {name}", (name, number), (target, number), actual, passed)
            if name == "payments":
                decisions = [one for one in self.inputs[COMMANDS][number].records if one.event in events]
                alerts = predict_alerts(causes, decisions)
                least = self._least(name, number, ALERTS, number)
                needed = sum(wanted.source < least for wanted in alerts)
                raised = self.seen[ALERTS][number].records
                if not (self.quiet or self.inputs[COMMANDS][number].whole):
                    raised = raised[: len(alerts)]  # an open transaction hides the decisions on the others
                self.problems += compare_alerts((ALERTS, number), raised, alerts, needed)
        actual = [record for record in self.seen[ITEMS][number].records if record.event == "PostingRecorded"]
        self._sequence("nostro", (COMMANDS, number), (ITEMS, number), actual, nostro)
        for name in (ITEMS, POSITION_COMMANDS):  # no model of these streams: only what no stream may apply
            records = self._source(name, number)
            codes = {record.offset: misplaced(record, partitions) for record in records}
            dead = {offset: code for offset, code in codes.items() if code is not None}
            self._dead(name, number, dead, all_known=False)

    def _prices(self, partitions: int) -> None:
        """Compare the prices on every partition of their log with those that came in, each key in order."""
        quoted: dict[bytes, dict[int, list[Expected]]] = defaultdict(lambda: defaultdict(list))
        for number in range(partitions):
            dead, passed, _ = predict_forwarding(self._source("prices", number), partitions)
            self._dead("prices", number, dead)
            for wanted in passed:
                quoted[wanted.key][number].append(wanted._replace(topic=POSITION_COMMANDS))
        for target in range(partitions):
            arrived: dict[bytes, list[Record]] = defaultdict(list)
            for record in self.seen[POSITION_COMMANDS][target].records:
                if record.event == "PriceQuoted":
                    arrived[record.key or b""].append(record)
            for key in sorted(arrived.keys() | quoted.keys()):
                origins = quoted.get(key, {0: []})
                if len(origins) > 1:
                    continue  # one instrument from several partitions has no order of its own
                ((origin, expected),) = origins.items()
                place = (POSITION_COMMANDS, target)
                self._sequence("prices", ("prices", origin), place, arrived[key], expected)

    def _planted(self, planted: Iterable[Mapping[str, Any]]) -> None:
        def everything(topic: str) -> list[Record]:
            return [record for part in self.seen[topic].values() for record in part.records]

        self.problems += compare_planted(
            planted, everything(ALERTS), everything(DEAD_LETTERS), everything(PAYMENT_EVENTS)
        )


def read_view(url: str, latest: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return all rows of a worker's /balances, tenant by tenant and page by page."""
    rows: list[dict[str, Any]] = []
    for tenant in sorted({key.decode().partition("/")[0] for key in latest}):
        query = urllib.parse.urlencode({"tenant": tenant, "limit": 1000})
        page: str | None = f"{url.rstrip('/')}/balances?{query}"
        while page is not None:
            request = urllib.request.Request(page, headers={"Accept": "application/json"})
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                body = json.load(answer)
            rows += body["data"]
            page = None if body["next"] is None else urllib.parse.urljoin(page, body["next"])
    return rows
