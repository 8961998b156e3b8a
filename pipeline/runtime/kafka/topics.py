"""The topics as they are kept: how they are created and checked. `schemas/<topic>/topic.toml` declares each.

Per-account topics have the same number of partitions, so that an account's events, commands and rows all have
the same partition number. Logs that the ledger stands on are never compacted and never expire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.log_ends import offsets_of
from pipeline.runtime.reachability import NoAnswer, kafka_admin
from pipeline.runtime.settings import Settings
from schemas.topics import Topic, topics

RECORD_BYTES_MAX = 8 * 2**20
"""Upper bound of a record on any topic but dead letters, whose headers need room on top."""
REQUEST_TIMEOUT_S = 30.0


INVARIANT_ALERTS, CLEARING_TOTALS = "invariant-alerts", "clearing-totals"
OPERATIONAL_ALERTS, OPERATOR_ACTIONS = "operational-alerts", "operator-actions"
ACCESS_LOG = "access-log"


DEAD_LETTERS = Topic(
    "dead-letters", "output", "every stream", "what could not be applied, with its reason in the headers"
)
"""The runtime's own: no stream has it among its outputs, and it has no schema."""
TOPICS: tuple[Topic, ...] = (*topics(), DEAD_LETTERS)
UPSTREAM = frozenset(topic.name for topic in TOPICS if topic.stage == "input")
_EVENT_BYTES_MAX = {
    topic.name: topic.event_kib_max * 2**10 for topic in topics(planned=True) if topic.stage == "input"
}
"""Upper bound of an upstream's event, before compression. The streams say what it holds up to ten times over,
in records that must stay below RECORD_BYTES_MAX."""
READ = tuple(topic.name for topic in TOPICS if topic.read)
"""The topics that streams read."""
COMPACTED = frozenset(topic.name for topic in TOPICS if topic.compacted)
COMMANDED = frozenset(topic.name for topic in TOPICS if topic.sent_by_key)
"""Topics whose records a stream sends to the partition of their key, which may be another than its own."""


DELETIONS_KEPT_MS = 7 * 86_400_000
"""How long a changelog keeps the record that deletes a row. A database that was last written longer ago than
half of that is rebuilt: it may never be told of a row that was deleted since. (Half, because what is left of
the changelog is still to be read.)"""
SOURCE_OFFSETS_SEGMENT_BYTES = 2**20
"""Small, so that it is compacted soon and read fast."""


def bytes_max_of(topic: str) -> int:
    """Return the upper bound of a record's value on a topic, before compression."""
    return _EVENT_BYTES_MAX.get(topic, RECORD_BYTES_MAX)


class TopicsError(RuntimeError):
    """The topics are not as they must be. The text says which and how to put it right."""


class TopicsUnusable(TopicsError):
    """A topic was deleted, or has settings that the streams cannot stand on; a restart alone cannot help."""


def changelog_name(app_id: str, table: str) -> str:
    """Return the name that Faust gives a table's changelog topic."""
    return f"{app_id}-{table}-changelog"


def source_offsets_name(app_id: str) -> str:
    """Return the name of the topic that says how far each log is applied: stream -> next offset, in digits.

    It is written in the same transactions as the outputs, and the offsets in the changelogs must equal it
    (`runtime.source_offsets`). The group's committed offsets are written then, too, but a broker that crashed
    may give older ones back: its group coordinator may take a half-read log for a whole.
    """
    return f"{app_id}-source-offsets"


def new_topics(settings: Settings, tables: Sequence[str], tableless: Sequence[str] = ()) -> list[NewTopic]:
    """Return what is to be created: the catalogue, the changelogs of `tables`, and those of the streams
    without a table (`tableless`), which have source offsets alone."""
    wanted = []
    for topic in TOPICS:
        config = {
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "max.message.bytes": str(RECORD_BYTES_MAX * (2 if topic is DEAD_LETTERS else 1)),
        }
        if topic.broker_time:
            # The streams trust no clock but the broker's: an event is never later than its record.
            config["message.timestamp.type"] = "LogAppendTime"
        if not topic.compacted:
            config["retention.ms"] = config["retention.bytes"] = "-1"
        wanted.append(NewTopic(topic.name, settings.partitions, settings.replication_factor, config=config))
    config = {"cleanup.policy": "compact", "segment.bytes": str(SOURCE_OFFSETS_SEGMENT_BYTES)}
    name = source_offsets_name(settings.app_id)
    wanted.append(NewTopic(name, settings.partitions, settings.replication_factor, config=config))
    for table in (*tables, *tableless):
        config = {
            "cleanup.policy": "compact",
            "delete.retention.ms": str(DELETIONS_KEPT_MS),
            "max.message.bytes": str(RECORD_BYTES_MAX),
        }
        if table in tableless:
            config["segment.bytes"] = str(SOURCE_OFFSETS_SEGMENT_BYTES)
        name = changelog_name(settings.app_id, table)
        wanted.append(NewTopic(name, settings.partitions, settings.replication_factor, config=config))
    return wanted


@contextmanager
def answers_needed(settings: Settings) -> Iterator[None]:
    """Make what Kafka does not answer a TopicsError. Raises TopicsError."""
    try:
        yield
    except NoAnswer as error:
        raise TopicsError(str(error)) from None
    except KafkaException as error:
        raise TopicsError(
            f"Kafka at {settings.bootstrap_servers} does not answer: {error.args[0].str()}"
        ) from None


def create_topics(settings: Settings, tables: Sequence[str], tableless: Sequence[str] = ()) -> list[str]:
    """Create the topics that are missing and check the others; return the names created. As `new_topics`.

    Raises `TopicsError` if a topic exists with another number of partitions: an account would live twice.
    """
    with answers_needed(settings):
        admin = kafka_admin(settings, REQUEST_TIMEOUT_S)
        existing = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    wanted = new_topics(settings, tables, tableless)
    wrong = {
        topic.topic: len(existing[topic.topic].partitions)
        for topic in wanted
        if topic.topic in existing and len(existing[topic.topic].partitions) != settings.partitions
    }
    if wrong:
        raise TopicsUnusable(
            f"topics with another number of partitions than LEDGERFLOW_PARTITIONS={settings.partitions}:"
            f" {wrong}; set it to theirs, because the partitions of an account cannot change"
        )
    missing = [topic for topic in wanted if topic.topic not in existing]
    created = []
    if missing:
        for name, future in admin.create_topics(missing, request_timeout=REQUEST_TIMEOUT_S).items():
            try:
                answered(future, REQUEST_TIMEOUT_S)
                created.append(name)
            except KafkaException as error:
                if error.args[0].name() != "TOPIC_ALREADY_EXISTS":  # another worker was quicker
                    raise TopicsError(f"topic {name} cannot be created: {error.args[0].str()}") from None
    return created


def describe_topics(settings: Settings) -> list[dict[str, object]]:
    """Return name, partitions, offsets in use and purpose of every topic of the catalogue."""
    consumer = Consumer({**settings.librdkafka(), "group.id": f"{settings.app_id}-topics", "log_level": 0})
    try:
        existing = consumer.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        rows: list[dict[str, object]] = []
        for topic in TOPICS:
            partitions = existing[topic.name].partitions if topic.name in existing else {}
            offsets = [
                offsets_of(consumer, TopicPartition(topic.name, number), REQUEST_TIMEOUT_S)
                for number in partitions
            ]
            rows.append(
                {
                    "topic": topic.name,
                    "partitions": len(partitions),
                    "offsets": sum(high - low for low, high in offsets),
                    "written_by": topic.written_by,
                    "holds": topic.holds,
                    "compacted": topic.compacted,
                }
            )
        return rows
    finally:
        consumer.close()
