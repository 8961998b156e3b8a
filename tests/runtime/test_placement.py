"""Where records belong: one decision, the same for one event and for columns of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.avro.codec import Decoded, Frame, Group
from pipeline.runtime.kafka.dead_letters import Reason
from pipeline.runtime.placement import Placement

PARTITIONS = 4
KINDS = (ev.PaymentDecided, ev.PriceQuoted, ev.PostingRecorded, ev.FraudAlertRaised)
"""By the key's partition; everywhere; with internal accounts; read by no stream."""
HOME = partition_of("t/a", PARTITIONS)


def event_of(kind: Any, tenant: str, second: str, branch: int) -> Any:
    """Return an event with nothing but what says where it belongs."""
    known = {"tenant_id": tenant, "account_id": second, "branch": branch}
    known |= {"debtor_account_id": second, "instrument_id": second}
    return kind(**{field.name: known.get(field.name) for field in msgspec.structs.fields(kind)})


def record_of(key: bytes | None) -> Any:
    return SimpleNamespace(key=key)


def one_by_one(partition: int, keyed: list[tuple[bytes | None, Any]]) -> dict[int, Reason]:
    read = Decoded([event for _, event in keyed], {})
    return Placement(partition, PARTITIONS).faults([record_of(key) for key, _ in keyed], read)


def in_columns(partition: int, keyed: list[tuple[bytes | None, Any]]) -> tuple[dict[int, Reason], Frame]:
    frame = Frame()
    for kind in KINDS:
        at = [index for index, (_, event) in enumerate(keyed) if type(event) is kind]
        if not at:
            continue
        names = [field.name for field in msgspec.structs.fields(kind)]
        shown = [
            name for name in names if name.endswith(("tenant_id", "account_id", "instrument_id", "branch"))
        ]
        columns = {name: [getattr(keyed[index][1], name) for index in at] for name in shown}
        arrays = {
            name: pa.array(cells, pa.int32() if name == "branch" else pa.string())
            for name, cells in columns.items()
        }
        frame.groups.append(Group(kind, np.array(at), pa.RecordBatch.from_pydict(arrays), list))
    return Placement(partition, PARTITIONS).faults([record_of(key) for key, _ in keyed], frame), frame


NAMES = st.sampled_from(["a", "b", "$clearing", "", "ä/"])
KEYED = st.tuples(
    st.sampled_from([None, b"\xff", b"t/a", b"right"]),
    st.builds(event_of, st.sampled_from(KINDS), st.sampled_from(["t", "u"]), NAMES, st.integers(0, 3)),
).map(lambda pair: (right_key(pair[1]) if pair[0] == b"right" else pair[0], pair[1]))


def right_key(event: Any) -> bytes:
    """Return `tenant_id/<second part>` of an event."""
    names = ("debtor_account_id", "instrument_id", "account_id")
    second = next(found for name in names if (found := getattr(event, name, None)) is not None)
    return f"{event.tenant_id}/{second}".encode()


@given(st.integers(0, PARTITIONS - 1), st.lists(KEYED, max_size=30))
def test_columns_are_judged_as_single_events_are(
    partition: int, keyed: list[tuple[bytes | None, Any]]
) -> None:
    singly = one_by_one(partition, keyed)
    found, frame = in_columns(partition, keyed)
    assert found == singly
    kept = sorted(index for group in frame.groups for index in group.positions.tolist())
    assert kept == [index for index in range(len(keyed)) if index not in singly]
    assert all(group.batch.num_rows == len(group.positions) for group in frame.groups)


@pytest.mark.parametrize(
    ("key", "kind", "account", "partition", "reason"),
    [
        (b"t/a", ev.PaymentDecided, "a", HOME, None),
        (None, ev.PaymentDecided, "a", HOME, Reason("Routing", "no_key", "")),
        (None, ev.FraudAlertRaised, "a", HOME, Reason("Routing", "no_key", "")),
        (b"t/a", ev.FraudAlertRaised, "a", HOME, Reason("Routing", "unexpected_event", "FraudAlertRaised")),
        (
            b"t/b", ev.PaymentDecided, "a", HOME,
            Reason("Routing", "wrong_key", "expected tenant_id/debtor_account_id"),
        ),
        (
            b"t/a", ev.PaymentDecided, "a", (HOME + 1) % PARTITIONS,
            Reason("Routing", "wrong_partition", f"expected {HOME}"),
        ),
        (b"t/a", ev.PriceQuoted, "a", (HOME + 1) % PARTITIONS, None),
        (b"t/$x", ev.PostingRecorded, "$x", 3, None),
        (b"t/$x", ev.PostingRecorded, "$x", 2, Reason("Routing", "wrong_partition", "expected 3")),
    ],
)  # fmt: skip
def test_a_record_belongs_under_its_events_key_on_that_keys_partition(
    key: bytes | None, kind: Any, account: str, partition: int, reason: Reason | None
) -> None:
    keyed = [(key, event_of(kind, "t", account, 3))]
    expected = {} if reason is None else {0: reason}
    assert one_by_one(partition, keyed) == expected
    assert in_columns(partition, keyed)[0] == expected


def test_what_could_not_be_decoded_is_not_looked_at() -> None:
    assert Placement(0, PARTITIONS).faults([record_of(None)], Decoded([None], {})) == {}
