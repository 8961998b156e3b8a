"""The files that an operator writes and that settings name: read and parsed, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TypeVar

from pipeline.domain.tenants.settings import TenantsSettings, parse_tenants
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError

TENANTS = "TENANTS"
"""The name of the environment variable, without its prefix."""
_Parsed = TypeVar("_Parsed")


def parsed(variable: str, path: PurePath, parse: Callable[[str], _Parsed]) -> _Parsed:
    """Return the parsed file of a setting; `parse` raises ValueError for invalid content.

    Raises SettingsError, one line with variable and file, where it cannot be read or is invalid.
    """
    try:
        return parse(Path(path).read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError as error:  # not UTF-8, or not what `parse` takes
        reason = " ".join(str(error).split())
    raise SettingsError(f"{ENV_PREFIX}{variable}={path}: {reason}")


def require_operator_files(settings: Settings) -> None:
    """Check the files before anything is started: every worker would end by one that is wrong.

    Raises SettingsError.
    """
    tenants = settings.of(TenantsSettings).file
    if tenants is not None:
        parsed(TENANTS, tenants, parse_tenants)
