"""TLS and logins of the clients: what is wrong is said in one line, and nothing waits for ever.

Servers of this process show the certificates; test_tls_on_kafka.py has the broker and the registry.
"""

from __future__ import annotations

import base64
import datetime as dt
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.entry import main
from pipeline.cli.problems import Failed
from pipeline.cli.reach import require_kafka, require_registry
from pipeline.runtime.avro.connection import client
from pipeline.runtime.avro.registry import RegistryUnavailable, unavailable
from pipeline.runtime.reachability import CONNECT_WITHIN_S, probe
from pipeline.runtime.settings import ENV_PREFIX, Settings, load_settings
from tests.security.certificates import Authority, Pair

MARKER = "m4rker-pa55word"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def server_context(pair: Pair, clients: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if clients is not None:
        context.load_verify_locations(clients.file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections, and hand each to `serve` in a thread; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one(connection: socket.socket) -> None:
            with connection:
                try:
                    serve(connection)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def speaking_tls(context: ssl.SSLContext) -> Callable[[socket.socket], object]:
    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    return serve


def client_context(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    if pair is not None:
        context.load_cert_chain(*pair)
    return context


@pytest.mark.parametrize(
    ("signed", "said"),
    [
        ({}, None),
        ({"ends_in": dt.timedelta(hours=-1)}, "shows a certificate that has expired"),
        ({"addresses": ("192.0.2.7",)}, "shows a certificate that is for another name than 127.0.0.1"),
        ({"addresses": ("kafka.example",)}, "shows a certificate that is for another name than 127.0.0.1"),
    ],
)
def test_what_is_wrong_with_a_servers_certificate_is_said(
    authority: Authority, signed: dict[str, Any], said: str | None
) -> None:
    context = server_context(authority.sign("server", **signed))
    with listening(speaking_tls(context)) as port:
        assert probe("127.0.0.1", port, client_context(authority), "SSL") == said


def test_a_certificate_of_another_authority_is_said(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another authority")
    with listening(speaking_tls(server_context(other.sign("server")))) as port:
        said = probe("127.0.0.1", port, client_context(authority), "REGISTRY")
    assert said is not None and "no authority of LEDGERFLOW_REGISTRY_CAFILE has signed" in said


def test_a_server_that_wants_a_certificate_of_the_client(authority: Authority, tmp_path: Path) -> None:
    context = server_context(authority.sign("server"), clients=authority)
    foreign = Authority(tmp_path, "another authority").sign("ledger")
    with listening(speaking_tls(context)) as port:
        assert probe("127.0.0.1", port, client_context(authority, authority.sign("ledger")), "SSL") is None
        without = probe("127.0.0.1", port, client_context(authority), "SSL")
        other = probe("127.0.0.1", port, client_context(authority, foreign), "SSL")
    assert without is not None and "wants a certificate of the client: LEDGERFLOW_SSL_CERTFILE" in without
    assert other is not None and "refuses the client's certificate" in other


def test_a_server_that_speaks_no_tls_and_one_that_says_nothing(authority: Authority) -> None:
    context = client_context(authority)
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        said = probe("127.0.0.1", port, context, "SSL")
        assert said is not None and "does not speak TLS there" in said
    silent = threading.Event()
    with listening(lambda _: silent.wait(60)) as port:
        began = time.monotonic()
        said = probe("127.0.0.1", port, context, "SSL")
        silent.set()
    assert said == "does not answer within 3 s" and time.monotonic() - began < CONNECT_WITHIN_S + 5


def test_nothing_there() -> None:
    assert probe("127.0.0.1", 1, None, "SSL") == "does not answer: Connection refused"
    assert probe("a" * 300, 1, None, "SSL") is not None


def test_a_command_says_which_certificate_of_kafka_is_wrong(
    authority: Authority, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.reach.ANSWER_WITHIN_S", 1.0)
    context = server_context(authority.sign("expired", ends_in=dt.timedelta(hours=-1)))
    with listening(speaking_tls(context)) as port:
        monkeypatch.setenv("COLUMNS", "2000")
        monkeypatch.setenv("LEDGERFLOW_SECURITY_PROTOCOL", "SSL")
        monkeypatch.setenv("LEDGERFLOW_SSL_CAFILE", str(authority.file))
        monkeypatch.setenv("LEDGERFLOW_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
        assert main(["tail", "payments"]) == 1
    shown = capsys.readouterr()
    assert shown.err == f"error: Kafka at 127.0.0.1:{port} shows a certificate that has expired\n"


class _Registry(BaseHTTPRequestHandler):
    """As much of a registry as logging in needs."""

    password = MARKER

    def do_GET(self) -> None:
        login = base64.b64encode(f"reader:{self.password}".encode()).decode()
        status = 200 if self.headers.get("Authorization") == f"Basic {login}" else 401
        body = b'["a"]' if status == 200 else b'{"error_code": 401, "message": "who are you?"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def registry(context: ssl.SSLContext) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def of_registry(url: str, authority: Authority, **given: Any) -> Settings:
    return load_settings(schema_registry_url=url, registry_cafile=authority.file, **given)


def test_a_registry_with_tls_a_client_certificate_and_a_login(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text(MARKER + "\n")
    pair = authority.sign("ledger", password="sesame")
    login = {"registry_username": "reader", "registry_password_file": file}
    ours = {"registry_certfile": pair.certificate, "registry_keyfile": pair.key, "ssl_key_password": "sesame"}
    with registry(server_context(authority.sign("registry"), clients=authority)) as url:
        with client(of_registry(url, authority, **login, **ours).registry()) as found:
            assert found.get_subjects() == ["a"]
        require_registry(of_registry(url, authority, **login, **ours))
        with pytest.raises(Failed, match="wants a certificate of the client: LEDGERFLOW_REGISTRY_CERTFILE"):
            require_registry(of_registry(url, authority, **login))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "refuses the login of nobody: another name or password (LEDGERFLOW_REGISTRY_USERNAME"),
        ({"registry_username": "reader", "registry_password": "wrong-" + MARKER}, "login of 'reader'"),
    ],
)
def test_a_login_that_the_registry_refuses_is_one_line_without_the_password(
    authority: Authority, given: dict[str, Any], said: str
) -> None:
    with registry(server_context(authority.sign("registry"))) as url, pytest.raises(Failed) as raised:
        require_registry(of_registry(url, authority, **given))
    text = str(raised.value)
    assert said in text and "\n" not in text and MARKER not in text and "start a stack" not in text


def test_a_registry_whose_certificate_is_wrong_is_one_line(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another authority")
    for context, said in (
        (server_context(authority.sign("late", ends_in=dt.timedelta(hours=-1))), "has expired"),
        (server_context(authority.sign("named", ("x.example",))), "is for another name than 127.0.0.1"),
        (server_context(other.sign("foreign")), "no authority of LEDGERFLOW_REGISTRY_CAFILE has signed"),
    ):
        with registry(context) as url, pytest.raises(Failed) as raised:
            require_registry(of_registry(url, authority))
        assert said in str(raised.value) and "\n" not in str(raised.value)


def test_without_a_file_the_registry_is_held_to_the_systems_authorities() -> None:
    given = load_settings(schema_registry_url="https://registry.example").registry()
    system = ssl.get_default_verify_paths()
    assert given == {"url": "https://registry.example", "ssl.ca.location": system.cafile or system.capath}


def test_kafka_that_does_not_speak_tls_is_said_within_bounds(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.reach.ANSWER_WITHIN_S", 1.0)
    silent = threading.Event()
    with listening(lambda _: silent.wait(60)) as port:
        settings = load_settings(
            bootstrap_servers=f"127.0.0.1:{port}", security_protocol="SSL", ssl_cafile=authority.file
        )
        began = time.monotonic()
        with pytest.raises(Failed, match="does not answer within 3 s"):
            require_kafka(settings)
        silent.set()
    assert time.monotonic() - began < 20


def test_the_error_of_a_request_keeps_its_status_and_no_more() -> None:
    found = unavailable(ValueError("x"))
    assert isinstance(found, RegistryUnavailable) and found.status is None
