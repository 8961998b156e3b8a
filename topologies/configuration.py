"""The settings of a process, and the operator's files that they name, each read once.

A file may change while a process starts. All streams, and the versions in `/ready`, must use the same
content: so every part of a process gets files from its one `Configuration`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TypeVar

from pipeline.domain.kernel.settings import ConceptSettings
from pipeline.runtime.operator_files import parsed
from pipeline.runtime.settings import Settings

_Concept = TypeVar("_Concept", bound=ConceptSettings)
_Parsed = TypeVar("_Parsed")


class Configuration:
    """The settings of a process, and the parsed content of their files."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._read: dict[str, Any] = {}

    def of(self, concept: type[_Concept]) -> _Concept:
        """Return the settings of a concept."""
        return self.settings.of(concept)

    def file(self, variable: str, path: PurePath, parse: Callable[[str], _Parsed]) -> _Parsed:
        """Return the parsed file of a setting. The file is read at the first call only.

        `variable`: name of the environment variable without its prefix; `parse`: raises ValueError for
        invalid content. Raises SettingsError, one line with variable and file, where it cannot be read or is
        invalid.
        """
        if variable not in self._read:
            self._read[variable] = parsed(variable, path, parse)
        found: _Parsed = self._read[variable]
        return found
