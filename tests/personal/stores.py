"""Key stores for tests: a clock that is set by hand, and a key-encryption key in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.personal.keystore import KeyStore, Use
from pipeline.personal.wrapping import FileKey, Wrapping, make_file_key

START = 1_790_000_000.0


@dataclass
class Clock:
    """Seconds, set by hand; also what has been used."""

    seconds: float = START
    uses: list[Use] = field(default_factory=list)

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def file_key(folder: Path, name: str = "kek") -> FileKey:
    """Return the key of a file, which is made if it is not there."""
    path = folder / name
    return FileKey(path) if path.exists() else make_file_key(path)


def store_in(folder: Path, clock: Clock | None = None, kek: Wrapping | None = None, **more: Any) -> KeyStore:
    """Return the store of a folder, as a process has it."""
    clock = clock or Clock()
    return KeyStore(
        more.pop("path", folder / "keys.sqlite"),
        kek or file_key(folder),
        clock=clock,
        elapsed=clock,
        audit=clock.uses.append,
        **more,
    )
