"""Artifacts: downloaded once, checked, never taken damaged; a failure says what to do."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from jgo.maven import PythonResolver

from pipeline.runtime.local import artifacts
from pipeline.runtime.local.artifacts import ArtifactError, programs


def archive() -> bytes:
    """Return a tar.gz that holds what the registry's does, as far as we use it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("quarkus-run.jar"))
    return buffer.getvalue()


class Central:
    """Stands for Maven Central: the files by name, and which were asked for."""

    def __init__(self) -> None:
        self.files = {"kafka-1.jar": b"kafka" * 100, "registry-1-all.tar.gz": archive()}
        self.asked: list[str] = []
        self.reachable = True

    def download(self, resolver: PythonResolver, artifact: Any) -> Path:
        self.asked.append(artifact.filename)
        if not self.reachable:
            raise ConnectionError
        content = self.files[artifact.filename]
        artifact.cached_path.parent.mkdir(parents=True, exist_ok=True)
        artifact.cached_path.write_bytes(content)
        assert resolver.progress_callback is not None
        with resolver.progress_callback(artifact.filename, len(content)) as advance:
            advance(len(content))
        return artifact.cached_path  # type: ignore[no-any-return]


@pytest.fixture
def central(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Central:
    """Maven Central with two small files, pinned."""
    central = Central()
    kafka, registry = (
        {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for content in central.files.values()
    )
    listed = {
        "kafka": [{"coordinate": "org.example:kafka:1", **kafka}],
        "registry": [
            {
                "coordinate": "org.example:registry:1",
                "classifier": "all",
                "packaging": "tar.gz",
                "unpacked": hashlib.sha256(
                    f"{hashlib.sha256(b'').hexdigest()} quarkus-run.jar\n".encode()
                ).hexdigest(),
                **registry,
            }
        ],
    }
    (tmp_path / "artifacts.json").write_text(json.dumps(listed))
    monkeypatch.setattr(artifacts, "PINS", tmp_path / "artifacts.json")
    monkeypatch.setattr(
        PythonResolver, "download", lambda resolver, artifact: central.download(resolver, artifact)
    )
    return central


def test_the_first_run_downloads_and_later_ones_do_not(central: Central, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    first = programs(tmp_path / "cache", lambda done, total: progress.append((done, total)))
    assert sorted(central.asked) == ["kafka-1.jar", "registry-1-all.tar.gz"]
    assert [path.read_bytes() for path in first.kafka_class_path] == [central.files["kafka-1.jar"]]
    assert first.registry_jar.exists()
    total = sum(len(content) for content in central.files.values())
    assert progress[-1] == (total, total)

    central.asked.clear()
    central.reachable = False
    assert programs(tmp_path / "cache") == first
    assert central.asked == []


@pytest.mark.parametrize("damage", [b"", b"kafkb" * 100], ids=["cut off", "changed"])
def test_a_damaged_file_is_downloaded_again(damage: bytes, central: Central, tmp_path: Path) -> None:
    (path,) = programs(tmp_path / "cache").kafka_class_path
    path.write_bytes(damage)
    central.asked.clear()
    programs(tmp_path / "cache")
    assert central.asked == ["kafka-1.jar"]
    assert path.read_bytes() == central.files["kafka-1.jar"]


def test_a_file_with_another_digest_is_refused_and_removed(central: Central, tmp_path: Path) -> None:
    central.files["kafka-1.jar"] = b"evil!" * 100
    with pytest.raises(ArtifactError, match="not the pinned file"):
        programs(tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("kafka-1.jar"))


def test_offline_the_first_run_says_so(central: Central, tmp_path: Path) -> None:
    central.reachable = False
    with pytest.raises(ArtifactError, match="first run needs the network"):
        programs(tmp_path / "cache")


def test_an_unpacking_that_was_cut_off_starts_again(central: Central, tmp_path: Path) -> None:
    found = programs(tmp_path / "cache").registry_jar.parent
    found.rename(found.with_name(found.name + ".partial"))
    assert programs(tmp_path / "cache").registry_jar.exists()


def test_what_stops_one_download_stops_all(central: Central, tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        programs(tmp_path / "cache", interrupt)
    assert programs(tmp_path / "cache").registry_jar.exists()
