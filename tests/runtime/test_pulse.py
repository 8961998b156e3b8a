"""Whether Kafka answers: said when it stops, said when it is back, and how long it was silent."""

from __future__ import annotations

from os import utime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.runtime.kafka import pulse, silence_file
from pipeline.runtime.kafka.pulse import ALERT_FROM_S, ANSWERS_MIN, STOOD_S, Pulse, worker_pulse
from pipeline.runtime.kafka.silence_file import SilenceFile
from pipeline.runtime.problems import Problems


class Heart:
    """A pulse on a clock of its own: each question takes some seconds and has an answer or none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
        self.now = 1_000.0
        self.takes = 0.0
        self.answers = True
        self.problems = Problems()
        self.reported: list[Any] = []
        clock = SimpleNamespace(monotonic=lambda: self.now, time=lambda: self.now)
        monkeypatch.setattr(pulse, "time", clock)
        monkeypatch.setattr(silence_file.os, "utime", lambda path: utime(path, (self.now, self.now)))
        self.written: list[Any] = []
        faults: Any = SimpleNamespace(report=self._report)
        self.file = file
        self.pulse: Pulse = worker_pulse(self._ask, "127.0.0.1:1", self.problems, faults, SilenceFile(file))

    def _report(self, fault: Any, then: Any) -> None:
        self.reported.append(fault)
        self.written.append(then)

    def _ask(self) -> bool:
        self.now += self.takes
        return self.answers

    def beat(self, answers: bool, takes: float = 0.0, times: int = 1) -> None:
        """Ask so often, half a second apart."""
        self.answers, self.takes = answers, takes
        for _ in range(times):
            self.pulse.beat()
            self.now += 0.5


@pytest.fixture
def heart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Heart:
    return Heart(monkeypatch, tmp_path / "silent")


def test_silence_is_a_problem_from_the_first_question_without_an_answer(heart: Heart) -> None:
    heart.beat(True, times=3)
    assert not heart.problems.any
    heart.beat(False, takes=1.5)
    (problem,) = heart.problems.now()
    assert (problem.name, problem.subject) == ("broker_silent", "Kafka")
    assert problem.detail == "Kafka at 127.0.0.1:1 does not answer since 00:16:41Z"


def test_a_long_silence_is_an_alert_once_it_is_over_with_how_long_it_was(heart: Heart) -> None:
    heart.beat(True)
    heart.beat(False, takes=1.5, times=10)
    assert heart.reported == []
    heart.beat(True)
    assert heart.problems.any  # one answer is not the end
    heart.beat(True, times=ANSWERS_MIN)
    assert not heart.problems.any
    (fault,) = heart.reported
    assert (fault.code, fault.subject) == ("broker_silent", "Kafka")
    assert fault.found == "Kafka at 127.0.0.1:1 did not answer for 20.5 s from 00:16:40Z"


def test_a_short_silence_is_no_alert(heart: Heart) -> None:
    heart.beat(True)
    heart.beat(False, takes=ALERT_FROM_S / 3)
    heart.beat(True, times=ANSWERS_MIN)
    assert (heart.reported, heart.problems.any, heart.file.exists()) == ([], False, False)


def test_a_silence_in_which_the_worker_ended_is_an_alert_of_the_next(
    heart: Heart, monkeypatch: pytest.MonkeyPatch
) -> None:
    heart.beat(True)
    heart.beat(False, takes=1.5, times=10)
    assert heart.reported == []
    again = Heart(monkeypatch, heart.file)
    (fault,) = again.reported
    assert fault.found == (
        "Kafka at 127.0.0.1:1 did not answer for 20.0 s from 00:16:40Z or longer: a worker ended meanwhile"
    )
    assert again.file.exists()  # until the alert is written
    again.written[0](True)
    assert Heart(monkeypatch, heart.file).reported == []


def test_a_silence_is_kept_until_its_alert_is_written(heart: Heart, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an alert that is given up, nor a short silence or another alert meanwhile, forgets it."""
    heart.beat(True)
    heart.beat(False, takes=1.5, times=10)
    heart.beat(True, times=ANSWERS_MIN)
    heart.beat(False, takes=ALERT_FROM_S / 3)
    heart.beat(True, times=ANSWERS_MIN)
    (given_up,) = heart.written
    given_up(False)
    heart.beat(False, takes=1.5, times=10)
    heart.beat(True, times=ANSWERS_MIN)
    heart.written[1](True)
    (fault,) = Heart(monkeypatch, heart.file).reported
    assert "from 00:16:40Z or longer" in fault.found


@pytest.mark.parametrize("content", ["", "yesterday", "nan", "1e300", "-1e300"])
def test_a_file_that_says_nothing_is_no_silence(
    content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "silent").write_text(content)
    assert Heart(monkeypatch, tmp_path / "silent").reported == []


def test_a_process_that_stood_still_itself_does_not_say_it_was_kafka(heart: Heart) -> None:
    heart.beat(True)
    heart.beat(False, takes=STOOD_S + 20)
    assert not heart.problems.any
    heart.beat(True, times=ANSWERS_MIN)
    assert heart.reported == []
