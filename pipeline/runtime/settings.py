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
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError, create_model, field_validator, model_validator

from pipeline import domain
from pipeline.domain.kernel.settings import ConceptSettings, Parameter, parameters
from pipeline.runtime.addresses import is_loopback
from pipeline.runtime.connections import ENV_PREFIX, Port, SettingsError, variable
from pipeline.runtime.gateway_settings import GatewaySettings

__all__ = ["ENV_PREFIX", "Settings", "SettingsError", "load_settings"]

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?", re.ASCII)
"""A name or address, and perhaps a port."""
TICK_SECONDS_MIN = 10
_Concept = TypeVar("_Concept", bound=ConceptSettings)


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
    _OfConcepts = GatewaySettings
else:
    _OfConcepts = create_model(
        "_OfConcepts",
        __base__=GatewaySettings,
        **{one.variable: _field(one) for kind in concepts() for one in parameters(kind)},
    )


class Settings(_OfConcepts):
    """The settings; each is `LEDGERFLOW_<NAME IN CAPITALS>` in the environment. Immutable."""

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
    snapshot_key_file: Path | None = Field(
        None,
        description="Key that signs snapshots, 32 bytes or more; by default one that is made in data_dir.",
    )
    web_host: str = Field("127.0.0.1", description="Address the table views listen on; unique per machine.")
    web_port: Port = Field(
        6066, description="Port of the first worker's table views; the next worker has the next."
    )
    web_hosts: str = Field(
        "",
        description="Other names, with or without a port, under which browsers and proxies may ask for the"
        " table views: views.example,10.0.0.5:8080.",
    )
    web_connections: int = Field(
        256, ge=16, le=65_536, description="Open connections to the table views of a worker, at most."
    )
    personal_dir: Path = Field(
        default_factory=lambda given: given.get("data_dir", Path()) / "personal",
        description="Key store of personal data; it does not belong into backups of data_dir.",
    )
    kek: str | None = Field(
        None,
        description="Key that encrypts the keys of personal data: a file, or pkcs11:token=...;object=... of a"
        " hardware module; by default a file that is made in personal_dir.",
    )
    # The shape of the system: the same for all workers of one application
    foreign_schemas: Literal["accept", "refuse"] = Field(
        "accept",
        description="Events of versions that only the registry has: applied without what is new, or refused.",
    )
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
    tick_seconds: int = Field(
        60,
        ge=0,
        le=86_400,
        description="How often a partition without traffic is given time, not more often than every 10;"
        " 0: never, for made-up event time. `up` gives none by itself.",
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

    @field_validator("tick_seconds")
    @classmethod
    def _leaves_time_to_rest(cls, given: int) -> int:
        """Refuse ticks between which the streams never come to rest: `verify` and the end of `up` wait."""
        if 0 < given < TICK_SECONDS_MIN:
            raise ValueError(f"0, or {TICK_SECONDS_MIN} or more: the streams must come to rest between two")
        return given

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Settings:
        """Refuse combinations that cannot work."""
        ports = [self.kafka_port, self.controller_port, self.internal_port, self.registry_port]
        ports += [self.web_port + number for number in range(self.workers)]
        if len(set(ports)) < len(ports):
            raise ValueError(f"{ENV_PREFIX}..._PORT: the ports must differ, but they are {ports}")
        if self.web_port + self.workers - 1 > 65_535:
            raise ValueError(
                f"{ENV_PREFIX}WEB_PORT={self.web_port}: no port is left for {self.workers} workers"
            )
        for host in filter(None, self.web_hosts.split(",")):
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"{ENV_PREFIX}WEB_HOSTS={self.web_hosts}: {host!r} is no host, such as views.example:443"
                )
        return self

    def of(self, concept: type[_Concept]) -> _Concept:
        """Return the settings of a concept."""
        given = {one.field: getattr(self, one.variable) for one in parameters(concept)}
        return concept(**given)

    def require_protected(self) -> None:
        """Refuse what goes over a network in the clear, unless a setting names it. Raises SettingsError."""
        super().require_protected()
        self.require_protected_views()

    def require_protected_views(self) -> None:
        """Refuse table views that others can read, unless a setting names them. Raises SettingsError."""
        if not self.allows("web") and not is_loopback(self.web_host):
            raise SettingsError(
                f"{ENV_PREFIX}WEB_HOST={self.web_host} is not this machine's loopback, and the table views"
                f" are open to whoever reaches them: on a private network allow it by name,"
                f" {ENV_PREFIX}INSECURE=web"
            )


def load_settings(*, local: bool = False, **overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` that are not None win over it.

    `local`: for a stack of this machine, which takes the place of the addresses that the settings name.
    Raises SettingsError with one line: what is wrong, and in which variable.
    """
    _refuse_gone(os.environ)
    _refuse_misspelt(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        # A default that rests on a setting with a bad value is not an error of its own.
        errors = [item for item in error.errors() if item["type"] != "default_factory_not_called"]
        raise SettingsError("; ".join(map(_line, errors))) from None
    settings.require_usable()
    if local:
        settings.require_protected_views()
    else:
        settings.require_protected()
    return settings


def _line(error: Any) -> str:
    """Say one validation error in words, with the variable's name, and never a secret."""
    if not error["loc"]:
        return str(error["ctx"]["error"])
    name, given = variable(str(error["loc"][0])), str(error["input"])
    shown = "" if "PASSWORD" in name or "@" in given else f"={given}"
    reason = error["msg"][0].lower() + error["msg"][1:]
    return f"{name}{shown}: {reason.removeprefix('value error, ')}"


def _refuse_gone(environ: os._Environ[str]) -> None:
    """Raise for a setting of an earlier version: what it set would be lost without a word."""
    for kind in concepts():
        for name, instead in kind.gone.items():
            if environ.get(variable(name)):
                raise SettingsError(f"{variable(name)} is no setting any more: {instead}")


def _refuse_misspelt(environ: os._Environ[str]) -> None:
    """Raise for a variable that nearly is one of ours: it would be ignored without a word.

    Others with our prefix are let alone, because Kubernetes makes some for every service of that name.
    """
    known = [variable(name) for name in Settings.model_fields]
    for name in environ:
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.93):
            raise SettingsError(f"{name} is not a setting; did you mean {close[0]}?")
