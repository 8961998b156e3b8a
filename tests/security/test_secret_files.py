"""Secrets in files: what is taken for one, and that no message shows any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli.supervisor import environment
from pipeline.runtime.secret_files import SECRET_BYTES_MAX, SecretFileError, read_secret
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError, load_settings
from tests.security.certificates import Authority

MARKER = "m4rker-pa55word"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)


def secret_file(folder: Path, content: bytes = MARKER.encode() + b"\n", mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_line_break_at_the_end_is_not_part_of_it(tmp_path: Path, end: bytes) -> None:
    assert read_secret(secret_file(tmp_path, MARKER.encode() + end)) == MARKER


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o660, 0o666, 0o601])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SecretFileError, match="others may read or change it") as raised:
        read_secret(secret_file(tmp_path, mode=mode))
    assert MARKER not in str(raised.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_its_owner_and_a_group_may_read_it(tmp_path: Path, mode: int) -> None:
    assert read_secret(secret_file(tmp_path, mode=mode)) == MARKER


def test_a_mounted_secret_is_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(secret_file(tmp_path))
    assert read_secret(tmp_path / "mounted") == MARKER


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb\n", "must hold one line"),
        (b"a\0b", "must hold one line"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * (SECRET_BYTES_MAX + 1), "has more than 4,096 bytes"),
    ],
)
def test_what_is_no_secret_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(SecretFileError, match=said) as raised:
        read_secret(secret_file(tmp_path, content))
    assert "\n" not in str(raised.value)


def test_a_pipe_and_a_folder_and_nothing_are_no_secret(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for file, said in (("pipe", "not a regular file"), ("", "not a regular file"), ("none", "No such file")):
        with pytest.raises(SecretFileError, match=said):
            read_secret(tmp_path / file)


def test_a_device_is_no_secret() -> None:
    with pytest.raises(SecretFileError, match="not a regular file"):
        read_secret(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["sasl_password", "ssl_key_password", "registry_password"])
def test_a_secret_is_in_its_setting_or_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable = f"{ENV_PREFIX}{name.upper()}"
    who = {f"{kind}_username": "u" for kind in ("sasl", "registry") if name.startswith(kind)}
    monkeypatch.setenv(f"{variable}_FILE", str(secret_file(tmp_path)))
    assert load_settings(**who)._known(name) == MARKER
    monkeypatch.setenv(variable, MARKER)
    with pytest.raises(SettingsError) as raised:
        load_settings(**who)
    assert str(raised.value) == f"{variable} and {variable}_FILE: set one of them"


def test_no_form_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    """Not their repr, nor their dump, nor the message about another setting or about the file itself."""
    file = secret_file(tmp_path)
    settings = load_settings(
        security_protocol="SASL_SSL", sasl_username="ledger", sasl_password_file=file,
        registry_username="reader", registry_password=MARKER,
    )  # fmt: skip
    assert settings.librdkafka()["sasl.password"] == MARKER
    assert settings.registry()["basic.auth.user.info"] == f"reader:{MARKER}"
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.__dict__)]
    shown += [repr(settings._secrets), repr(settings.__pydantic_private__)]
    assert not any(MARKER in text for text in shown)


@pytest.mark.parametrize(
    "given",
    [
        {"schema_registry_url": f"http://reader:{MARKER}@127.0.0.1:1"},
        {"schema_registry_url": f"https://{MARKER}@registry.example"},
        {"schema_registry_url": f"ftp://reader:{MARKER}@registry.example"},
        {"bootstrap_servers": f"ledger:{MARKER}@kafka.example:9093"},
    ],
)
def test_an_address_with_a_password_is_refused_and_not_shown(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(**given)
    assert MARKER not in str(raised.value) and "\n" not in str(raised.value)
    (name,) = given
    assert f"{ENV_PREFIX}{name.upper()}" in str(raised.value)


def test_a_child_gets_the_name_of_the_file_and_not_the_secret(tmp_path: Path) -> None:
    file = secret_file(tmp_path)
    given = environment(Settings(security_protocol="SASL_SSL", sasl_username="u", sasl_password_file=file))
    assert given[f"{ENV_PREFIX}SASL_PASSWORD_FILE"] == str(file)
    assert MARKER not in str(given) and f"{ENV_PREFIX}SASL_PASSWORD" not in given


def test_a_client_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("ledger")
    given = {"ssl_certfile": pair.certificate, "ssl_keyfile": pair.key}
    load_settings(**given)
    pair.key.chmod(0o644)
    with pytest.raises(SettingsError, match=r"LEDGERFLOW_SSL_KEYFILE: .* has mode 0644"):
        load_settings(**given)


def test_certificate_and_key_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first, second = authority.sign("first"), authority.sign("second", password="sesame")
    for given, said in (
        ({"ssl_certfile": first.certificate}, "LEDGERFLOW_SSL_CERTFILE goes with LEDGERFLOW_SSL_KEYFILE"),
        ({"ssl_certfile": second.certificate, "ssl_keyfile": first.key}, "not that of the certificate"),
        ({"ssl_certfile": tmp_path / "none", "ssl_keyfile": first.key}, "none: no such file"),
        ({"ssl_certfile": first.certificate, "ssl_keyfile": tmp_path / "none"}, "none: No such file"),
        ({"ssl_certfile": second.certificate, "ssl_keyfile": second.key}, "LEDGERFLOW_SSL_KEY_PASSWORD"),
        (
            {"registry_certfile": second.certificate, "registry_keyfile": second.key,
             "ssl_key_password": "other"},
            "LEDGERFLOW_REGISTRY_CERTFILE=",
        ),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=said) as raised:
            load_settings(**given)
        assert "\n" not in str(raised.value) and "sesame" not in str(raised.value)
    load_settings(ssl_certfile=second.certificate, ssl_keyfile=second.key, ssl_key_password="sesame")
