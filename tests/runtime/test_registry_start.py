"""A worker whose schema registry does not answer at its start: it waits, says so, and ends in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import schemas
from pipeline.runtime.avro.registry import NotRegistered, Registry, RegistryUnavailable, register_all
from pipeline.runtime.avro.registry_start import connect
from schemas import SchemaVersion
from tests.runtime.fake_registry import FakeRegistry

URL = "http://registry"


class Known:
    """A registry that answers from some question on."""

    def __init__(self, answers_after: int, known: bool = False, lacks: bool = False) -> None:
        self.asked = 0
        self._answers_after = answers_after
        self._known = known
        self._lacks = lacks

    def connect(self) -> bool:
        """Return whether it answers now."""
        self.asked += 1
        return self.asked > self._answers_after

    def id_of(self, schema: SchemaVersion) -> int:
        """Return some id."""
        if self._lacks:
            raise NotRegistered(f"{schema.subject} is not in the schema registry")
        if not self._known and self.asked <= self._answers_after:
            raise RegistryUnavailable("no answer")
        return 1


def connected(registry: Known, wait_s: float) -> list[str]:
    """Connect without a real wait; return what was said."""
    said: list[str] = []
    connect(registry, URL, said.append, wait_s, say_every_s=0.01)
    return said


def test_a_registry_that_comes_late_is_waited_for() -> None:
    said = connected(Known(answers_after=3), wait_s=60.0)
    assert len(said) == 3
    assert all(line.startswith(f"waiting for the schema registry at {URL}, for up to ") for line in said)


def test_a_registry_that_never_answers_ends_the_start_in_one_line() -> None:
    with pytest.raises(
        RegistryUnavailable, match=r"^the schema registry at http://registry has not answered"
    ):
        connected(Known(answers_after=1_000_000), wait_s=0.05)


def test_a_worker_that_knows_every_schema_starts_without_the_registry() -> None:
    (line,) = connected(Known(answers_after=1, known=True), wait_s=60.0)
    assert line.endswith("going on with the schemas known from before")


def test_a_schema_that_the_registry_lacks_is_named_with_the_command() -> None:
    with pytest.raises(NotRegistered, match="run `ledgerflow schemas register`"):
        connected(Known(answers_after=0, lacks=True), wait_s=60.0)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    running = FakeRegistry()
    yield running
    running.server.shutdown()


def test_with_a_real_client(fake: FakeRegistry, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(NotRegistered):
        connect(Registry(fake.url, tmp_path), fake.url, said.append)
    register_all(fake.url)
    connect(Registry(fake.url, tmp_path), fake.url, said.append)
    assert said == []
    fake.fault = (503, b"<html>starting</html>")
    connect(Registry(fake.url, tmp_path), fake.url, said.append)
    assert len(said) == 1 and "known from before" in said[0]
    with pytest.raises(RegistryUnavailable):
        connect(Registry(fake.url, tmp_path / "empty"), fake.url, said.append, wait_s=0.0)
    assert schemas.load()
