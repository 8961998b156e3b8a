"""An address that nothing can listen on is known before a process is started for it."""

from __future__ import annotations

import socket

import pytest

from pipeline.runtime.addresses import unusable


def test_a_free_port_is_usable_until_another_socket_listens_on_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        assert unusable("127.0.0.1", port) == "Address already in use"
    assert unusable("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", 65_536), ("no host", 40_000), ("a" * 64 + ".example", 40_000), ("192.0.2.1", 40_000)],
)
def test_what_is_no_address_of_this_machine_has_a_reason(host: str, port: int) -> None:
    assert unusable(host, port)
