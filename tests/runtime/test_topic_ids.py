"""Ids of topics: a watch leaves out what is gone, everybody else must have all of them."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.runtime.kafka.topic_ids import ids_of_those_there, topic_ids


class Admin:
    """Has one topic, and answers for every other one with an error."""

    def __init__(self, code: int = KafkaError.UNKNOWN_TOPIC_OR_PART) -> None:
        self._code = code

    def describe_topics(self, topics: Any, request_timeout: float) -> dict[str, Future[Any]]:
        answers = {name: Future[Any]() for name in ("gone", "there")}
        answers["gone"].set_exception(KafkaException(KafkaError(self._code)))
        answers["there"].set_result(SimpleNamespace(topic_id="id-1"))
        return answers


def test_a_topic_that_is_gone_is_left_out_or_an_error() -> None:
    admin: Any = Admin()
    assert ids_of_those_there(admin, ["there", "gone"], 1.0) == {"there": "id-1"}
    with pytest.raises(KafkaException, match="there is no topic gone"):
        topic_ids(admin, ["there", "gone"])


def test_without_an_answer_nothing_is_said_to_be_gone() -> None:
    admin: Any = Admin(KafkaError._TIMED_OUT)
    with pytest.raises(KafkaException):
        ids_of_those_there(admin, ["there", "gone"], 1.0)


def test_nobody_is_asked_for_nothing() -> None:
    admin: Any = None
    assert topic_ids(admin, []) == ids_of_those_there(admin, [], 1.0) == {}
