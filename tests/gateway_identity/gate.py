"""The entrance of a gateway without Kafka, and a browser in front of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from pipeline.gateway import problems
from pipeline.gateway.identity.entrance import Entrance, make_entrance
from pipeline.gateway.limits import RateLimitHeaders
from pipeline.gateway.policy.reading import default_policy
from pipeline.runtime.settings import Settings
from tests.gateway_identity.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider

ORIGIN = "https://bank.example"
AUDIENCE = "https://bank.example/api"
SESSION = "__Host-ledgerflow-session"


def settings(folder: Path, provider: FakeProvider | None = None, **given: Any) -> Settings:
    """Return settings of a gateway behind TLS, with a provider if one is given."""
    values: dict[str, Any] = {"data_dir": folder, "gateway_url": ORIGIN}
    if provider is not None:
        secret = folder / "client-secret"
        secret.touch(0o600)
        secret.write_text(CLIENT_SECRET)
        values |= {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID}
        values |= {"oidc_client_secret_file": secret, "jwt_audience": AUDIENCE}
    return Settings(**values | given)


class Gate:
    """An application with the routes of identity alone."""

    def __init__(self, made: Settings) -> None:
        self.entrance: Entrance = make_entrance(made, default_policy())

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> Any:
            async with self.entrance.open():
                yield

        self.app = FastAPI(lifespan=lifespan)
        problems.install(self.app)
        self.app.add_middleware(RateLimitHeaders)
        self.log: list[tuple[str | None, str, int, str]] = []
        """Who did what, with which answer."""
        self.record: Any = self._record
        for router in self.entrance.routers(lambda *said: self.record(*said)):
            self.app.include_router(router)

    async def _record(self, _: Any, actor: Any, permission: str, status: int, code: str) -> None:
        self.log.append((actor and actor.subject, permission, status, code))

    def browser(self, origin: str = ORIGIN) -> TestClient:
        """Return a browser without cookies; it follows no redirect by itself."""
        return TestClient(self.app, base_url=origin, follow_redirects=False)


@contextmanager
def opened(made: Settings) -> Iterator[tuple[Gate, TestClient]]:
    """Open a gate; yield it with a browser."""
    gate = Gate(made)
    with gate.browser() as browser:
        yield gate, browser


def path_of(address: str) -> str:
    """Return path and query of an address of the site, as the browser asks for it there."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == ORIGIN
    return f"{parts.path}?{parts.query}"


def sign_in(browser: TestClient, provider: FakeProvider, at: str = "/sign-in") -> Response:
    """Sign in as the provider's person; return the last answer."""
    begun = browser.get(at)
    assert begun.status_code == 303, begun.text
    return browser.get(path_of(provider.authorise(begun.headers["location"])))


def write(browser: TestClient, method: str, path: str) -> Response:
    """Send a request that changes something as our own pages do it."""
    token = browser.get("/v1/me").json()["csrf_token"]
    return browser.request(method, path, headers={"Origin": ORIGIN, "Ledgerflow-CSRF": token})


def code_of(response: Response) -> str:
    """Return the code of a problem."""
    assert re.fullmatch(r"application/problem\+json", response.headers["content-type"]), response.text
    return str(response.json()["code"])


def run(awaited: Any) -> Any:
    """Wait for something in a loop of its own."""
    return asyncio.run(awaited)
