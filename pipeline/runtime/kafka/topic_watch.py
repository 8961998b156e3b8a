"""The thread of a worker that looks whether the topics are still as the streams need them.

every CHECK_EVERY_S: settings, partitions and ids of all topics -> problems (`/ready`) and alerts
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.runtime.faults import Fault, Faults
from pipeline.runtime.kafka.topic_ids import ids_of_those_there
from pipeline.runtime.kafka.topic_settings import MISSING, Finding, Found, ask, findings, requirements
from pipeline.runtime.problems import Problems
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)
CHECK_EVERY_S = 10.0
ANSWER_WITHIN_S = 5.0
TOPIC_MISSING, TOPIC_SETTINGS = "topic_missing", "topic_settings"
REPLACED = "it was deleted and made anew while the worker ran: its records are gone"

Look = Callable[[], tuple[Mapping[str, Found], Mapping[str, str]]]
"""Returns the topics as Kafka has them, and their ids. Raises KafkaException."""


class TopicWatch:
    """Holds the topics against what they have to be."""

    def __init__(
        self,
        settings: Settings,
        tables: Sequence[str],
        tableless: Sequence[str],
        problems: Problems,
        faults: Faults,
        look: Look | None = None,
    ) -> None:
        """`tables`, `tableless`: as `topics.new_topics`. `look`: by default one that asks the cluster."""
        self._required = requirements(settings, tables, tableless)
        self._problems = problems
        self._faults = faults
        self._look = look or look_at(settings, [topic.topic for topic in self._required])
        self._ids: dict[str, str] = {}
        """The id that each topic had when it was first seen."""
        self._known: set[tuple[str, str]] = set()
        """The findings of the last check, by topic and detail."""

    def start(self) -> None:
        """Check until the process ends, in a thread."""
        threading.Thread(target=self._run, name="topics", daemon=True).start()

    def check(self) -> None:
        """Check once. Raises KafkaException where Kafka does not answer."""
        found, ids = self._look()
        wrong = findings(self._required, found)
        for topic, topic_id in ids.items():
            if self._ids.setdefault(topic, topic_id) != topic_id:
                wrong.append(Finding(topic, MISSING, REPLACED, fatal=True))
        for code, ours in (
            (TOPIC_MISSING, [one for one in wrong if one.setting == MISSING]),
            (TOPIC_SETTINGS, [one for one in wrong if one.setting != MISSING]),
        ):
            self._tell(code, ours)
        self._known = {(one.topic, one.detail) for one in wrong}

    def _tell(self, code: str, wrong: list[Finding]) -> None:
        """Hold the problems of a kind, and alert once about each that is new."""
        by_topic: dict[str, str] = {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")  # the same change may come again: another alert
        for one in wrong:
            by_topic[one.topic] = "; ".join(filter(None, (by_topic.get(one.topic), one.detail)))
            if (one.topic, one.detail) not in self._known:
                self._faults.report(Fault(code, one.topic, f"{one.detail} (seen {now})", one.topic))
        self._problems.hold(code, by_topic)

    def _run(self) -> None:
        rest = threading.Event()
        while True:
            try:
                self.check()
            except KafkaException as error:  # `pulse` says it where it lasts
                LOG.warning("the topics are not checked now: %s", error)
            except Exception:
                LOG.exception("the topics cannot be checked")
            rest.wait(CHECK_EVERY_S)


def look_at(settings: Settings, topics: list[str]) -> Look:
    """Return what asks a cluster for topics.

    A client whose requests fail is given up for a new one: after a broker stood still, one was seen that got
    no answer any more.
    """
    admins: list[AdminClient] = []

    def look() -> tuple[Mapping[str, Found], Mapping[str, str]]:
        admin = admins.pop() if admins else AdminClient({**settings.librdkafka(), "log_level": 0})
        found = ask(admin, topics, ANSWER_WITHIN_S)
        ids = ids_of_those_there(admin, found, ANSWER_WITHIN_S)
        admins.append(admin)
        return found, ids

    return look
