"""The local stack's Java programs: the exact files of Maven Central, checked by SHA-256, kept per user.

`artifacts.json` pins every file (coordinate, size, SHA-256), so nothing is resolved at run time and the class
path never changes by itself. A file is downloaded once, by jgo (which also honours the repositories of its
own configuration file); later runs do not touch the network. `python -m pipeline.runtime.local.artifacts`
writes the pins anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PINS = Path(__file__).with_name("artifacts.json")
KAFKA = "org.apache.kafka:kafka_2.13:4.1.2"
"""Not 4.3.1: when it restarts after it was killed, that broker forgets the markers of the transactions that
were open (KAFKA-20734, since KAFKA-17573 moved the metadata cache to Java), and what was never committed
becomes visible. `tests/integration/test_broker_crash.py` tests for it."""
REGISTRY = "io.apicurio:apicurio-registry-app:3.3.3"
_KAFKA_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"
"""Kafka's own distribution adds this; without it the broker logs nothing."""
KAFKA_VERSION = KAFKA.rpartition(":")[2]
REGISTRY_VERSION = REGISTRY.rpartition(":")[2]
_DOWNLOADS_AT_ONCE = 4

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all) while files are being downloaded; from one thread at a time."""


class ArtifactError(RuntimeError):
    """A file could not be downloaded, or is not the pinned one. The text says what to do."""


@dataclass(frozen=True)
class Pin:
    """One pinned file of Maven Central; `packaging` is its extension, `classifier` may be empty."""

    coordinate: str
    size: int
    sha256: str
    packaging: str = "jar"
    classifier: str = ""

    def path(self, repository: Path) -> Path:
        """Return where the file lies in a Maven repository directory."""
        group, name, version = self.coordinate.split(":")
        suffix = f"-{self.classifier}" if self.classifier else ""
        return repository.joinpath(
            *group.split("."), name, version, f"{name}-{version}{suffix}.{self.packaging}"
        )


@dataclass(frozen=True)
class Programs:
    """What is needed to start the stack."""

    kafka_class_path: tuple[Path, ...]
    registry_jar: Path


def programs(cache_dir: Path, progress: Progress | None = None) -> Programs:
    """Return the programs, downloading what is missing into `cache_dir`.

    Two stacks that start at the same time take turns. Raises ArtifactError where a file cannot be downloaded.
    """
    pins = {name: [Pin(**pin) for pin in listed] for name, listed in json.loads(PINS.read_text()).items()}
    kafka, (registry,) = pins["kafka"], pins["registry"]
    repository = cache_dir / "maven"
    registry_dir = cache_dir / f"apicurio-registry-{REGISTRY_VERSION}-{registry.sha256[:12]}"
    wanted = kafka if registry_dir.exists() else [*kafka, registry]
    repository.mkdir(parents=True, exist_ok=True)
    with _turn(cache_dir / "lock"):
        paths = _fetch(wanted, repository, progress)
        if not registry_dir.exists():
            _unpack(paths[registry], registry_dir)
            paths[registry].unlink()
    return Programs(tuple(paths[pin] for pin in kafka), registry_dir / "quarkus-run.jar")


def _fetch(pins: list[Pin], repository: Path, progress: Progress | None) -> dict[Pin, Path]:
    """Return where each pinned file is, downloading those that are missing or damaged."""
    paths = {pin: pin.path(repository) for pin in pins}
    # Largest first, so that no long download is left alone at the end.
    missing = sorted((pin for pin in pins if not _is_pinned(paths[pin], pin)), key=lambda pin: -pin.size)
    if missing:
        _download_all(missing, paths, repository, progress)
    return paths


def _download_all(
    missing: list[Pin], paths: dict[Pin, Path], repository: Path, progress: Progress | None
) -> None:
    """Download some files at a time; the first failure, or Ctrl-C, ends them all."""
    done, total = 0, sum(pin.size for pin in missing)
    one_at_a_time, stopped = threading.Lock(), threading.Event()

    def add(size: int) -> None:
        nonlocal done
        if stopped.is_set():
            raise ArtifactError("the download was stopped")
        with one_at_a_time:
            done += size
            if progress is not None:
                progress(min(done, total), total)

    context = _maven(repository, add)
    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        try:
            for _ in pool.map(lambda pin: _download(pin, paths[pin], context), missing):
                pass
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _maven(repository: Path, add: Callable[[int], None]) -> Any:
    """Return jgo's view of Maven Central that downloads into `repository` and tells `add` of each piece."""
    from jgo.config import GlobalSettings  # late: only a first run needs it
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def count(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield add

    return MavenContext(
        resolver=PythonResolver(progress_callback=count),
        repo_cache=repository,
        remote_repos=GlobalSettings.load().repositories or None,
        timeout=60,
    )


def _download(pin: Pin, path: Path, context: Any) -> None:
    """Download one file to `path` and check it; a wrong one is removed."""
    path.unlink(missing_ok=True)  # a download that was interrupted
    group, name, version = pin.coordinate.split(":")
    artifact = context.project(group, name).at_version(version).artifact(pin.classifier, pin.packaging)
    try:
        artifact.resolve()
    except Exception as error:
        path.unlink(missing_ok=True)
        raise ArtifactError(
            f"cannot download {pin.coordinate} from Maven Central ({type(error).__name__}): the first run"
            " needs the network, or a mirror in jgo's configuration file; later runs do not"
        ) from error
    if not _is_pinned(path, pin):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        path.unlink()
        raise ArtifactError(
            f"{pin.coordinate} is not the pinned file: SHA-256 {found}, expected {pin.sha256}"
        )


def _is_pinned(path: Path, pin: Pin) -> bool:
    """Return whether the file exists, complete and unchanged."""
    if not path.exists() or path.stat().st_size != pin.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == pin.sha256


def _unpack(archive: Path, into: Path) -> None:
    """Unpack a tar.gz so that `into` exists only when it is complete."""
    partial = into.with_name(into.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    partial.rename(into)


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    """Hold a lock file, once the process that holds it has let go."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pin_all() -> None:
    """Resolve the two programs again and write their pins; to be run where a version is raised."""
    from jgo.maven import MavenContext

    context = MavenContext()
    inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
    kafka = [
        dep for dep in [*inputs, *transitive] if dep.scope not in ("test", "provided") and not dep.optional
    ]
    # By itself: resolved together, its parent's managed versions would replace Kafka's (kafka-clients 3.9).
    logging = context.create_dependency(_KAFKA_LOGGING)
    group, name, version = REGISTRY.split(":")
    registry = context.project(group, name).at_version(version).artifact("all", "tar.gz")
    files = {"kafka": [dep.artifact for dep in [*kafka, logging]], "registry": [registry]}
    pins = {program: [_pin(artifact) for artifact in artifacts] for program, artifacts in files.items()}
    PINS.write_text(json.dumps(pins, indent=1) + "\n")


def _pin(artifact: Any) -> dict[str, Any]:
    path = artifact.resolve()
    pin: dict[str, Any] = {
        "coordinate": f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}",
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    if artifact.classifier:
        pin["classifier"] = artifact.classifier
    if artifact.packaging != "jar":
        pin["packaging"] = artifact.packaging
    return pin


if __name__ == "__main__":
    _pin_all()
