"""Dead letters as an operator sees them: which there are, what was decided about each, how some are chosen.

    dead-letters + operator-actions -> letters with their state -> those of a place, code, topic, key, time

Values are not kept: what is shown or sent again is read anew. A letter that a later one replaces (its record
was sent again, and failed again) is no letter any more. Its header alone does not make it so, because an
upstream can write that, too: it must be the same record.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from pipeline.cli.problems import BadInput
from pipeline.cli.reach import require_kafka, require_topic
from pipeline.cli.records import TopicReader, TopicRecord, decoder, key_text
from pipeline.domain.kernel.times import EPOCH
from pipeline.runtime.avro.registry import RegistryUnavailable
from pipeline.runtime.kafka.dead_letters import TOPIC
from pipeline.runtime.kafka.topics import OPERATOR_ACTIONS, READ
from pipeline.runtime.settings import Settings

REDRIVEN_HEADER = "ledgerflow.redriven"
"""Header of a redriven record: topic, partition and offset of its dead letter."""
OPEN, REDRIVEN, DISCARDED = "open", "redriven", "discarded"
STATES = (OPEN, REDRIVEN, DISCARDED)
UNKNOWN = "unknown"
"""The state of a letter while the registry does not answer: what was decided cannot be read."""
ACTIONS = {REDRIVEN: "LETTER_REDRIVEN", DISCARDED: "LETTER_DISCARDED"}
_STATE_AFTER = {action: state for state, action in ACTIONS.items()}
KEY_SHOWN_MAX, TEXT_SHOWN_MAX = 200, 500
"""Characters of a key, and of any other text of a letter, that are kept and shown."""
_PLACE = re.compile(r"(\d{1,9})/(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)


class Decision(NamedTuple):
    """What a person decided about letters."""

    state: str
    first_offset: int
    end_offset: int
    operator: str
    reason: str
    at_us: int


class Letter(NamedTuple):
    """A dead letter without its value."""

    partition: int
    offset: int
    timestamp_ms: int
    """Of the record that it was."""
    key: str
    """Escaped and cut."""
    size: int
    """Bytes of key and value."""
    error: dict[str, str]
    """The reason and the origin: the headers without their prefix, cut."""
    digest: bytes
    """Of its topic, key and value."""
    state: str
    """One of STATES, or UNKNOWN."""
    decision: Decision | None

    @property
    def place(self) -> str:
        """Where the letter stands, as options take it: `partition/offset`."""
        return f"{self.partition}/{self.offset}"

    @property
    def has_payload(self) -> bool:
        """Whether the record is in it: one that is too large is not, nor a batch that was not read."""
        return "left-out" not in self.error and "last-offset" not in self.error


class Selection(NamedTuple):
    """Which letters are meant: those that all of these are true of."""

    topic: str | None = None
    code: str | None = None
    key: bytes = b""
    """What their keys begin with."""
    since_ms: int | None = None
    until_ms: int | None = None
    places: tuple[tuple[int, int, int], ...] = ()
    """Partition, first and last offset among the dead letters; empty: all."""
    states: tuple[str, ...] = STATES

    @property
    def names_some(self) -> bool:
        """Whether it leaves any out, by what they are."""
        return self._replace(states=STATES) != Selection()

    def takes(self, record: TopicRecord) -> bool:
        """Return whether it means the letter of a record of the topic, whatever its state."""
        error = record.error
        return (
            self.topic in (None, error.get("topic"))
            and self.code in (None, error.get("code"))
            and (record.key or b"").startswith(self.key)
            and (self.since_ms is None or record.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or record.timestamp_ms < self.until_ms)
            and (
                not self.places
                or any(
                    partition == record.partition and first <= record.offset <= last
                    for partition, first, last in self.places
                )
            )
        )


def selection(
    topic: str | None,
    code: str | None,
    tenant: str | None,
    key: str | None,
    since: str | None,
    until: str | None,
    at: list[str] | None,
    states: tuple[str, ...] = STATES,
) -> Selection:
    """Return the selection that options make. Raises BadInput."""
    if topic is not None and topic not in READ:
        raise BadInput(f"no stream reads a topic {topic!r}: `ledgerflow topics` lists them")
    if tenant is not None and key is not None:
        raise BadInput("--tenant and --key: a key begins with its tenant, so give one of them")
    prefix = f"{tenant}/" if tenant is not None else key or ""
    first, end = (None if time is None else milliseconds(time) for time in (since, until))
    places = tuple(place_of(text) for text in at or ())
    return Selection(topic, code, prefix.encode(errors="surrogateescape"), first, end, places, states)


def place_of(text: str) -> tuple[int, int, int]:
    """Return partition, first and last offset of `partition/offset` or `partition/first-last`.

    Raises BadInput.
    """
    found = _PLACE.fullmatch(text)
    if found is None or int(found[3] or found[2]) < int(found[2]):
        raise BadInput(
            f"{text!r} is no place of a dead letter: write PARTITION/OFFSET or PARTITION/FIRST-LAST"
        )
    return int(found[1]), int(found[2]), int(found[3] or found[2])


def milliseconds(time: str) -> int:
    """Return a time with its zone as milliseconds since 1970, UTC. Raises BadInput."""
    try:
        found = datetime.fromisoformat(time)
        if found.tzinfo is None:
            raise ValueError
        return (found.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)  # in UTC, it is a time, too
    except (ValueError, OverflowError):
        raise BadInput(f"{time!r} is no time with a zone, such as 2026-11-21T15:00:00Z") from None


def read_letters(settings: Settings, chosen: Selection, *, must_know: bool = True) -> list[Letter]:
    """Return the chosen letters, oldest first. Raises Failed, BadInput, KafkaException.

    `must_know`: raise RegistryUnavailable where it cannot be known what was decided. Else that is UNKNOWN.
    """
    admin = require_kafka(settings)
    partitions = require_topic(admin, TOPIC)
    try:
        decided: Mapping[int, list[Decision]] | None = read_decisions(settings, _of_actions(admin))
    except RegistryUnavailable:
        if must_know:
            raise
        decided = None
    found: dict[int, list[Letter]] = {}
    replaced: dict[str, set[bytes]] = {}
    with closing(TopicReader(settings, TOPIC, partitions)) as reader:
        for record in reader.all():
            for name, value in record.headers:
                if name == REDRIVEN_HEADER:
                    replaced.setdefault((value or b"").decode(errors="replace"), set()).add(_digest(record))
            if chosen.takes(record):
                found.setdefault(record.partition, []).append(_letter(record, decided is not None))
    for number, letters in found.items():
        _apply(letters, (decided or {}).get(number, ()))
    kept = [
        letter
        for letters in found.values()
        for letter in letters
        if letter.state in (*chosen.states, UNKNOWN)
        and letter.digest not in replaced.get(f"{TOPIC}[{letter.partition}]@{letter.offset}", ())
    ]
    return sorted(kept, key=lambda letter: (letter.timestamp_ms, letter.partition, letter.offset))


def _of_actions(admin: AdminClient) -> int:
    """Return the partitions of operator-actions; none where no worker of this version has made it yet."""
    try:
        return require_topic(admin, OPERATOR_ACTIONS)
    except BadInput:
        return 0


def _digest(record: TopicRecord) -> bytes:
    """Return what two letters of the same record have in common."""
    digest = hashlib.sha256()
    for part in (record.error.get("topic", "").encode(), record.key or b"", record.value or b""):
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


def _letter(record: TopicRecord, is_known: bool) -> Letter:
    error = {name[:TEXT_SHOWN_MAX]: cut(text, TEXT_SHOWN_MAX) for name, text in record.error.items()}
    size = len(record.key or b"") + len(record.value or b"")
    state = OPEN if is_known else UNKNOWN
    return Letter(
        record.partition, record.offset, record.timestamp_ms, shown_key(record), size, error, _digest(record),
        state, None,
    )  # fmt: skip


def _apply(letters: list[Letter], decided: Iterable[Decision]) -> None:
    """Give the letters of a partition, in their order, what was decided last about each."""
    offsets = [letter.offset for letter in letters]
    for one in decided:
        for place in range(bisect_left(offsets, one.first_offset), bisect_left(offsets, one.end_offset)):
            letters[place] = letters[place]._replace(state=one.state, decision=one)


def shown_key(record: TopicRecord) -> str:
    """Return a record's key, escaped and cut."""
    return cut(key_text(None if record.key is None else record.key[: 4 * KEY_SHOWN_MAX]), KEY_SHOWN_MAX)


def cut(text: str, most: int) -> str:
    """Return the beginning of a text, with a mark where something is left out."""
    return text if len(text) <= most else f"{text[:most]}..."


def read_decisions(settings: Settings, partitions: int) -> dict[int, list[Decision]]:
    """Return what was decided about dead letters, by their partition, oldest first.

    Raises KafkaException, RegistryUnavailable.
    """
    decode = decoder(settings).decode
    found: dict[int, list[Decision]] = {}
    with closing(TopicReader(settings, OPERATOR_ACTIONS, partitions)) as reader:
        for record in reader.all():
            event = decode(record.value)
            if event is None or event.name != "OperatorActed":
                continue
            said = event.fields
            state = _STATE_AFTER.get(said["action"])
            if state is None or said["topic"] != TOPIC:
                continue
            span = said["first_offset"], said["end_offset"]
            who = cut(said["operator"], KEY_SHOWN_MAX), cut(said["reason"], TEXT_SHOWN_MAX)
            found.setdefault(said["partition"], []).append(Decision(state, *span, *who, said["occurred_at"]))
    return found


def spans(letters: Iterable[Letter]) -> Iterator[tuple[int, int, int]]:
    """Yield partition, first offset and end of each run of letters whose offsets follow one another."""
    run: tuple[int, int, int] | None = None
    for partition, offset in sorted({(letter.partition, letter.offset) for letter in letters}):
        if run is not None and run[0] == partition and run[2] == offset:
            run = (partition, run[1], offset + 1)
            continue
        if run is not None:
            yield run
        run = (partition, offset, offset + 1)
    if run is not None:
        yield run
