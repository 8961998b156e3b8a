"""docker-compose.yml is the local stack from official images: the same versions, ports, tuning."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from pipeline.runtime.artifacts import KAFKA_VERSION, REGISTRY_VERSION
from pipeline.runtime.programs import broker_properties
from pipeline.runtime.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
PLACEHOLDER = re.compile(r"\$\{(\w+):-([^}]*)\}")

PLACES = {"process.roles", "node.id", "log.dirs"}
"""Broker properties that say where it runs, not how; listeners too."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as Docker reads it when no variable is set."""
    return yaml.safe_load(PLACEHOLDER.sub(lambda found: found[2], TEXT))  # type: ignore[no-any-return]


def test_the_file_is_valid_compose(compose: dict[str, Any]) -> None:
    parsed = PyCompose.from_json(json.dumps(compose))
    parsed.validate()
    assert sorted(parsed.service_names()) == ["kafka", "registry", "worker-1", "worker-2"]


def test_the_check_refuses_what_compose_does_not_know() -> None:
    with pytest.raises(ValueError, match="prots"):
        PyCompose.from_yaml("services:\n  kafka:\n    image: x\n    prots: ['1:1']\n")


def test_every_variable_is_a_setting_with_the_same_default() -> None:
    found = PLACEHOLDER.findall(TEXT)
    assert found
    for variable, default in found:
        field = Settings.model_fields[variable.removeprefix(ENV_PREFIX).lower()]
        assert str(field.default) == default, variable


def test_what_the_workers_are_given_are_settings(compose: dict[str, Any]) -> None:
    for worker in ("worker-1", "worker-2"):
        given = compose["services"][worker]["environment"]
        names = {name.removeprefix(ENV_PREFIX).lower(): str(value) for name, value in given.items()}
        assert set(names) <= set(Settings.model_fields)
        Settings(**names)
        assert names["web_host"] == worker


def test_the_images_are_the_versions_of_the_local_stack(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert compose["services"]["registry"]["image"] == f"apicurio/apicurio-registry:{REGISTRY_VERSION}"


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
