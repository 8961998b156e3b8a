"""Off loopback nothing is spoken in the clear, unless a setting allows it by name."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from pipeline.cli.entry import main
from pipeline.runtime.addresses import hosts_of, is_loopback
from pipeline.runtime.settings import ENV_PREFIX, SettingsError, load_settings

REGISTRY = "http://registry.example/apis/ccompat/v7"
SASL = {"sasl_username": "u", "sasl_password": "p"}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names resolve to what the test says, and no settings are in the environment."""
    known = {
        "elsewhere.example": ["192.0.2.7"],
        "both.example": ["127.0.0.1", "192.0.2.7"],
        "here.example": ["127.0.1.1", "::1"],
        "localhost": ["127.0.0.1"],
    }
    real = socket.getaddrinfo

    def resolve(host: str, port: Any, *rest: Any, **options: Any) -> list[Any]:
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in known[host]]
        if host.endswith("example") or host == "kafka":
            raise socket.gaierror("no such name")
        return real(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for variable in os.environ:
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.255.0.9", "::1", "[::1]", "::ffff:127.0.0.1", "localhost", "here.example"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.7", "::ffff:192.0.2.7", "elsewhere.example", "both.example", "none.example",
     "", "PLAINTEXT://127.0.0.1", "a" * 300],
)  # fmt: skip
def test_everything_else_is_off_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_every_server_of_a_list_counts() -> None:
    assert hosts_of("127.0.0.1:1, [::1]:2,kafka:3,bare,") == ["127.0.0.1", "[::1]", "kafka", "bare"]


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("servers", ["192.0.2.7:9092", "127.0.0.1:9092,elsewhere.example:9092", "kafka:9092"])
def test_kafka_in_the_clear_is_refused_unless_it_is_named(protocol: str, servers: str) -> None:
    given = {"bootstrap_servers": servers, "security_protocol": protocol, **SASL}
    with pytest.raises(SettingsError, match="encrypts nothing: use SASL_SSL or SSL") as raised:
        load_settings(**given)
    assert "LEDGERFLOW_INSECURE=kafka" in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(SettingsError):
        load_settings(**given, insecure="registry,web")
    assert load_settings(**given, insecure="web, kafka").bootstrap_servers == servers


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_kafka_by_tls_may_be_anywhere(protocol: str) -> None:
    load_settings(bootstrap_servers="elsewhere.example:9093", security_protocol=protocol, **SASL)


def test_a_registry_by_http_is_refused_unless_it_is_named() -> None:
    with pytest.raises(SettingsError, match="use https, or allow it by name, LEDGERFLOW_INSECURE=registry"):
        load_settings(schema_registry_url=REGISTRY)
    load_settings(schema_registry_url=REGISTRY, insecure="registry")
    load_settings(schema_registry_url=REGISTRY.replace("http:", "https:"))
    load_settings(schema_registry_url="http://localhost:8081")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "elsewhere.example"])
def test_views_off_loopback_are_refused_unless_they_are_named(host: str) -> None:
    with pytest.raises(SettingsError, match="LEDGERFLOW_INSECURE=web"):
        load_settings(web_host=host)
    load_settings(web_host=host, insecure="web")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="LEDGERFLOW_INSECURE=all: no all there: it may name kafka"):
        load_settings(insecure="all")


@pytest.mark.parametrize(
    "command",
    [
        ["tail", "payments"], ["load"], ["verify"], ["topics"], ["worker"], ["rebuild", "--from", "postings"],
        ["export", "north", "--out", "x"], ["dead-letters", "list"], ["dead-letters", "redrive"],
        ["schemas", "register"], ["restore"], ["snapshot"], ["balance", "north/alice"], ["switch"],
        ["statement", "north/alice", "--from", "2026-11-01T00:00:00Z"], ["payment", "north/p-1"],
    ],
)  # fmt: skip
def test_every_command_refuses_it_before_it_connects(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERFLOW_BOOTSTRAP_SERVERS", "elsewhere.example:9092")
    monkeypatch.setenv("COLUMNS", "2000")
    assert main(command) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "INSECURE=kafka" in shown.err


def test_up_takes_its_own_addresses_and_refuses_open_views(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERFLOW_BOOTSTRAP_SERVERS", "elsewhere.example:9092")
    assert load_settings(local=True).bootstrap_servers == "elsewhere.example:9092"
    monkeypatch.setenv("LEDGERFLOW_WEB_HOST", "0.0.0.0")
    assert main(["up"]) == 2
    assert "LEDGERFLOW_INSECURE=web" in capsys.readouterr().err
