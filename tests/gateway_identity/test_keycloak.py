"""Sign-in and access tokens with a real provider, Keycloak."""

from __future__ import annotations

import html
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.runtime.local.artifacts import ArtifactError
from pipeline.runtime.settings import load_settings
from tests.conftest import free_ports
from tests.gateway_identity.gate import AUDIENCE, ORIGIN, code_of, opened, path_of, settings
from tests.gateway_identity.keycloak import Keycloak, running
from tests.gateway_identity.provider import CLIENT_ID, CLIENT_SECRET
from tests.progress import SILENCE_S, eventually

pytestmark = pytest.mark.long
REALM, PASSWORD = "bank", "pw"


def mapper(kind: str, **config: str) -> dict[str, Any]:
    about = {"name": kind, "protocol": "openid-connect", "protocolMapper": kind}
    return {**about, "config": {"access.token.claim": "true", **config}}


def program(name: str, audience: str) -> dict[str, Any]:
    aud = mapper("oidc-audience-mapper", **{"included.custom.audience": audience})
    about = {"clientId": name, "secret": PASSWORD, "protocolMappers": [aud]}
    return {**about, "serviceAccountsEnabled": True, "standardFlowEnabled": False}


BANK = {
    "realm": REALM,
    "enabled": True,
    "clients": [
        {
            "clientId": CLIENT_ID,
            "secret": CLIENT_SECRET,
            "redirectUris": [f"{ORIGIN}/sign-in/callback"],
            "attributes": {"pkce.code.challenge.method": "S256"},
            "protocolMappers": [mapper("oidc-amr-mapper", **{"id.token.claim": "true"})],
        },
        program("billing", AUDIENCE),
        program("other", "https://other.example"),
    ],
    "users": [
        {
            "username": "ann",
            "enabled": True,
            "email": "ann@bank.example",
            "emailVerified": True,
            "firstName": "Ann",
            "lastName": "A",
            "credentials": [{"type": "password", "value": PASSWORD}],
        }
    ],
}


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    log = tmp_path_factory.mktemp("keycloak") / "keycloak.log"
    try:
        with running(load_settings().cache_dir, free_ports()[0], log) as made:
            made.ask("POST", "/realms", BANK)
            yield made
    except ArtifactError as error:
        pytest.skip(str(error))


@pytest.fixture
def gate(keycloak: Keycloak, tmp_path: Path) -> Iterator[Any]:
    provider: Any = SimpleNamespace(issuer=f"{keycloak.url}/realms/{REALM}")
    with opened(settings(tmp_path, provider)) as (_, browser):
        yield browser


def sign_in(browser: Any) -> Any:
    """Sign in as a person does at the provider's page; return the gateway's last answer."""
    with urllib.request.urlopen(browser.get("/sign-in").headers["location"], timeout=SILENCE_S) as page:
        found = re.search(r'<form[^>]*action="([^"]+)"', page.read().decode())
        cookies = "; ".join(one.partition(";")[0] for one in page.headers.get_all("Set-Cookie"))
    assert found is not None
    form = urllib.parse.urlencode({"username": "ann", "password": PASSWORD}).encode()
    request = urllib.request.Request(html.unescape(found[1]), form, {"Cookie": cookies})

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    with pytest.raises(urllib.error.HTTPError) as redirected:
        urllib.request.build_opener(Stay).open(request, timeout=SILENCE_S)
    return browser.get(path_of(redirected.value.headers["Location"]))


def me(browser: Any, keycloak: Keycloak, client: str) -> Any:
    """Ask who a program is, with a new token of the provider."""
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": PASSWORD}
    token = keycloak.token(REALM, **form)
    return browser.get("/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_person_signs_in_and_has_a_second_factor_once_the_provider_says_so(
    gate: Any, keycloak: Keycloak
) -> None:
    assert sign_in(gate).status_code == 303
    assert gate.get("/v1/me").json()["second_factor_at"] is None
    flow = f"/realms/{REALM}/authentication"
    (form,) = [
        one
        for one in keycloak.ask("GET", f"{flow}/flows/browser/executions")
        if one.get("providerId") == "auth-username-password-form"
    ]
    says = {"default.reference.value": "mfa", "default.reference.maxAge": "300"}
    keycloak.ask("POST", f"{flow}/executions/{form['id']}/config", {"alias": "factor", "config": says})
    gate.cookies.clear()
    assert sign_in(gate).status_code == 303
    signed_in = gate.get("/v1/me").json()
    assert signed_in["second_factor_at"] is not None and signed_in["issuer"].endswith(f"/realms/{REALM}")


def test_a_programs_token_is_taken_for_its_audience_and_after_a_rotation_of_keys(
    gate: Any, keycloak: Keycloak
) -> None:
    taken = me(gate, keycloak, "billing")
    assert (taken.status_code, taken.json()["key_id"]) == (200, "billing")
    other = me(gate, keycloak, "other")
    assert (other.status_code, code_of(other)) == (401, "token_refused")
    config = {"priority": ["200"], "algorithm": ["RS256"], "enabled": ["true"], "active": ["true"]}
    kind = {"providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider"}
    parent = keycloak.ask("GET", f"/realms/{REALM}")["id"]
    added = {**kind, "name": "newer", "parentId": parent, "config": config}
    keycloak.ask("POST", f"/realms/{REALM}/components", added)

    def is_taken() -> bool:
        time.sleep(1.0)  # an address may be refused 60 times a minute
        return bool(me(gate, keycloak, "billing").status_code == 200)

    eventually(is_taken)  # an unknown key is asked for once in 30 s
