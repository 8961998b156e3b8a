"""The peers that need other software: built or installed once, skipped with a line where that cannot be."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from pipeline.runtime.settings import load_settings
from tests.benchmarks import kafka_streams
from tests.benchmarks.bench import Peers

QUIXSTREAMS_PINS = Path(__file__).parent / "quixstreams.txt"


def prepare() -> Peers:
    """Return the peers that can run here; say of the others why not."""
    cache = load_settings().cache_dir / "benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    return Peers(_kafka_streams(cache), _quixstreams(cache))


def _kafka_streams(cache: Path) -> Path | None:
    """Return the folder of the peer's jars."""
    why = kafka_streams.missing()
    if why is not None:
        _say_skipped("Kafka Streams", why)
        return None
    try:
        return kafka_streams.build(cache)
    except kafka_streams.BuildFailed as error:
        _say_skipped("Kafka Streams", str(error))
        return None


def _quixstreams(cache: Path) -> Path | None:
    """Return the Python of an environment with quixstreams, made at the first time."""
    digest = hashlib.sha256(QUIXSTREAMS_PINS.read_bytes()).hexdigest()[:12]
    folder = cache / f"quixstreams-{digest}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.exists():
        return python
    try:
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(QUIXSTREAMS_PINS)]
        subprocess.run(install, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        _say_skipped("quixstreams", f"cannot be installed: {error}")
        return None
    complete.touch()
    return python


def _say_skipped(peer: str, why: str) -> None:
    print(f"skipped: {peer} {why}", file=sys.stderr, flush=True)
