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

from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError

LOG = logging.getLogger(__name__)

OTHERS = 0o077
"""The rights of everybody but the owner."""
SECRETS = "secrets"
"""The folder of keys and tokens in the data directory."""
SNAPSHOT_KEY, COMMAND_TOKEN = "snapshot.key", "commands.token"
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 32, 4096


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


def read_secret(path: Path) -> bytes:
    """Return what a key's or token's file holds, without line ends around it.

    Raises SettingsError, one line, where others may change or read it, or it is no secret; OSError.
    """
    # A mounted secret is a link and its group may be one's own: only what goes beyond that is refused.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError(f"{path} is no plain file")
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o037:
            raise SettingsError(f"{path} is open to others (mode {found.st_mode & 0o777:04o}): chmod 600 it")
        content = file.read(SECRET_BYTES_MAX + 1).strip()
    if not SECRET_BYTES_MIN <= len(content) <= SECRET_BYTES_MAX:
        raise SettingsError(f"{path} must hold {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")
    return content


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_hex(32)) -> bytes:
    """Return the secret of a file, which is made if it is not there; of several processes one makes it.

    Raises as `read_secret`.
    """
    private_directory(path.parent)
    with suppress(FileNotFoundError):
        return read_secret(path)
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
    return read_secret(path)


def snapshot_key(settings: Settings) -> bytes:
    """Return the key that signs snapshots: of the named file, else of the data directory, made if need be.

    Raises SettingsError.
    """
    named = settings.snapshot_key_file
    if named is None:
        return kept_secret(settings.data_dir / SECRETS / SNAPSHOT_KEY)
    try:
        return read_secret(named.expanduser())
    except OSError as error:
        raise SettingsError(f"{ENV_PREFIX}SNAPSHOT_KEY_FILE={named}: {error.strerror}") from None


def command_token(settings: Settings) -> bytes:
    """Return what a request must show that changes something; made if need be. Raises SettingsError."""
    return kept_secret(settings.data_dir / SECRETS / COMMAND_TOKEN)
