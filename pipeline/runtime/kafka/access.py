"""Who may do what in Kafka: the one table of roles, their topics, groups and transactional ids.

    role -> rights -> ACLs (acls.py) of the principal `User:<app id>-<role>`

An upstream's topics are the upstreams' alone, and what the streams write is the workers' alone. What people
decide about commands (`approvals`) is no upstream's: whoever could write both could be both people. A name
that begins with the app's id and a hyphen belongs to that app: no app's id may be another's with a hyphen
behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pipeline.runtime.kafka.topics import (
    ACCESS_LOG,
    DEAD_LETTERS,
    OPERATIONAL_ALERTS,
    OPERATOR_ACTIONS,
    READ,
    TOPICS,
)

UPSTREAM, WORKER, PROJECTIONS = "upstream", "worker", "projections"
GATEWAY, OPERATOR, ANALYST = "gateway", "operator", "analyst"
ROLES = (UPSTREAM, WORKER, PROJECTIONS, GATEWAY, OPERATOR, ANALYST)
LOAD = "load"
"""Who plays the upstreams, and the people who approve, in a local stack. Not a role on a cluster."""
LOAD_GROUP = "ledgerflow-load"
UPSTREAM_TRANSACTIONS = "upstream:"
"""How the transactional ids of upstream systems begin: as those of no app can, whose id has no colon."""

TOPIC, GROUP, TRANSACTIONAL_ID = "topic", "group", "transactional-id"
LITERAL, PREFIXED = "literal", "prefixed"
EVERY = "*"

_INPUTS = tuple(topic.name for topic in TOPICS if topic.stage == "input")
_UPSTREAMS = tuple(topic.name for topic in TOPICS if topic.stage == "input" and topic.written_by == UPSTREAM)
_GATEWAYS = tuple(topic.name for topic in TOPICS if topic.stage == "input" and topic.written_by == GATEWAY)
_OTHERS = tuple(name for name in _INPUTS if name not in _GATEWAYS)
"""Inputs that the operator may write, too. What the gateway claims tells requests apart: nobody else may."""
_LOGS = tuple(topic.name for topic in TOPICS if topic.stage == "log")
_OUTPUTS = tuple(topic.name for topic in TOPICS if topic.stage == "output" and topic is not DEAD_LETTERS)
_OPERATIONS = (OPERATIONAL_ALERTS, OPERATOR_ACTIONS, ACCESS_LOG)
_CATALOGUE = (*_INPUTS, *_LOGS, *_OUTPUTS, DEAD_LETTERS.name, *_OPERATIONS)


class Right(NamedTuple):
    """Some operations on one thing, or on all things whose names begin alike."""

    kind: str
    """`topic`, `group` or `transactional-id`."""
    name: str
    pattern: str
    """`literal`, or `prefixed` where `name` is how the names begin."""
    operations: tuple[str, ...]
    """As Kafka calls them: Read, Write, Create, Describe, DescribeConfigs, AlterConfigs. Kafka lets whoever
    may Read or Write also Describe."""


def rights(role: str, app_id: str) -> tuple[Right, ...]:
    """Return what a role may do. Raises KeyError for one that is not known."""
    return _RIGHTS[role](app_id)


def topics_of_streams(app_id: str) -> tuple[Right, ...]:
    """Return the topics that workers alone may write, as rights to write them."""
    return (
        *_topics((*_LOGS, *_OUTPUTS, DEAD_LETTERS.name, OPERATIONAL_ALERTS), "Write"),
        _of_app(TOPIC, app_id, "Write"),
    )


def _upstream(app_id: str) -> tuple[Right, ...]:
    """It writes events, and reads nothing: what became of them, of all tenants, the views and sinks say."""
    return (
        *_topics(_UPSTREAMS, "Write"),
        Right(TRANSACTIONAL_ID, UPSTREAM_TRANSACTIONS, PREFIXED, ("Write",)),
    )


def _worker(app_id: str) -> tuple[Right, ...]:
    """It reads everything, makes what is missing, and writes what streams write, but never an input."""
    seen = ("Read", "Create", "DescribeConfigs")
    return (
        *_topics((*_INPUTS, OPERATOR_ACTIONS, ACCESS_LOG), *seen),
        *_topics((*_LOGS, *_OUTPUTS, DEAD_LETTERS.name, OPERATIONAL_ALERTS), *seen, "Write"),
        _of_app(TOPIC, app_id, *seen, "Write"),
        Right(GROUP, app_id, LITERAL, ("Read",)),
        _of_app(TRANSACTIONAL_ID, app_id, "Write"),
        # To name the producer whose open transaction keeps a partition from being read.
        Right(TRANSACTIONAL_ID, EVERY, LITERAL, ("Describe",)),
    )


def _projections(app_id: str) -> tuple[Right, ...]:
    return (
        *_topics((*_OUTPUTS, DEAD_LETTERS.name, *_OPERATIONS), "Read"),
        _of_app(GROUP, f"{app_id}-projections", "Read"),
        Right(GROUP, f"{app_id}-projections", LITERAL, ("Read",)),
    )


def _gateway(app_id: str) -> tuple[Right, ...]:
    return (
        *_topics((*_INPUTS, OPERATOR_ACTIONS, ACCESS_LOG), "Write"),
        *_topics((*_OUTPUTS, OPERATIONAL_ALERTS), "Read"),
        _of_app(GROUP, f"{app_id}-gateway", "Read"),
        Right(GROUP, f"{app_id}-gateway", LITERAL, ("Read",)),
    )


def _operator(app_id: str) -> tuple[Right, ...]:
    """It reads everything, says what people decide, sends an upstream's records again, mends topics' settings
    and ends open transactions. A record on a stream's own log is sent again by the administrator: whoever may
    write there decides payments. Nothing lets it delete records, join the workers' group or change rights.
    """
    tended = ("Read", "Create", "DescribeConfigs", "AlterConfigs")
    return (
        *_topics((*_OTHERS, OPERATOR_ACTIONS), *tended, "Write"),
        *_topics((*_GATEWAYS, *_LOGS, *_OUTPUTS, DEAD_LETTERS.name, OPERATIONAL_ALERTS, ACCESS_LOG), *tended),
        _of_app(TOPIC, app_id, *tended),
        Right(GROUP, app_id, LITERAL, ("Describe",)),
        _of_app(GROUP, app_id, "Read"),
        # Whoever may start a transaction of an id ends the one that is open under it.
        Right(TRANSACTIONAL_ID, EVERY, LITERAL, ("Describe", "Write")),
    )


def _analyst(app_id: str) -> tuple[Right, ...]:
    """It reads what the streams say, but no input, and no dead letter: those are inputs, byte for byte."""
    return (*_topics(_OUTPUTS, "Read"), Right(GROUP, f"{app_id}-tail", LITERAL, ("Read",)))


def _load(app_id: str) -> tuple[Right, ...]:
    """It does what upstreams do, decides the proposals of its own stories, waits for the accounts that it
    has opened, and until the streams rest.

    Whether what is left on a log is records, or marks of transactions alone, is seen by reading it (rest.py).
    """
    return (
        *_upstream(app_id),
        *_topics(("approvals", "break-actions"), "Write"),
        *_topics(("balances", "reconciliation-results", *READ), "Read"),
        Right(GROUP, LOAD_GROUP, LITERAL, ("Read",)),
        Right(GROUP, app_id, LITERAL, ("Describe",)),
    )


def _topics(names: tuple[str, ...], *operations: str) -> tuple[Right, ...]:
    return tuple(Right(TOPIC, name, LITERAL, operations) for name in names)


def _of_app(kind: str, app_id: str, *operations: str) -> Right:
    return Right(kind, f"{app_id}-", PREFIXED, operations)


_RIGHTS: Mapping[str, Callable[[str], tuple[Right, ...]]] = {
    UPSTREAM: _upstream,
    WORKER: _worker,
    PROJECTIONS: _projections,
    GATEWAY: _gateway,
    OPERATOR: _operator,
    ANALYST: _analyst,
    LOAD: _load,
}
