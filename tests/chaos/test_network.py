"""The proxy between a worker and the broker: nothing is lost in a pause, and a cut is noticed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.local.programs import broker_properties
from pipeline.runtime.settings import Settings
from tests.chaos.network import Network, broker_port, overrides, proxy_port
from tests.conftest import settings_in

HELD_S = 0.3


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def echo(settings: Settings) -> Iterator[None]:
    """Something that listens where the broker does for worker 0, and gives back what it gets."""
    listener = socket.create_server(("127.0.0.1", broker_port(settings, 0)))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=give_back, args=(connection,), daemon=True).start()

    def give_back(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionResetError):
            while received := connection.recv(4096):
                connection.sendall(received)

    threading.Thread(target=serve, daemon=True).start()
    yield
    listener.close()


@pytest.fixture
def network(settings: Settings, echo: None) -> Iterator[Network]:
    built = Network(settings)
    yield built
    built.stop()


def connect(settings: Settings) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy_port(settings, 0)), timeout=10)


def test_bytes_pass_in_both_directions(settings: Settings, network: Network) -> None:
    with connect(settings) as client:
        client.sendall(b"there and back")
        assert client.recv(100) == b"there and back"


def test_a_pause_holds_bytes_back_and_loses_none(settings: Settings, network: Network) -> None:
    with connect(settings) as client:
        client.sendall(b"first ")
        assert client.recv(100) == b"first "
        network.pause(0)
        client.sendall(b"second")
        client.settimeout(HELD_S)
        with pytest.raises(TimeoutError):
            client.recv(100)
        client.settimeout(10)
        network.resume(0)
        assert client.recv(100) == b"second"


def test_a_cut_resets_what_is_open_and_lets_new_connections_in(settings: Settings, network: Network) -> None:
    with connect(settings) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        network.cut(0)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(settings) as client:
        client.sendall(b"y")
        assert client.recv(1) == b"y"


def test_the_broker_has_a_listener_for_each_worker_and_advertises_its_proxy(
    settings: Settings, tmp_path: Path
) -> None:
    properties = tmp_path / "kafka.properties"
    properties.write_text(broker_properties(settings, tmp_path))
    given = dict(option.split("=", 1) for option in overrides(settings, properties)[1::2])
    assert f"PLAINTEXT://127.0.0.1:{settings.kafka_port}" in given["listeners"]
    for worker in (0, 1):
        assert f"WORKER{worker}://127.0.0.1:{broker_port(settings, worker)}" in given["listeners"]
        assert f"WORKER{worker}://127.0.0.1:{proxy_port(settings, worker)}" in given["advertised.listeners"]
        assert f"WORKER{worker}:PLAINTEXT" in given["listener.security.protocol.map"]
