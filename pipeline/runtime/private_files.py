"""Files that only their owner may touch: the data directory, the cache of programs, keys and tokens.

Programs make everything they write their owner's alone (`interrupts.UMASK`, which the processes that they
start inherit). What was there before is tightened, or refused where
it is somebody else's: whoever may write there decides what runs, and what the tables say.
"""

from __future__ import annotations

import logging
import os
import pwd
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.connections import ENV_PREFIX, SettingsError
from pipeline.runtime.secret_files import SecretFileError, read_secret

if TYPE_CHECKING:
    from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)

OTHERS = 0o077
"""The rights of everybody but the owner."""
SECRETS = "secrets"
"""The folder of keys and tokens in the data directory."""
SNAPSHOT_KEY, COMMAND_TOKEN = "snapshot.key", "commands.token"
KEY_BYTES_MIN = 32


def private_directory(path: Path) -> None:
    """Make a directory that only its owner may enter; one that exists is made so, which the log says.

    Raises SettingsError, one line, where it is another user's; OSError where it cannot be made.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700, parents=True)
    _require_own(path, path.lstat())  # a link that somebody else made could lead anywhere of ours
    found = path.stat()
    _require_own(path, found)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, "Not a directory", str(path))
    if found.st_mode & OTHERS:
        path.chmod(0o700)
        _close_content(path)
        LOG.warning(
            "%s was open to others (mode %04o): now it is its owner's alone", path, found.st_mode & 0o7777
        )


def _require_own(path: Path, found: os.stat_result) -> None:
    """Raises SettingsError where a directory is another user's, or a link that another user made."""
    if found.st_uid == os.geteuid() or (stat.S_ISLNK(found.st_mode) and found.st_uid == 0):
        return
    raise SettingsError(
        f"{path} belongs to {_name_of(found.st_uid)}: choose a directory of your own, such as a new one in it"
        f" (--data, {ENV_PREFIX}DATA_DIR, {ENV_PREFIX}CACHE_DIR)"
    )


def _name_of(user: int) -> str:
    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user {user}"


def _close_content(top: Path) -> None:
    """Take the rights of others from all that lies in a directory; links are not followed."""
    for _, folders, files, at in os.fwalk(top, follow_symlinks=False):
        for name in (*folders, *files):
            with suppress(OSError):  # a link, or gone meanwhile
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
                try:
                    mode = os.fstat(file).st_mode
                    if mode & OTHERS:
                        os.fchmod(file, stat.S_IMODE(mode) & ~OTHERS)
                finally:
                    os.close(file)


def read_key(path: Path) -> bytes:
    """Return what a key's or token's file holds.

    Raises SettingsError, one line, where others may read or change it, or it is too short.
    """
    try:
        content = read_secret(path).strip().encode()
    except SecretFileError as error:
        raise SettingsError(str(error)) from None
    if len(content) < KEY_BYTES_MIN:
        raise SettingsError(f"{path} must hold {KEY_BYTES_MIN} characters or more")
    return content


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_hex(32)) -> bytes:
    """Return the secret of a file, which is made if it is not there; of several processes one makes it.

    Raises as `read_key`.
    """
    private_directory(path.parent)
    if os.path.lexists(path):
        return read_key(path)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(partial, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(make() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, path)  # whole or not at all, and never over another process's
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    return read_key(path)


def snapshot_key(settings: Settings) -> bytes:
    """Return the key that signs snapshots: of the named file, else of the data directory, made if need be.

    Raises SettingsError.
    """
    named = settings.snapshot_key_file
    if named is None:
        return kept_secret(settings.data_dir / SECRETS / SNAPSHOT_KEY)
    try:
        return read_key(named.expanduser())
    except SettingsError as error:
        raise SettingsError(f"{ENV_PREFIX}SNAPSHOT_KEY_FILE: {error}") from None


def command_token(settings: Settings) -> bytes:
    """Return what a request must show that changes something; made if need be. Raises SettingsError."""
    return kept_secret(settings.data_dir / SECRETS / COMMAND_TOKEN)
