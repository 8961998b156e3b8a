"""A key store in a folder works with nothing configured, and comes back when it was away."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from pipeline.personal.errors import KeysUnavailable
from pipeline.personal.opening import KEK_NAME, STORE_NAME, DeferredStore, open_in
from pipeline.personal.wrapping import make_file_key

WHOSE = ("north", "party:p-1", "names")


def test_a_folder_gets_a_key_and_a_store_that_only_the_owner_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "personal"
    with open_in(folder) as store:
        made = store.current(*WHOSE)
    with open_in(folder) as store:
        assert store.current(*WHOSE) == made
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"personal": 0o700, KEK_NAME: 0o600, STORE_NAME: 0o600}


def test_a_key_that_was_lost_is_not_replaced(tmp_path: Path) -> None:
    open_in(tmp_path).close()
    (tmp_path / KEK_NAME).unlink()
    with pytest.raises(KeysUnavailable, match="kek is missing"):
        open_in(tmp_path)
    assert not (tmp_path / KEK_NAME).exists()


def test_a_named_key_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable, match="elsewhere"):
        open_in(tmp_path / "personal", str(tmp_path / "elsewhere"))
    make_file_key(tmp_path / "elsewhere")
    open_in(tmp_path / "personal", str(tmp_path / "elsewhere")).close()
    assert not (tmp_path / "personal" / KEK_NAME).exists()


def test_an_earlier_key_opens_what_it_wrapped(tmp_path: Path) -> None:
    with open_in(tmp_path) as store:
        made = store.current(*WHOSE)
    make_file_key(tmp_path / "new")
    with open_in(tmp_path, str(tmp_path / "new")) as store, pytest.raises(KeysUnavailable, match="not here"):
        store.current(*WHOSE)
    with open_in(tmp_path, str(tmp_path / "new"), [str(tmp_path / KEK_NAME)]) as store:
        assert store.current(*WHOSE) == made


def test_a_folder_that_cannot_be_made_is_keys_that_are_away(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeysUnavailable):
        open_in(tmp_path / "file" / "personal")


def test_of_threads_that_open_at_once_all_have_one_key(tmp_path: Path) -> None:
    found = []
    barrier = threading.Barrier(4)

    def opens() -> None:
        barrier.wait()
        with open_in(tmp_path) as store:
            found.append(store.current(*WHOSE))

    threads = [threading.Thread(target=opens) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len({one.secret for one in found}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEK_NAME, STORE_NAME]


def test_a_store_that_was_away_is_used_once_it_is_there(tmp_path: Path) -> None:
    kek = tmp_path / "elsewhere"
    store = DeferredStore(lambda: open_in(tmp_path / "personal", str(kek)))
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            store.current(*WHOSE)
    make_file_key(kek)
    made = store.current(*WHOSE)
    assert store.current(*WHOSE) == made and len(store.token_key("north", "text")) == 32
    store.close()


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=t;object=k",
        "pkcs11:token=t;object=?module-path=/m&pin-source=file:/p",
        "pkcs11:token=t;object=k?module-path=/m&pin-source=file:/p&pin-value=1",
        "pkcs11:token=t;token=t;object=k?module-path=/m&pin-source=file:/p",
    ],
)
def test_a_uri_of_a_module_that_says_too_little_or_too_much_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(KeysUnavailable, match="a key of a module is pkcs11:token=TOKEN"):
        open_in(tmp_path, uri)
    assert not (tmp_path / STORE_NAME).exists()
