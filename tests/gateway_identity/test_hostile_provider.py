"""Providers that lie, are slow, are down or answer with too much: nobody is signed in by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.gateway.identity import provider as provider_module
from tests.gateway_identity import provider as providers
from tests.gateway_identity.gate import Gate, code_of, opened, path_of, settings
from tests.gateway_identity.provider import FakeProvider

METADATA = "/.well-known/openid-configuration"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with providers.running() as made:
        yield made


@pytest.fixture
def gate(provider: FakeProvider, tmp_path: Path) -> Iterator[Gate]:
    with opened(settings(tmp_path, provider)) as (made, _):
        yield made


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (METADATA, (500, b"")),
        (METADATA, (200, b"no json")),
        (METADATA, (200, b"[]")),
        (METADATA, (200, b"[" * 100_000)),
        (METADATA, (200, b"{}")),
        (METADATA, (200, b" " * (provider_module.ANSWER_BYTES_MAX + 1))),
        (METADATA, (302, b"http://127.0.0.1:9/elsewhere")),
        ("/jwks", (302, b"http://127.0.0.1:9/elsewhere")),
        ("/jwks", (200, b" " * (provider_module.ANSWER_BYTES_MAX + 1))),
        ("/jwks", (200, json.dumps({"keys": [{}] * 101}).encode())),
        ("/jwks", (200, b'{"keys": 1}')),
    ],
    ids=lambda one: one if isinstance(one, str) else f"{one[0]} {one[1][:12]!r}",
)
def test_a_provider_that_gives_no_good_answer_signs_nobody_in(
    provider: FakeProvider, gate: Gate, path: str, answer: tuple[int, bytes]
) -> None:
    provider.answers[path] = answer
    browser = gate.browser()
    begun = browser.get("/sign-in")
    last = (
        begun
        if begun.status_code != 303
        else browser.get(path_of(provider.authorise(begun.headers["location"])))
    )
    assert (last.status_code, code_of(last)) == (503, "provider_unavailable")
    assert browser.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "ftp://127.0.0.1/jwks"},
        {"jwks_uri": "https://user@evil.example/jwks"},
    ],
    ids=str,
)
def test_a_discovery_that_leads_astray_is_refused(
    provider: FakeProvider, gate: Gate, said: dict[str, str]
) -> None:
    provider.answers[METADATA] = (200, json.dumps(provider.metadata() | said).encode())
    assert code_of(gate.browser().get("/sign-in")) == "provider_unavailable"


def test_a_provider_that_is_slow_is_not_waited_for(
    provider: FakeProvider, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_module, "ANSWER_WITHIN_S", 0.2)
    provider.late_s[METADATA] = 1.0
    assert code_of(gate.browser().get("/sign-in")) == "provider_unavailable"
