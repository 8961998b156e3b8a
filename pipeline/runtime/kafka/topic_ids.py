"""Kafka's ids of topics: one that was deleted and made anew has another one."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.topics import REQUEST_TIMEOUT_S


def topic_ids(admin: AdminClient, topics: Iterable[str]) -> dict[str, str]:
    """Return the ids of topics. Raises KafkaException, also where there is no such topic."""
    wanted = set(topics)
    found = ids_of_those_there(admin, wanted, REQUEST_TIMEOUT_S)
    if missing := sorted(wanted - found.keys()):
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic {missing[0]}"))
    return found


def ids_of_those_there(admin: AdminClient, topics: Iterable[str], within_s: float) -> dict[str, str]:
    """Return the ids of those topics that there are. Raises KafkaException where Kafka does not say."""
    wanted = sorted(set(topics))
    if not wanted:
        return {}
    asked: dict[str, Future[Any]] = admin.describe_topics(TopicCollection(wanted), request_timeout=within_s)
    ids: dict[str, str] = {}
    for name, future in asked.items():
        try:
            ids[name] = str(answered(future, within_s).topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return ids
