"""The pages of passkeys in a real browser, with the authenticator that browsers have for tests."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import uvicorn
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import Protocol, Transport, VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import WebDriverWait

from tests.gateway_identity.gate import Gate, settings
from tests.progress import SILENCE_S

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no browser: apt-get install chromium chromium-driver"
)


class Site(NamedTuple):
    """A gate that a browser can reach."""

    gate: Gate
    origin: str

    def link(self) -> str:
        """Return a new link for the first administrator."""
        assert self.gate.entrance.first is not None
        made = asyncio.run(self.gate.entrance.first.link())
        assert made is not None
        return made

    @property
    def said(self) -> list[tuple[str, int, str]]:
        """What was recorded: permission, status, code."""
        return [one[1:] for one in self.gate.log]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        gate = Gate(settings(tmp_path, gateway_url="", gateway_port=port))
        server = uvicorn.Server(uvicorn.Config(gate.app, log_config=None))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        serving.start()
        try:
            yield Site(gate, f"http://localhost:{port}")
        finally:
            server.should_exit = True
            serving.join()


@pytest.fixture
def browser() -> Iterator[Any]:
    options = Options()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def add_authenticator(browser: Any, verifies: bool = True) -> None:
    browser.add_virtual_authenticator(
        VirtualAuthenticatorOptions(
            protocol=Protocol.CTAP2,
            transport=Transport.INTERNAL,
            has_resident_key=True,
            has_user_verification=True,
            is_user_consenting=True,
            is_user_verified=verifies,
        )
    )


def press(browser: Any, address: str) -> str:
    """Open a page and press its button; return where that has led to, or what the page says."""
    browser.get(address)
    browser.find_element(By.ID, "go").click()

    def led_to(_: Any) -> str:
        return path(browser) if path(browser) == "/docs" else browser.find_element(By.ID, "said").text

    gone = (
        NoSuchElementException,
        StaleElementReferenceException,
    )  # the page that it leads to comes just then
    return str(WebDriverWait(browser, SILENCE_S, ignored_exceptions=gone).until(led_to))


def path(browser: Any) -> str:
    return urlsplit(browser.current_url).path


def me(browser: Any, origin: str) -> dict[str, Any]:
    """Return what the site says about who is signed in."""
    browser.get(f"{origin}/passkey")
    found = browser.execute_async_script(
        "const done = arguments[0]; fetch('/v1/me').then((answer) => answer.json()).then(done)"
    )
    return dict(found)


def test_the_first_administrator_makes_a_passkey_and_signs_in_with_it(site: Site, browser: Any) -> None:
    add_authenticator(browser)
    link = site.link()
    assert press(browser, link) == "/docs"
    first = me(browser, site.origin)
    assert first["roles"] == {"*": ["administrator"]}, first
    browser.delete_all_cookies()
    assert "code" in me(browser, site.origin), "nobody is signed in"
    assert press(browser, f"{site.origin}/passkey") == "/docs"
    again = me(browser, site.origin)
    assert again["subject"] == first["subject"] and again["csrf_token"] != first["csrf_token"]
    cookie = browser.get_cookie("ledgerflow-session")
    assert cookie["httpOnly"] is True and cookie["sameSite"] == "Lax"
    assert press(browser, f"{site.origin}/passkey?step_up=1") == "/docs"
    assert browser.get_cookie("ledgerflow-session")["value"] != cookie["value"]
    assert site.said == [("first-administrator", 200, "ok"), ("sign-in", 200, "ok"), ("sign-in", 200, "ok")]


def test_a_link_is_good_for_one_passkey(site: Site, browser: Any) -> None:
    add_authenticator(browser)
    link = site.link()
    assert press(browser, link) == "/docs"
    browser.get("about:blank")
    assert "link" in press(browser, link)


def test_a_device_that_does_not_verify_the_person_signs_nobody_in(site: Site, browser: Any) -> None:
    add_authenticator(browser, verifies=False)
    assert press(browser, site.link()) != "/docs"
    assert site.gate.entrance.first is not None
    assert asyncio.run(site.gate.entrance.first.link()) is not None, "there is no administrator yet"
