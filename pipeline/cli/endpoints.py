"""`endpoints.json` in the data directory: the addresses of a running stack. `up` writes and removes it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import psutil

FILE_NAME = "endpoints.json"


class WorkerEndpoint(NamedTuple):
    """One worker."""

    pid: int
    url: str
    """Base URL of its table views, without a slash at the end."""


class GatewayEndpoint(NamedTuple):
    """The gateway."""

    pid: int
    url: str
    """Base URL of its API, without a slash at the end."""


class Endpoints(NamedTuple):
    """The content of the file."""

    bootstrap_servers: str
    schema_registry_url: str
    workers: tuple[WorkerEndpoint, ...]
    pid: int
    """The process id of `up`: the file is valid while that process exists."""
    gateway: GatewayEndpoint | None = None
    """None where none runs."""

    def write(self, data_dir: Path) -> None:
        """Write the file atomically. Raises OSError."""
        path = data_dir / FILE_NAME
        content = {
            "bootstrap_servers": self.bootstrap_servers,
            "schema_registry_url": self.schema_registry_url,
            "workers": [worker._asdict() for worker in self.workers],
            "gateway": None if self.gateway is None else self.gateway._asdict(),
            "pid": self.pid,
        }
        write_json(path, content)


def read(data_dir: Path) -> Endpoints | None:
    """Return the endpoints of a running stack; None where none runs on that directory."""
    try:
        found = json.loads((data_dir / FILE_NAME).read_text("utf-8"))
        workers = tuple(WorkerEndpoint(int(entry["pid"]), str(entry["url"])) for entry in found["workers"])
        door = found.get("gateway")
        endpoints = Endpoints(
            str(found["bootstrap_servers"]),
            str(found["schema_registry_url"]),
            workers,
            int(found["pid"]),
            None if door is None else GatewayEndpoint(int(door["pid"]), str(door["url"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return endpoints if psutil.pid_exists(endpoints.pid) else None


def remove(data_dir: Path) -> None:
    """Remove the file, if it is there."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically: a reader sees the old or the new content. Raises OSError."""
    partial = path.with_name(path.name + ".new")
    partial.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    os.replace(partial, path)
