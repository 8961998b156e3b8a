"""The table of who may do what in Kafka, and a cluster's ACLs against it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.runtime.kafka import acls
from pipeline.runtime.kafka.access import (
    ANALYST,
    GATEWAY,
    GROUP,
    LOAD,
    OPERATOR,
    PREFIXED,
    ROLES,
    TOPIC,
    TRANSACTIONAL_ID,
    UPSTREAM,
    WORKER,
    rights,
)
from pipeline.runtime.kafka.acls import Acl, as_commands, compare, principals_of, wanted
from pipeline.runtime.kafka.topics import DEAD_LETTERS, READ, TOPICS

APP = "ledgerflow"
STAGES = {topic.name: topic.stage for topic in TOPICS}
OPERATIONS = {"Read", "Write", "Create", "Describe", "DescribeConfigs", "AlterConfigs"}


def names(role: str, kind: str, operation: str) -> set[str]:
    """Return what a role may do that with."""
    return {right.name for right in rights(role, APP) if right.kind == kind and operation in right.operations}


def test_the_streams_topics_are_written_by_workers_alone_and_inputs_never_by_them() -> None:
    streams = {name for name, stage in STAGES.items() if stage in ("log", "output")}
    streams |= {DEAD_LETTERS.name, "operational-alerts", "ledgerflow-"}
    inputs = {name for name, stage in STAGES.items() if stage == "input"}
    assert names(WORKER, TOPIC, "Write") == streams
    for role in (*ROLES, LOAD):
        if role != WORKER:
            assert not names(role, TOPIC, "Write") & streams, role
    upstreams = inputs - {"approvals", "fraud-rules", "break-actions", "matching-rules", "requests"}
    assert names(UPSTREAM, TOPIC, "Write") == upstreams > {"fraud-labels"}
    played = upstreams | {"approvals", "break-actions"}
    assert names(LOAD, TOPIC, "Write") == played, "it plays people, too, and is no role on a cluster"
    assert names(GATEWAY, TOPIC, "Write") == inputs | {"operator-actions", "access-log"}
    assert names(OPERATOR, TOPIC, "Write") == names(GATEWAY, TOPIC, "Write") - {"requests", "access-log"}


def test_every_topic_has_a_reader_and_an_analyst_sees_no_input() -> None:
    assert names(WORKER, TOPIC, "Read") == {*STAGES, "ledgerflow-"} == names(OPERATOR, TOPIC, "Read")
    assert names(ANALYST, TOPIC, "Read") == {
        name for name, stage in STAGES.items() if stage == "output" and name != DEAD_LETTERS.name
    }
    assert names(UPSTREAM, TOPIC, "Read") == set()


def test_a_load_may_read_all_that_it_waits_for_to_come_to_rest() -> None:
    """Only by reading are marks of transactions told from records: without it, demos end in an error."""
    assert names(LOAD, TOPIC, "Read") == {"balances", "reconciliation-results", *READ}


def test_only_workers_join_the_group_and_no_upstreams_transaction_can_be_a_workers() -> None:
    for role in (*ROLES, LOAD):
        joins = any(
            right.name == APP or (right.pattern == PREFIXED and APP.startswith(right.name))
            for right in rights(role, APP)
            if right.kind == GROUP and "Read" in right.operations
        )
        assert joins == (role == WORKER), role
    (prefix,) = names(UPSTREAM, TRANSACTIONAL_ID, "Write")
    for app_id in ("upstream", "upstream-1", "a"):
        assert not f"{app_id}-127.0.0.1-6066".startswith(prefix)


def test_operations_are_those_that_kafka_knows_and_none_is_for_the_cluster() -> None:
    for acl in wanted(principals_of(APP, (*ROLES, LOAD)), APP):
        assert acl.operation in OPERATIONS and acl.kind in (TOPIC, GROUP, TRANSACTIONAL_ID)
        assert acls._acl(acls._binding(acl)) == acl


class Cluster:
    """The admin client of a cluster with some ACLs."""

    def __init__(self, *held: Acl) -> None:
        self.held = {acls._binding(acl) for acl in held}

    def describe_acls(self, *_: object, **__: object) -> Any:
        return Answer(list(self.held))

    def create_acls(self, made: list[Any], **_: object) -> dict[Any, Any]:
        self.held |= set(made)
        return {one: Answer(None) for one in made}

    def delete_acls(self, gone: list[Any], **_: object) -> dict[Any, Any]:
        texts = {str(acls._acl(one)) for one in gone}
        self.held = {one for one in self.held if str(acls._acl(one)) not in texts}
        return {one: Answer([]) for one in gone}


class Answer:
    """A future that has come."""

    def __init__(self, value: object) -> None:
        self.value = value

    def result(self, timeout: float) -> object:
        return self.value


def test_a_cluster_is_brought_to_the_table_and_others_keep_what_they_have() -> None:
    principals = principals_of(APP)
    more = Acl(principals[ANALYST], TOPIC, "payments", "literal", "Read")
    denied = wanted(principals, APP)[0]._replace(permission="deny")
    other = Acl("User:else", TOPIC, "mine", "literal", "Write")
    cluster: Any = Cluster(more, denied, other)
    found = compare(cluster, principals, APP)
    assert set(found.missing) == set(wanted(principals, APP))
    assert set(found.surplus) == {more, denied} and found.strangers == ()
    acls.apply(cluster, found, prune=False)
    assert set(compare(cluster, principals, APP).surplus) == {more, denied}
    acls.apply(cluster, compare(cluster, principals, APP), prune=True)
    assert not any(compare(cluster, principals, APP))
    assert other in acls.held(cluster)


@pytest.mark.parametrize(
    ("acl", "named"),
    [
        (Acl("User:x", TOPIC, "ledger-commands", "literal", "Write"), True),
        (Acl("User:x", TOPIC, "ledger-", "prefixed", "All"), True),
        (Acl("User:x", TOPIC, "ledgerflow-ledger-changelog", "literal", "Write"), True),
        (Acl("User:x", TOPIC, "ledgerflow-source", "prefixed", "Write"), True),
        (Acl("User:*", TOPIC, "*", "literal", "Write"), True),
        (Acl("User:x", TRANSACTIONAL_ID, "ledgerflow-host", "prefixed", "Write"), True),
        (Acl("User:x", TOPIC, "ledger-commands", "literal", "Read"), False),
        (Acl("User:x", TOPIC, "ledger-commands", "literal", "Write", permission="deny"), False),
        (Acl("User:x", TOPIC, "payments", "literal", "Write"), False),
        (Acl("User:x", GROUP, "ledger-commands", "literal", "Write"), False),
        (Acl("User:x", TOPIC, "other-", "prefixed", "Write"), False),
    ],
)
def test_a_stranger_who_may_write_what_the_streams_write_is_named(acl: Acl, named: bool) -> None:
    cluster: Any = Cluster(acl)
    assert compare(cluster, principals_of(APP), APP).strangers == ((acl,) if named else ())


def test_the_table_as_commands_of_kafkas_tool() -> None:
    lines = list(as_commands(wanted({ANALYST: "User:CN=eve"}, APP)))
    assert len(lines) == len(rights(ANALYST, APP))
    assert lines[0].endswith(
        "--add --allow-principal 'User:CN=eve' --operation Read --topic 'balances'"
        " --resource-pattern-type literal"
    )
