"""Settings: where they come from, what follows from them, and the one line a user gets for a bad value."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

import certifi
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from pydantic import SecretStr

from pipeline.cli.entry import main
from pipeline.runtime.app import create_app
from pipeline.runtime.settings import ENV_PREFIX, SettingsError, concepts, load_settings


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)


def test_the_defaults_are_the_local_stack() -> None:
    settings = load_settings()
    assert settings.bootstrap_servers == "127.0.0.1:19092"
    assert settings.schema_registry_url == "http://127.0.0.1:18081/apis/ccompat/v7"
    assert (settings.app_id, settings.partitions, settings.workers) == ("ledgerflow", 4, 1)


def test_addresses_follow_the_ports() -> None:
    settings = load_settings(kafka_port=29092, registry_port=28081)
    assert settings.bootstrap_servers == "127.0.0.1:29092"
    assert settings.schema_registry_url == "http://127.0.0.1:28081/apis/ccompat/v7"


def test_the_environment_counts_and_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERFLOW_PARTITIONS", "8")
    monkeypatch.setenv("LEDGERFLOW_WORKERS", "2")
    settings = load_settings(workers=3, partitions=None)
    assert (settings.partitions, settings.workers) == (8, 3)


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERFLOW_PARTITIONS", "")
    monkeypatch.setenv("LEDGERFLOW_FRAUD_RULES_FILE", "")
    assert load_settings().partitions == 4


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KAFKA_PORT", "abc", "LEDGERFLOW_KAFKA_PORT=abc: input should be a valid integer"),
        ("KAFKA_PORT", "70000", "LEDGERFLOW_KAFKA_PORT=70000: input should be less than or equal to 65535"),
        ("PARTITIONS", "0", "LEDGERFLOW_PARTITIONS=0: input should be greater than or equal to 1"),
        ("DEDUPE_WINDOW_DAYS", "-1", "LEDGERFLOW_DEDUPE_WINDOW_DAYS=-1"),
        ("APP_ID", "a b", "LEDGERFLOW_APP_ID=a b"),
        ("SECURITY_PROTOCOL", "TLS", "'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("SCHEMA_REGISTRY_URL", "localhost", "LEDGERFLOW_SCHEMA_REGISTRY_URL=localhost"),
        ("SCHEMA_REGISTRY_URL", "http://localhost:99999/api", "'99999' is no port"),
        ("SCHEMA_REGISTRY_URL", "https://localhost:/api", "'' is no port"),
        ("BOOTSTRAP_SERVERS", "localhost:9092,localhost:kafka", "'kafka' is no port"),
        ("BOOTSTRAP_SERVERS", "[::1]:0", "'0' is no port: write HOST:PORT"),
        ("KAFKA_PORT", "19093", "the ports must differ"),
        ("WEB_PORT", "18081", "the ports must differ"),
        ("SECURITY_PROTOCOL", "SASL_SSL", "needs LEDGERFLOW_SASL_USERNAME and LEDGERFLOW_SASL_PASSWORD"),
        (
            "KAFKA_PROT",
            "19092",
            "LEDGERFLOW_KAFKA_PROT is not a setting; did you mean LEDGERFLOW_KAFKA_PORT?",
        ),
        (
            "FRAUD_RULES_FILE",
            "rules.toml",
            "LEDGERFLOW_FRAUD_RULES_FILE is no setting any more: fraud rules are events now",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_PREFIX + variable, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_setting_that_is_gone_says_what_takes_its_place_and_is_none_that_there_is() -> None:
    settings, gone = load_settings(), {name: said for kind in concepts() for name, said in kind.gone.items()}
    assert "fraud_rules_file" in gone
    for name, said in gone.items():
        assert not hasattr(settings, name)
        for named in re.findall(r"LEDGERFLOW_([A-Z_]+)", said):
            assert hasattr(settings, named.lower()), f"{name} names {named}, which is no setting either"


@pytest.mark.parametrize("command", ["up", "worker"])
def test_a_setting_that_is_gone_is_told_before_anything_is_started(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEDGERFLOW_FRAUD_RULES_FILE", "rules.toml")
    assert main([command]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: LEDGERFLOW_FRAUD_RULES_FILE is no setting any more: ")
    assert "`ledgerflow rules publish FILE`" in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


PORTS = ("KAFKA_PORT", "CONTROLLER_PORT", "INTERNAL_PORT", "REGISTRY_PORT", "WEB_PORT")


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("value", ["0", "-1", "65536", "kafka", "1.5"])
def test_a_bad_port_is_told_alone_and_without_the_settings_that_rest_on_it(
    port: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_PREFIX + port, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    said = str(raised.value)
    assert said.startswith(f"{ENV_PREFIX}{port}={value}: input should be")
    assert said.count(ENV_PREFIX) == 1 and "Undefined" not in said


def test_an_address_may_leave_its_port_out() -> None:
    servers = "localhost,127.0.0.1:9092, [::1]:9092"
    found = load_settings(bootstrap_servers=servers, schema_registry_url="http://[::1]/api")
    assert found.bootstrap_servers == servers


def test_the_last_worker_still_has_a_port() -> None:
    with pytest.raises(SettingsError, match="no port is left for 4 workers"):
        load_settings(web_port=65_533, workers=4)


def test_variables_of_others_are_let_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Kubernetes puts into each container for a service called "ledgerflow".
    monkeypatch.setenv("LEDGERFLOW_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("LEDGERFLOW_PORT_6066_TCP", "tcp://10.0.0.1:6066")
    load_settings()


def test_a_setting_of_an_earlier_version_that_has_no_effect_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DATE_WINDOW_DAYS", "TOLERANCE_MINOR", "GRACE_DAYS"):
        monkeypatch.setenv(f"LEDGERFLOW_RECONCILIATION_{name}", "2")
    load_settings()


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERFLOW_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("LEDGERFLOW_SASL_USERNAME", "ledger")
    monkeypatch.setenv("LEDGERFLOW_SECURITY_PROTOCOL", "SASL_SSL")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    assert settings.sasl_password == SecretStr("hunter2")
    monkeypatch.setenv("LEDGERFLOW_PARTITIONS", "none")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


def test_a_cluster_with_sasl_and_tls_as_librdkafka_wants_it() -> None:
    settings = load_settings(
        bootstrap_servers="kafka.example:9093",
        security_protocol="SASL_SSL",
        sasl_username="ledger",
        sasl_password=SecretStr("secret"),
        ssl_cafile=Path(certifi.where()),
    )
    assert settings.librdkafka() == {
        "bootstrap.servers": "kafka.example:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ledger",
        "sasl.password": "secret",
        "ssl.ca.location": certifi.where(),
    }
    assert load_settings().librdkafka() == {
        "bootstrap.servers": "127.0.0.1:19092",
        "security.protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_clients_with_and_without_an_app_reach_the_cluster_in_the_same_way(
    tmp_path: Path, protocol: str
) -> None:
    who = {"sasl_username": "u", "sasl_password": "p"} if "SASL" in protocol else {}
    settings = load_settings(
        data_dir=tmp_path, bootstrap_servers="a:1,b:2", insecure="kafka", security_protocol=protocol, **who
    )
    app = create_app(settings, cast(Any, None))
    servers = [f"{url.host}:{url.port}" for url in app.conf.broker]
    faust = credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context)
    for given in ({"bootstrap_servers": servers, **faust}, app.connection):
        own = settings.aiokafka()
        assert (given.pop("ssl_context", None) is None) == (own.pop("ssl_context", None) is None)
        assert given == own
