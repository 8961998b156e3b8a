"""Fixtures for all tests: the real local stack, started once per test process on free ports."""

from __future__ import annotations

import gc
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings, load_settings
from tests import syntax_trees

pytest.register_assert_rewrite("tests.streams.poison", "tests.streams.stream_bench")  # they assert, too

syntax_trees.install()

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"
"""A broker of a test lives for a minute: compiling its hot paths well takes more time than it saves."""
LONG = "long"
"""The Hypothesis profile of long forms of properties (`python -m tests --long`, `--hypothesis-profile=long`).

Its examples differ each time."""
UNHURRIED = "unhurried"
"""The profile of every other run: an example is judged by what comes out, not by how long it takes.

Its examples are the same for the same test, so that no change is stopped by what it did not touch. Whoever
looks for faults runs the long form."""
_unhurried = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile(LONG, _unhurried, max_examples=1_000)
hypothesis_settings.register_profile(UNHURRIED, _unhurried, derandomize=True, max_examples=50)
hypothesis_settings.load_profile(UNHURRIED)  # an option of the command line is loaded later
LONGEST_FIRST = (
    "e2e/test_up.py",
    "security/test_secure.py",
    "integration/test_exactly_once.py",
    "integration/test_standby.py",
    "chaos/test_short.py",
    "security/test_forged_on_stack.py",
    "integration/test_load_verify.py",
    "e2e/test_second_person.py",
    "benchmarks/test_short.py",
    "integration/test_stack.py",
    "security/test_logs_on_stack.py",
    "security/test_tls_on_kafka.py",
    "chaos/test_checker_on_stack.py",
    "gateway/test_on_stack.py",
    "integration/test_views.py",
    "integration/test_fencing.py",
    "integration/test_audit_log.py",
    "integration/test_apicurio_serde.py",
    "integration/test_broker_crash.py",
    "integration/test_new_stream.py",
)
"""Files that wait for servers for minutes. While one waits, others compute, and none of them is the last."""
OBJECTS_BEFORE_A_COLLECTION = (50_000, 20, 100)
"""Of the cyclic collector, as workers set theirs: at its default a fifth of a test's time is spent in it."""
PORTS_PER_STACK = 12
LOWEST_PORT, HIGHEST_PORT = 15_000, 32_000
"""Below the ports that the system gives to outgoing connections: what is free here stays free."""


def pytest_configure() -> None:
    """Let every Java process of this run start fast, of its children too; no figure is measured here."""
    gc.set_threshold(*OBJECTS_BEFORE_A_COLLECTION)
    os.environ.setdefault("JDK_JAVA_OPTIONS", JAVA_OPTIONS)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # else threads that train spin while they wait
    os.environ.setdefault("LEDGERFLOW_TICK_SECONDS", "0")  # the event time of tests is made up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that wait for servers evenly, the longest first; the order within a file stays."""
    files = list(dict.fromkeys(item.path for item in items))
    long = [path for name in LONGEST_FIRST if (path := Path(__file__).parent / name) in files]
    others = [path for path in files if path not in long]
    place = {path: float(number) for number, path in enumerate(others)}
    place |= {path: number * len(others) / len(long) - 0.5 for number, path in enumerate(long)}
    items.sort(key=lambda item: place[item.path])


def pytest_collection_finish() -> None:
    """Let the cyclic collector pass over what was collected: thousands of tests stay until the end."""
    gc.collect()
    gc.freeze()


def free_ports() -> list[int]:
    """Return PORTS_PER_STACK ports of loopback in a row that nothing listens on."""
    while True:
        first = random.randrange(LOWEST_PORT, HIGHEST_PORT, PORTS_PER_STACK)
        ports = list(range(first, first + PORTS_PER_STACK))
        if all(map(_is_free, ports)):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def settings_in(data_dir: Path) -> Settings:
    """Return settings of a stack of its own in `data_dir`: free ports, little memory."""
    kafka_port, controller_port, internal_port, registry_port, gateway_port, web_port, *_ = free_ports()
    # The rest: views of workers.
    return load_settings(
        data_dir=data_dir,
        kafka_port=kafka_port,
        controller_port=controller_port,
        internal_port=internal_port,
        registry_port=registry_port,
        gateway_port=gateway_port,
        web_port=web_port,
        kafka_heap_mb=384,
    )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The Kafka and schema registry of this test process."""
    with LocalStack(settings_in(tmp_path_factory.mktemp("stack"))) as running:
        yield running


@pytest.fixture
def settings(stack: LocalStack, tmp_path: Path) -> Settings:
    """Settings of the run's stack with a data directory of the test's own (tables, caches)."""
    return stack.settings.model_copy(update={"data_dir": tmp_path})
