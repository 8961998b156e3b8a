"""Calls of Kafka's admin client that nothing here makes: with a silent broker they crash, or are not true.

Those about a group's offsets end the process by SIGSEGV (librdkafka 2.16.0): the answer that the coordinator
has moved is handled by the client's own group, and an admin client has none. The others about groups go the
same way to a coordinator.
`list_offsets` answers with -1001 and no error. What to do in their place: `runtime/kafka/log_ends.py`, and
`Consumer.committed` of a consumer that joins no group.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "alter_consumer_group_offsets",
    "delete_consumer_groups",
    "describe_consumer_groups",
    "list_consumer_group_offsets",
    "list_consumer_groups",
    "list_offsets",
}


def calls(source: str) -> Iterator[str]:
    """Yield the names of methods that a file uses in whatever way."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # getattr(admin, "list_offsets")


def test_nothing_asks_the_admin_client_what_may_crash_it_or_is_not_true() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {name}"
        for top in ("pipeline", "topologies", "tests")
        for file in sorted((ROOT / top).rglob("*.py"))
        if file != Path(__file__)
        for name in calls(file.read_text("utf-8"))
        if name in FORBIDDEN
    ]
    assert found == []


def test_the_names_are_those_of_the_client() -> None:
    assert {name for name in FORBIDDEN if not hasattr(AdminClient, name)} == set()


def unbounded(source: str) -> Iterator[int]:
    """Yield the lines that wait for an answer without a bound."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "result":
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if not given or any(isinstance(one, ast.Constant) and one.value is None for one in given):
                yield node.lineno


@pytest.mark.parametrize("wait", ["result()", "result(None)", "result(timeout=None)"])
def test_a_wait_without_a_bound_is_seen(wait: str) -> None:
    assert list(unbounded(f"admin.create_topics(new)[name].{wait}")) == [1]
    assert list(unbounded("answer.result(30)")) == []


def test_every_answer_is_waited_for_within_a_bound() -> None:
    """An answer of Kafka may never come; `answered` waits for one."""
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for top in ("pipeline", "topologies", "tests")
        for file in sorted((ROOT / top).rglob("*.py"))
        if file != Path(__file__)
        for source in [file.read_text("utf-8")]
        if top != "tests" or "AdminClient" in source
        for line in unbounded(source)
    ]
    assert found == []
