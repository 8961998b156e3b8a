"""The operator's files that streams rest on: what each tenant may do. The same file for all workers.

file of tenants --> fraud (who may initiate payments, and how many), ledger (who may open which accounts)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline.domain.tenants.settings import UNRESTRICTED, Tenants, parse_tenants
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError

_Parsed = TypeVar("_Parsed")


def tenants(settings: Settings) -> Tenants:
    """Return what the file in the settings states; without one nothing is restricted. Raise SettingsError."""
    path = settings.tenants
    return UNRESTRICTED if path is None else parsed(path, "TENANTS", parse_tenants)


def parsed(path: Path, setting: str, parse: Callable[[str], _Parsed]) -> _Parsed:
    """Return what a setting's file states. Raise SettingsError, one line with the variable and the file."""
    try:
        return parse(path.read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError as error:  # not UTF-8, or not what `parse` takes
        reason = " ".join(str(error).split())
    raise SettingsError(f"{ENV_PREFIX}{setting}={path}: {reason}")
