"""`ledgerflow personal keys`: backup, restore, rotate, destroy, and another key-encryption key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.entry import main
from pipeline.personal.errors import PersonErased
from pipeline.personal.opening import KEK_NAME, STORE_NAME, open_in

ANNA, BOB = ("north", "party:anna"), ("north", "account:bob")


class Keys:
    """The commands, on one data directory."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data, self._capsys = data, capsys
        self.folder = data / "personal"

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it has said, errors included."""
        code = main(["personal", "keys", *arguments, "--data", str(self.data)])
        said = self._capsys.readouterr()
        return code, said.out + said.err

    def listed(self, tenant: str = "north") -> list[dict[str, Any]]:
        """Return the keys of a tenant as (person, field, version)."""
        code, said = self("list", tenant, "--json")
        assert code == 0
        found: list[dict[str, Any]] = json.loads(said)
        return found


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    made = Keys(tmp_path / "data", capsys)
    with open_in(made.folder) as store:
        for field in ("names", "birth_date"):
            store.current(*ANNA, field)
        store.current(*BOB, "reference")
        store.token_key("north", "text")
    return made


def names(found: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(one["person"], one["field"], one["version"]) for one in found]


ALL = [("account:bob", "reference", 1), ("party:anna", "birth_date", 1), ("party:anna", "names", 1)]


def test_keys_are_listed_without_their_secrets(keys: Keys) -> None:
    assert names(keys.listed()) == ALL and keys.listed("south") == []
    assert set(keys.listed()[0]) == {"tenant", "person", "field", "key_id", "version", "kek_id", "created_at"}
    code, said = keys("list", "north", "--person", "account:bob")
    assert code == 0 and said.startswith("account:bob  reference  version 1  2") and said.count("\n") == 1


def test_a_lost_store_comes_back_from_its_backup_but_for_who_was_erased(keys: Keys, tmp_path: Path) -> None:
    before, file = keys.listed(), tmp_path / "backup"
    assert keys("backup", str(file))[0] == 0
    (keys.folder / STORE_NAME).unlink()
    code, said = keys("restore", str(file), "--erased", "north/account:bob")
    assert (code, said) == (0, "2 keys are back; 1 were there already, or are of erased persons\n")
    assert keys.listed() == before[1:]
    with open_in(keys.folder) as store, pytest.raises(PersonErased):
        store.current(*BOB, "reference")


def test_a_backup_is_no_use_without_its_key_and_overwrites_no_file(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    assert keys("backup", str(file), "--days", "1")[0] == 0
    assert keys("backup", str(file)) == (2, f"error: {file}: File exists\n")
    shutil.rmtree(keys.folder)
    code, said = keys("restore", str(file))
    assert code == 2 and "put the key-encryption key of the backup at" in said
    assert not keys.folder.exists()
    open_in(keys.folder).close()  # with a key of its own
    code, said = keys("restore", str(file))
    assert code == 1 and "which is not here: name it as an earlier key" in said


def test_a_person_gets_new_versions_of_all_keys(keys: Keys) -> None:
    assert keys("rotate", *ANNA) == (0, "birth_date  version 2\nnames  version 2\n")
    more = [("party:anna", "birth_date", 2), ("party:anna", "names", 2)]
    assert names(keys.listed()) == sorted(ALL + more)
    assert keys("rotate", "north", "party:nobody")[0] == 2


def test_destroyed_keys_are_gone_for_good_and_others_stay(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup"
    keys("backup", str(file))
    monkeypatch.setattr("typer.confirm", refuses)
    assert keys("destroy", *ANNA)[0] == 1 and names(keys.listed()) == ALL
    assert keys("destroy", *ANNA, "--yes") == (0, "2 keys of party:anna are destroyed\n")
    assert names(keys.listed()) == ALL[:1]
    code, said = keys("restore", str(file))
    assert code == 0 and said.startswith("0 keys are back") and names(keys.listed()) == ALL[:1]


def refuses(question: str, abort: bool) -> None:
    import typer

    assert abort and question == "Destroy 2 keys of party:anna in north? It cannot be undone."
    raise typer.Abort


def test_another_key_encryption_key_opens_all_of_them(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new"
    with open_in(keys.folder) as store:
        made = store.current(*ANNA, "names")
    code, said = keys("rewrap", str(new))
    assert (code, said) == (0, f"4 keys are encrypted with {new}: set LEDGERFLOW_KEK to it\n")
    (keys.folder / KEK_NAME).unlink()
    monkeypatch.setenv("LEDGERFLOW_KEK", str(new))
    with open_in(keys.folder, str(new)) as store:
        assert store.current(*ANNA, "names") == made
    assert {one["kek_id"] for one in keys.listed()} == {store.wrapping.key_id}


@pytest.mark.parametrize(
    "arguments",
    [("list", "north"), ("backup", "x"), ("rotate", *ANNA), ("destroy", *ANNA, "--yes"), ("rewrap", "x")],
)
def test_without_a_store_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, said = Keys(tmp_path, capsys)(*arguments)
    assert code == 2 and said.startswith(f"error: there is no key store in {tmp_path / 'personal'}")
    assert not list(tmp_path.iterdir())


def test_who_was_erased_is_named_with_the_tenant(keys: Keys) -> None:
    assert keys("restore", "x", "--erased", "account:bob")[0] == 2
