"""A load and a broker that gives no answer for a while."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaException

from pipeline.loadgen import patience
from pipeline.loadgen.patience import STALLED_S, Acknowledgements, patiently


def test_what_kafka_answers_at_last_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "AGAIN_AFTER_S", 0.0)
    answers = iter([KafkaException("silent"), KafkaException("silent"), 7])

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, KafkaException):
            raise answer
        return answer

    assert patiently(ask, threading.Event()) == 7


def test_patience_ends_with_a_stop() -> None:
    stop = threading.Event()
    stop.set()

    def ask() -> int:
        raise KafkaException("silent")

    with pytest.raises(KafkaException):
        patiently(ask, stop)


class Producer:
    """A producer whose records are acknowledged after some seconds of a clock of its own."""

    def __init__(self) -> None:
        self.now, self.left, self.silent_until = 0.0, 0, 0.0
        self.heard: Acknowledgements | None = None

    def __len__(self) -> int:
        return self.left

    def poll(self, seconds: float) -> None:
        """Let time pass, and acknowledge."""
        self.now += seconds
        if self.now >= self.silent_until and self.left and self.heard is not None:
            self.left -= 1
            self.heard.heard()


def test_a_load_waits_while_kafka_acknowledges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer()
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: producer.now))
    acknowledgements = producer.heard = Acknowledgements(producer, threading.Event())
    assert acknowledgements.wait() == 0.0
    producer.left, producer.silent_until = 5, 60.0
    assert acknowledgements.wait() == 0.0  # it has only just been produced
    producer.now = STALLED_S + 0.1
    assert acknowledgements.wait() == pytest.approx(60.0 - STALLED_S - 0.1, abs=0.2)
    assert acknowledgements.wait() == 0.0
