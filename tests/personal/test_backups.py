"""Backups: encrypted, of use for 35 days at most, and never a way back for a destroyed key."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from pipeline.personal import backups
from pipeline.personal.backups import backed_up, restored
from pipeline.personal.envelope import Name, Place
from pipeline.personal.errors import KeysUnavailable, PersonalDataError, PersonErased
from pipeline.personal.keystore import KeyStore
from tests.personal.stores import Clock, file_key, store_in

DAY = 86_400
ANNA = "party:anna-schmidt"
PLACE = Place("north", "parties", "ledgerflow.PartyRegistered", "name", ANNA)


def lost(folder: Path, clock: Clock) -> KeyStore:
    """Return a new store in the place of one whose disk is lost."""
    return store_in(folder, clock, path=folder / "new.sqlite")


def test_a_restored_store_opens_what_the_old_one_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "ROWS_AT_ONCE", 2)
    clock = Clock()
    with store_in(tmp_path, clock) as store:
        keys = [store.current("north", f"party:{one}", "name") for one in range(5)]
        keys.append(store.rotate("north", "party:0", "name"))
        token = store.token_key("north", "word")
        about = backed_up(store, tmp_path / "backup")
    assert about.expires_at - about.made_at == 35 * DAY * 1_000_000
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    with lost(tmp_path, clock) as store:
        assert restored(store, tmp_path / "backup") == (6, 0)
        assert restored(store, tmp_path / "backup") == (0, 6)
        assert store.token_key("north", "word") == token
        assert store.current("north", "party:0", "name") == keys[-1]
        assert [store.current("north", f"party:{one}", "name") for one in range(1, 5)] == keys[1:5]


def test_a_destroyed_key_does_not_come_back(tmp_path: Path) -> None:
    clock = Clock()
    with store_in(tmp_path, clock) as store:
        key = store.current("north", "party:1", "name")
        store.current("north", "party:2", "name")
        backed_up(store, tmp_path / "before")
        store.destroy("north", "party:1")
        assert restored(store, tmp_path / "before") == (0, 2)
        backed_up(store, tmp_path / "after")
        with pytest.raises(PersonErased):
            store.current("north", "party:1", "name")
    with lost(tmp_path, clock) as store:  # the later backup knows who was erased
        assert restored(store, tmp_path / "after") == (1, 0)
        assert restored(store, tmp_path / "before") == (0, 2)
        with pytest.raises(PersonErased):
            store.current("north", "party:1", "name")
    with store_in(tmp_path, clock, path=tmp_path / "third.sqlite") as store:
        assert restored(store, tmp_path / "before", destroyed=[("north", "party:1")]) == (1, 1)
        assert [one.key_id for one in store.keys("north")] != [key.key_id]


def test_an_expired_backup_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    with store_in(tmp_path, clock) as store:
        store.current("north", "party:1", "name")
        backed_up(store, tmp_path / "backup", days=7)
        for days in (0, 36):
            with pytest.raises(ValueError, match="for 1 to 35 days"):
                backed_up(store, tmp_path / "other", days)
    clock.seconds += 7 * DAY - 1
    with lost(tmp_path, clock) as store:
        assert restored(store, tmp_path / "backup").keys == 1
    clock.seconds += 1
    with lost(tmp_path, clock) as store, pytest.raises(PersonalDataError, match="expired"):
        restored(store, tmp_path / "backup")


def test_the_time_of_a_backup_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    with store_in(tmp_path) as store:
        backed_up(store, path, days=1)
        first, _, rest = path.read_bytes().partition(b"\n")
        header = json.loads(first)
        header["expires_at"] += DAY * 1_000_000
        path.write_bytes(json.dumps(header).encode() + b"\n" + rest)
        with pytest.raises(PersonalDataError, match="a wrapped key is damaged"):
            restored(store, path)


def test_a_damaged_cut_or_reordered_backup_brings_back_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "ROWS_AT_ONCE", 1)
    path = tmp_path / "backup"
    with store_in(tmp_path) as store:
        for one in range(3):
            store.current("north", f"party:{one}", "name")
        backed_up(store, path)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    size = int.from_bytes(whole[start : start + 4], "big") + 4
    swapped = whole[:start] + whole[start + size : start + 2 * size] + whole[start : start + size]
    flipped = whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:]
    for wrong in (whole[:-20], whole[: start + 2 * size], swapped, flipped, whole[: start + 2]):
        path.write_bytes(wrong)
        with lost(tmp_path, Clock()) as store:
            with pytest.raises(PersonalDataError, match="damaged or cut"):
                restored(store, path)
            assert store.keys("north") == []
    for wrong in (b"", b"{}\n", b"no backup\n", b"[1]\n", b"\xff\xfe\n"):
        path.write_bytes(wrong)
        with lost(tmp_path, Clock()) as store, pytest.raises(PersonalDataError, match="not a backup"):
            restored(store, path)


def test_a_backup_says_nothing_without_the_key_that_wraps(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        key = store.current("north", ANNA, "name")
        backed_up(store, tmp_path / "backup")
        content = (tmp_path / "backup").read_bytes()
        assert b"anna" not in content and key.key_id.encode() not in content
    another = file_key(tmp_path, "another")
    store = store_in(tmp_path, kek=another, path=tmp_path / "new.sqlite")
    with store, pytest.raises(KeysUnavailable, match="name it as an earlier key"):
        restored(store, tmp_path / "backup")
    with store_in(tmp_path, kek=another, earlier=[file_key(tmp_path)], path=tmp_path / "new.sqlite") as store:
        assert restored(store, tmp_path / "backup").keys == 1
        assert store.secret(Name(key.key_id, 1), PLACE) == key.secret
