"""A person signs in at a provider: what a browser gets, and what it may do with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.gateway.identity.cookies import csrf_token
from pipeline.gateway.problems import Problem
from tests.gateway_identity import provider as providers
from tests.gateway_identity.gate import (
    ORIGIN,
    SESSION,
    Gate,
    code_of,
    opened,
    path_of,
    run,
    settings,
    sign_in,
    write,
)
from tests.gateway_identity.provider import SUBJECT, FakeProvider

NEAR_S = 30


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with providers.running() as made:
        yield made


@pytest.fixture
def gate(provider: FakeProvider, tmp_path: Path) -> Iterator[Gate]:
    with opened(settings(tmp_path, provider)) as (made, _):
        yield made


def test_a_person_signs_in_and_is_who_the_provider_says(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    answer = sign_in(browser, provider, "/sign-in?return_to=/docs%23me")
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs#me")
    me = browser.get("/v1/me").json()
    assert (me["issuer"], me["subject"], me["key_id"], me["roles"]) == (provider.issuer, SUBJECT, None, {})
    assert me["second_factor_at"] is not None


def test_the_provider_is_asked_with_state_nonce_challenge_and_our_exact_address(gate: Gate) -> None:
    asked = parse_qs(urlsplit(gate.browser().get("/sign-in").headers["location"]).query)
    assert asked["redirect_uri"] == [f"{ORIGIN}/sign-in/callback"] and asked["scope"] == ["openid"]
    assert asked["code_challenge_method"] == ["S256"] and asked["response_type"] == ["code"]
    assert {len(asked[name][0]) for name in ("state", "code_challenge")} == {43}
    again = parse_qs(urlsplit(gate.browser().get("/sign-in").headers["location"]).query)
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))


def test_cookies_are_of_this_host_alone_and_scripts_do_not_see_the_session(
    provider: FakeProvider, gate: Gate
) -> None:
    answer = sign_in(gate.browser(), provider)
    cookies = {one.partition("=")[0]: one for one in answer.headers.get_list("set-cookie")}
    for name in (SESSION, "__Host-ledgerflow-csrf", "__Host-ledgerflow-sign-in"):
        assert {"Secure", "Path=/", "SameSite=lax"} <= set(cookies[name].split("; "))
        assert "Domain" not in cookies[name]
    assert "HttpOnly" in cookies[SESSION] and "HttpOnly" in cookies["__Host-ledgerflow-sign-in"]
    assert "HttpOnly" not in cookies["__Host-ledgerflow-csrf"]
    assert "Max-Age=0" in cookies["__Host-ledgerflow-sign-in"]


def test_on_loopback_the_cookies_have_plain_names(provider: FakeProvider, tmp_path: Path) -> None:
    with opened(settings(tmp_path, provider, gateway_url="http://localhost:8080")) as (gate, _):
        browser = gate.browser("http://localhost:8080")
        begun = browser.get("/sign-in")
        back = urlsplit(provider.authorise(begun.headers["location"]))
        assert browser.get(f"{back.path}?{back.query}").status_code == 303
        assert browser.get("/v1/me").json()["subject"] == SUBJECT
        assert "Secure" not in begun.headers["set-cookie"]


def test_a_new_sign_in_ends_the_session_that_the_browser_had(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    before = browser.cookies[SESSION]
    sign_in(browser, provider)
    assert browser.cookies[SESSION] != before
    old = gate.browser().get("/v1/me", headers={"Cookie": f"{SESSION}={before}"})
    assert code_of(old) == "session_over"


def test_without_a_second_factor_there_is_none(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    provider.said = {"amr": ["pwd"], "acr": "1"}
    sign_in(browser, provider)
    assert browser.get("/v1/me").json()["second_factor_at"] is None
    provider.said = {"acr": "mfa"}
    sign_in(browser, provider)
    assert browser.get("/v1/me").json()["second_factor_at"] is not None


def test_a_second_factor_is_as_old_as_the_provider_says(provider: FakeProvider, gate: Gate) -> None:
    shown_at = int(time.time()) - 3_600
    provider.said |= {"auth_time": shown_at}
    sign_in(gate.browser(), provider)
    (session,) = run(gate.entrance.identity.sessions.of(provider.issuer, SUBJECT))
    assert session.second_factor_at == shown_at * 1_000_000


def test_a_step_up_asks_anew_and_keeps_the_session_under_another_secret(
    provider: FakeProvider, gate: Gate
) -> None:
    browser = gate.browser()
    provider.said = {"amr": ["pwd"]}
    sign_in(browser, provider)
    before, me = browser.cookies[SESSION], browser.get("/v1/me").json()
    provider.said = {"amr": ["mfa"]}
    begun = browser.get("/step-up?return_to=/docs").headers["location"]
    assert parse_qs(urlsplit(begun).query)["max_age"] == ["0"] and "prompt=login" in begun
    browser.get(path_of(provider.authorise(begun)))
    after = browser.get("/v1/me").json()
    assert after["session_id"] == me["session_id"] and after["second_factor_at"] is not None
    old = gate.browser().get("/v1/me", headers={"Cookie": f"{SESSION}={before}"})
    assert code_of(old) == "session_over"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"sub": "bob"}, "sign_in_refused"),
        ({"auth_time": int(time.time()) - 600}, "sign_in_refused"),
        ({"amr": ["pwd"]}, "sign_in_refused"),
    ],
    ids=["another person", "not asked anew", "no second factor"],
)
def test_a_step_up_that_is_none_changes_nothing(
    provider: FakeProvider, gate: Gate, said: dict[str, object], code: str
) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    before = browser.get("/v1/me").json()
    provider.said |= said
    assert code_of(sign_in(browser, provider, "/step-up")) == code
    now = browser.get("/v1/me").json()
    assert now | {"expires_at": 0} == before | {"expires_at": 0}


def test_a_step_up_needs_a_session(gate: Gate) -> None:
    assert code_of(gate.browser().get("/step-up")) == "session_over"


def test_who_signs_out_is_out(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    cookie = browser.cookies[SESSION]
    assert write(browser, "POST", "/sign-out").status_code == 204
    assert SESSION not in browser.cookies
    assert gate.browser().get("/v1/me", headers={"Cookie": f"{SESSION}={cookie}"}).status_code == 401


def test_two_gateways_share_sign_ins_and_sessions(provider: FakeProvider, gate: Gate, tmp_path: Path) -> None:
    with opened(settings(tmp_path, provider)) as (_, there):
        here = gate.browser()
        back = path_of(provider.authorise(here.get("/sign-in").headers["location"]))
        there.cookies.update(here.cookies)
        assert there.get(back).status_code == 303
        here.cookies.update(there.cookies)
        assert here.get("/v1/me").json()["subject"] == SUBJECT
        assert write(here, "POST", "/sign-out").status_code == 204
        assert code_of(there.get("/v1/me")) == "session_over"


def test_sign_ins_and_sign_outs_are_written_down(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    sign_in(browser, provider, "/step-up")
    write(browser, "POST", "/sign-out")
    browser.get("/sign-in/callback?state=x")
    assert gate.log == [
        (SUBJECT, "sign-in", 200, "ok"),
        (SUBJECT, "sign-in", 200, "ok"),
        (SUBJECT, "sign-out", 200, "ok"),
        (None, "sign-in", 401, "sign_in_refused"),
    ]


def test_what_cannot_be_written_down_is_not_granted(provider: FakeProvider, gate: Gate) -> None:
    async def down(*_: object) -> None:
        raise Problem(503, "log_unavailable", "Kafka does not answer")

    gate.record, browser = down, gate.browser()
    assert code_of(sign_in(browser, provider)) == "log_unavailable"
    assert SESSION not in browser.cookies


def test_a_person_sees_and_ends_own_sessions_only(provider: FakeProvider, gate: Gate) -> None:
    here, there, other = gate.browser(), gate.browser(), gate.browser()
    sign_in(here, provider)
    sign_in(there, provider)
    provider.said |= {"sub": "bob"}
    sign_in(other, provider)
    rows = here.get("/v1/me/sessions").json()["data"]
    assert [row["is_this"] for row in rows].count(True) == 1 and len(rows) == 2
    (foreign,) = (row["session_id"] for row in other.get("/v1/me/sessions").json()["data"])
    assert code_of(write(here, "DELETE", f"/v1/me/sessions/{foreign}")) == "not_found"
    (mine,) = (row["session_id"] for row in rows if not row["is_this"])
    assert write(here, "DELETE", f"/v1/me/sessions/{mine}").status_code == 204
    assert [one.get("/v1/me").status_code for one in (here, there, other)] == [200, 401, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": ORIGIN},
        {"Origin": ORIGIN, "Ledgerflow-CSRF": "0" * 64},
        {"Ledgerflow-CSRF": "right"},
        {"Origin": "https://evil.example", "Ledgerflow-CSRF": "right"},
        {"Origin": "null", "Ledgerflow-CSRF": "right"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Ledgerflow-CSRF": "right"},
        {"Sec-Fetch-Site": "same-site", "Ledgerflow-CSRF": "right"},
    ],
)
def test_another_site_cannot_act_by_a_browser(
    provider: FakeProvider, gate: Gate, headers: dict[str, str]
) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    right = csrf_token(browser.cookies[SESSION])
    sent = {name: right if text == "right" else text for name, text in headers.items()}
    assert code_of(browser.post("/sign-out", headers=sent)) == "cross_site_request"
    assert browser.get("/v1/me").status_code == 200


def test_a_cookie_and_a_key_at_once_are_refused(provider: FakeProvider, gate: Gate) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    answer = browser.get("/v1/me", headers={"Authorization": "Bearer lfk_x"})
    assert (answer.status_code, code_of(answer)) == (400, "several_credentials")
