"""What ids mean while the registry answers, is slow, is down, is empty, or is another one than before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import schemas
from pipeline.runtime.avro import registry as registry_module
from pipeline.runtime.avro.connection import BOUNDS
from pipeline.runtime.avro.registry import (
    UNKNOWN_SECONDS,
    NotRegistered,
    Registry,
    RegistryUnavailable,
    SchemaRefused,
    register_all,
)
from pipeline.runtime.avro.writer_schemas import recognise
from tests.runtime.fake_registry import FakeRegistry

PAYMENT = schemas.newest("ledgerflow.PaymentInitiated")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    running = FakeRegistry()
    yield running
    running.stop()


@pytest.fixture
def filled(fake: FakeRegistry) -> FakeRegistry:
    register_all(fake.url)
    fake.requests.clear()
    return fake


def edited(**changes: Any) -> str:
    """Return PaymentInitiated's newest schema with changed attributes, or with one more field (`add`)."""
    record = json.loads(PAYMENT.text)
    if "add" in changes:
        record["fields"].append(changes.pop("add"))
    return json.dumps(record | changes)


def test_registering_twice_gives_the_same_ids_and_every_subject_is_full_transitive(
    fake: FakeRegistry,
) -> None:
    first = register_all(fake.url)
    assert register_all(fake.url) == first
    assert len(fake.schemas) == len(schemas.load())
    assert set(first) == {schema.subject for schema in schemas.load()}
    assert first[PAYMENT.subject][1] == PAYMENT.version
    assert fake.levels == dict.fromkeys(first, "FULL_TRANSITIVE")


def test_the_rule_is_set_before_a_second_version_is_registered(fake: FakeRegistry) -> None:
    register_all(fake.url)
    subject = PAYMENT.subject
    order = [
        request.partition(" ")[0] for request in fake.requests if subject in request and request[:3] != "GET"
    ]
    assert order.index("PUT") < [i for i, method in enumerate(order) if method == "POST"][2]


def test_a_schema_that_the_registry_refuses_is_named(fake: FakeRegistry) -> None:
    fake.fault = (409, {"error_code": 409, "message": "Incompatible"})
    with pytest.raises(SchemaRefused, match="access-log/access_recorded/v1"):
        register_all(fake.url)


def test_registering_without_a_registry_says_so(fake: FakeRegistry) -> None:
    fake.stop()
    with pytest.raises(RegistryUnavailable):
        register_all(fake.url)


def test_an_unknown_id_is_fetched_once_and_kept_on_disk(filled: FakeRegistry, tmp_path: Path) -> None:
    for _ in range(2):
        registry = Registry(filled.url, tmp_path / "schemas")
        for _ in range(3):
            writer = registry.schema_of(1)
            assert writer is not None and writer.known == schemas.load()[0]
        registry.close()
    assert filled.requests == ["GET /schemas/ids/1"]


def test_threads_that_meet_the_same_new_id_ask_once(filled: FakeRegistry, tmp_path: Path) -> None:
    registry = Registry(filled.url, tmp_path)
    filled.delay_seconds = 0.05
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(registry.schema_of, [1] * 8))
    assert len(filled.requests) == 1 and len(set(found)) == 1


def test_asking_in_a_thread_leaves_the_event_loop_free(filled: FakeRegistry, tmp_path: Path) -> None:
    registry = Registry(filled.url, tmp_path)
    filled.answers.clear()

    async def ask() -> None:
        asked = asyncio.create_task(registry.schema_of_async(1))
        turns = 0
        while not filled.requests or turns < 10:
            await asyncio.sleep(0.001)
            turns += 1
        assert not asked.done()
        filled.answers.set()
        writer = await asked
        assert writer is not None and await registry.schema_of_async(1) is writer

    asyncio.run(ask())


def test_a_registry_that_is_down_stops_no_event_whose_schema_is_known(
    filled: FakeRegistry, tmp_path: Path
) -> None:
    before = Registry(filled.url, tmp_path)
    assert before.connect()
    ids = {schema: before.id_of(schema) for schema in schemas.load()}
    filled.stop()

    after = Registry(filled.url, tmp_path)
    assert not after.connect()
    for schema, schema_id in ids.items():
        assert after.id_of(schema) == schema_id
        writer = after.schema_of(schema_id)
        assert writer is not None and writer.known == schema


def test_an_unknown_id_while_the_registry_is_down_is_no_answer(filled: FakeRegistry, tmp_path: Path) -> None:
    registry = Registry(filled.url, tmp_path)
    filled.stop()
    with pytest.raises(RegistryUnavailable):
        registry.schema_of(1)
    with pytest.raises(RegistryUnavailable):
        registry.id_of(PAYMENT)


@pytest.mark.parametrize(
    "fault",
    [
        (500, {"error_code": 50001, "message": "store"}),
        (503, b"<html>starting</html>"),
        (401, {"error_code": 40101, "message": "who are you"}),
        (404, b"<html>a proxy's page</html>"),
        (404, {"status": 404, "title": "no such route"}),
        (200, b"not json"),
        (200, [1, 2]),
    ],
)
def test_an_answer_that_is_none_loses_no_event(
    filled: FakeRegistry, tmp_path: Path, fault: tuple[int, Any]
) -> None:
    registry = Registry(filled.url, tmp_path)
    filled.fault = fault
    with pytest.raises(RegistryUnavailable):
        registry.schema_of(1)
    filled.fault = None
    assert registry.schema_of(1) is not None


def test_a_slow_registry_is_given_up_in_bounded_time(
    filled: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BOUNDS, "timeout", 0.1)
    registry = Registry(filled.url, tmp_path)
    filled.answers.clear()  # it never answers: without a bound this would hang
    with pytest.raises(RegistryUnavailable):
        registry.schema_of(1)


def test_an_id_that_the_registry_does_not_know_is_asked_for_again_only_after_a_while(
    filled: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(registry_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    registry = Registry(filled.url, tmp_path)
    next_id = len(filled.schemas) + 1
    assert [registry.schema_of(next_id) for _ in range(50)] == [None] * 50
    assert len(filled.requests) == 1
    filled.add(edited(doc="registered later, under the very id that was not known"))
    now[0] += UNKNOWN_SECONDS
    writer = registry.schema_of(next_id)
    assert writer is not None and writer.known == PAYMENT


def test_what_is_remembered_of_unknown_ids_is_bounded(
    filled: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "UNKNOWN_IDS_MAX", 3)
    registry = Registry(filled.url, tmp_path)
    for schema_id in range(1000, 1010):
        assert registry.schema_of(schema_id) is None
    assert len(registry._unknown) == 3
    assert list(tmp_path.iterdir()) == []


def test_the_same_schema_without_docs_is_our_version(filled: FakeRegistry, tmp_path: Path) -> None:
    schema_id = filled.add(edited(doc="as a client of another language wrote it"))
    registry = Registry(filled.url, tmp_path)
    writer = registry.schema_of(schema_id)
    assert writer is not None and writer.known == PAYMENT
    assert registry.id_of(PAYMENT) != schema_id


def test_an_upstreams_next_version_stays_readable(filled: FakeRegistry, tmp_path: Path) -> None:
    text = edited(add={"name": "purpose", "type": ["null", "string"], "default": None})
    schema_id = filled.add(text)
    registry = Registry(filled.url, tmp_path)
    writer = registry.schema_of(schema_id)
    assert writer is not None
    assert (writer.record_name, writer.known) == ("ledgerflow.PaymentInitiated", None)
    assert json.loads(writer.text) == json.loads(text)


def test_microseconds_that_have_become_milliseconds_are_not_read() -> None:
    record = json.loads(PAYMENT.text)
    record["fields"][2]["type"] = {"type": "long", "logicalType": "timestamp-millis"}
    assert recognise(json.dumps(record)) is None


@pytest.mark.parametrize(
    "text",
    [
        '"string"',
        "not json",
        "[]",
        "{}",
        '{"type": "record", "name": "PaymentInitiated", "namespace": "elsewhere", "fields": []}',
        '{"type": "record", "name": "PaymentInitiated", "namespace": "ledgerflow", "fields": []}',
        edited(name="PaymentImagined"),
    ],
)
def test_a_schema_that_is_no_event_of_ours_is_none_of_our_business(text: str) -> None:
    assert recognise(text) is None


def test_a_name_with_its_namespace_inside_is_the_same_name() -> None:
    record = json.loads(PAYMENT.text)
    record["name"] = f"{record.pop('namespace')}.{record['name']}"
    writer = recognise(json.dumps(record))
    assert writer is not None and writer.known == PAYMENT


def test_a_schema_that_was_never_registered_has_no_id(fake: FakeRegistry, tmp_path: Path) -> None:
    registry = Registry(fake.url, tmp_path)
    assert registry.connect()
    with pytest.raises(
        NotRegistered, match=rf"payments-ledgerflow\.PaymentInitiated version {PAYMENT.version}"
    ):
        registry.id_of(PAYMENT)


def test_files_of_another_registry_are_dropped(filled: FakeRegistry, tmp_path: Path) -> None:
    before = Registry(filled.url, tmp_path)
    assert before.connect()
    filled.schemas.reverse()
    after = Registry(filled.url, tmp_path)
    assert after.connect()
    for schema_id, (subject, text) in enumerate(filled.schemas, start=1):
        writer = after.schema_of(schema_id)
        assert writer is not None and writer.known is not None
        assert (writer.known.subject, writer.known.text) == (subject, text)
    assert {file.stem for file in tmp_path.glob("*.json")} == {
        str(schema_id + 1) for schema_id in range(len(filled.schemas))
    }


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"id": 1}', b"\xff"])
def test_a_damaged_file_is_fetched_again(filled: FakeRegistry, tmp_path: Path, damage: bytes) -> None:
    assert Registry(filled.url, tmp_path).schema_of(1) is not None
    (tmp_path / "1.json").write_bytes(damage)
    assert Registry(filled.url, tmp_path).schema_of(1) is not None
    assert len(filled.requests) == 2
    assert json.loads((tmp_path / "1.json").read_text())["id"] == 1


def test_a_folder_that_cannot_be_written_costs_no_event(filled: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    registry = Registry(filled.url, tmp_path / "file")
    assert registry.schema_of(1) is not None
