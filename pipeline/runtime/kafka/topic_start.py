"""Whether the topics let a worker start: settings that the streams rely on, and no topic lost.

A topic that is missing is created (`topics.create_topics`), but never in the place of one that was deleted:
the streams would go on with an empty table or log, and nobody would see it. That a stream has applied records
is in the topic of source offsets, so its log and its changelog existed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pipeline.runtime.kafka.log_ends import Place, asking, begins, ends
from pipeline.runtime.kafka.rest import places_of
from pipeline.runtime.kafka.short_topics import rows_of
from pipeline.runtime.kafka.topic_settings import (
    MISSING,
    PARTITIONS,
    Finding,
    ask,
    findings,
    requirements,
)
from pipeline.runtime.kafka.topics import (
    REQUEST_TIMEOUT_S,
    TopicsError,
    TopicsUnusable,
    answers_needed,
    changelog_name,
    create_topics,
    source_offsets_name,
)
from pipeline.runtime.reachability import kafka_admin
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)
SAID_MAX = 5
"""Findings that one line names; more are counted."""
LOST = (
    "deleted, though the streams have applied records; nothing is created in their place, because the streams"
    " would go on with empty tables or logs. What can be done: pipeline/runtime/README.md, Settings of topics"
)


class Use(NamedTuple):
    """What a stream needs."""

    stream: str
    source: str
    table: str | None
    earlier: str | None = None
    """The log that it read in an earlier version."""


def prepare_topics(settings: Settings, uses: Sequence[Use]) -> list[str]:
    """Check the topics and create those that are missing; return the names created.

    Raises TopicsUnusable where a setting endangers what the streams promise, or a topic was deleted,
    TopicsError where Kafka does not answer.
    """
    tables = tuple(use.table for use in uses if use.table is not None)
    tableless = tuple(use.stream for use in uses if use.table is None)
    required = requirements(settings, tables, tableless)
    with answers_needed(settings):
        admin = kafka_admin(settings, REQUEST_TIMEOUT_S)
        found = ask(admin, [topic.topic for topic in required])
        wrong = findings(required, found)
        missing = {one.topic for one in wrong if one.setting == MISSING}
        lost = lost_topics(settings, uses, missing) if missing else []
    fatal = [one for one in wrong if one.fatal and one.setting not in (MISSING, PARTITIONS)]
    if fatal:
        raise TopicsUnusable(f"topics have settings that the streams cannot stand on: {said(fatal)}")
    if lost:
        raise TopicsUnusable(f"topics were {LOST}: {', '.join(lost)}")
    created = create_topics(settings, tables, tableless)
    if created and found:
        LOG.warning("topics that were missing are created: %s", ", ".join(sorted(created)))
    return created


def said(wrong: Sequence[Finding]) -> str:
    """Return findings in one line."""
    more = len(wrong) - SAID_MAX
    named = "; ".join(f"{one.topic}: {one.detail}" for one in wrong[:SAID_MAX])
    return named + (f"; and {more} more" if more > 0 else "")


def lost_topics(settings: Settings, uses: Sequence[Use], missing: Collection[str]) -> list[str]:
    """Return which of the missing topics must have existed.

    Raises TopicsUnusable where a stream reads another log now and has not left its earlier one,
    KafkaException, TopicsError.
    """
    offsets, group = source_offsets_name(settings.app_id), f"{settings.app_id}-topics"
    consumer = asking(settings.librdkafka(), group, committed=False)
    try:
        if offsets in missing:
            tables = {changelog_name(settings.app_id, use.table) for use in uses if use.table is not None}
            left = places_of(sorted(tables - set(missing)), settings.partitions)
            return [offsets] if any(ends(consumer, left, REQUEST_TIMEOUT_S).values()) else []
        places = places_of([offsets], settings.partitions)
        starts = begins(consumer, places, REQUEST_TIMEOUT_S)
        stops = ends(consumer, places, REQUEST_TIMEOUT_S)
    finally:
        consumer.close()
    written = {place: start for place, start in starts.items() if start < stops[place]}
    applied = _keys(settings, written) if written else set()
    needed = [use for use in uses if use.stream.encode() in applied]
    heirs = {use.source: use.stream.encode() for use in uses}
    for use in needed:
        if use.earlier is not None and use.source in missing and heirs[use.earlier] not in applied:
            raise TopicsUnusable(
                f"{use.stream} reads {use.source} now, and an earlier version has read {use.earlier}."
                " Run `ledgerflow migrate` once, while no worker runs"
            )
    logs = {use.source for use in needed}
    changelogs = {changelog_name(settings.app_id, use.table) for use in needed if use.table is not None}
    return sorted((logs | changelogs) & set(missing))


def _keys(settings: Settings, starts: Mapping[Place, int]) -> set[bytes]:
    """Return the keys of a short topic, committed or not. Raises KafkaException, TopicsError."""
    group = f"{settings.app_id}-topics"
    rows = rows_of(settings.librdkafka(), group, starts, REQUEST_TIMEOUT_S, committed=False)
    if rows.skipped:
        topic, number, batch = rows.skipped[0]
        raise TopicsError(f"{topic}[{number}]@{batch.first} cannot be read: {batch.code}, {batch.detail}")
    return {key for _, key in rows.latest}
