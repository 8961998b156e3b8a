"""A worker and two gateways on the stack of the test process, and a client for either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.cli.supervisor import answers_ready, environment
from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.runtime.settings import Settings
from tests.progress import SILENCE_S, eventually

ROOT = Path(__file__).parents[2]
TENANT = "north"
FUNDS_MINOR = 100_000
ACCOUNT = {
    "customer_id": "c",
    "account_type": "checking",
    "currency": "EUR",
    "initial_balance_minor": FUNDS_MINOR,
}
PAYMENT = {"currency": "EUR", "payment_type": "transfer", "reference": "r"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Bank:
    """The processes; every gateway has a port of its own, the second one the next."""

    def __init__(self, settings: Settings, gateway_port: int) -> None:
        self.settings = settings
        self.port = gateway_port
        self.keys = Keys(settings.data_dir / FILE_NAME)
        self.key = self.make_key("upstream", "operator", "analyst", "investigator")
        self.worker = self._start("topologies.worker")
        self.gateways = [self.start_gateway(number) for number in (0, 1)]

    def make_key(self, *roles: str, **about: Any) -> str:
        """Return a new key with roles in the tenant."""
        return self.keys.create("program", {TENANT: list(roles)}, 1, **about)[0]

    def start_gateway(self, number: int) -> subprocess.Popen[bytes]:
        """Start a gateway; return its process."""
        port = str(self.port + number)
        # Clients of these tests ask again without a pause.
        return self._start(
            "topologies.gateway", LEDGERFLOW_GATEWAY_PORT=port, LEDGERFLOW_GATEWAY_REQUESTS="600000"
        )

    def wait(self) -> None:
        """Wait until the gateways listen, and the worker has its tables."""
        for number in (0, 1):
            eventually(lambda number=number: self.ask("GET", "/ready", at=number).status == 200)
        eventually(lambda: answers_ready(f"http://127.0.0.1:{self.settings.web_port}"))

    def kill(self, number: int) -> None:
        """End a gateway by SIGKILL."""
        self.gateways[number].send_signal(signal.SIGKILL)
        self.gateways[number].wait()

    def stop(self) -> None:
        """End everything."""
        for process in (*self.gateways, self.worker):
            process.kill()
            process.wait()

    def post(self, path: str, body: dict[str, Any], idem: str | None, at: int = 0, **headers: str) -> Answer:
        """Ask for a command."""
        named = {} if idem is None else {"Idempotency-Key": idem}
        return self.ask("POST", f"/v1/{TENANT}{path}", body, at, **named | headers)

    def get(self, path: str, at: int = 0, **headers: str) -> Answer:
        """Ask for what a view shows."""
        return self.ask("GET", f"/v1/{TENANT}{path}", None, at, **headers)

    def ask(self, method: str, path: str, body: Any = None, at: int = 0, **headers: str) -> Answer:
        """Ask a gateway; status 0 where it does not answer."""
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}", **headers}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port + at}{path}"
        return _asked(urllib.request.Request(url, data, sent, method=method))

    def open_account(self, name: str) -> None:
        """Open an account with 1,000.00, and wait until it is there."""
        opened = self.post("/accounts", {**ACCOUNT, "account_id": name}, f"open-{name}", Prefer="wait=30")
        assert opened.status == 200, opened

    def _start(self, module: str, **more: str) -> subprocess.Popen[bytes]:
        environ = {**os.environ, **environment(self.settings), **more}
        log = (self.settings.data_dir / f"{module}.log").open("ab")
        return subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=environ, stderr=log)


def _asked(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_S) as response:
            return Answer(response.status, dict(response.headers), _read(response.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), _read(error.read()))
    except OSError as error:
        return Answer(0, {}, str(error))


def _read(raw: bytes) -> Any:
    return json.loads(raw) if raw[:1] in (b"{", b"[") else raw.decode()
