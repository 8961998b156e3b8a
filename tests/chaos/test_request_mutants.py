"""Rules of requests, broken on purpose: the model finds each by the claims of a town."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.requests.stream import Requests
from pipeline.verify.model.requests import RequestBranch
from tests.chaos.request_town import RequestTown
from tests.requests.side_by_side import first_difference

START = 1_700_000_000_000_000
STEPS = 300


class AnswersRepeatsAsFirst(Requests):
    """A repeat is answered as the first."""

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        super().apply(event, at, rows, _Changed(out, _as_first))


class TakesAnotherBody(Requests):
    """Another content under a known id is answered as a repeat."""

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        super().apply(event, at, rows, _Changed(out, _as_repeat))


class LosesTheFirst(Requests):
    """What is answered names the content that was sent last, not the first one's."""

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        def changed(said: Any) -> Iterator[Any]:
            yield msgspec.structs.replace(said, content_hash=event.content_hash)

        super().apply(event, at, rows, _Changed(out, changed))


class ForgetsEarly(Requests):
    """A request is forgotten a month before its time."""

    def __init__(self) -> None:
        super().__init__()
        self.keep_us -= 30 * MICROSECONDS_PER_DAY


class SaysItTwice(Requests):
    """Results are there twice, as after a crash between the outputs and the offsets."""

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        super().apply(event, at, rows, _Changed(out, lambda said: iter((said, said))))


class _Changed(Outbox):
    """An outbox whose events are changed before they go on."""

    def __init__(self, out: Outbox, change: Any) -> None:
        super().__init__()
        self._out, self._change = out, change

    def emit(self, topic: str, key: str, event: Any) -> None:
        for changed in self._change(event):
            self._out.emit(topic, key, changed)


def _as_first(said: Any) -> Iterator[Any]:
    yield msgspec.structs.replace(said, answer="ACCEPTED") if said.answer == "REPEATED" else said


def _as_repeat(said: Any) -> Iterator[Any]:
    yield msgspec.structs.replace(said, answer="REPEATED") if said.answer == "CONFLICT" else said


def claims() -> list[Any]:
    """Return what two gateways write in a year; some ask again after more than two months."""
    town, found = RequestTown(7, "north"), list[Any]()
    for number in range(STEPS):
        gap = 75 * MICROSECONDS_PER_DAY if number > STEPS // 2 else 0
        found += town.step(START + number * MICROSECONDS_PER_DAY // 24 + gap)
    return found


@pytest.mark.parametrize(
    "mutant", [AnswersRepeatsAsFirst, TakesAnotherBody, LosesTheFirst, ForgetsEarly, SaysItTwice]
)
def test_wrong_rules_of_requests_are_found(mutant: type[Requests]) -> None:
    assert first_difference(RequestBranch(0, 1), mutant(), claims()) is not None


def test_the_rules_as_they_are_differ_in_nothing() -> None:
    assert first_difference(RequestBranch(0, 1), Requests(), claims()) is None
