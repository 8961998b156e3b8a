"""`ledgerflow version`."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import typer

from pipeline.cli.options import Json
from pipeline.runtime.local.artifacts import KAFKA_VERSION, REGISTRY_VERSION


def versions() -> dict[str, str]:
    """Return the versions of Ledgerflow and of the parts it runs on, by name."""
    return {
        "ledgerflow": metadata.version("ledgerflow"),
        "python": platform.python_version(),
        "faust": metadata.version("faust-streaming"),
        "kafka": KAFKA_VERSION,
        "registry": REGISTRY_VERSION,
    }


def version(as_json: Json = False) -> None:
    """Show the versions of Ledgerflow and of the parts it runs on."""
    found = versions()
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, number in found.items():
        typer.echo(f"{name:<11}{number}")
