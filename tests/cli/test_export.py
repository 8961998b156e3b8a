"""The export of a tenant: all of its records, none of another's, whatever the tenants are called."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest

import schemas
from pipeline.cli import export as command
from pipeline.cli.entry import main
from pipeline.cli.export_files import ExportFiles
from pipeline.cli.problems import BadInput
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.avro.codec import Codec
from pipeline.verify.log import Record
from tests.ledger.branches import opened
from tests.runtime.fixed_registry import FixedRegistry

REGISTRY = FixedRegistry()
CODEC = Codec(REGISTRY)  # type: ignore[arg-type]
TEXTS = {REGISTRY.id_of(one): one.text for name in EVENTS for one in schemas.versions(name)}
NOON = 1_767_268_800_000_000
TENANTS = ("north", "nor", "north2", "north/x", "n")


def balance(tenant: str, account: str, balance_minor: int, currency: str = "EUR") -> ev.BalanceUpdated:
    head = (f"balance {account} {balance_minor}", tenant, NOON, "c", None, account, "checking", currency)
    return ev.BalanceUpdated(*head, 0, 5, 0, 5 + balance_minor, balance_minor, balance_minor, 1, 0, "OPEN")


def of(tenant: str, event: Any) -> Any:
    return msgspec.structs.replace(event, tenant_id=tenant)


class Topics:
    """Records of some topics, in the order in which they were sent."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, topic: str, event: Any, **changes: Any) -> Record:
        key = f"{event.tenant_id}/{event.account_id}" if topic == "balances" else record_key(event)
        record = Record(
            topic, 0, 2 * len(self.records), key.encode(), CODEC.encode([event])[0], {}, 1_700_000
        )
        self.records.append(record._replace(**changes))
        return self.records[-1]


def exported(topics: Topics, tenant: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    files = ExportFiles(tenant, folder, TEXTS.get)
    topic = None
    for record in topics.records:
        if topic not in (None, record.topic):
            files.finish_topic()
        topic = record.topic
        files.take(record)
    files.finish_topic()
    return files.finish({name: {"0": 99} for name in dict.fromkeys(r.topic for r in topics.records)}, {})


def events_in(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as source:
        return [dict(row) for row in fastavro.reader(source)]


@pytest.fixture
def topics() -> Topics:
    """Every tenant with two accounts and three balances, and what does not belong to anyone for sure."""
    found = Topics()
    for tenant in TENANTS:
        for account in ("a", "b"):
            found.add("accounts", of(tenant, opened(f"{tenant} {account}", account)))
    cut = found.add("accounts", of("north", opened("cut", "cut")))
    found.records[-1] = cut._replace(value=(cut.value or b"")[:-1])
    found.add("accounts", of("nor", opened("mixed up", "a")), key=b"north/a")
    found.add("accounts", opened("no key", "a"), key=None)
    for tenant in TENANTS:
        for account, amount in (("b", 7), ("a", -(2**63) + 5), ("b", 9)):
            found.add("balances", balance(tenant, account, amount))
        found.add("balances", balance(tenant, "c", 3, "CHF"))
    dead = of("north", opened("refused", "a"))
    found.add("dead-letters", dead, headers={"__ledgerflow.errors.code": b"invalid_limit"})
    found.add("dead-letters", of("n", dead), headers={"__ledgerflow.errors.code": b"invalid_limit"})
    return found


@pytest.mark.parametrize("tenant", ["north", "nor", "n", "north2"])
def test_every_record_of_the_tenant_is_in_it_and_none_of_another(
    topics: Topics, tenant: str, tmp_path: Path
) -> None:
    manifest = exported(topics, tenant, tmp_path / "out")
    wanted = {
        (record.topic, record.offset)
        for record in topics.records
        if record.key is not None and record.key.split(b"/")[0] == tenant.encode()
    }
    wanted = {place for place in wanted if _tenant_at(topics, place) == tenant}
    found = set()
    for name, about in manifest["files"].items():
        if name.endswith(".avro") and name != "unreadable.avro":
            for row in events_in(tmp_path / "out" / name):
                assert row["event"]["tenant_id"] == tenant
                assert row["key"].startswith(f"{tenant}/")
                found.add((about["topic"], row["offset"]))
    assert found == wanted and len(found) == manifest["records"]
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix != ".avro"
    )
    others = [other for other in TENANTS if other not in tenant and tenant not in other]
    assert not any(f'"{other}"'.encode() in everything for other in others)


def _tenant_at(topics: Topics, place: tuple[str, int]) -> str | None:
    (record,) = [one for one in topics.records if (one.topic, one.offset) == place]
    decoded = CODEC.decode([record.value])
    return None if decoded.dead else decoded.events[0].tenant_id


def test_what_nobody_can_prove_to_be_the_tenants_is_named_and_left_out(
    topics: Topics, tmp_path: Path
) -> None:
    manifest = exported(topics, "north", tmp_path / "out")
    cut = next(record for record in topics.records if record.key == b"north/cut")
    (row,) = events_in(tmp_path / "out" / "unreadable.avro")
    assert (row["topic"], row["offset"], row["key"]) == ("accounts", cut.offset, "north/cut")
    assert (row["bytes"], row["sha256"]) == (
        len(cut.value or b""),
        hashlib.sha256(cut.value or b"").hexdigest(),
    )
    counted = {"records": 2, "unreadable": 1, "of_another_tenant": 3}
    assert manifest["topics"]["accounts"] == {**counted, "read_to": {"0": 99}}


def test_values_keys_times_and_headers_are_those_of_the_records(topics: Topics, tmp_path: Path) -> None:
    manifest = exported(topics, "north", tmp_path / "out")
    (name,) = [name for name in manifest["files"] if name.startswith("dead-letters.")]
    (row,) = events_in(tmp_path / "out" / name)
    assert row["headers"] == [{"name": "__ledgerflow.errors.code", "value": b"invalid_limit"}]
    assert (row["key"], row["partition"], row["timestamp"].timestamp()) == ("north/a", 0, 1.7)
    assert row["event"]["event_id"] == "refused"
    with (tmp_path / "out" / name).open("rb") as source:
        fields = {field["name"]: field["type"] for field in fastavro.reader(source).writer_schema["fields"]}
    assert fields["event"]["name"] == "ledgerflow.AccountOpened"


def test_balances_are_the_latest_of_each_account_with_sums_by_currency(
    topics: Topics, tmp_path: Path
) -> None:
    manifest = exported(topics, "north", tmp_path / "out")
    with (tmp_path / "out" / "balances.csv").open(newline="") as source:
        rows = [
            (row["account_id"], row["currency"], int(row["balance_minor"])) for row in csv.DictReader(source)
        ]
    assert rows == [("a", "EUR", -(2**63) + 5), ("b", "EUR", 9), ("c", "CHF", 3)]
    assert manifest["balances"] == {"balance_minor": {"CHF": 3, "EUR": -(2**63) + 14}}
    assert manifest["files"]["balances.csv"]["records"] == 3


def test_the_manifest_seals_every_file_and_a_second_export_has_the_same_bytes(
    topics: Topics, tmp_path: Path
) -> None:
    first = exported(topics, "north", tmp_path / "first")
    second = exported(topics, "north", tmp_path / "second")
    assert first == second == json.loads((tmp_path / "first" / "manifest.json").read_text())
    there = {path.name for path in (tmp_path / "first").iterdir()}
    assert there == {*first["files"], "manifest.json"}
    for name, about in first["files"].items():
        content = (tmp_path / "first" / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (about["bytes"], about["sha256"])
        if "schema_id" in about:
            assert first["schemas"][str(about["schema_id"])]["name"] in about["event"]


# --- the folder


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadInput, match="overwrites nothing"), command._partial(out):
        pass
    (tmp_path / "mine.partial").mkdir()
    with pytest.raises(BadInput, match="is not of an export"), command._partial(tmp_path / "mine"):
        pass


def test_what_a_killed_export_left_is_begun_anew_and_two_at_once_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    left = tmp_path / "out.partial"
    left.mkdir()
    (left / command.MARK).touch()
    (left / "half.avro").write_bytes(b"half")
    with command._partial(out) as folder:
        assert folder == left and [path.name for path in folder.iterdir()] == [command.MARK]
        with pytest.raises(BadInput, match="another export"), command._partial(out):
            pass
        assert folder.exists()
    assert not left.exists(), "an export that did not come to its end leaves nothing"


def test_a_tenant_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for tenant in ("", "a/b", "x" * 257):
        assert main(["export", tenant, "--out", str(tmp_path / "out")]) == 2
        assert "cannot be a tenant's id" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["status", "balance_minor", "credits_pending", "account_sequence"])
def test_a_foreign_balance_of_other_types_is_exported_and_is_no_balance(name: str, tmp_path: Path) -> None:
    newest = schemas.versions("ledgerflow.BalanceUpdated")[-1].text
    version = json.loads(newest)
    for field in version["fields"]:
        if field["name"] == name:
            field["type"] = "bytes"
    said = msgspec.to_builtins(balance("north", "a", 7)) | {name: b"x"}
    written = io.BytesIO(b"\0\0\0\0\1")
    written.seek(5)
    fastavro.schemaless_writer(written, fastavro.parse_schema(version), said)
    files = ExportFiles("north", tmp_path, lambda _: json.dumps(version))
    files.take(Record("balances", 0, 0, b"north/a", written.getvalue(), {}, 0))
    told = files.finish({}, {})
    files_of = {file.get("event"): file["records"] for file in told["files"].values()}
    assert files_of == {"BalanceUpdated": 1, None: 0} and told["balances"] == {"balance_minor": {}}
