"""Secrets that stand in files: read once, bounded, and only if others cannot read or change them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

SECRET_BYTES_MAX = 4_096
"""Upper bound of a secret; a longer file is something else."""
_OPEN_TO_OTHERS = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


class SecretFileError(ValueError):
    """A file cannot be taken for a secret. The text is one line without anything of the content."""


def read_secret(file: Path) -> str:
    """Return the text of a secret's file without the line break at its end.

    Symbolic links are followed, as Kubernetes mounts secrets by them. Raises SecretFileError.
    """
    content = _read(file)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretFileError(f"{file} is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretFileError(f"{file} is empty")
    if any(sign in text for sign in "\n\r\0"):
        raise SecretFileError(f"{file} must hold one line: the secret")
    return text


def require_private(file: Path) -> None:
    """Check that a file can be read here and by no others. Raises SecretFileError."""
    with _opened(file):
        return


def _read(file: Path) -> bytes:
    with _opened(file) as opened:
        content = opened.read(SECRET_BYTES_MAX + 1)
    if len(content) > SECRET_BYTES_MAX:
        raise SecretFileError(f"{file} has more than {SECRET_BYTES_MAX:,} bytes, so it is no secret")
    return content


def _opened(file: Path) -> BinaryIO:
    """Open a regular file, and judge the file that was opened, not its name. Raises SecretFileError."""
    try:
        # Not blocking: to open a named pipe would wait for whoever writes to it.
        opened = os.fdopen(os.open(file.expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except IsADirectoryError:
        raise SecretFileError(f"{file} is not a regular file") from None
    except OSError as error:
        raise SecretFileError(f"{file}: {error.strerror}") from None
    mode = os.fstat(opened.fileno()).st_mode
    if not stat.S_ISREG(mode):
        opened.close()
        raise SecretFileError(f"{file} is not a regular file")
    if mode & _OPEN_TO_OTHERS:
        opened.close()
        raise SecretFileError(
            f"{file} has mode {stat.S_IMODE(mode):04o}: others may read or change it (chmod 600, or 640)"
        )
    return opened
