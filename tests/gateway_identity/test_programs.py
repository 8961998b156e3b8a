"""Programs with access tokens: their roles, what is refused, and how keys rotate."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from pipeline.gateway.identity import provider as module
from pipeline.gateway.identity.grants import Grants
from pipeline.gateway.identity.jwt import Programs
from pipeline.gateway.identity.provider import Provider, ProviderUnavailable
from pipeline.gateway.identity.store import SqliteStore
from pipeline.gateway.identity.tokens import TokenRefused
from pipeline.gateway.policy.reading import default_policy
from pipeline.gateway.problems import Problem
from tests.gateway_identity import provider as providers
from tests.gateway_identity.gate import AUDIENCE, code_of, opened, settings
from tests.gateway_identity.people import FromNow, as_of_now
from tests.gateway_identity.provider import CLIENT_ID, FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with providers.running() as made:
        yield made


@pytest.fixture
def grants(tmp_path: Path) -> Grants:
    return Grants(SqliteStore(tmp_path / "s.sqlite"), default_policy())


@pytest.fixture
def programs(provider: FakeProvider, grants: Grants) -> Programs:
    return Programs(Provider(provider.issuer), AUDIENCE, grants)


class Clock:
    """Stands for `time` in the module of the provider: the tests move it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


async def test_a_program_has_the_roles_that_it_was_granted(
    programs: Programs, provider: FakeProvider, grants: Grants
) -> None:
    await grants.add(provider.issuer, "erp", "program", "north", "upstream", made_by="x")
    await grants.add(provider.issuer, "erp", "person", "north", "approver", made_by="x")
    found = await programs.principal(provider.access_token(AUDIENCE, client_id="erp-1"))
    assert (found.issuer, found.subject, found.key_id) == (provider.issuer, "erp", "erp-1")
    assert found.roles == {"north": frozenset({"upstream"})}
    assert (found.session_id, found.second_factor_at) == (None, None)
    (given, *_) = [one for one in await grants.all() if one.of == "program"]
    await grants.remove(given.grant_id)
    again = await programs.again(found)
    assert again is not None and again.roles == {}


async def test_roles_may_stand_in_a_claim_that_is_named(provider: FakeProvider, grants: Grants) -> None:
    programs = Programs(Provider(provider.issuer), AUDIENCE, grants, "ledgerflow_roles")
    token = provider.access_token(AUDIENCE, ledgerflow_roles=["north:upstream", "*:auditor", "odd"])
    found = await programs.principal(token)
    assert found.roles == {"north": frozenset({"upstream"}), "*": frozenset({"auditor"})}
    for bad in ("north:upstream", ["a:b"] * 101, [1], {"a": "b"}):
        with pytest.raises(TokenRefused, match="roles"):
            await programs.principal(provider.access_token(AUDIENCE, ledgerflow_roles=bad))


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://evil.example"},
        {"aud": CLIENT_ID},
        {"aud": ["x", "y"]},
        {"exp": FromNow(-61)},
        {"exp": FromNow(90_000)},
        {"nbf": FromNow(3_600)},
        {"iat": FromNow(3_600), "exp": FromNow(3_660)},
        {"sub": None},
        {"client_id": "c" * 257},
        {"client_id": "a\nb"},
        {"client_id": ["c"]},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_us_or_not_in_force_is_refused(
    programs: Programs, provider: FakeProvider, said: dict[str, Any]
) -> None:
    with pytest.raises(TokenRefused):
        await programs.principal(provider.access_token(AUDIENCE, **as_of_now(said)))


@pytest.mark.parametrize("token", ["", "a.b.c", ".".join(["x" * 3_000] * 3), "é.é.é", "e30.e30.e30"])
async def test_what_is_no_token_is_refused(programs: Programs, provider: FakeProvider, token: str) -> None:
    with pytest.raises(TokenRefused):
        await programs.principal(token)
    assert provider.asked == {}


async def test_a_new_key_is_found_and_an_old_one_is_gone(
    programs: Programs, provider: FakeProvider, clock: Clock
) -> None:
    old = provider.access_token(AUDIENCE)
    await programs.principal(old)
    provider.rotate("k2")
    clock.now += module.ASKED_AGAIN_AFTER_S + 1
    assert (await programs.principal(provider.access_token(AUDIENCE))).subject == "erp"
    with pytest.raises(TokenRefused, match="key"):
        await programs.principal(old)


async def test_a_withdrawn_key_is_gone_after_a_while_without_a_new_one(
    programs: Programs, provider: FakeProvider, clock: Clock
) -> None:
    old = provider.access_token(AUDIENCE)
    await programs.principal(old)
    provider.rotate("k2")
    clock.now += module.FRESH_S + 1
    with pytest.raises(TokenRefused, match="key"):
        await programs.principal(old)


async def test_unknown_keys_make_at_most_one_request_in_thirty_seconds(
    programs: Programs, provider: FakeProvider, clock: Clock
) -> None:
    await programs.principal(provider.access_token(AUDIENCE))
    provider.keys = [providers.new_key("k9")]
    unknown = provider.access_token(AUDIENCE)
    provider.keys = [providers.new_key("k1")]
    for _ in range(20):
        clock.now += 3.1
        with pytest.raises(TokenRefused):
            await programs.principal(unknown)
    assert provider.asked["/jwks"] == 3  # the first one, and two in 62 s


async def test_known_keys_go_on_for_an_hour_while_the_provider_is_down(
    programs: Programs, provider: FakeProvider, clock: Clock
) -> None:
    token = provider.access_token(AUDIENCE, exp=int(time.time()) + 80_000)
    await programs.principal(token)
    provider.answers = {"/jwks": (503, b""), "/.well-known/openid-configuration": (503, b"")}
    clock.now += module.STALE_S - 1
    assert (await programs.principal(token)).subject == "erp"
    clock.now += 2
    with pytest.raises(Problem, match="503"):
        await programs.principal(token)
    provider.answers = {}
    clock.now += module.ASKED_AGAIN_AFTER_S + 1
    assert (await programs.principal(token)).subject == "erp"


async def test_keys_that_are_not_for_signatures_or_too_weak_are_left_out(provider: FakeProvider) -> None:
    with pytest.warns(Warning, match="2048"):
        weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    strong = RSAKey.generate_key(2048, {"kid": "strong"}).as_dict(private=False)
    shared = OctKey.generate_key(256, {"kid": "shared"}).as_dict()
    others = [strong | {"kid": "encrypts", "use": "enc"}, {"kid": "odd", "kty": "XX"}, {"kty": "RSA"}, 7]
    given = [weak, strong, shared, {"kid": "bad", "kty": "EC", "crv": "P-256", "x": 1, "y": 2}, *others]
    provider.answers["/jwks"] = (200, json.dumps({"keys": given}).encode())
    asked = Provider(provider.issuer)
    names = ("weak", "strong", "shared", "encrypts", "odd", "bad")
    assert [name for name in names if await asked.key(name) is not None] == ["strong"]


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "ftp://id.example",
        "http://id.example",
        "https://",
        "https://a@id.example",
        "https://id.example/#x",
        "http://[",
    ],
)
def test_an_issuer_must_be_protected(issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Provider(issuer)


async def test_a_provider_that_does_not_listen_is_told(provider: FakeProvider) -> None:
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await Provider("http://127.0.0.1:9").metadata()


def test_a_program_may_come_with_its_token_and_its_refusal_says_why(
    provider: FakeProvider, tmp_path: Path
) -> None:
    with opened(settings(tmp_path, provider)) as (_, client):
        good = {"Authorization": f"Bearer {provider.access_token(AUDIENCE)}"}
        assert client.get("/v1/me", headers=good).json()["subject"] == "erp"
        assert code_of(client.get("/v1/me/sessions", headers=good)) == "people_only"
        assert code_of(client.post("/sign-out", headers=good)) == "people_only"
        bad = {"Authorization": f"Bearer {provider.access_token('another')}"}
        answer = client.get("/v1/me", headers=bad)
        assert (answer.status_code, code_of(answer)) == (401, "token_refused")
