"""The key store: keys are made once, rotated, destroyed for good, and never readable in the file."""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pipeline.personal.envelope import DataKey, Name, Place
from pipeline.personal.errors import CannotOpen, KeysUnavailable, PersonalDataError, PersonErased
from pipeline.personal.key_cache import KeyCache
from pipeline.personal.keystore import LISTED_MAX, KeyStore, Use
from pipeline.personal.wrapping import FileKey
from tests.personal.stores import Clock, file_key, store_in

WHO = ("north", "party:p-1", "name")
PLACE = Place("north", "parties", "ledgerflow.PartyRegistered", "name", "party:p-1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[KeyStore]:
    with store_in(tmp_path, clock) as opened:
        yield opened


def name_of(key: DataKey) -> Name:
    return Name(key.key_id, key.version)


def test_a_key_is_made_on_first_use_and_is_the_same_in_every_process(store: KeyStore, tmp_path: Path) -> None:
    key = store.current(*WHO)
    with store_in(tmp_path) as other:
        assert other.current(*WHO) == key
        assert other.secret(name_of(key), PLACE) == key.secret
    others = [store.current("south", *WHO[1:]), store.current("north", "party:p-2", "name")]
    others.append(store.current("north", "party:p-1", "address"))
    assert len({one.secret for one in (key, *others)}) == len({one.key_id for one in (key, *others)}) == 4


def _first_key(folder: Path) -> DataKey:
    with store_in(folder) as store:
        return store.current(*WHO)


def test_of_processes_that_make_a_key_at_once_one_wins(tmp_path: Path) -> None:
    file_key(tmp_path)
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        assert len(set(pool.map(_first_key, [tmp_path] * 8))) == 1


def test_a_rotated_key_is_for_new_values_and_old_ones_still_open(store: KeyStore) -> None:
    old, new = store.current(*WHO), store.rotate(*WHO)
    assert (new.key_id, new.version) == (old.key_id, 2) and new.secret != old.secret
    assert store.current(*WHO) == new
    assert store.secret(name_of(old), PLACE) == old.secret
    assert [one.version for one in store.keys("north")] == [1, 2]


def test_a_destroyed_person_has_no_key_any_more_and_gets_none(store: KeyStore, clock: Clock) -> None:
    key = store.current(*WHO)
    store.rotate(*WHO)
    store.current("north", "party:p-1", "address")
    kept = store.current("north", "party:p-2", "name")
    assert store.destroy("north", "party:p-1") == 3
    assert store.destroy("north", "party:p-1") == 0
    with pytest.raises(PersonErased, match="the keys of this person were destroyed"):
        store.secret(name_of(key), PLACE)
    for asked in (store.current, store.rotate):
        with pytest.raises(PersonErased):
            asked(*WHO)
    assert store.secret(name_of(kept), PLACE._replace(person="party:p-2")) == kept.secret
    assert [one.person for one in store.keys("north")] == ["party:p-2"]


def test_a_key_that_another_process_destroyed_leaves_memory_within_a_minute(
    store: KeyStore, clock: Clock, tmp_path: Path
) -> None:
    key = store.current(*WHO)
    store.secret(name_of(key), PLACE)
    with store_in(tmp_path) as other:
        other.destroy("north", "party:p-1")
    clock.seconds += 59
    assert store.secret(name_of(key), PLACE) == key.secret
    clock.seconds += 1
    with pytest.raises(PersonErased):
        store.secret(name_of(key), PLACE)
    with pytest.raises(ValueError, match="from 0 to 60 seconds, not 61"):
        KeyCache[bytes](clock, 61)


def test_the_cache_is_bounded_and_the_oldest_goes_first(clock: Clock) -> None:
    cache = KeyCache[int](clock, 60, keys_max=3)
    for number in range(5):
        cache.put(number, number, clock.seconds)
    assert len(cache) == 3 and cache.get(1) is None and cache.get(4) == 4
    cache.put(2, 20, clock.seconds - 30)  # read half a minute ago
    assert cache.get(2) == 20
    clock.seconds += 30
    assert (cache.get(2), cache.get(4)) == (None, 4)
    clock.seconds += 30
    assert len(cache) == 0


def test_a_key_opens_nothing_of_another_person_or_field(store: KeyStore) -> None:
    key = store.current(*WHO)
    for moved in (PLACE._replace(person="party:p-2"), PLACE._replace(field="address")):
        with pytest.raises(CannotOpen, match="of another tenant, person or field"):
            store.secret(name_of(key), moved)
    with pytest.raises(CannotOpen, match="has no such key"):
        store.secret(Name(key.key_id, 2), PLACE)


def test_each_use_is_told_before_the_key_is_given(store: KeyStore, clock: Clock, tmp_path: Path) -> None:
    key = store.current(*WHO)
    store.secret(name_of(key), PLACE)
    store.secret(name_of(key), PLACE)
    store.token_key("north", "word")
    store.destroy("north", "party:p-1")
    assert [use.action for use in clock.uses] == ["current", "open", "open", "token", "destroy"]
    assert clock.uses[1] == Use("open", *WHO, key.key_id, 1)

    def fails(use: Use) -> None:
        raise RuntimeError("no access log")

    unheard = KeyStore(tmp_path / "other.sqlite", file_key(tmp_path), audit=fails)
    with unheard, pytest.raises(RuntimeError, match="no access log"):
        unheard.current(*WHO)


def test_token_keys_are_one_a_tenant_and_purpose_for_good(store: KeyStore, tmp_path: Path) -> None:
    word = store.token_key("north", "word")
    assert len({word, store.token_key("north", "reference"), store.token_key("south", "word")}) == 3
    store.destroy("north", "party:p-1")
    with store_in(tmp_path) as other:
        assert other.token_key("north", "word") == word


def test_no_secret_is_in_the_files_and_nothing_of_a_destroyed_key_is(store: KeyStore, tmp_path: Path) -> None:
    key, token = store.current(*WHO), store.token_key("north", "word")
    with store.tables.reached() as database:
        (wrapped,) = database.execute("SELECT wrapped FROM data_keys").fetchone()
    files = lambda: b"".join(path.read_bytes() for path in tmp_path.glob("keys.sqlite*"))  # noqa: E731
    assert wrapped in files() and key.secret not in files() and token not in files()
    store.destroy("north", "party:p-1")
    assert wrapped not in files() and key.key_id.encode() not in files()
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("keys.sqlite*")} == {0o600}


def test_a_store_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    store_in(tmp_path).close()
    path = tmp_path / "keys.sqlite"
    path.chmod(0o644)
    with pytest.raises(KeysUnavailable, match="mode 0644: others may read"):
        store_in(tmp_path)
    path.chmod(0o600)
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(KeysUnavailable, match="cannot be used"):
        store_in(tmp_path)
    with pytest.raises(KeysUnavailable, match="cannot be opened"):
        store_in(tmp_path, path=tmp_path / "nowhere" / "keys.sqlite")


def test_another_layout_is_not_guessed_at(tmp_path: Path) -> None:
    with store_in(tmp_path) as store, store.tables.reached() as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(KeysUnavailable, match="layout 9, written by another version"):
        store_in(tmp_path)


def test_without_the_key_that_wraps_nothing_opens_and_the_error_names_it(
    store: KeyStore, tmp_path: Path
) -> None:
    store.current(*WHO)
    another = file_key(tmp_path, "another")
    with store_in(tmp_path, kek=another) as other, pytest.raises(KeysUnavailable, match=r"file:[0-9a-f]{16}"):
        other.current(*WHO)
    with pytest.raises(KeysUnavailable, match="No such file"):
        FileKey(tmp_path / "missing")


def test_a_store_that_went_away_is_unavailable_and_not_a_crash(store: KeyStore) -> None:
    store.close()
    for asked in (lambda: store.current(*WHO), lambda: store.destroy(*WHO[:2]), lambda: store.keys("north")):
        with pytest.raises(KeysUnavailable, match="the key store cannot be used"):
            asked()


def test_rows_that_were_swapped_are_noticed(store: KeyStore, tmp_path: Path) -> None:
    store.current(*WHO)
    store.current("north", "party:p-2", "name")
    with store.tables.changed() as database:
        database.execute(
            "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE person = 'party:p-2')"
        )
    with store_in(tmp_path) as other, pytest.raises(PersonalDataError, match="damaged, of another place"):
        other.current(*WHO)


def test_names_and_lists_are_bounded(store: KeyStore) -> None:
    for name in ("", "x" * 513):
        with pytest.raises(PersonalDataError, match="1 to 512 characters"):
            store.current("north", name, "name")
        with pytest.raises(PersonalDataError, match="1 to 512 characters"):
            store.token_key("north", name)
    with store.tables.changed() as database:
        rows = (("n", f"{one:04}", "f", 1, f"{one:016}", "k", b"", 0) for one in range(LISTED_MAX + 5))
        database.executemany("INSERT INTO data_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    listed = store.keys("n")
    assert len(listed) == LISTED_MAX
    assert [one.person for one in store.keys("n", after=listed[-1].person)] == [
        f"{one:04}" for one in range(LISTED_MAX, LISTED_MAX + 5)
    ]
    assert [one.person for one in store.keys("n", "0007")] == ["0007"]
