"""Finds Kafka, the registry and the workers for a command; one line of error if they do not answer.

Addresses come from, in this order: options, environment variables, endpoints.json of a stack that runs on the
data directory, the defaults. The login for a secure stack comes from its folder of secrets, unless options or
variables say how to reach it.

A data directory that is named is used or refused: no default and no variable leads a command from it to
another stack.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.cli import endpoints
from pipeline.cli.problems import BadInput, Failed
from pipeline.runtime.avro.connection import client
from pipeline.runtime.avro.registry import RegistryUnavailable, SchemaRefused, unavailable
from pipeline.runtime.connections import variable
from pipeline.runtime.kafka.access import OPERATOR
from pipeline.runtime.kafka.topics import TopicsError
from pipeline.runtime.local.credentials import credentials_of
from pipeline.runtime.reachability import NoAnswer, kafka_admin, why_registry
from pipeline.runtime.settings import ENV_PREFIX, Settings, load_settings
from pipeline.verify import LogError

ANSWER_WITHIN_S = 5.0
_SAID = {
    *("bootstrap_servers", "kafka_port", "schema_registry_url", "registry_port"),
    *("security_protocol", "sasl_username", "registry_username"),
}
"""Settings that say how to reach a stack; where one is given, no login of the data directory is taken."""
KAFKA = frozenset({"bootstrap_servers", "kafka_port"})
REGISTRY = frozenset({"schema_registry_url", "registry_port"})
VIEWS = KAFKA | {"web_host", "web_port"}
NOTHING: frozenset[str] = frozenset()
"""What a command needs to answer: one of these settings is said, or a stack runs on the data directory."""
_NO_RIGHTS = " It keeps no rights: set authorizer.class.name at the brokers, or run `ledgerflow up --secure`"
START = "start a stack with `ledgerflow up`"


def settings_for(
    data_dir: Path | None,
    bootstrap_servers: str | None = None,
    schema_registry_url: str | None = None,
    role: str = OPERATOR,
    needs: frozenset[str] = KAFKA,
) -> Settings:
    """Return the settings of a command. Raises SettingsError.

    `role`: whose login it takes, where the stack that runs there is a secure one and nothing else is said.
    `needs`: what must answer, KAFKA, REGISTRY, VIEWS or NOTHING. Raises Failed and BadInput where a directory
    is named on which no stack runs, and nothing else says where that is.
    """
    given: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers,
        "schema_registry_url": schema_registry_url,
    }
    settings = load_settings(data_dir=data_dir, **given)
    running = endpoints.read(settings.data_dir)
    if running is None:
        require_stack(settings, needs)
        return settings
    said = settings.model_fields_set - _of_the_stack(settings, running)
    if data_dir is not None:
        options = {name for name, option in given.items() if option is not None}
        _require_same_stack(settings, running, said, options)
    own = None if said & _SAID else credentials_of(settings.data_dir)
    if own is not None:
        given = {name: value for name, value in own.said(role).items() if name not in said}
        return load_settings(data_dir=data_dir, **given)
    if not said & {"bootstrap_servers", "kafka_port"}:
        given["bootstrap_servers"] = running.bootstrap_servers
    if not said & {"schema_registry_url", "registry_port"}:
        given["schema_registry_url"] = running.schema_registry_url
    return load_settings(data_dir=data_dir, **given)


def require_stack(settings: Settings, needs: frozenset[str]) -> None:
    """Refuse a named directory on which no stack runs, unless addresses are said.

    With NOTHING the directory need only be there. Raises Failed, BadInput.
    """
    said, folder = settings.model_fields_set, settings.data_dir
    if "data_dir" not in said or said & (needs or KAFKA):
        return
    if not folder.is_dir():
        raise BadInput(f"there is no directory {folder}: name that of a stack (--data, {ENV_PREFIX}DATA_DIR)")
    if needs:
        raise Failed(
            f"no stack runs on {folder}: start it with `ledgerflow up --data {shlex.quote(str(folder))}`,"
            f" name another directory (--data), or give addresses (--bootstrap-servers, {ENV_PREFIX}...)"
        )


def _require_same_stack(
    settings: Settings, running: endpoints.Endpoints, elsewhere: set[str], options: set[str]
) -> None:
    """Refuse variables that lead to another stack than that of the option --data. Raises BadInput.

    `elsewhere`: settings that are said and lead away from it. `options`: those that an option says.
    """
    for names, there, here in (
        (KAFKA, settings.bootstrap_servers, running.bootstrap_servers),
        (REGISTRY, settings.schema_registry_url, running.schema_registry_url),
    ):
        if (leading := names & elsewhere) and not names & options:
            variables = ", ".join(sorted(map(variable, leading)))
            raise BadInput(
                f"the stack of {settings.data_dir} is at {here}, and {variables} leads to {there}: unset the"
                " variable, or leave --data out"
            )


def _of_the_stack(settings: Settings, running: endpoints.Endpoints) -> set[str]:
    """Return the settings of addresses that say where the stack is that runs: they lead nowhere else."""
    same: set[str] = set()
    if settings.bootstrap_servers == running.bootstrap_servers:
        same |= {"bootstrap_servers", "kafka_port"}
    if urlsplit(settings.schema_registry_url)[1:] == urlsplit(running.schema_registry_url)[1:]:
        same |= {"schema_registry_url", "registry_port"}  # its scheme is the stack's own, too
    return same


def worker_urls(settings: Settings) -> list[str]:
    """Return the URLs of the workers' table views: of the running stack, else from the settings."""
    running = endpoints.read(settings.data_dir)
    if running is not None:
        return [worker.url for worker in running.workers]
    return [worker_url(settings, number) for number in range(settings.workers)]


def worker_url(settings: Settings, number: int) -> str:
    """Return the base URL of a worker's table views."""
    return f"http://{settings.web_host}:{settings.web_port + number}"


def require_kafka(settings: Settings) -> AdminClient:
    """Return an admin client for Kafka, which answers. Raises Failed where it does not."""
    try:
        return kafka_admin(settings, ANSWER_WITHIN_S)
    except NoAnswer as error:
        where = f"(--bootstrap-servers, {ENV_PREFIX}BOOTSTRAP_SERVERS)"
        raise Failed(_with_remedy(str(error), where)) from None


def _with_remedy(said: str, where: str) -> str:
    """Return what is wrong, with the remedy where nothing answers; other messages have their own."""
    return f"{said}: {START}, or give its address {where}" if "does not answer" in said else said


def require_topic(admin: AdminClient, topic: str) -> int:
    """Return the number of partitions of a topic. Raises BadInput where there is none of that name."""
    found = admin.list_topics(timeout=ANSWER_WITHIN_S).topics
    if topic not in found:
        said = f"there is no topic {topic!r}, or none that this login may see"
        raise BadInput(f"{said}: `ledgerflow topics` lists them")
    return len(found[topic].partitions)


def require_registry(settings: Settings) -> None:
    """Check that the schema registry answers. Raises Failed."""
    with errors_in_one_line(settings), client(settings.registry()) as registry:
        try:
            registry.get_subjects()
        except Exception as error:  # the client lets its HTTP library's errors through
            raise unavailable(error) from error


@contextlib.contextmanager
def errors_in_one_line(settings: Settings) -> Iterator[None]:
    """Turn the errors of Kafka and the registry into one line. Raises Failed."""
    try:
        yield
    except RegistryUnavailable as error:
        said = f"the schema registry at {settings.schema_registry_url} {why_registry(settings, error.status)}"
        where = f"(--schema-registry-url, {ENV_PREFIX}SCHEMA_REGISTRY_URL)"
        raise Failed(_with_remedy(said, where)) from None
    except (SchemaRefused, TopicsError, LogError) as error:
        raise Failed(" ".join(str(error).split())) from None
    except KafkaException as error:
        remedy = _NO_RIGHTS if error.args[0].code() == KafkaError.SECURITY_DISABLED else ""
        raise Failed(f"Kafka at {settings.bootstrap_servers}: {error.args[0].str()}{remedy}") from None
