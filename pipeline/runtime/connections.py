"""How Kafka and the schema registry are reached: these settings, and what they are for each client library.

    settings -> librdkafka(), aiokafka(), registry() -> the clients, which are made from nothing else

Off loopback, what is neither encrypted nor allowed by name (`LEDGERFLOW_INSECURE`) is refused.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.runtime.addresses import hosts_of, is_loopback, wrong_port
from pipeline.runtime.secret_files import SecretFileError, read_secret, require_private

ENV_PREFIX = "LEDGERFLOW_"
OPEN_FORMS = ("kafka", "registry", "web", "gateway")
"""What `LEDGERFLOW_INSECURE` may name."""
SECRETS = ("sasl_password", "ssl_key_password", "registry_password")
"""Settings that no message shows; each may stand in a file, `..._FILE`, instead."""

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(ValueError):
    """A setting has a bad value. The text is one line and names the environment variable."""


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return ENV_PREFIX + name.upper()


class ConnectionSettings(BaseSettings):
    """The settings of the connections."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    kafka_port: Port = Field(19092, description="Local stack: the broker.")
    controller_port: Port = Field(19093, description="Local stack: the broker's KRaft controller.")
    internal_port: Port = Field(
        19094, description="Local stack, secure form: the broker's listener for its administrator."
    )
    registry_port: Port = Field(18081, description="Local stack: the schema registry.")
    bootstrap_servers: str = Field(
        default_factory=lambda given: f"127.0.0.1:{given.get('kafka_port', 0)}",
        min_length=1,
        description="Kafka; the local stack's broker by default.",
    )
    schema_registry_url: str = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('registry_port', 0)}/apis/ccompat/v7",
        pattern=r"^https?://",
        description="A registry with the Confluent API; the local stack's by default.",
    )
    insecure: str = Field(
        "",
        description="What may be open off loopback, by name, with commas: `kafka`, `registry`, `web`,"
        " `gateway`.",
    )

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to: in the clear or by TLS, with or without a login."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in, where the protocol is a SASL one."
    )
    sasl_username: str = Field("", description="Who logs in.")
    sasl_password: SecretStr = Field(SecretStr(""), description="The password; no message ever shows it.")
    sasl_password_file: Path | None = Field(None, description="Or the file that holds it, of mode 0600.")
    ssl_cafile: Path | None = Field(None, description="Kafka's CA bundle (PEM); the system's by default.")
    ssl_certfile: Path | None = Field(
        None, description="The client's certificate and its chain (PEM), where Kafka asks for one."
    )
    ssl_keyfile: Path | None = Field(None, description="The key of the certificate (PEM), of mode 0600.")
    ssl_key_password: SecretStr = Field(
        SecretStr(""), description="The password of the keys, where they are encrypted."
    )
    ssl_key_password_file: Path | None = Field(None, description="Or the file that holds it, of mode 0600.")

    registry_username: str = Field("", description="Who logs in at the registry.")
    registry_password: SecretStr = Field(SecretStr(""), description="The password there.")
    registry_password_file: Path | None = Field(None, description="Or the file that holds it, of mode 0600.")
    registry_cafile: Path | None = Field(
        None, description="The registry's CA bundle (PEM); the system's by default."
    )
    registry_certfile: Path | None = Field(
        None, description="The client's certificate and its chain (PEM), where the registry asks for one."
    )
    registry_keyfile: Path | None = Field(
        None, description="The key of that certificate (PEM), of mode 0600."
    )

    _secrets: dict[str, SecretStr] = PrivateAttr(default_factory=dict)
    """The secrets by the name of their setting, from the setting or its file."""

    @field_validator("bootstrap_servers", "schema_registry_url")
    @classmethod
    def _has_ports(cls, given: str) -> str:
        if reason := wrong_port(urlsplit(given).netloc if "://" in given else given):
            raise ValueError(reason)
        return given

    @field_validator("insecure")
    @classmethod
    def _names_open_forms(cls, given: str) -> str:
        if unknown := {name.strip() for name in given.split(",")} - {*OPEN_FORMS, ""}:
            raise ValueError(f"no {', '.join(sorted(unknown))} there: it may name {', '.join(OPEN_FORMS)}")
        return given

    @model_validator(mode="after")
    def _connections_fit_together(self) -> ConnectionSettings:
        """Refuse credentials in addresses, incomplete ones, and secrets that cannot be read."""
        if urlsplit(self.schema_registry_url).username is not None or "@" in self.bootstrap_servers:
            where = "BOOTSTRAP_SERVERS" if "@" in self.bootstrap_servers else "SCHEMA_REGISTRY_URL"
            kind = "SASL" if "@" in self.bootstrap_servers else "REGISTRY"
            raise ValueError(
                f"{ENV_PREFIX}{where} must not hold a name or password: addresses are shown. Use"
                f" {ENV_PREFIX}{kind}_USERNAME and {ENV_PREFIX}{kind}_PASSWORD_FILE"
            )
        for name in SECRETS:
            self._secrets[name] = SecretStr(self._secret(name))
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_username and self._known("sasl_password")
        ):
            raise ValueError(
                f"{ENV_PREFIX}SECURITY_PROTOCOL={self.security_protocol} needs {ENV_PREFIX}SASL_USERNAME"
                f" and {ENV_PREFIX}SASL_PASSWORD or {ENV_PREFIX}SASL_PASSWORD_FILE"
            )
        if bool(self.registry_username) != bool(self._known("registry_password")):
            raise ValueError(
                f"{ENV_PREFIX}REGISTRY_USERNAME goes with {ENV_PREFIX}REGISTRY_PASSWORD or"
                f" {ENV_PREFIX}REGISTRY_PASSWORD_FILE"
            )
        if ":" in self.registry_username:
            raise ValueError(
                f"{ENV_PREFIX}REGISTRY_USERNAME must not hold a colon: the password begins there"
            )
        for kind in ("ssl", "registry"):
            if (self._file(kind, "certfile") is None) != (self._file(kind, "keyfile") is None):
                raise ValueError(
                    f"{variable(kind)}_CERTFILE goes with {variable(kind)}_KEYFILE: set both or none"
                )
        return self

    def _secret(self, name: str) -> str:
        """Return a secret from its setting or its file, empty where neither is given. Raises ValueError."""
        said: str = getattr(self, name).get_secret_value()
        file: Path | None = getattr(self, f"{name}_file")
        if file is None:
            return said
        if said:
            raise ValueError(f"{variable(name)} and {variable(name)}_FILE: set one of them")
        try:
            return read_secret(file)
        except SecretFileError as error:
            raise ValueError(f"{variable(name)}_FILE: {error}") from None

    def _known(self, name: str) -> str:
        return self._secrets[name].get_secret_value()

    def _file(self, kind: str, what: str) -> Path | None:
        file: Path | None = getattr(self, f"{kind}_{what}")
        return None if file is None else file.expanduser()

    def librdkafka(self) -> dict[str, str]:
        """Return the connection part of a confluent-kafka configuration."""
        config = {"bootstrap.servers": self.bootstrap_servers, "security.protocol": self.security_protocol}
        if self.security_protocol.startswith("SASL"):
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self._known("sasl_password")
        if "SSL" in self.security_protocol:
            config |= self._tls("ssl")
        return config

    def aiokafka(self) -> dict[str, Any]:
        """Return the connection part of an aiokafka client's arguments."""
        config: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            config["sasl_mechanism"] = self.sasl_mechanism
            config["sasl_plain_username"] = self.sasl_username
            config["sasl_plain_password"] = self._known("sasl_password")
        if "SSL" in self.security_protocol:
            config["ssl_context"] = self.tls_context("ssl")
        return config

    def registry(self) -> dict[str, Any]:
        """Return the connection part of the configuration of confluent-kafka's registry client."""
        config: dict[str, Any] = {"url": self.schema_registry_url}
        if self.registry_username:
            login = f"{self.registry_username}:{self._known('registry_password')}"
            config["basic.auth.user.info"] = login
        if self.schema_registry_url.startswith("https:"):
            config |= self._tls("registry")
            system = ssl.get_default_verify_paths()  # the client's own default are the CAs of a package
            config.setdefault("ssl.ca.location", system.cafile or system.capath)
        return config

    def _tls(self, kind: str) -> dict[str, str]:
        """Return the files of TLS as librdkafka and the registry client name them."""
        files = {"ca": "cafile", "certificate": "certfile", "key": "keyfile"}
        found = {f"ssl.{name}.location": self._file(kind, what) for name, what in files.items()}
        config = {name: str(file) for name, file in found.items() if file is not None}
        if "ssl.key.location" in config and (password := self._known("ssl_key_password")):
            config["ssl.key.password"] = password
        return config

    def tls_context(self, kind: Literal["ssl", "registry"]) -> ssl.SSLContext:
        """Return the TLS of Kafka (`ssl`) or the registry. Raises SettingsError for a bad file."""
        name = variable(kind)
        cafile, certfile, keyfile = (self._file(kind, what) for what in ("cafile", "certfile", "keyfile"))
        try:
            context = ssl.create_default_context(cafile=cafile)
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"{name}_CAFILE={cafile}: {error.strerror}") from None
        if certfile is None or keyfile is None:
            return context
        if not certfile.is_file():
            raise SettingsError(f"{name}_CERTFILE={certfile}: no such file")
        try:
            require_private(keyfile)
            # A password that is asked for here is empty: without one, OpenSSL would ask at the terminal.
            context.load_cert_chain(certfile, keyfile, lambda: self._known("ssl_key_password"))
        except SecretFileError as error:
            raise SettingsError(f"{name}_KEYFILE: {error}") from None
        except OSError as error:
            raise SettingsError(
                f"{name}_CERTFILE={certfile}, {name}_KEYFILE={keyfile}: {self._why(error)}"
            ) from None
        return context

    def _why(self, error: OSError) -> str:
        """Return why a certificate and its key are refused."""
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            return "the key is not that of the certificate"
        if "DECRYPT" in str(getattr(error, "reason", "")) or not self._known("ssl_key_password"):
            return f"no certificate and key (PEM), or another {ENV_PREFIX}SSL_KEY_PASSWORD is needed"
        return f"no certificate and key (PEM): {error.strerror or error}"

    def require_usable(self) -> None:
        """Check the files of TLS: each client would fail in words of its own. Raises SettingsError."""
        self.tls_context("ssl")
        self.tls_context("registry")

    def allows(self, form: str) -> bool:
        """Return whether a setting allows an open form off loopback by its name."""
        return form in {name.strip() for name in self.insecure.split(",")}

    def require_protected(self) -> None:
        """Refuse what goes over a network in the clear, unless a setting names it. Raises SettingsError."""
        if not self.security_protocol.endswith("SSL") and not self.allows("kafka"):
            for host in hosts_of(self.bootstrap_servers):
                if not is_loopback(host):
                    raise SettingsError(
                        f"{ENV_PREFIX}BOOTSTRAP_SERVERS={self.bootstrap_servers}: {host} is not this"
                        f" machine's loopback, and {ENV_PREFIX}SECURITY_PROTOCOL={self.security_protocol}"
                        f" encrypts nothing: use SASL_SSL or SSL, or allow it by name,"
                        f" {ENV_PREFIX}INSECURE=kafka"
                    )
        url = urlsplit(self.schema_registry_url)
        if url.scheme != "https" and not self.allows("registry") and not is_loopback(url.hostname or ""):
            raise SettingsError(
                f"{ENV_PREFIX}SCHEMA_REGISTRY_URL={self.schema_registry_url}: {url.hostname} is not this"
                f" machine's loopback, and http encrypts nothing: use https, or allow it by name,"
                f" {ENV_PREFIX}INSECURE=registry"
            )


def aiokafka_of(connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `librdkafka()` has returned as the arguments of an aiokafka client."""
    protocol = str(connection.get("security.protocol", "PLAINTEXT"))
    config: dict[str, Any] = {
        "bootstrap_servers": str(connection["bootstrap.servers"]).split(","),
        "security_protocol": protocol,
    }
    if protocol.startswith("SASL"):
        config["sasl_mechanism"] = connection["sasl.mechanism"]
        config["sasl_plain_username"] = connection["sasl.username"]
        config["sasl_plain_password"] = connection["sasl.password"]
    if "SSL" in protocol:
        context = ssl.create_default_context(cafile=connection.get("ssl.ca.location"))
        if (certificate := connection.get("ssl.certificate.location")) is not None:
            password = str(connection.get("ssl.key.password", ""))
            context.load_cert_chain(certificate, connection.get("ssl.key.location"), lambda: password)
        config["ssl_context"] = context
    return config
