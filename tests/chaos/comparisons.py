"""Comparisons of what is there with what must be there: pure functions from records to problems.

Each returns the first difference of its kind only, because what follows it is its consequence.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.log_reader import Record
from tests.chaos.wire import Expected

ERROR = "__ledgerflow.errors."

Place = tuple[str, int, int]


class Problem(NamedTuple):
    """What is wrong, and the first record where it shows; the offset is -1 where there is none."""

    check: str
    topic: str
    partition: int
    offset: int
    text: str
    timestamp_ms: int = 0
    """Kafka's time of that record; 0 where there is none."""

    def __str__(self) -> str:
        return f"{self.check}: {self.topic}[{self.partition}]@{self.offset}: {self.text}"


def wrong(check: str, record: Record, text: str) -> Problem:
    """Return the problem that a record shows."""
    return Problem(check, record.topic, record.partition, record.offset, text, record.timestamp_ms)


def first_of(problems: Iterable[Problem]) -> Problem | None:
    """Return the problem of the earliest record, by Kafka's time; if none names a record, the first one."""
    return min(problems, key=lambda found: found.timestamp_ms or math.inf, default=None)


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
    """Compare outputs with what must come out, in order; `at_least` of them must be there (None: all)."""
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
        return [wrong(check, record, text)]
    if len(actual) > len(expected):
        extra = actual[len(expected)]
        known = any(extra.value == record.value for record in actual[: len(expected)])
        text = "duplicate of an earlier record" if known else f"{extra.event} that nothing has caused"
        return [wrong(check, extra, text)]
    least = len(expected) if at_least is None else at_least
    if len(actual) < least:
        lost = expected[len(actual)]
        end = actual[-1].offset + 1 if actual else 0
        text = f"lost tail: {least - len(actual)} records, first {lost.event} of {lost.key.decode()}"
        return [Problem(check, *place, end, f"{text}, caused by offset {lost.source}")]
    return []


def duplicated_ids(actual: Iterable[Record], expected: Iterable[Expected]) -> list[Problem]:
    """Find the first event id that stands more often than its causes do.

    An upstream may send one event id twice; the answers to both then have one id, and that is no duplicate.
    """
    allowed = Counter(wanted.fields.get("event_id") for wanted in expected)
    for record in actual:
        event_id = record.fields.get("event_id")
        allowed[event_id] -= 1
        if event_id is not None and allowed[event_id] < 0:
            text = f"event id {event_id} once more than it was caused"
            return [wrong("duplicates", record, text)]
    return []


def versions_of(states: Iterable[Expected]) -> dict[bytes, list[Expected]]:
    """Return the states that each account, position or row goes through, by key."""
    found: dict[bytes, list[Expected]] = defaultdict(list)
    for version in states:
        found[version.key].append(version)
    return found


def compare_versions(
    check: str,
    place: tuple[str, int],
    actual: Iterable[Record],
    versions: Mapping[bytes, Sequence[Expected]],
    state: str,
    least: int,
) -> list[Problem]:
    """Compare a compacted topic with the states (`fields` or `value`) that each key goes through.

    Compaction and group commit may leave states out, but not the last one of a key that is caused before
    the source offset `least`, and not their order. Of a row that came and went there may be nothing at all.
    """
    states = {key: [getattr(one, state) for one in known] for key, known in versions.items()}
    reached: dict[bytes, int] = defaultdict(int)
    last: dict[bytes, Record] = {}
    for record in actual:
        key, now = record.key or b"", getattr(record, state)
        known = states.get(key, [])
        while reached[key] < len(known) and known[reached[key]] != now:
            reached[key] += 1
        if reached[key] == len(known):
            return [wrong(check, record, f"a state of {key!r} that it never had, twice, or out of order")]
        reached[key] += 1
        last[key] = record
    for key, caused in versions.items():
        needed = sum(one.source < least for one in caused)
        if needed and key not in last and None not in states[key][needed - 1 :]:
            return [Problem(check, *place, -1, f"nothing of {key!r}, caused by offset {caused[0].source}")]
        if needed and key in last and getattr(last[key], state) not in states[key][needed - 1 :]:
            return [wrong(check, last[key], f"the last state of {key!r} is an old one")]
    return []


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
) -> list[Problem]:
    """Compare the dead letters of one source partition with those that must be there, both ways.

    `least`: letters of earlier offsets must be there (None: all); no others may be.
    """
    by_offset = {record.offset: record for record in source}
    met: set[int] = set()
    newest = -1
    for letter in letters:
        named = place_of(letter)
        record = by_offset.get(named[2]) if named else None
        if named is None or record is None:
            return [wrong("dead_letters", letter, f"names {named}, which is no committed record")]
        if record.offset in met:
            return [wrong("dead_letters", letter, f"second dead letter of {named}")]
        if record.offset < newest:
            return [wrong("dead_letters", letter, f"{named} comes after a later record's")]
        if (letter.key, letter.value) != (record.key, record.value):
            return [wrong("dead_letters", letter, f"other bytes than {named}")]
        code = letter.headers.get(ERROR + "code", b"").decode(errors="replace")
        if predicted.get(record.offset) != code:
            wanted = predicted.get(record.offset, "no dead letter")
            return [wrong("dead_letters", letter, f"{named} has code {code}, must have: {wanted}")]
        met.add(record.offset)
        newest = record.offset
    for offset, code in sorted(predicted.items()):
        if offset not in met and (least is None or offset < least):
            record = by_offset[offset]
            text = f"neither applied nor a dead letter; must be one: {code}"
            return [wrong("dead_letters", record, text)]
    return []
