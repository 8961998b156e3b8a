"""The secure form of the local stack: TLS and logins everywhere, and rights by role.

    CLIENT      SASL_SSL, SCRAM-SHA-512     roles
    INTERNAL    SSL, client certificates    the broker itself, the administrator
    CONTROLLER  SSL, client certificates    the broker itself
    registry    https, basic                roles: readers, a writer, the administrator

The broker starts without a user but the two that have certificates; the administrator makes the others by the
inner listener. So an open data directory can become a secure one, with its topics as they are.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pipeline.runtime.connections import ConnectionSettings
from pipeline.runtime.kafka import acls
from pipeline.runtime.kafka.acls import principals_of, user_name
from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.topics import REQUEST_TIMEOUT_S
from pipeline.runtime.local.credentials import (
    ADMIN,
    BROKER,
    LOCAL_ROLES,
    REGISTRY,
    Addresses,
    Credentials,
    credentials_of,
    make_credentials,
)
from pipeline.runtime.settings import Settings

SCRAM_ITERATIONS = 8_192
_PORTS = ("kafka_port", "controller_port", "internal_port", "registry_port")

_BROKER = """\
listeners=CLIENT://127.0.0.1:{kafka_port},INTERNAL://{inner},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=CLIENT://127.0.0.1:{kafka_port},INTERNAL://{inner}
listener.security.protocol.map=CLIENT:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL
inter.broker.listener.name=INTERNAL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config={login}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
ssl.client.auth=required
listener.name.client.ssl.client.auth=none
ssl.principal.mapping.rules=RULE:^CN=([^,]+)$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:broker;User:admin
"""
LOGIN_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class FormError(RuntimeError):
    """A data directory has another form than the one asked for. The text is one line, for the user."""


class SecureForm:
    """What is different about a secure stack."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        """Write the files that follow from the settings. Raises OSError, ValueError."""
        self._settings = settings
        self.credentials = credentials
        self.addresses = addresses_of(settings)
        credentials.refresh(settings, self.addresses)

    def settings_of(self, role: str) -> Settings:
        """Return the settings of a role of the stack; nothing of the environment's connection is left."""
        return role_settings(self._settings, self.credentials, role, self.addresses)

    def broker_properties(self) -> str:
        """Return the broker's listeners, logins and authorizer. There is no secret in it."""
        return _BROKER.format(
            kafka_port=self._settings.kafka_port,
            controller_port=self._settings.controller_port,
            inner=self.addresses.inner,
            login=LOGIN_MODULE,
            keystore=_escaped(self.credentials.certificate(BROKER)),
            truststore=_escaped(self.credentials.ca),
        )

    def registry_properties(self) -> dict[str, object]:
        """Return the registry's properties: TLS alone, and where its users stand."""
        return {
            "quarkus.http.insecure-requests": "disabled",
            "quarkus.http.ssl-port": self._settings.registry_port,
            "quarkus.http.ssl.certificate.files": self.credentials.certificate(REGISTRY),
            "quarkus.http.ssl.certificate.key-files": self.credentials.key(REGISTRY),
            "quarkus.config.locations": self.credentials.registry_properties,
        }

    def admin(self) -> dict[str, str]:
        """Return how librdkafka reaches the broker as the administrator."""
        return self.settings_of(ADMIN).librdkafka()

    def registry_context(self) -> ssl.SSLContext:
        """Return the TLS of a client of the registry."""
        return ssl.create_default_context(cafile=self.credentials.ca)

    def registry_login(self) -> str:
        """Return the header by which the administrator logs in at the registry."""
        login = f"{ADMIN}:{self.credentials.password(ADMIN)}"
        return f"Basic {base64.b64encode(login.encode()).decode()}"

    def set_up(self) -> None:
        """Make the users, with the passwords of their files, and their rights. Raises KafkaException."""
        client = AdminClient({**self.admin(), "log_level": 0})
        app_id = self._settings.app_id
        login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
        users = [
            UserScramCredentialUpsertion(
                user_name(app_id, role), login, self.credentials.password(role).encode()
            )
            for role in LOCAL_ROLES
        ]
        made: dict[str, Any] = client.alter_user_scram_credentials(users, request_timeout=REQUEST_TIMEOUT_S)
        for future in made.values():
            answered(future, REQUEST_TIMEOUT_S)
        principals = principals_of(app_id, LOCAL_ROLES)
        acls.apply(client, acls.compare(client, principals, app_id), prune=True)


def addresses_of(settings: Settings) -> Addresses:
    """Return where a secure stack of these settings listens."""
    return Addresses(
        f"127.0.0.1:{settings.kafka_port}",
        f"127.0.0.1:{settings.internal_port}",
        f"https://127.0.0.1:{settings.registry_port}/apis/ccompat/v7",
    )


def role_settings(settings: Settings, credentials: Credentials, role: str, addresses: Addresses) -> Settings:
    """Return settings with the connection of a role in the place of their own."""
    return reached_by(settings, credentials.connection(settings, role, addresses))


def reached_by(settings: Settings, connection: Mapping[str, object]) -> Settings:
    """Return settings with another connection; nothing is left of their own, or of the environment's."""
    names = set(ConnectionSettings.model_fields) - set(_PORTS)
    rest = settings.model_dump(exclude=names)
    # All of them are given: what is left out would be read from the environment.
    none = {name: ConnectionSettings.model_fields[name].default for name in names}
    return Settings(**{**none, **rest, **connection})


def form_of(settings: Settings, data_dir: Path, secure: bool, migrate: bool) -> SecureForm | None:
    """Return the form of a data directory, None for an open one; a new directory gets the one asked for.

    Raises FormError as `require_form` and where its secrets cannot be used; OSError.
    """
    require_form(data_dir, secure, migrate)
    if not secure:
        return None
    try:
        return SecureForm(settings, credentials_of(data_dir) or make_credentials(data_dir))
    except ValueError as error:
        raise FormError(f"the secrets of {data_dir} cannot be used: {error}") from None


def require_form(data_dir: Path, secure: bool, migrate: bool) -> None:
    """Raises FormError where a data directory has the other form; `migrate` lets an open one be secure."""
    known = credentials_of(data_dir)
    if not secure and known is not None:
        raise FormError(f"{data_dir} is a secure stack's: start it with --secure")
    if secure and known is None and (data_dir / "kafka" / "meta.properties").exists() and not migrate:
        raise FormError(
            f"{data_dir} is an open stack's, on which anyone may have written anything: make it secure as it"
            " is with --secure --migrate, or choose another directory"
        )


def _escaped(path: Path) -> str:
    """Return a path as Java's properties files want it."""
    return str(path).replace("\\", "\\\\")
