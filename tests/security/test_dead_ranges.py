"""A range of offsets that nobody reads: one dead letter, exact offsets, and judges that know it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.kafka.fetched import DeadBatch, PartitionBatch
from pipeline.verify.dead import DeadLetters
from pipeline.verify.findings import Problem
from pipeline.verify.model.record import Record
from tests.ledger.branches import opened
from tests.runtime.task_bench import Bench, own_accounts
from tests.runtime.test_task_beside import TwoStreams

A, B = own_accounts(2)
HEADER = "__ledgerflow.errors."


def dead_at(first: int, last: int, code: str = "batch_too_large") -> DeadBatch:
    return DeadBatch(first, last, 1_700_000_000_000, code, "why", "zstd", 122_000, "ab" * 32, 7)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    built = Bench(tmp_path)
    yield built
    assert built.store is not None
    built.store.close()


def letters(bench: Bench) -> list[dict[str, str]]:
    """Return the headers of all dead letters without their prefix; none may have a key or a value."""
    found = []
    for outputs, _ in bench.producer.commits:
        for key, value, headers, _ in outputs.get((DEAD_LETTERS, 0), ()):
            assert key is None and value is None
            found.append({name.removeprefix(HEADER): text.decode() for name, text in headers})
    return found


async def test_a_dead_batch_is_one_letter_behind_the_records_before_it(bench: Bench) -> None:
    first = bench.of(opened("e1", A))
    await bench.task.accept(PartitionBatch([first], None, 50, dead_at(1, 49)))
    await bench.settled()
    assert bench.task.committed == 50 and bench.task.at_rest
    (letter,) = letters(bench)
    wanted = {
        "class": "Batch", "code": "batch_too_large", "message": "why", "stage": "counting",
        "topic": "accounts", "partition": "0", "offset": "1", "last-offset": "49", "codec": "zstd",
        "left-out": "122000", "sha256": "ab" * 32, "producer-id": "7",
    }  # fmt: skip
    assert wanted.items() <= letter.items()
    assert len(bench.rules.arrivals) == 1 and bench.task.dead_letters == 1


async def test_the_next_batch_must_start_behind_it(bench: Bench) -> None:
    await bench.task.accept(PartitionBatch([], None, 50, dead_at(0, 49)))
    with pytest.raises(RuntimeError, match="a batch starts at 49, expected 50"):
        await bench.task.accept(PartitionBatch([bench.of(opened("e", A))], 49, 51))
    bench.offset = 50
    await bench.task.accept(PartitionBatch([bench.of(opened("e", A))], 50, 51))
    await bench.settled()
    assert bench.task.committed == 51 and len(letters(bench)) == 1


async def test_a_stream_that_is_new_to_a_log_buries_nothing_that_is_buried(tmp_path: Path) -> None:
    bench = TwoStreams(tmp_path, starts=(30, 0))
    try:
        await bench.task.accept(PartitionBatch([], None, 20, dead_at(0, 19)))
        await bench.task.accept(PartitionBatch([], 20, 40, dead_at(20, 39)))
        await bench.settled()
        assert [(one["offset"], one["last-offset"]) for one in letters(bench)] == [("30", "39")]
    finally:
        bench.close()


# --- the judge


class Said:
    """Where the judge says what it finds."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def count(self, check: str, things: int = 1) -> None:
        """What was looked at is not counted."""

    def wrong(self, problem: Problem) -> None:
        """Keep a problem."""
        self.texts.append(problem.text)


def record_at(
    topic: str, offset: int, headers: Any = None, event: str | None = None, fields: Any = None
) -> Record:
    return Record(topic, 0, offset, 0, b"k", b"v", headers or {}, event, fields or {}, None)


def letter(first: int, last: int, code: str, at: int = 0) -> Record:
    about = {"topic": "payments", "partition": 0, "offset": first, "last-offset": last, "code": code}
    return record_at(
        "dead-letters", at, {HEADER + name: str(value).encode() for name, value in about.items()}
    )


def judged(*letters: Record, unread: Any = (), actions: Any = (), code: str | None = None) -> list[str]:
    """Return what the judge says where the model gives `code` for each of the records 3 to 5."""
    said = Said()
    dead = DeadLetters(said)
    dead.add(letters)
    dead.ranges.decide(actions)
    for one in unread:
        dead.ranges.pass_over(*one)
    for offset in range(3, 6):
        dead.judge(record_at("payments", offset), code)
    dead.finish(["payments"])
    return said.texts


UNREAD = ("payments", 0, 3, 5, "batch_too_large")


def quarantine(first: int, end: int) -> dict[str, Any]:
    about = {"topic": "payments", "partition": 0, "first_offset": first, "end_offset": end}
    return {**about, "action": "QUARANTINED"}


def test_a_letter_of_what_nobody_could_read_is_right_and_its_offsets_are_dead() -> None:
    assert judged(letter(3, 5, "batch_too_large"), unread=[UNREAD]) == []
    dead = DeadLetters(Said())
    dead.add([letter(3, 5, "batch_too_large")])
    assert [("payments", 0, offset) in dead for offset in range(2, 7)] == [False, True, True, True, False]


def test_what_could_not_be_read_and_has_no_letter_is_a_problem() -> None:
    (text,) = judged(unread=[UNREAD])
    assert "3 to 5 cannot be read, and are no dead letter" in text


def test_a_letter_of_what_can_be_read_is_a_problem() -> None:
    (text,) = judged(letter(3, 5, "batch_too_large"))
    assert "that can be read" in text
    (text,) = judged(letter(3, 5, "batch_unreadable"), unread=[UNREAD])
    assert "it is batch_too_large" in text


def test_quarantined_records_need_a_decision() -> None:
    assert judged(letter(3, 5, "quarantined"), actions=[quarantine(2, 6)]) == []
    for actions in ([], [quarantine(3, 5)], [quarantine(4, 6)]):
        (text,) = judged(letter(3, 5, "quarantined"), actions=actions)
        assert "nobody has quarantined that" in text


def test_two_letters_of_one_offset_are_a_problem() -> None:
    texts = judged(letter(3, 4, "quarantined"), letter(4, 5, "quarantined", at=1), actions=[quarantine(0, 9)])
    assert any("names no range" in text for text in texts)


def test_a_batch_of_an_output_that_cannot_be_read_is_a_problem() -> None:
    (text,) = judged(unread=[("postings", 0, 1, 2, "batch_unreadable")])
    assert text.startswith("postings[0]: offsets 1 to 2 cannot be read")
