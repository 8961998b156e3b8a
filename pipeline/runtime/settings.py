"""All settings of Ledgerflow in one typed class, read from `LEDGERFLOW_...` environment variables.

Those of the runtime stand here. Those of a concept stand in its package, with their defaults and bounds
(`pipeline/domain/<concept>/settings.py`), and are found there; `Settings.of` gives them to the topology.

`load_settings()` is the one way in: the command line passes its options as overrides, everything else comes
from the environment, and a bad value ends in one line that names the variable.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import pkgutil
import ssl
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, create_model, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline import domain
from pipeline.domain.kernel.settings import ConceptSettings, Parameter, parameters

ENV_PREFIX = "LEDGERFLOW_"

Port = Annotated[int, Field(ge=1, le=65535)]
_Concept = TypeVar("_Concept", bound=ConceptSettings)


class SettingsError(ValueError):
    """A setting has a bad value. The text is one line and names the environment variable."""


def _user_cache() -> Path:
    """Return the per-user directory for downloads (XDG)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ledgerflow"


def concepts() -> Iterator[type[ConceptSettings]]:
    """Yield the settings of every concept that has some, `SETTINGS` of its module `settings`, by its name."""
    for package in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
        name = f"{package.name}.settings"
        if importlib.util.find_spec(name) is not None:
            kind = getattr(importlib.import_module(name), "SETTINGS", None)
            if kind is not None:
                yield kind


def _field(parameter: Parameter) -> tuple[Any, Any]:
    """Return type and definition of a concept's setting as pydantic has it."""
    kind = Path | None if parameter.kind == (PurePath | None) else parameter.kind
    given = Field(parameter.default, description=parameter.about, ge=parameter.low, le=parameter.high)
    return kind, given


if TYPE_CHECKING:
    _OfConcepts = BaseSettings
else:
    _OfConcepts = create_model(
        "_OfConcepts",
        __base__=BaseSettings,
        **{one.variable: _field(one) for kind in concepts() for one in parameters(kind)},
    )


class Settings(_OfConcepts):
    """The settings; each is `LEDGERFLOW_<NAME IN CAPITALS>` in the environment. Immutable."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    # Where things are
    data_dir: Path = Field(Path("ledgerflow-data"), description="Kafka's log, the registry, tables and logs.")
    cache_dir: Path = Field(
        default_factory=_user_cache, description="Downloaded Kafka and registry, per user."
    )
    snapshots_dir: Path = Field(
        default_factory=lambda given: given.get("data_dir", Path()) / "snapshots",
        description="Snapshots of tables; on the disk of data_dir they are hard links, elsewhere copies.",
    )
    snapshots_keep: int = Field(3, ge=1, le=1000, description="Snapshots each worker keeps; older ones go.")
    kafka_port: Port = Field(19092, description="Local stack: the broker.")
    controller_port: Port = Field(19093, description="Local stack: the broker's KRaft controller.")
    registry_port: Port = Field(18081, description="Local stack: the schema registry.")
    web_host: str = Field("127.0.0.1", description="Address the table views listen on; unique per machine.")
    web_port: Port = Field(
        6066, description="Port of the first worker's table views; the next worker has the next."
    )
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

    # How a production cluster is reached
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to: in the clear or by TLS, with or without a login."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in, where the protocol is a SASL one."
    )
    sasl_username: str = Field("", description="Who logs in.")
    sasl_password: SecretStr = Field(SecretStr(""), description="The password; no message ever shows it.")
    ssl_cafile: Path | None = Field(None, description="CA bundle (PEM); the system's by default.")

    # The shape of the system: the same for all workers of one application
    app_id: str = Field(
        "ledgerflow", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Prefix of groups and tables."
    )
    partitions: int = Field(
        4, ge=1, le=1024, description="Partitions of every per-account topic. Cannot change later."
    )
    replication_factor: int = Field(
        1, ge=1, le=9, description="Copies of every topic; 3 on a production cluster."
    )
    standby_replicas: int = Field(0, ge=0, le=4, description="Warm copies of each table partition.")

    # How a worker runs
    workers: int = Field(1, ge=1, le=64, description="Worker processes that `ledgerflow up` starts.")
    session_timeout_s: float = Field(
        6.0, ge=1.0, le=300.0, description="Silence after which a worker is dead."
    )
    transaction_open_max_s: float = Field(
        60.0,
        ge=1.0,
        le=86_400.0,
        description="How long somebody's open transaction may hold a log back before it is told, seconds.",
    )
    max_batch_records: int = Field(
        20_000, ge=1, le=1_000_000, description="Upper bound of one partition batch."
    )
    max_batch_bytes: int = Field(
        4 * 2**20, ge=2**10, le=2**28, description="Upper bound of one partition fetch."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="The least severe messages that a worker logs."
    )

    # Memory of the local stack's two Java processes
    kafka_heap_mb: int = Field(512, ge=192, le=65_536, description="Java heap of the local broker, MiB.")
    registry_heap_mb: int = Field(192, ge=128, le=65_536, description="Java heap of the local registry, MiB.")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Settings:
        """Refuse combinations that cannot work."""
        ports = [self.kafka_port, self.controller_port, self.registry_port]
        ports += [self.web_port + number for number in range(self.workers)]
        if len(set(ports)) < len(ports):
            raise ValueError(f"{ENV_PREFIX}..._PORT: the ports must differ, but they are {ports}")
        if self.web_port + self.workers - 1 > 65_535:
            raise ValueError(
                f"{ENV_PREFIX}WEB_PORT={self.web_port}: no port is left for {self.workers} workers"
            )
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(
                f"{ENV_PREFIX}SECURITY_PROTOCOL={self.security_protocol} needs {ENV_PREFIX}SASL_USERNAME"
                f" and {ENV_PREFIX}SASL_PASSWORD"
            )
        return self

    def of(self, concept: type[_Concept]) -> _Concept:
        """Return the settings of a concept."""
        given = {one.field: getattr(self, one.variable) for one in parameters(concept)}
        return concept(**given)

    def librdkafka(self) -> dict[str, str]:
        """Return the connection part of a confluent-kafka configuration."""
        config = {"bootstrap.servers": self.bootstrap_servers, "security.protocol": self.security_protocol}
        if self.security_protocol.startswith("SASL"):
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self.sasl_password.get_secret_value()
        if self.ssl_cafile is not None:
            config["ssl.ca.location"] = str(self.ssl_cafile)
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
            config["sasl_plain_password"] = self.sasl_password.get_secret_value()
        if "SSL" in self.security_protocol:
            config["ssl_context"] = ssl.create_default_context(cafile=self.ssl_cafile)
        return config


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` that are not None win over it.

    Raises SettingsError with one line: what is wrong, and in which variable.
    """
    _refuse_misspelt(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        # A default that rests on a setting with a bad value is not an error of its own.
        errors = [item for item in error.errors() if item["type"] != "default_factory_not_called"]
        raise SettingsError("; ".join(map(_line, errors))) from None
    _require_ca_bundle(settings.ssl_cafile)
    return settings


def _require_ca_bundle(file: Path | None) -> None:
    """Raise for a file that is no CA bundle: each of the clients would fail in words of its own."""
    if file is None:
        return
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(f"{ENV_PREFIX}SSL_CAFILE={file}: {error.strerror}") from None


def _line(error: Any) -> str:
    """Say one validation error in words, with the variable's name, and never a secret."""
    if not error["loc"]:
        return str(error["ctx"]["error"])
    variable = ENV_PREFIX + str(error["loc"][0]).upper()
    shown = "" if "password" in variable.lower() else f"={error['input']}"
    reason = error["msg"][0].lower() + error["msg"][1:]
    return f"{variable}{shown}: {reason}"


def _refuse_misspelt(environ: os._Environ[str]) -> None:
    """Raise for a variable that nearly is one of ours: it would be ignored without a word.

    Others with our prefix are let alone, because Kubernetes makes some for every service of that name.
    """
    known = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    for variable in environ:
        if not variable.startswith(ENV_PREFIX) or variable in known:
            continue
        if close := difflib.get_close_matches(variable, known, n=1, cutoff=0.93):
            raise SettingsError(f"{variable} is not a setting; did you mean {close[0]}?")
