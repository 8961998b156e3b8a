"""The secrets of a secure local stack: made once, whole, for their owner alone; and its certificates."""

from __future__ import annotations

import datetime as dt
import shlex
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from pipeline.runtime.kafka.access import OPERATOR
from pipeline.runtime.local import certificates
from pipeline.runtime.local.credentials import ADMIN, BROKER, LOCAL_ROLES, credentials_of, make_credentials
from pipeline.runtime.local.secure import FormError, SecureForm, addresses_of, form_of
from pipeline.runtime.private_files import command_token, snapshot_key
from pipeline.runtime.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


def test_secrets_are_made_once_and_for_their_owner(tmp_path: Path, settings: Settings) -> None:
    form = form_of(settings, tmp_path, secure=True, migrate=False)
    assert form is not None
    folder = form.credentials.folder
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert form_of(settings, tmp_path, secure=True, migrate=False) is not None
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    passwords = {form.credentials.password(role) for role in (*LOCAL_ROLES, ADMIN)}
    assert len(passwords) == len(LOCAL_ROLES) + 1
    shown = form.broker_properties() + before["registry.properties"].decode()
    shown += "".join(before[f"{role}.env"].decode() for role in LOCAL_ROLES)
    assert not [password for password in passwords if password in shown]


def test_a_folder_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    first = make_credentials(tmp_path)
    first.ca.unlink()  # as an interrupted start leaves it: the authority's certificate is written last
    assert credentials_of(tmp_path) is None
    made = make_credentials(tmp_path)
    authority = certificates.read(made.ca, made.key("ca")).certificate
    certificates.read(made.certificate(BROKER), made.key(BROKER)).certificate.verify_directly_issued_by(
        authority
    )


def test_keys_of_snapshots_and_commands_make_no_directory_a_secure_one(
    tmp_path: Path, settings: Settings
) -> None:
    """Every worker makes them, in the same folder, whatever the form: an open stack must start again."""
    kept = snapshot_key(settings), command_token(settings)
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "meta.properties").touch()
    assert credentials_of(tmp_path) is None
    assert form_of(settings, tmp_path, secure=False, migrate=False) is None
    with pytest.raises(FormError, match="--secure --migrate"):
        form_of(settings, tmp_path, secure=True, migrate=False)
    assert form_of(settings, tmp_path, secure=True, migrate=True) is not None
    assert (snapshot_key(settings), command_token(settings)) == kept


def test_an_open_directory_and_a_secure_one_are_told_apart(tmp_path: Path, settings: Settings) -> None:
    assert form_of(settings, tmp_path, secure=False, migrate=False) is None
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "meta.properties").touch()
    with pytest.raises(FormError, match=r"is an open stack's.*--secure --migrate"):
        form_of(settings, tmp_path, secure=True, migrate=False)
    assert credentials_of(tmp_path) is None
    assert form_of(settings, tmp_path, secure=True, migrate=True) is not None
    with pytest.raises(FormError, match="start it with --secure"):
        form_of(settings, tmp_path, secure=False, migrate=False)


def test_secrets_that_were_damaged_end_in_one_line(tmp_path: Path, settings: Settings) -> None:
    made = make_credentials(tmp_path)
    made.certificate(BROKER).write_text("nothing")
    with pytest.raises(FormError, match=r"secrets of .* cannot be used"):
        form_of(settings, tmp_path, secure=True, migrate=False)


def test_the_settings_of_a_role_take_nothing_from_the_environment(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERFLOW_SASL_PASSWORD", "another stack's")
    form = SecureForm(settings, make_credentials(tmp_path))
    found = form.settings_of(OPERATOR)
    assert found.librdkafka()["sasl.password"] == form.credentials.password(OPERATOR)
    assert found.registry()["url"] == addresses_of(settings).schema_registry_url
    admin = form.settings_of(ADMIN).librdkafka()
    assert admin["security.protocol"] == "SSL" and "sasl.password" not in admin


def test_a_roles_file_says_the_same_to_a_shell_and_to_commands(tmp_path: Path) -> None:
    data_dir = tmp_path / "a folder with 'quotes'"
    data_dir.mkdir()
    form = SecureForm(load_settings(data_dir=data_dir), make_credentials(data_dir))
    said = form.credentials.said(OPERATOR)
    lines = (form.credentials.folder / "operator.env").read_text().splitlines()
    assert [shlex.split(line) for line in lines] == [
        [f"LEDGERFLOW_{name.upper()}={value}"] for name, value in said.items()
    ]
    assert load_settings(**said).librdkafka() == form.settings_of(OPERATOR).librdkafka()


def test_a_certificate_is_taken_for_loopback_alone_and_renewed_before_it_ends(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_credentials(tmp_path)
    context = ssl.create_default_context(cafile=made.ca)
    context.load_cert_chain(made.certificate(BROKER))
    read = certificates.read(made.certificate(BROKER), made.key(BROKER)).certificate
    assert read.subject.rfc4514_string() == "CN=broker"
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["127.0.0.1", "localhost"]
    monkeypatch.setattr(certificates, "RENEWED_BEFORE_DAYS", certificates.VALID_DAYS + 1)
    made.refresh(settings, addresses_of(settings))
    renewed = certificates.read(made.certificate(BROKER), made.key(BROKER)).certificate
    assert renewed.serial_number != read.serial_number
    assert renewed.not_valid_after_utc - dt.datetime.now(dt.UTC) < dt.timedelta(days=826)
