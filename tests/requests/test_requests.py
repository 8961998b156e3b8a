"""Requests: one is the first of its id; others repeat it, or are in conflict with it, however late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.requests.rows import request_key, unpack_request
from pipeline.domain.requests.stream import Requests
from pipeline.domain.requests.views import REQUESTS
from pipeline.verify.model.requests import RequestBranch
from tests.examples import examples
from tests.requests.drawn import START, claim, logs, sent
from tests.requests.side_by_side import first_difference

FAR = Arrival(START * 2, 0, 1)


class Desk:
    """A partition of the stream."""

    def __init__(self, windows: Windows | None = None) -> None:
        self.rows = MemoryRows()
        self.rules = Requests() if windows is None else Requests(windows)

    def apply(self, event: Any) -> ev.RequestAnswered | None:
        """Apply an event and return what is answered."""
        out = Outbox()
        self.rules.apply(event, FAR, self.rows, out)
        assert len(out.items) <= 1
        return out.items[0][2] if out.items else None

    def answer(self, event: Any) -> str:
        """Return the answer to a claim."""
        answered = self.apply(event)
        assert answered is not None
        return answered.answer


def test_the_first_is_accepted_the_same_again_repeats_it_and_another_content_is_a_conflict() -> None:
    desk = Desk()
    assert desk.answer(claim(1)) == "ACCEPTED"
    assert desk.answer(claim(2)) == "REPEATED"
    conflict = desk.apply(claim(3, content="b", day=1))
    assert conflict is not None
    assert (conflict.answer, conflict.content_hash, conflict.causation_id) == (
        "CONFLICT",
        "a" * 64,
        "claim-3",
    )
    assert conflict.claimed_at == START and conflict.actor == claim(3).actor
    assert desk.answer(claim(4)) == "REPEATED", "a conflict changes nothing"


def test_ids_are_each_tenants_own() -> None:
    desk = Desk()
    assert desk.answer(claim(1)) == "ACCEPTED"
    assert desk.answer(claim(2, content="b", tenant_id="acme")) == "ACCEPTED"


def test_a_repeat_is_told_whether_the_commands_are_in_the_log() -> None:
    desk = Desk()
    desk.apply(claim(1))
    before = desk.apply(claim(2))
    assert desk.apply(sent(3)) is None
    after = desk.apply(claim(4))
    assert before is not None and after is not None
    assert (before.sent, after.sent) == (False, True)


def test_what_was_never_claimed_so_was_never_sent() -> None:
    desk = Desk()
    desk.apply(claim(1))
    for event in (sent(2, request="r-2"), sent(3, content="b")):
        with pytest.raises(Reject, match="request_not_found"):
            desk.apply(event)
    assert unpack_request(desk.rows.get(request_key("north", "r-1")) or b"").sent is False


def test_a_request_is_known_for_the_window_and_a_day_more() -> None:
    desk = Desk(Windows(10, 20))
    desk.apply(claim(1))
    assert desk.answer(claim(2, "r-2", day=11)) == "ACCEPTED"
    assert desk.answer(claim(3, day=11)) == "REPEATED"
    assert desk.answer(claim(4, content="b", day=11.5)) == "ACCEPTED", "it is new again"
    with pytest.raises(Reject, match="too_old"):
        desk.apply(claim(5, "r-3", day=1))


def test_requests_that_are_over_are_deleted() -> None:
    desk = Desk(Windows(10, 20))
    for number in range(200):
        desk.apply(claim(number, f"r-{number}", day=number))
    kept = [key for key, _ in desk.rows.scan(b"r\0")]
    assert len(kept) < 80


def test_a_clock_that_is_ahead_moves_no_time_of_a_tenant() -> None:
    desk, at = Desk(), Arrival(START, 0, 1)
    desk.rules.apply(claim(1, day=1_000), at, desk.rows, Outbox())
    assert desk.answer(claim(2, "r-2", day=1)) == "ACCEPTED"


def test_the_view_shows_what_was_asked_for() -> None:
    desk = Desk()
    desk.apply(claim(1))
    row = desk.rows.get(request_key("north", "r-1"))
    assert row is not None
    shown = REQUESTS.show(None, ("north", "r-1"), row)  # type: ignore[arg-type]
    assert shown is not None and tuple(shown) == REQUESTS.columns
    assert shown["state"] == "claimed" and shown["claimed_at"] == "2023-11-14T22:13:20Z"
    assert shown["commands"][0]["event_id"] == "e-1"


@examples(60)
@given(logs())
def test_rules_and_model_say_the_same_and_write_the_same_rows(events: list[Any]) -> None:
    assert first_difference(RequestBranch(0, 1), Requests(), events) is None


class _Greedy(Requests):
    """Whoever comes is the first."""

    def _known(self, row: bytes | None, now: int) -> None:
        return None


class _Forgetful(Requests):
    """A request is known for as long as one may come again, and no day more."""

    def __init__(self) -> None:
        super().__init__()
        self.keep_us = self._window_us


@pytest.mark.parametrize("wrong", [_Greedy, _Forgetful])
def test_wrong_rules_are_found(wrong: type[Requests]) -> None:
    days = [0.0, *(90.5 for _ in range(2)), 91, 92]
    log = [claim(number, f"r-{number % 2}", "ab"[number % 3 == 2], day) for number, day in enumerate(days)]
    assert first_difference(RequestBranch(0, 1), Requests(), log) is None
    assert first_difference(RequestBranch(0, 1), wrong(), log) is not None
