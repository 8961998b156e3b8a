"""Builds the peer with Maven into a folder of jars, named by the content of what they are made of."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent
SCHEMAS = PROJECT.parents[2] / "schemas"
JAVA_VERSION_MIN = 17
TIMEOUT_S = 600.0
"""A first build downloads some ten megabytes of plug-ins and libraries."""
TAIL_LINES = 20


class BuildFailed(RuntimeError):
    """Maven did not build the peer; the text has the end of what it said."""


@cache
def missing() -> str | None:
    """Return why the peer cannot be built and run here, None if it can."""
    if (java := shutil.which("java")) is None:
        return f"no java on the PATH (Java {JAVA_VERSION_MIN} or newer is needed)"
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA_VERSION_MIN:
        return f"java is too old (Java {JAVA_VERSION_MIN} or newer is needed): {said.splitlines()[:1]}"
    if shutil.which("javac") is None:
        return "no javac on the PATH: a JDK is needed, not only a JRE"
    if shutil.which("mvn") is None:
        return "no mvn (Maven) on the PATH"
    return None


def build(cache_dir: Path) -> Path:
    """Return the folder with the peer's jars, built in `cache_dir` unless it is there; raise BuildFailed."""
    kept = cache_dir.expanduser().absolute() / f"kafka-streams-{_content()[:16]}"
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kafka-streams-", dir=kept.parent) as folder:
        target = Path(folder) / "target"
        _package(target)
        jars = Path(folder) / "jars"
        (target / "lib").rename(jars)
        (target / "peer-1.jar").rename(jars / "peer-1.jar")
        try:
            jars.rename(kept)
        except OSError:
            if not kept.exists():  # another process was quicker
                raise
    return kept


def _package(target: Path) -> None:
    """Run Maven with the settings that the machine has."""
    command = ["mvn", "-q", "-B", "package", f"-Dbuild.folder={target}", f"-Dschemas.folder={SCHEMAS}"]
    try:
        done = subprocess.run(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"Maven did not end within {TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise BuildFailed(f"Maven cannot build {PROJECT.name} (exit code {done.returncode}):\n{tail}")


def _content() -> str:
    """Return a hash of everything the jars are made of, with its names."""
    digest = hashlib.sha256()
    sources = [PROJECT / "pom.xml", *PROJECT.glob("src/**/*.java"), *SCHEMAS.glob("*/*/*.avsc")]
    for path in sorted(sources):
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
