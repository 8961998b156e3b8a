"""The secrets of a secure local stack: one folder, which its owner alone can read.

    secrets/ca.pem ca.key                      the authority; only a start that renews reads its key
    secrets/broker.pem registry.pem|key        what the servers show (broker.pem holds certificate and key)
    secrets/admin.pem admin.key                the administrator's, for the broker's inner listener
    secrets/<role>.password                    of Kafka and of the registry
    secrets/<role>.env                         LEDGERFLOW_... settings: `set -a; . secrets/operator.env`
    secrets/registry.properties                the registry's users, their passwords hashed

An open stack has the folder, too: the snapshots' key and the commands' token are in it. A secure one is told
by ca.pem, which is written last: what a start that was interrupted leaves without it is made anew.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
from pathlib import Path
from typing import NamedTuple

from pipeline.runtime.kafka.access import LOAD, OPERATOR, ROLES
from pipeline.runtime.kafka.acls import user_name
from pipeline.runtime.local import certificates
from pipeline.runtime.local.certificates import CLIENT, SERVER, Certificate
from pipeline.runtime.settings import ENV_PREFIX, Settings

FOLDER = "secrets"
AUTHORITY = "ca"
ADMIN, BROKER, REGISTRY = "admin", "broker", "registry"
PASSWORD_BYTES = 32
LOCAL_ROLES = (*ROLES, LOAD)
REGISTRY_PROPERTIES = "registry.properties"
_USES = {BROKER: (SERVER, CLIENT), REGISTRY: (SERVER,), ADMIN: (CLIENT,)}

# By role of the registry's own. A reader also looks up ids of schemas, which is a POST.
_READS, _WRITES, _ADMINISTERS = "sr-readonly", "sr-developer", "sr-admin"
_REGISTRY_ROLES = {OPERATOR: _WRITES, ADMIN: _ADMINISTERS}

# With the registry's roles alone whoever writes also deletes and sets rules, and its own pages are open. Of
# the permissions for the longest path that matches, one must name the method.
_POLICIES = f"""\
quarkus.http.auth.basic=true
apicurio.auth.role-based-authorization=true
quarkus.security.users.embedded.enabled=true
quarkus.security.users.embedded.plain-text=false
quarkus.security.users.embedded.algorithm=digest-sha-512
quarkus.http.auth.policy.administer.roles-allowed={_ADMINISTERS}
quarkus.http.auth.permission.read.paths=/*
quarkus.http.auth.permission.read.methods=GET,HEAD
quarkus.http.auth.permission.read.policy=authenticated
quarkus.http.auth.permission.change.paths=/*
quarkus.http.auth.permission.change.methods=POST,PUT,PATCH,DELETE,OPTIONS
quarkus.http.auth.permission.change.policy=administer
quarkus.http.auth.permission.register.paths=/apis/ccompat/*
quarkus.http.auth.permission.register.methods=GET,HEAD,POST
quarkus.http.auth.permission.register.policy=authenticated
quarkus.http.auth.permission.remove.paths=/apis/ccompat/*
quarkus.http.auth.permission.remove.methods=PUT,PATCH,DELETE,OPTIONS
quarkus.http.auth.permission.remove.policy=administer
"""


class Addresses(NamedTuple):
    """Where a secure stack listens."""

    bootstrap_servers: str
    inner: str
    """The listener for the broker itself and the administrator."""
    schema_registry_url: str


class Credentials:
    """The folder of a stack's secrets, which exists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.folder / f"{AUTHORITY}.pem"

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate; the broker's holds its key, too."""
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        """Return the file of a certificate's key."""
        return self.folder / f"{name}.key"

    def password_file(self, role: str) -> Path:
        """Return the file of a role's password."""
        return self.folder / f"{role}.password"

    def password(self, role: str) -> str:
        """Return a role's password. Raises OSError."""
        return self.password_file(role).read_text("utf-8").strip()

    def said(self, role: str) -> dict[str, str]:
        """Return the settings in a role's file, by name, as text. Raises OSError."""
        lines = shlex.split(self._environment(role).read_text("utf-8"))
        pairs = [line.partition("=") for line in lines]
        return {name.removeprefix(ENV_PREFIX).lower(): value for name, _, value in pairs}

    def _environment(self, role: str) -> Path:
        return self.folder / f"{role}.env"

    @property
    def registry_properties(self) -> Path:
        """The registry's users and what they may do, as a file of its settings."""
        return self.folder / REGISTRY_PROPERTIES

    def connection(self, settings: Settings, role: str, addresses: Addresses) -> dict[str, object]:
        """Return the settings by which a role reaches the stack; secrets by the names of their files."""
        user = ADMIN if role == ADMIN else user_name(settings.app_id, role)
        found: dict[str, object] = {
            "schema_registry_url": addresses.schema_registry_url,
            "ssl_cafile": self.ca,
            "registry_username": user,
            "registry_password_file": self.password_file(role),
            "registry_cafile": self.ca,
        }
        if role == ADMIN:
            return found | {
                "bootstrap_servers": addresses.inner,
                "security_protocol": "SSL",
                "ssl_certfile": self.certificate(ADMIN),
                "ssl_keyfile": self.key(ADMIN),
            }
        return found | {
            "bootstrap_servers": addresses.bootstrap_servers,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": user,
            "sasl_password_file": self.password_file(role),
        }

    def refresh(self, settings: Settings, addresses: Addresses) -> None:
        """Renew certificates that end soon, and write what follows from settings. Raises OSError, ValueError.

        A role that this version has and the folder has not gets its password.
        """
        authority = certificates.read(self.ca, self.key(AUTHORITY))
        for name in _USES:
            if certificates.ends_soon(certificates.read(self.certificate(name), self.key(name)).certificate):
                _write_certificate(self.folder, name, certificates.signed(authority, name, _USES[name]))
        for role in (*LOCAL_ROLES, ADMIN):
            if not self.password_file(role).exists():
                _write(self.password_file(role), secrets.token_urlsafe(PASSWORD_BYTES) + "\n")
            given = self.connection(settings, role, addresses)
            given |= {"app_id": settings.app_id, "partitions": settings.partitions}
            lines = [f"{ENV_PREFIX}{name.upper()}={shlex.quote(str(said))}\n" for name, said in given.items()]
            _write(self._environment(role), "".join(lines))
        _write(self.registry_properties, self._registry_users(settings))

    def _registry_users(self, settings: Settings) -> str:
        lines = [_POLICIES]
        for role in (*LOCAL_ROLES, ADMIN):
            user = ADMIN if role == ADMIN else user_name(settings.app_id, role)
            # How the registry's library wants it; a password of 256 random bits needs no slower hash.
            digest = hashlib.sha512(f"{user}:Quarkus:{self.password(role)}".encode()).hexdigest()
            lines.append(f'quarkus.security.users.embedded.users."{user}"={digest}\n')
            held = _REGISTRY_ROLES.get(role, _READS)
            lines.append(f'quarkus.security.users.embedded.roles."{user}"={held}\n')
        return "".join(lines)


def credentials_of(data_dir: Path) -> Credentials | None:
    """Return the secrets of a data directory; None where its stack is an open one, or where there is none."""
    folder = data_dir.expanduser().absolute() / FOLDER
    found = Credentials(folder)
    return found if found.ca.is_file() else None


def make_credentials(data_dir: Path) -> Credentials:
    """Make the secrets of a data directory, beside what its folder has already. Raises OSError."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = certificates.authority("ledgerflow local authority")
    for name, uses in _USES.items():
        _write_certificate(folder, name, certificates.signed(authority, name, uses))
    _write_certificate(folder, AUTHORITY, authority)
    return Credentials(folder)


def _write_certificate(folder: Path, name: str, made: Certificate) -> None:
    _write(folder / f"{name}.key", made.key_pem)
    # Kafka wants certificate and key in one file; it checks the key's first.
    _write(folder / f"{name}.pem", made.key_pem + made.pem if name == BROKER else made.pem)


def _write(path: Path, content: str | bytes) -> None:
    """Write a file of mode 0600 whole or not at all; the content is never in a file of another mode."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)
