"""The store: entries end, are taken once, and are shared by processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import stat
import time
from pathlib import Path

import pytest

from pipeline.gateway.identity import store as module
from pipeline.gateway.identity.store import Entry, SqliteStore, SqliteUnavailable, StoreFull

SOON = time.time_ns() // 1_000 + 3_600_000_000


def entry(name: str, value: bytes = b"v", owner: str = "o", ends_at: int = SOON) -> Entry:
    return Entry(name, owner, value, ends_at)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "s.sqlite")


async def test_what_was_put_is_there_until_it_ends(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put("session", entry("a"))
    assert await store.get("session", "a") == entry("a")
    assert await store.get("grant", "a") is None
    monkeypatch.setattr(module, "_now", lambda: SOON)
    assert await store.get("session", "a") is None
    assert await store.take("session", "a") is None
    assert not await store.delete("session", "a")
    assert await store.entries("session") == []
    assert not await store.swap("session", entry("a"), entry("a", b"w"))
    assert (await store.sweep(), await store.sweep()) == (1, 0)


async def test_only_what_was_not_changed_meanwhile_is_swapped(store: SqliteStore) -> None:
    await store.put("session", entry("a", b"1"))
    assert await store.swap("session", entry("a", b"1"), entry("a", b"2"))
    assert not await store.swap("session", entry("a", b"1"), entry("a", b"3"))
    assert (await store.get("session", "a") or entry("")).value == b"2"


async def test_of_many_that_take_one_gets_it(store: SqliteStore, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "s.sqlite")
    await store.put("link", entry("a"))
    taken = await asyncio.gather(*(one.take("link", "a") for one in (store, other) * 10))
    assert [one for one in taken if one is not None] == [entry("a")]


def _take(path: Path) -> int:
    store = SqliteStore(path)

    async def all_of_them() -> int:
        return sum([await store.take("link", str(number)) is not None for number in range(200)])

    return asyncio.run(all_of_them())


async def test_two_processes_share_a_file(store: SqliteStore, tmp_path: Path) -> None:
    for number in range(200):
        await store.put("link", entry(str(number)))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        taken = pool.map(_take, [tmp_path / "s.sqlite"] * 2)
    assert sum(taken) == 200 and await store.entries("link") == []


def _open(path: Path) -> bool:
    SqliteStore(path).close()
    return True


def test_processes_that_open_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for number in range(25):
            assert all(pool.map(_open, [tmp_path / f"{number}.sqlite"] * 4, 1))


async def test_entries_are_found_by_their_owner(store: SqliteStore) -> None:
    for name, owner in (("a", "x"), ("b", "y"), ("c", "x")):
        await store.put("session", entry(name, owner=owner))
    assert [one.name for one in await store.entries("session", "x")] == ["a", "c"]
    assert [one.name for one in await store.entries("session")] == ["a", "b", "c"]


async def test_the_store_is_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreFull):
        await store.put("session", entry("a", b"v" * (module.ENTRY_BYTES_MAX + 1)))
    monkeypatch.setattr(module, "ENTRIES_MAX", 2)
    for name in "ab":
        await store.put("session", entry(name))
    await store.put("session", entry("b", b"w"))  # in the place of what is there
    await store.put("grant", entry("c"))
    with pytest.raises(StoreFull):
        await store.put("session", entry("c"))


def test_the_files_are_the_owners(store: SqliteStore, tmp_path: Path) -> None:
    asyncio.run(store.put("session", entry("a")))
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 3  # the log of SQLite, too


async def test_a_file_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(SqliteUnavailable, match="cannot be used"):
        SqliteStore(tmp_path / "s.sqlite")
    closed = SqliteStore(tmp_path / "t.sqlite")
    closed.close()
    with pytest.raises(SqliteUnavailable):
        await closed.get("session", "a")
