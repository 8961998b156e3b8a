"""The first administrator's link, and sign-in and step-up by passkey, with what somebody could try."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pipeline.gateway.identity import first_administrator, passkeys
from pipeline.gateway.identity.entrance import first_link
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.authenticator import PRESENT, Authenticator
from tests.gateway_identity.gate import Gate, code_of, opened, run, settings

ORIGIN = "http://localhost:8080"
SESSION = "ledgerflow-session"
FIRST = "/first-administrator"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with opened(settings(tmp_path, gateway_url="")) as (made, _):
        yield made


def browser_of(gate: Gate, origin: str = ORIGIN, address: str = "127.0.0.1") -> TestClient:
    """Return a browser on the gateway's machine, that says which page it sends from."""
    return TestClient(gate.app, base_url=origin, headers={"Origin": origin}, client=(address, 1))


def link_of(gate: Gate) -> str:
    assert gate.entrance.first is not None
    link = run(gate.entrance.first.link())
    assert link is not None and link.startswith(f"{ORIGIN}{FIRST}#")
    return str(link).partition("#")[2]


def register(browser: TestClient, link: str, device: Authenticator) -> Any:
    """Register a passkey by a link; return the last answer."""
    options = browser.post(f"{FIRST}/options", json={"link": link})
    if options.status_code != 200:
        return options
    sent = {"link": link, "credential": device.create(options.json())}
    return browser.post(f"{FIRST}/register", json=sent)


def sign_in(browser: TestClient, device: Authenticator, step_up: bool = False) -> Any:
    """Sign in by a passkey; return the last answer."""
    options = browser.post("/passkey/options", json={"step_up": step_up})
    if options.status_code != 200:
        return options
    return browser.post("/passkey/sign-in", json=device.get(options.json()))


@pytest.fixture
def device(gate: Gate) -> Authenticator:
    """Return the administrator's device."""
    made = Authenticator(ORIGIN)
    assert register(browser_of(gate), link_of(gate), made).status_code == 204
    return made


def test_whoever_has_the_link_becomes_administrator_by_a_passkey(gate: Gate) -> None:
    browser, link = browser_of(gate), link_of(gate)
    assert run(gate.entrance.grants.all()) == []
    assert register(browser, link, Authenticator(ORIGIN)).status_code == 204
    me = browser.get("/v1/me").json()
    assert me["roles"] == {"*": ["administrator"]} and me["issuer"] == passkeys.ISSUER
    assert me["second_factor_at"] is not None
    (grant,) = run(gate.entrance.grants.all())
    assert (grant.subject, grant.of, grant.expires_at) == (me["subject"], "person", None)
    assert gate.log == [(me["subject"], "first-administrator", 200, "ok")]


def test_a_link_is_good_once_and_there_is_no_other_afterwards(gate: Gate) -> None:
    link = link_of(gate)
    assert register(browser_of(gate), link, Authenticator(ORIGIN)).status_code == 204
    assert code_of(register(browser_of(gate), link, Authenticator(ORIGIN))) == "link_over"
    assert gate.entrance.first is not None and run(gate.entrance.first.link()) is None


def test_of_two_that_have_a_link_at_once_one_becomes_administrator(gate: Gate) -> None:
    link, first, second = link_of(gate), Authenticator(ORIGIN), Authenticator(ORIGIN)
    browser = browser_of(gate)
    options = [browser.post(f"{FIRST}/options", json={"link": link}).json() for _ in range(2)]
    credentials = [one.create(given) for one, given in zip((first, second), options, strict=True)]
    answers = [
        browser.post(f"{FIRST}/register", json={"link": link, "credential": one}) for one in credentials
    ]
    assert [answer.status_code for answer in answers] == [204, 403]
    assert len(run(gate.entrance.grants.all())) == 1


def test_a_newer_link_takes_the_place_of_an_older_one(gate: Gate) -> None:
    old, new = link_of(gate), link_of(gate)
    assert code_of(register(browser_of(gate), old, Authenticator(ORIGIN))) == "link_over"
    assert register(browser_of(gate), new, Authenticator(ORIGIN)).status_code == 204


def test_a_link_is_over_after_its_time(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_administrator, "WITHIN_S", -1)
    assert code_of(register(browser_of(gate), link_of(gate), Authenticator(ORIGIN))) == "link_over"


def test_a_passkey_that_is_refused_leaves_the_link_good(gate: Gate) -> None:
    link, weak = link_of(gate), Authenticator(ORIGIN)
    weak.flags = PRESENT  # nobody was verified
    assert code_of(register(browser_of(gate), link, weak)) == "passkey_refused"
    assert run(gate.entrance.grants.all()) == []
    assert register(browser_of(gate), link, Authenticator(ORIGIN)).status_code == 204


@pytest.mark.parametrize(
    ("browser", "code"),
    [
        ({"address": "192.0.2.1"}, "not_on_this_machine"),
        ({"origin": "http://evil.example"}, "not_on_this_machine"),
    ],
    ids=["another machine", "another name of this machine"],
)
def test_the_link_is_for_this_machine_alone(gate: Gate, browser: dict[str, str], code: str) -> None:
    link = link_of(gate)
    assert code_of(register(browser_of(gate, **browser), link, Authenticator(ORIGIN))) == code


def test_another_page_cannot_use_the_link(gate: Gate) -> None:
    answer = browser_of(gate).post(
        f"{FIRST}/options", json={"link": link_of(gate)}, headers={"Origin": "http://evil.example"}
    )
    assert code_of(answer) == "cross_site_request"


@pytest.mark.parametrize(
    "given",
    [
        {"gateway_url": "https://bank.example"},
        {"gateway_url": "", "gateway_proxies": "127.0.0.1"},
        {"gateway_url": "", "gateway_host": "192.0.2.1"},
    ],
    ids=str,
)
def test_where_others_may_come_there_is_no_link(tmp_path: Path, given: dict[str, str]) -> None:
    made = settings(tmp_path, **given)
    assert first_link(made, default_policy()) is None
    with opened(made) as (_, client):
        assert client.post(f"{FIRST}/options", json={"link": "x"}).status_code == 404


def test_the_link_that_is_printed_is_good_at_the_gateway(gate: Gate, tmp_path: Path) -> None:
    link = first_link(settings(tmp_path, gateway_url=""), default_policy()) or ""
    assert register(browser_of(gate), link.partition("#")[2], Authenticator(ORIGIN)).status_code == 204
    assert first_link(settings(tmp_path, gateway_url=""), default_policy()) is None


def test_somebody_signs_in_and_steps_up_by_passkey(gate: Gate, device: Authenticator) -> None:
    browser = browser_of(gate)
    assert sign_in(browser, device).status_code == 204
    cookie, me = browser.cookies[SESSION], browser.get("/v1/me").json()
    assert sign_in(browser, device, step_up=True).status_code == 204
    again = browser.get("/v1/me").json()
    assert again["session_id"] == me["session_id"] and browser.cookies[SESSION] != cookie
    old = browser_of(gate).get("/v1/me", headers={"Cookie": f"{SESSION}={cookie}"})
    assert code_of(old) == "session_over"


def test_a_step_up_needs_a_session_of_a_passkey(gate: Gate, device: Authenticator) -> None:
    assert code_of(sign_in(browser_of(gate), device, step_up=True)) == "session_over"


def test_an_answer_is_good_once(gate: Gate, device: Authenticator) -> None:
    browser = browser_of(gate)
    answer = device.get(browser.post("/passkey/options", json={}).json())
    assert browser.post("/passkey/sign-in", json=answer).status_code == 204
    assert code_of(browser_of(gate).post("/passkey/sign-in", json=answer)) == "passkey_refused"


def test_an_answer_that_comes_too_late_is_refused(
    gate: Gate, device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkeys, "WITHIN_S", -1)
    assert code_of(sign_in(browser_of(gate), device)) == "passkey_refused"


def _another_origin(device: Authenticator) -> None:
    device.origin = "http://evil.example"


def _unverified(device: Authenticator) -> None:
    device.flags = PRESENT


def _copied(device: Authenticator) -> None:
    device.count = -1 + device.count


def _another_key(device: Authenticator) -> None:
    device._key = Authenticator(ORIGIN)._key


def _unknown(device: Authenticator) -> None:
    device._id = b"another"


@pytest.mark.parametrize("spoil", [_another_origin, _unverified, _copied, _another_key, _unknown])
def test_an_answer_that_is_not_right_signs_nobody_in(gate: Gate, device: Authenticator, spoil: Any) -> None:
    assert sign_in(browser_of(gate), device).status_code == 204
    spoil(device)
    browser = browser_of(gate)
    assert code_of(sign_in(browser, device)) == "passkey_refused"
    assert SESSION not in browser.cookies
    assert gate.log[-1] == (None, "sign-in", 401, "passkey_refused")


def test_a_challenge_of_a_sign_in_registers_nothing(gate: Gate) -> None:
    browser, link, device = browser_of(gate), link_of(gate), Authenticator(ORIGIN)
    options = browser.post("/passkey/options", json={}).json()
    credential = device.create({**options, "rp": {"id": "localhost"}})
    answer = browser.post(f"{FIRST}/register", json={"link": link, "credential": credential})
    assert code_of(answer) == "passkey_refused"


@pytest.mark.parametrize(
    "sent",
    [
        {}, {"response": 1}, {"response": {"clientDataJSON": "%%%"}}, {"response": {"clientDataJSON": "e30"}},
        {"response": {"clientDataJSON": "W10"}}, {"id": 7, "response": {"clientDataJSON": None}},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_what_is_no_answer_of_a_passkey_is_refused(gate: Gate, sent: dict[str, Any]) -> None:
    assert code_of(browser_of(gate).post("/passkey/sign-in", json=sent)) == "passkey_refused"


@pytest.mark.parametrize("change", ["id", "rawId", "type", "authenticatorData", "signature"])
def test_an_answer_with_a_part_that_is_none_is_refused(
    gate: Gate, device: Authenticator, change: str
) -> None:
    browser = browser_of(gate)
    answer = device.get(browser.post("/passkey/options", json={}).json())
    (answer if change in answer else answer["response"])[change] = "AAAA"
    assert code_of(browser.post("/passkey/sign-in", json=answer)) == "passkey_refused"


@pytest.mark.parametrize("path", ["/passkey", FIRST])
def test_the_pages_run_no_script_but_ours(gate: Gate, path: str) -> None:
    browser = browser_of(gate)
    page = browser.get(path)
    assert page.status_code == 200 and re.findall("<script[^>]*>", page.text) == [
        '<script src="/passkey.js">'
    ]
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert browser.get("/passkey.js").headers["content-type"].startswith("text/javascript")
