"""Callbacks and id tokens that somebody forged, stole or sends again: nobody is signed in by them."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from pipeline.gateway import limits
from pipeline.gateway.identity import oidc
from pipeline.gateway.identity.store import StoreFull
from tests.gateway_identity import provider as providers
from tests.gateway_identity.gate import SESSION, Gate, code_of, opened, path_of, settings, sign_in
from tests.gateway_identity.people import FromNow, as_of_now
from tests.gateway_identity.provider import CLIENT_ID, FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with providers.running() as made:
        yield made


@pytest.fixture
def gate(provider: FakeProvider, tmp_path: Path) -> Iterator[Gate]:
    with opened(settings(tmp_path, provider)) as (made, _):
        yield made


def require_nobody(browser: TestClient) -> None:
    assert SESSION not in browser.cookies
    assert browser.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another"},
        {"nonce": "0" * 64},
        {"nonce": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "s" * 257},
        {"sub": 7},
        {"exp": FromNow(-61)},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": FromNow(10**9)},
        {"iat": FromNow(3_600), "exp": FromNow(3_700)},
        {"iat": None},
        {"nbf": FromNow(3_600)},
        {"auth_time": None},
        {"auth_time": FromNow(-13) * 3_600},
        {"auth_time": FromNow(3_600)},
        {"auth_time": True},
    ],
    ids=str,
)
def test_claims_that_are_not_for_us_or_not_in_force_are_refused(
    provider: FakeProvider, gate: Gate, said: dict[str, Any]
) -> None:
    provider.said |= as_of_now(said)
    browser = gate.browser()
    assert code_of(sign_in(browser, provider)) == "sign_in_refused"
    require_nobody(browser)


@pytest.mark.parametrize(("name", "seconds"), [("exp", -30), ("iat", 30), ("nbf", 30), ("auth_time", 30)])
def test_clocks_may_differ_a_little(provider: FakeProvider, gate: Gate, name: str, seconds: int) -> None:
    provider.said |= {name: int(time.time()) + seconds}
    assert sign_in(gate.browser(), provider).status_code == 303


@pytest.mark.parametrize("said", [{"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID, "x"], "azp": CLIENT_ID}], ids=str)
def test_an_audience_of_several_is_taken_for_its_party(
    provider: FakeProvider, gate: Gate, said: dict[str, Any]
) -> None:
    provider.said |= said
    assert sign_in(gate.browser(), provider).status_code == 303


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _signed_part(algorithm: str, claims: dict[str, Any]) -> str:
    header = {"alg": algorithm, "kid": "k1", "typ": "JWT"}
    return ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))


def _none(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return _signed_part("none", claims) + "."


def _none_with_a_signature(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return _signed_part("none", claims) + ".AAAA"


def _public_key_as_secret(provider: FakeProvider, claims: dict[str, Any]) -> str:
    signed = _signed_part("HS256", claims)
    secret = provider.keys[0].as_pem(private=False)
    return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _other_key(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": "k1"}, claims, providers.new_key("k1"))


def _key_in_the_header(provider: FakeProvider, claims: dict[str, Any]) -> str:
    key = providers.new_key("k1")
    header = {"alg": "ES256", "kid": "k1", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key)


def _algorithm_of_another_key(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, RSAKey.generate_key(2048))


def _without_kid(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256"}, claims, provider.keys[0])


def _changed(provider: FakeProvider, claims: dict[str, Any]) -> str:
    head, _, signature = provider.sign(claims).split(".")
    _, body, _ = provider.sign(claims | {"sub": "root"}).split(".")
    return ".".join((head, body, signature))


def _access_token(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return provider.sign(claims, {"typ": "at+jwt"})


def _deep(provider: FakeProvider, claims: dict[str, Any]) -> str:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    return provider.sign(claims | {"amr": deep})


def _no_token(provider: FakeProvider, claims: dict[str, Any]) -> str:
    return "a.b"


@pytest.mark.parametrize(
    "forge",
    [
        _none, _none_with_a_signature, _public_key_as_secret, _other_key, _key_in_the_header,
        _algorithm_of_another_key, _without_kid, _changed, _access_token, _no_token,
    ],
)  # fmt: skip
def test_a_token_that_the_provider_did_not_sign_as_it_should_is_refused(
    provider: FakeProvider, gate: Gate, forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "sign", lambda claims, _=None: forge(Signer(provider), claims))
    browser = gate.browser()
    assert code_of(sign_in(browser, provider)) == "sign_in_refused"
    require_nobody(browser)


class Signer:
    """Signs as the provider does."""

    def __init__(self, provider: FakeProvider) -> None:
        self.keys = provider.keys
        self.sign = type(provider).sign.__get__(provider)


def test_a_claim_that_is_deeply_nested_is_no_second_factor(
    provider: FakeProvider, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "sign", lambda claims, _=None: _deep(Signer(provider), claims))
    browser = gate.browser()
    sign_in(browser, provider)
    assert browser.get("/v1/me").json()["second_factor_at"] is None


def test_a_callback_is_good_once(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    back = path_of(provider.authorise(browser.get("/sign-in").headers["location"]))
    begun = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    thief = gate.browser()
    thief.cookies.update({"__Host-ledgerflow-sign-in": begun["__Host-ledgerflow-sign-in"]})
    assert code_of(thief.get(back)) == "sign_in_refused"
    require_nobody(thief)


def test_a_callback_is_good_in_the_browser_that_began_it_alone(provider: FakeProvider, gate: Gate) -> None:
    mine, victim = gate.browser(), gate.browser()
    back = path_of(provider.authorise(mine.get("/sign-in").headers["location"]))
    victim.get("/sign-in")
    assert code_of(victim.get(back)) == "sign_in_refused"
    require_nobody(victim)
    assert code_of(mine.get(back)) == "sign_in_refused"  # and the attempt has used it up


@pytest.mark.parametrize(
    "change",
    [
        lambda back: back.replace("state=", "state=x"),
        lambda back: back.partition("&state")[0],
        lambda back: back.replace("code=", "code=x"),
        lambda back: back.replace("code=", "cod="),
        lambda back: back + "&iss=https%3A%2F%2Fevil.example",
        lambda back: back + "&error=access_denied",
        lambda back: back.replace("code=", "code=" + "x" * 5_000),
    ],
    ids=["state", "no state", "code", "no code", "issuer", "error", "long code"],
)
def test_a_callback_that_was_changed_is_refused(provider: FakeProvider, gate: Gate, change: Any) -> None:
    browser = gate.browser()
    back = path_of(provider.authorise(browser.get("/sign-in").headers["location"]))
    assert code_of(browser.get(change(back))) == "sign_in_refused"
    require_nobody(browser)


def test_a_sign_in_that_took_too_long_is_over(
    provider: FakeProvider, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "WITHIN_S", -1)
    assert code_of(sign_in(gate.browser(), provider)) == "sign_in_refused"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "docs",
        "",
        "/a b",
        "/a\tb",
        "/\r\nX: y",
    ],
)
def test_nobody_is_sent_to_another_site(gate: Gate, path: str) -> None:
    answer = gate.browser().get("/sign-in", params={"return_to": path})
    assert (answer.status_code, code_of(answer)) == (400, "invalid_return")


def test_sign_ins_under_way_are_bounded(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise StoreFull

    monkeypatch.setattr(gate.entrance.store, "put", full)
    assert code_of(gate.browser().get("/sign-in")) == "too_busy"


def test_an_address_has_so_many_sign_ins_a_minute(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VISITS_PER_MINUTE", 3)
    with opened(settings(tmp_path, provider)) as (_, browser):
        assert [browser.get("/sign-in").status_code for _ in range(4)] == [303, 303, 303, 429]
