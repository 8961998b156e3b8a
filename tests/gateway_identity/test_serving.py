"""TLS of the gateway: what is wrong with its files is said at the start; with good ones it is spoken."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from pipeline.cli.children import Processes
from pipeline.cli.supervisor import answers_ready
from pipeline.gateway.serving import options
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings, SettingsError
from tests.conftest import free_ports
from tests.progress import eventually
from tests.security.certificates import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def made(pair: Pair | None = None, **given: Any) -> Settings:
    values: dict[str, Any] = {"gateway_port": free_ports()[0]}
    if pair is not None:
        values |= {"gateway_certfile": pair.certificate, "gateway_keyfile": pair.key}
    return Settings(**values | given)


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Serve one route; yield its address."""
    app = FastAPI()

    @app.get("/")
    async def route() -> str:
        return "here"

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    server = uvicorn.Server(uvicorn.Config(app, **options(settings)))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield f"https://localhost:{settings.gateway_port}/"
    finally:
        server.should_exit = True
        thread.join()


def test_the_gateway_speaks_tls_and_nothing_else(authority: Authority) -> None:
    with served(made(authority.sign("gateway", ("localhost", "127.0.0.1")))) as address:
        trusted = ssl.create_default_context(cafile=authority.file)
        assert urllib.request.urlopen(address, context=trusted).read() == b'"here"'
        with pytest.raises(OSError):
            urllib.request.urlopen(address.replace("https", "http"))


def test_up_knows_that_a_gateway_with_tls_is_ready_whatever_its_certificate_calls_it(
    authority: Authority,
) -> None:
    settings = made(authority.sign("gateway", ("bank.example",)))
    with served(settings):
        assert answers_ready(settings.gateway_address(), settings.gateway_tls())
        other = made(Authority(authority.file.parent / "other").sign("gateway")).gateway_tls()
        assert not answers_ready(settings.gateway_address(), other), "it is somebody else's certificate"
    assert made().gateway_tls() is None


def test_endpoints_name_the_address_that_clients_use_and_readiness_asks_this_machines(
    authority: Authority, tmp_path: Path
) -> None:
    pair = authority.sign("gateway", ("localhost",))
    for given, origin, address in (
        ({}, "http://localhost:8080", "http://127.0.0.1:8080"),
        ({"pair": pair}, "https://localhost:8080", "https://127.0.0.1:8080"),
        ({"gateway_url": "https://bank.example"}, "https://bank.example", "http://127.0.0.1:8080"),
        ({"gateway_host": "::1"}, "http://localhost:8080", "http://[::1]:8080"),
    ):
        settings = made(gateway_port=8080, data_dir=tmp_path, **given)
        processes = Processes(settings, LocalStack(settings), print)
        assert (processes.gateway_url, processes.gateway.workers[0].url) == (origin, address)


def _missing(pair: Pair, _: Authority) -> None:
    pair.certificate.unlink()


def _no_certificate(pair: Pair, _: Authority) -> None:
    pair.certificate.write_text("x")


def _no_key(pair: Pair, _: Authority) -> None:
    pair.key.write_text("x")


def _another_key(pair: Pair, authority: Authority) -> None:
    pair.key.write_bytes(authority.sign("other").key.read_bytes())


def _open_to_others(pair: Pair, _: Authority) -> None:
    pair.key.chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_missing, "GATEWAY_CERTFILE=.*No such file"),
        (_no_certificate, "GATEWAY_CERTFILE=.*no certificate"),
        (_no_key, "GATEWAY_KEYFILE=.*no key in the clear"),
        (_another_key, "GATEWAY_KEYFILE=.*not the key of the certificate"),
        (_open_to_others, "GATEWAY_KEYFILE: .*mode 0644"),
    ],
)
def test_what_is_wrong_with_the_files_is_one_line(
    authority: Authority, spoil: Callable[[Pair, Authority], None], said: str
) -> None:
    pair = authority.sign("gateway", ("localhost",))
    settings = made(pair)
    spoil(pair, authority)
    with pytest.raises(SettingsError, match=said) as told:
        options(settings)
    assert "\n" not in str(told.value)


def test_a_certificate_that_has_ended_or_a_key_with_a_password_is_refused(authority: Authority) -> None:
    with pytest.raises(SettingsError, match=r"valid from .* to"):
        options(made(authority.sign("gateway", ends_in=-dt.timedelta(hours=1))))
    with pytest.raises(SettingsError, match="no key in the clear"):
        options(made(authority.sign("gateway", password="secret")))


def test_off_loopback_it_needs_tls_or_a_name_for_going_without(authority: Authority) -> None:
    with pytest.raises(SettingsError, match="INSECURE=gateway"):
        options(made(gateway_host="0.0.0.0"))
    assert options(made(gateway_host="0.0.0.0", insecure="gateway"))["host"] == "0.0.0.0"
    assert "ssl_certfile" in options(made(authority.sign("gateway"), gateway_host="0.0.0.0"))


def test_a_certificate_goes_with_its_key(authority: Authority) -> None:
    with pytest.raises(ValueError, match="GATEWAY_CERTFILE goes with"):
        made(gateway_certfile=authority.sign("gateway").certificate)


def test_people_sign_in_over_tls_or_on_loopback_alone() -> None:
    people = {"oidc_issuer": "https://id.example", "oidc_client_id": "x"}
    for host, origin in (("127.0.0.1", "http://localhost:80"), ("localhost", "http://localhost:80")):
        assert Settings(**people, gateway_port=80, gateway_host=host).gateway_origin() == origin
    with pytest.raises(SettingsError, match="off loopback it needs TLS"):
        Settings(**people, gateway_host="192.0.2.1").gateway_origin()
    with pytest.raises(SettingsError, match="off loopback it needs TLS"):
        Settings(**people, gateway_url="http://192.0.2.1:80").gateway_origin()
    assert Settings(gateway_host="2001:db8::1").gateway_origin() == "http://[2001:db8::1]:8080"
    with_proxy = Settings(**people, gateway_host="192.0.2.1", gateway_url="https://bank.example")
    assert with_proxy.gateway_origin() == "https://bank.example"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gateway_url": "https://bank.example/"}, "nothing after it"),
        ({"gateway_url": "bank.example"}, "write https://HOST"),
        ({"oidc_issuer": "https://id.example"}, "goes with"),
        ({"oidc_client_id": "x"}, "goes with"),
        ({"oidc_issuer": "https://id.example", "oidc_client_id": "x", "jwt_audience": "x"}, "must not be"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_together_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**given)


def test_behind_a_proxy_the_clients_address_is_what_the_proxy_says() -> None:
    assert options(made())["proxy_headers"] is False
    behind = options(made(gateway_proxies="127.0.0.1"))
    assert (behind["proxy_headers"], behind["forwarded_allow_ips"]) == (True, "127.0.0.1")
