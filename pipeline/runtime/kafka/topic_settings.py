"""What the streams rely on in the settings of topics, and where a cluster has something else.

    requirements(settings, tables) -> + what Kafka says (`ask`) -> findings -> alter, one by one (`repair`)

A finding is fatal where the streams could become wrong, or lose what is not read yet: no worker starts then.
Why each one is or is not stands in runtime/README.md, Settings of topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.topics import (
    READ,
    REQUEST_TIMEOUT_S,
    UPSTREAM,
    changelog_name,
    new_topics,
    source_offsets_name,
)
from pipeline.runtime.settings import Settings

PARTITIONS, MISSING, UNREADABLE = "partitions", "missing", "unreadable"
"""What is wrong with a topic where it is none of its settings."""
REPAIR = "`ledgerflow topics --repair` sets it back"
UNCLEAN = "unclean.leader.election.enable"
FATAL_ANYWHERE = ("cleanup.policy", "delete.retention.ms", "message.timestamp.type")
FATAL_TO_READ = ("retention.ms", "retention.bytes")
"""Fatal where a stream reads the topic: records go before they are applied."""
NOT_RELIED_ON = ("segment.bytes",)


class Requirement(NamedTuple):
    """What a setting of a topic has to be."""

    setting: str
    wanted: str
    rule: Literal["is", "at_least"]
    fatal: bool

    def holds(self, found: str) -> bool:
        """Return whether a value will do; -1 is no limit."""
        if self.rule == "is":
            return found == self.wanted
        try:
            return int(found) == -1 or int(found) >= int(self.wanted)
        except ValueError:
            return False


class Required(NamedTuple):
    """A topic as it has to be."""

    topic: str
    partitions: int
    settings: tuple[Requirement, ...]


class Found(NamedTuple):
    """A topic as Kafka has it."""

    partitions: int
    settings: Mapping[str, str] | None
    """None where they may not be read."""


class Finding(NamedTuple):
    """Something that is not as it has to be."""

    topic: str
    setting: str
    """The name of a setting, or PARTITIONS, MISSING, UNREADABLE."""
    detail: str
    """In words, on one line, with what puts it right."""
    fatal: bool
    wanted: str | None = None
    """What `repair` sets it to; None where nothing can."""
    found: str | None = None
    """What the setting is now."""


def requirements(settings: Settings, tables: Sequence[str], tableless: Sequence[str] = ()) -> list[Required]:
    """Return every topic of the application as it has to be."""
    changelogs = {changelog_name(settings.app_id, name) for name in (*tables, *tableless)}
    own = changelogs | {source_offsets_name(settings.app_id)}
    required = []
    for topic in new_topics(settings, tables, tableless):
        name = topic.topic
        rules = [
            _requirement(setting, str(wanted), is_read=name in READ or name in UPSTREAM or name in own)
            for setting, wanted in topic.config.items()
            if setting not in NOT_RELIED_ON
        ]
        # A leader that lacks committed records must not be elected: they would be gone.
        rules.append(Requirement(UNCLEAN, "false", "is", fatal=False))
        required.append(Required(name, topic.num_partitions, tuple(rules)))
    return required


def _requirement(setting: str, wanted: str, *, is_read: bool) -> Requirement:
    """Return the rule of a setting that a topic is created with."""
    is_limit = setting in ("max.message.bytes", "delete.retention.ms")
    fatal = is_read and setting in (*FATAL_ANYWHERE, *FATAL_TO_READ)
    return Requirement(setting, wanted, "at_least" if is_limit else "is", fatal)


def findings(required: Sequence[Required], found: Mapping[str, Found]) -> list[Finding]:
    """Return what is wrong with topics, in their order. A topic that is not in `found` is missing."""
    wrong: list[Finding] = []
    for topic in required:
        there = found.get(topic.topic)
        if there is None:
            wrong.append(Finding(topic.topic, MISSING, "it is not there", fatal=True))
            continue
        if there.partitions != topic.partitions:
            detail = (
                f"it has {there.partitions} partitions, the streams work with {topic.partitions}:"
                " the partition of an account cannot change, and Kafka takes no partition away"
            )
            wrong.append(Finding(topic.topic, PARTITIONS, detail, fatal=True))
        if there.settings is None:
            detail = "its settings cannot be read: the workers need the right DESCRIBE_CONFIGS on it"
            wrong.append(Finding(topic.topic, UNREADABLE, detail, fatal=False))
            continue
        for rule in topic.settings:
            value = there.settings.get(rule.setting)
            if value is not None and not rule.holds(value):
                must = f"at least {rule.wanted}" if rule.rule == "at_least" else rule.wanted
                detail = f"{rule.setting} is {value}, must be {must}: {REPAIR}"
                wrong.append(Finding(topic.topic, rule.setting, detail, rule.fatal, rule.wanted, value))
    return wrong


def ask(admin: AdminClient, names: Iterable[str], within_s: float = REQUEST_TIMEOUT_S) -> dict[str, Found]:
    """Return the topics of `names` that there are, as Kafka has them.

    Raises KafkaException where it does not answer.
    """
    existing = admin.list_topics(timeout=within_s).topics
    there = sorted(set(names) & existing.keys())
    if not there:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
    answers = admin.describe_configs(resources, request_timeout=within_s)
    found = {}
    for resource, future in answers.items():
        settings: Mapping[str, str] | None = None
        try:
            settings = {name: str(entry.value) for name, entry in answered(future, within_s).items()}
        except KafkaException as error:
            if error.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                continue  # deleted between the two questions
            if error.args[0].name() != "TOPIC_AUTHORIZATION_FAILED":
                raise
        found[resource.name] = Found(len(existing[resource.name].partitions), settings)
    return found


def changelogs_of(app_id: str, names: Iterable[str]) -> list[str]:
    """Return the tables whose changelogs are among `names`, for who does not know the tables."""
    prefix, suffix = changelog_name(app_id, "\0").split("\0")
    return sorted(
        name.removeprefix(prefix).removesuffix(suffix)
        for name in names
        if name.startswith(prefix) and name.endswith(suffix)
    )


def repair(admin: AdminClient, finding: Finding) -> None:
    """Set one setting back.

    Raises KafkaException where Kafka refuses, ValueError where nothing can be set.
    """
    if finding.wanted is None:
        raise ValueError(f"{finding.topic}: {finding.setting} cannot be set")
    entry = ConfigEntry(
        finding.setting,
        finding.wanted,
        ConfigSource.DYNAMIC_TOPIC_CONFIG,
        incremental_operation=AlterConfigOpType.SET,
    )
    resource = ConfigResource(ResourceType.TOPIC, finding.topic, incremental_configs=[entry])
    (future,) = admin.incremental_alter_configs([resource], request_timeout=REQUEST_TIMEOUT_S).values()
    answered(future, REQUEST_TIMEOUT_S)
