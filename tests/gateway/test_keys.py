"""API keys: made once, kept as a hash, over when they are over."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from pipeline.gateway.identity import keys as module
from pipeline.gateway.identity.keys import DAY_US, KeyRefused, Keys, UnknownKey
from pipeline.gateway.identity.principal import PrincipalError


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.sqlite")


def refuse(keys: Keys, text: str) -> None:
    with pytest.raises(UnknownKey) as told:
        keys.principal(text)
    assert text not in str(told.value)


def test_a_key_stands_for_its_subject_with_its_roles_in_every_process(keys: Keys, tmp_path: Path) -> None:
    text, made = keys.create("billing", {"north": ["upstream"]}, 30, ["command:payments.*"])
    found = Keys(tmp_path / "keys.sqlite").principal(text)
    assert (found.issuer, found.subject, found.key_id) == ("ledgerflow-keys", "billing", made.key_id)
    assert found.roles == {"north": frozenset({"upstream"})} and found.scopes == {"command:payments.*"}
    assert found.expires_at == made.expires_at and found.second_factor_at is None


def test_the_file_is_the_owners_and_has_no_secret(keys: Keys, tmp_path: Path) -> None:
    text, _ = keys.create("billing", {"north": ["upstream"]}, 30)
    secret = text.rpartition("_")[2].encode()
    assert stat.S_IMODE((tmp_path / "keys.sqlite").stat().st_mode) == 0o600
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("spoil", [lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"), lambda _: "x"])
def test_another_secret_is_refused(keys: Keys, spoil: object) -> None:
    text, _ = keys.create("billing", {"north": ["upstream"]}, 30)
    assert callable(spoil)
    refuse(keys, spoil(text))


def test_a_revoked_key_is_refused_at_once_and_can_be_revoked_once(keys: Keys) -> None:
    text, made = keys.create("billing", {"north": ["upstream"]}, 30)
    assert keys.revoke(made.key_id) and not keys.revoke(made.key_id) and not keys.revoke("nobody")
    refuse(keys, text)
    assert [one.revoked_at is None for one in keys.all()] == [False]


def test_a_key_ends_when_its_days_are_over(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    text, made = keys.create("billing", {"north": ["upstream"]}, 1)
    monkeypatch.setattr(module.time, "time_ns", lambda: (made.made_at + DAY_US - 1) * 1_000)
    assert keys.principal(text).subject == "billing"
    monkeypatch.setattr(module.time, "time_ns", lambda: (made.made_at + DAY_US) * 1_000)
    refuse(keys, text)


def test_a_key_that_cannot_be_made_is_not_made(keys: Keys) -> None:
    for days in (0, 401):
        with pytest.raises(KeyRefused, match="1 to 400 days"):
            keys.create("billing", {}, days)
    with pytest.raises(PrincipalError):
        keys.create("", {}, 1)
    assert keys.all() == []


def test_what_is_kept_of_a_key_is_a_hash(keys: Keys, tmp_path: Path) -> None:
    keys.create("billing", {"north": ["upstream"]}, 30)
    (kept,) = sqlite3.connect(tmp_path / "keys.sqlite").execute("SELECT hash FROM keys").fetchone()
    assert len(kept) == 32


def test_a_key_is_remembered_until_anybody_changes_the_file(keys: Keys, tmp_path: Path) -> None:
    text, made = keys.create("billing", {"north": ["upstream"]}, 30)
    assert keys.remembered(text) is None, "it was not asked for yet"
    assert keys.principal(text) == keys.remembered(text)
    assert keys.remembered(text[:-1]) is None
    Keys(tmp_path / "keys.sqlite").create("other", {"north": ["analyst"]}, 30)
    assert keys.remembered(text) is None
    keys.principal(text)
    Keys(tmp_path / "keys.sqlite").revoke(made.key_id)
    assert keys.remembered(text) is None
    refuse(keys, text)


def test_the_own_revocation_is_no_less_seen(keys: Keys) -> None:
    text, made = keys.create("billing", {"north": ["upstream"]}, 30)
    keys.principal(text)
    assert keys.remembered(text) is not None
    keys.revoke(made.key_id)
    assert keys.remembered(text) is None


def test_a_remembered_key_ends_when_its_days_are_over(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    text, made = keys.create("billing", {"north": ["upstream"]}, 1)
    keys.principal(text)
    monkeypatch.setattr(module.time, "time_ns", lambda: (made.made_at + DAY_US) * 1_000)
    assert keys.remembered(text) is None
