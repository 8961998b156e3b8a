"""Attacks on snapshots: what is restored from them, how they are named, and which are deleted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.entry import main
from pipeline.cli.restore import folder_of
from pipeline.runtime.manifests import MANIFEST, SnapshotError, names, parts_of
from pipeline.runtime.signing import SIGNATURE, sign_manifest, trusted_parts, write_signature
from pipeline.runtime.snapshots import begun_at
from pipeline.runtime.store.restoring import choose, restore
from tests.runtime.snapshot_bench import KEY, WORKER, Bench, rows_in

FIRST, SECOND, THIRD = "20261122T090000Z", "20261122T090001Z", "20261122T090002Z"


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
