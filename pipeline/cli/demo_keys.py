"""API keys with which a demo calls the gateway: made when it begins, revoked when it ends.

One is an upstream's, the other that of the desk that labels payments and looks after breaks: no role may do
both. Each lies in a file of the data directory that only its owner may read.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.runtime.private_files import SECRETS, kept_secret

DAYS = 30
ROLES = {"demo-upstream": ("upstream",), "demo-desk": ("investigator", "reconciler")}
TENANT = "north"
"""The first tenant of a load: the one in which it calls the gateway."""


class DemoKeys:
    """The keys of a demo on a data directory."""

    def __init__(self, data_dir: Path) -> None:
        """Make them; those that a killed demo has left are revoked.

        Raises OSError, sqlite3.Error; SettingsError where the folder is somebody else's.
        """
        folder = data_dir / SECRETS
        self._keys = Keys(data_dir / FILE_NAME)
        self.upstream, self.desk = (folder / f"{name}.key" for name in ROLES)
        self.end()
        for name, roles in ROLES.items():
            text, _ = self._keys.create(name, {TENANT: list(roles)}, DAYS)
            kept_secret(folder / f"{name}.key", partial(str, text))

    def end(self) -> None:
        """Revoke the keys, and delete their files. Raises OSError, sqlite3.Error."""
        for key in self._keys.all():
            if key.subject in ROLES and key.revoked_at is None:
                self._keys.revoke(key.key_id)
        for file in (self.upstream, self.desk):
            file.unlink(missing_ok=True)
