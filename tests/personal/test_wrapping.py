"""Keys that wrap keys: a file, a hardware module; changing them changes no data key."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.personal import rewrapping
from pipeline.personal.errors import KeysUnavailable, PersonalDataError
from pipeline.personal.opening import named_key
from pipeline.personal.rewrapping import rewrapped
from pipeline.personal.wrapping import FileKey, Wrapping, make_file_key
from tests.personal.stores import file_key, store_in

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "1234"


def check(kek: Wrapping) -> None:
    """What every wrapping does."""
    wrapped = kek.wrap(b"k" * 32, b"north/alice")
    assert kek.unwrap(wrapped, b"north/alice") == b"k" * 32
    assert b"k" * 32 not in wrapped and kek.wrap(b"k" * 32, b"north/alice") != wrapped
    for wrong, context in (
        (wrapped, b"north/bob"),
        (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"north/alice"),
        (wrapped[:20], b"north/alice"),
        (b"", b"north/alice"),
    ):
        with pytest.raises(PersonalDataError, match="a wrapped key is damaged"):
            kek.unwrap(wrong, context)


def test_the_key_of_a_file_wraps_and_unwraps(tmp_path: Path) -> None:
    kek = make_file_key(tmp_path / "kek")
    check(kek)
    assert stat.S_IMODE((tmp_path / "kek").stat().st_mode) == 0o600
    assert FileKey(tmp_path / "kek").key_id == kek.key_id != make_file_key(tmp_path / "other").key_id
    with pytest.raises(FileExistsError):
        make_file_key(tmp_path / "kek")


def test_a_file_that_others_can_read_or_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    make_file_key(path)
    path.chmod(0o604)
    with pytest.raises(KeysUnavailable, match="mode 0604"):
        FileKey(path)
    path.chmod(0o600)
    for content in ("00" * 31, "no digits", "00" * 33):
        path.write_text(content)
        with pytest.raises(KeysUnavailable, match="64 hexadecimal digits") as raised:
            FileKey(path)
        assert content not in str(raised.value)


def test_another_key_wraps_all_again_and_goes_on_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrapping, "AT_ONCE", 2)
    old, new = file_key(tmp_path, "old"), file_key(tmp_path, "new")
    with store_in(tmp_path, kek=old) as store:
        keys = [store.current("north", f"party:{one}", "name") for one in range(5)]
        token = store.token_key("north", "word")

    class Killed(FileKey):
        """Wraps three keys, and then the process is killed."""

        left = 3

        def wrap(self, key: bytes, context: bytes) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().wrap(key, context)

    with store_in(tmp_path, kek=Killed(tmp_path / "new"), earlier=[old]) as store:
        with pytest.raises(KeyboardInterrupt):
            rewrapped(store)
        assert [one.kek_id for one in store.keys("north")].count(new.key_id) == 2
        assert [store.current("north", f"party:{one}", "name") for one in range(5)] == keys
    with store_in(tmp_path, kek=new, earlier=[old]) as store:
        assert rewrapped(store) == 4  # three data keys and the token's
        assert rewrapped(store) == 0
    with store_in(tmp_path, kek=new) as store:  # the old one is not needed any more
        assert [store.current("north", f"party:{one}", "name") for one in range(5)] == keys
        assert store.token_key("north", "word") == token


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A token of SoftHSM; the file of its PIN."""
    pytest.importorskip("pkcs11", reason="the extra hsm is not installed: pip install '.[test,hsm]'")
    if not LIBRARY.exists() or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not installed: apt-get install softhsm2")
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "softhsm.conf").write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    made = ["softhsm2-util", "--init-token", "--free", "--label", "test", "--pin", PIN, "--so-pin", PIN]
    subprocess.run(made, check=True, capture_output=True, env=os.environ)
    pin = tmp_path / "pin"
    pin.touch(0o600)
    pin.write_text(PIN)
    yield pin


def test_the_key_of_a_hardware_module_wraps_and_unwraps(token: Path, tmp_path: Path) -> None:
    """One test for the module: its library reads its settings once in a process."""
    from pipeline.personal.hsm import HardwareKey

    with pytest.raises(KeysUnavailable, match="pkcs11:test/kek: NoSuchKey"):
        HardwareKey(LIBRARY, "test", "kek", token)
    made = HardwareKey(LIBRARY, "test", "kek", token, make=True)
    check(made)
    with store_in(tmp_path, kek=made) as store:
        key = store.current("north", "party:1", "name")
    made.close()
    found = HardwareKey(LIBRARY, "test", "kek", token)
    assert found.key_id == "pkcs11:test/kek"
    with store_in(tmp_path, kek=found) as store:
        assert store.current("north", "party:1", "name") == key
    uri = f"pkcs11:token=te%73t;object=second?module-path={LIBRARY}&pin-source=file:{token}"
    with pytest.raises(KeysUnavailable, match="pkcs11:test/second: NoSuchKey"):
        named_key(uri)
    second = named_key(uri, make=True)
    assert named_key(uri).key_id == second.key_id == "pkcs11:test/second"
    with store_in(tmp_path, kek=second, earlier=[found]) as store:
        assert rewrapped(store) == 1
        assert store.current("north", "party:1", "name") == key
    found.close()
    with pytest.raises(KeysUnavailable, match="pkcs11:test/kek"):
        found.wrap(b"k" * 32, b"")  # its session is over
    with pytest.raises(KeysUnavailable, match="pkcs11:test/kek"):
        found.unwrap(b"k" * 60, b"")
    with pytest.raises(KeysUnavailable, match="pkcs11:none/kek"):
        HardwareKey(LIBRARY, "none", "kek", token)
    token.write_text("0000")
    with pytest.raises(KeysUnavailable, match="PinIncorrect"):
        HardwareKey(LIBRARY, "test", "kek", token)
