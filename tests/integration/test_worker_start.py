"""A worker that cannot start says why in one line, whatever it is that cannot be used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.settings import ENV_PREFIX


def start(tmp_path: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a worker that must end by itself."""
    given = {f"{ENV_PREFIX}{name}": value for name, value in {"DATA_DIR": str(tmp_path), **settings}.items()}
    return subprocess.run(
        [sys.executable, "-m", "topologies.worker", *arguments],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_web_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start(tmp_path, "--worker", "1", WEB_PORT=str(port - 1))
    assert done.returncode == 1
    address = f"127.0.0.1:{port}"
    assert done.stderr.startswith(f"error: worker 1 cannot serve its table views on {address} (Address alre")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "said", "settings"),
    [
        (
            1,
            "error: worker 0 cannot serve its table views on no host:6066 (",
            {"WEB_HOST": "no host", "INSECURE": "web"},
        ),
        (1, "error: /dev/null/data", {"DATA_DIR": "/dev/null/data"}),
        (2, f"error: {ENV_PREFIX}SSL_CAFILE=/none.pem: No such file", {"SSL_CAFILE": "/none.pem"}),
        (2, f"error: {ENV_PREFIX}SSL_CAFILE={__file__}: ", {"SSL_CAFILE": __file__}),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    code: int, said: str, settings: dict[str, str], tmp_path: Path
) -> None:
    done = start(tmp_path, **settings)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_number_whose_port_does_not_exist_is_refused(tmp_path: Path) -> None:
    done = start(tmp_path, "--worker", "99999")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "(no such port)" in done.stderr
