"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONNECTION = "Connection"

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Data directory of a running `ledgerflow up`: its endpoints.json has the addresses.",
        rich_help_panel=CONNECTION,
    ),
]
Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers", metavar="HOST:PORT,...", help="Address of Kafka.", rich_help_panel=CONNECTION
    ),
]
RegistryUrl = Annotated[
    str | None,
    typer.Option(
        "--schema-registry-url",
        metavar="URL",
        help="Address of a schema registry with Confluent's API.",
        rich_help_panel=CONNECTION,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
