"""Pins: the constraints files name every package, exactly, and what each needs in turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.runtime.local.artifacts import KAFKA, KAFKA_VERSION, PINS, REGISTRY

ROOT = Path(__file__).parents[2]
EXTRAS = {"confluent-kafka": ("avro", "schemaregistry")}


def pins(*files: str) -> dict[str, str]:
    """Return version by package of constraints files."""
    lines = [line for file in files for line in (ROOT / file).read_text().splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def needs(name: str) -> Iterator[str]:
    """Yield what an installed package needs here."""
    environments = [{"extra": extra} for extra in ("", *EXTRAS.get(name, ()))]
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        if wanted.marker is None or any(wanted.marker.evaluate(environment) for environment in environments):
            yield canonicalize_name(wanted.name)


TRAINING = "pipeline/training/constraints.txt"
STATEMENTS = "pipeline/statement_files/constraints.txt"
EXTRAS_OF_OURS = {TRAINING: "train", STATEMENTS: "statements"}
FILES = ("constraints.txt", "tests/constraints.txt", *EXTRAS_OF_OURS)


def is_installed(name: str) -> bool:
    """Return whether a package is installed here: those of an extra need not be."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize("files", [FILES[:1], FILES[:2], *((FILES[0], extra) for extra in EXTRAS_OF_OURS)])
def test_what_a_pinned_package_needs_is_pinned_too(files: tuple[str, ...]) -> None:
    pinned = pins(*files)
    absent = [name for name in pinned if not is_installed(name)]
    for file, extra in EXTRAS_OF_OURS.items():
        if absent and file in files:
            pytest.skip(f"the extra {extra} is not installed: pip install '.[test,{extra}]'")
    assert {f"{name} needs {need}" for name in pinned for need in needs(name) if need not in pinned} == set()


def test_every_pin_is_exact_and_named_once() -> None:
    for file in FILES:
        for line in (ROOT / file).read_text().splitlines():
            assert not line or line.startswith("#") or re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line), line
    named = [name for file in FILES for name in pins(file)]
    assert len(named) == len(set(named))


def test_the_tests_run_on_the_pinned_versions() -> None:
    pinned = pins("constraints.txt", "tests/constraints.txt")
    pinned |= {name: version for name, version in pins(*EXTRAS_OF_OURS).items() if is_installed(name)}
    assert {name: distribution(name).version for name in pinned} == pinned


def test_the_programs_of_the_local_stack_are_pinned_by_digest() -> None:
    listed = json.loads(PINS.read_text())
    coordinates = [pin["coordinate"] for pins in listed.values() for pin in pins]
    assert {KAFKA, REGISTRY} <= set(coordinates)
    assert len(set(coordinates)) == len(coordinates)
    for pin in [pin for pins in listed.values() for pin in pins]:
        assert re.fullmatch("[0-9a-f]{64}", pin["sha256"]), pin
    # One version of Kafka's own files: a resolution that mixes them does not start.
    kafka = {
        coordinate.split(":")[2] for coordinate in coordinates if coordinate.startswith("org.apache.kafka:")
    }
    assert kafka == {KAFKA_VERSION}
