"""docker-compose.yml is the local stack from official images: the same versions, ports, tuning."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from pipeline.cli.entry import main
from pipeline.runtime.local.artifacts import KAFKA_VERSION, REGISTRY_VERSION
from pipeline.runtime.local.programs import broker_properties
from pipeline.runtime.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
PLACEHOLDER = re.compile(r"\$\{(\w+):-([^}]*)\}")

WORKERS = ("worker-1", "worker-2")
OURS = ("schemas", *WORKERS)
PLACES = {"process.roles", "node.id", "log.dirs"}
"""Broker properties that say where it runs, not how; listeners too."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as Docker reads it when no variable is set."""
    return yaml.safe_load(PLACEHOLDER.sub(lambda found: found[2], TEXT))  # type: ignore[no-any-return]


def test_the_file_is_valid_compose(compose: dict[str, Any]) -> None:
    parsed = PyCompose.from_json(json.dumps(compose))
    parsed.validate()
    assert sorted(parsed.service_names()) == ["kafka", "registry", "schemas", "worker-1", "worker-2"]


def test_the_check_refuses_what_compose_does_not_know() -> None:
    with pytest.raises(ValueError, match="prots"):
        PyCompose.from_yaml("services:\n  kafka:\n    image: x\n    prots: ['1:1']\n")


def test_every_variable_is_a_setting_with_the_same_default() -> None:
    found = PLACEHOLDER.findall(TEXT)
    assert found
    for variable, default in found:
        field = Settings.model_fields[variable.removeprefix(ENV_PREFIX).lower()]
        assert str(field.default) == default, variable


def settings_of(service: dict[str, Any]) -> Settings:
    """Return the settings that a service is given; an unknown name raises."""
    given = service["environment"].items()
    return Settings(**{name.removeprefix(ENV_PREFIX).lower(): str(value) for name, value in given})


def test_what_our_services_are_given_are_settings_of_the_other_services(compose: dict[str, Any]) -> None:
    listeners = compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    for name in OURS:
        settings = settings_of(compose["services"][name])
        assert f"INSIDE://{settings.bootstrap_servers}" in listeners
        assert settings.schema_registry_url == "http://registry:8080/apis/ccompat/v7"


def test_a_worker_listens_where_the_other_one_looks_for_it(compose: dict[str, Any]) -> None:
    """The web host is the address to listen on, and what the assignor tells the peers: the service's name."""
    for name in WORKERS:
        settings = settings_of(compose["services"][name])
        assert (settings.web_host, settings.web_port) == (name, 6066)


def test_only_the_network_of_their_own_is_open(compose: dict[str, Any]) -> None:
    """Off loopback nothing is open unless a setting names it: here all three, on their network."""
    for name in OURS:
        settings_of(compose["services"][name]).require_protected()
    assert "networks" not in compose, "the default network of the file, which no other service joins"
    assert not any("network_mode" in service for service in compose["services"].values())


def test_an_unknown_setting_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="web_hostnames"):
        settings_of({"environment": {"LEDGERFLOW_WEB_HOSTNAMES": "x"}})


def test_schemas_are_registered_before_a_worker_starts(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in WORKERS:
        assert services[name]["depends_on"]["schemas"] == {"condition": "service_completed_successfully"}
    assert "restart" not in services["schemas"], "it is to end"
    assert services["schemas"]["entrypoint"] == ["sh", "-c"]
    (script,) = services["schemas"]["command"]
    shell = script.replace("$$", "$")
    assert subprocess.run(["sh", "-n", "-c", shell], capture_output=True).returncode == 0
    assert re.findall(r"ledgerflow ([a-z ]+[a-z])", shell) == ["schemas register"]


def test_what_is_waited_for_can_come_about(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] != "service_healthy" or "healthcheck" in services[other], other


def test_our_services_run_commands_that_there_are(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["ledgerflow"]' in dockerfile
    for name in WORKERS:
        service = compose["services"][name]
        assert service["command"] == ["worker"] and "entrypoint" not in service
    for command in (["worker"], ["schemas", "register"]):
        assert main([*command, "--help"]) == 0


def test_a_workers_data_is_on_a_volume_of_its_own(compose: dict[str, Any]) -> None:
    (data_dir,) = re.findall(
        rf"^ENV {ENV_PREFIX}DATA_DIR=(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    for name in WORKERS:
        assert compose["services"][name]["volumes"] == [f"{name}:{data_dir}"]
    assert set(compose["volumes"]) == {"kafka", *WORKERS}


def test_the_images_are_the_versions_of_the_local_stack(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert images.pop("kafka") == f"apache/kafka:{KAFKA_VERSION}"
    assert images.pop("registry") == f"apicurio/apicurio-registry:{REGISTRY_VERSION}"
    assert images == dict.fromkeys(OURS, "ledgerflow")
    assert all(compose["services"][name]["build"] == "." for name in OURS)


def test_the_broker_is_tuned_as_the_local_one(compose: dict[str, Any]) -> None:
    given = {name: str(value) for name, value in compose["services"]["kafka"]["environment"].items()}
    local = dict(line.split("=", 1) for line in broker_properties(Settings(), Path("/data")).splitlines())
    tuning = {name: value for name, value in local.items() if name not in PLACES and "listener" not in name}
    tuning.pop("controller.quorum.voters")
    for name, value in tuning.items():
        assert given.get("KAFKA_" + name.upper().replace(".", "_")) == value, name


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    defaults = Settings()
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published == [
        f"127.0.0.1:{defaults.kafka_port}:19092",
        f"127.0.0.1:{defaults.registry_port}:8080",
        f"127.0.0.1:{defaults.web_port}:6066",
    ]


def test_the_image_is_built_from_what_it_copies() -> None:
    copied = [
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for source in line.split()[1:-1]
    ]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept
    assert [source for source in copied if source != "README.md" and not (ROOT / source).exists()] == []
