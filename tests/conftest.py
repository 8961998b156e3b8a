"""Fixtures for all tests: the real local stack, started once per run on free ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.settings import Settings, load_settings
from pipeline.runtime.stack import LocalStack


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def settings_in(data_dir: Path) -> Settings:
    """Return settings of a stack of its own in `data_dir`: free ports, little memory."""
    kafka_port, controller_port, registry_port, web_port = free_ports(4)
    return load_settings(
        data_dir=data_dir,
        kafka_port=kafka_port,
        controller_port=controller_port,
        registry_port=registry_port,
        web_port=web_port,
        kafka_heap_mb=384,
    )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The run's Kafka and schema registry."""
    with LocalStack(settings_in(tmp_path_factory.mktemp("stack"))) as running:
        yield running


@pytest.fixture
def settings(stack: LocalStack, tmp_path: Path) -> Settings:
    """Settings of the run's stack with a data directory of the test's own (tables, caches)."""
    return stack.settings.model_copy(update={"data_dir": tmp_path})
