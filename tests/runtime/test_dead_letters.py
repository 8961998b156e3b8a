"""Dead letters: what the headers say, and that they never say what was in the record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiokafka.structs import ConsumerRecord

from pipeline.runtime.kafka import dead_letters
from pipeline.runtime.kafka.dead_letters import (
    HEADER_ATTEMPT,
    HEADER_LEFT_OUT,
    KEPT_BYTES_MAX,
    Headers,
    Reason,
    attempts_of,
    headers_of,
    letter_of,
)

SOURCE = ("accounts", 2)
REASON = Reason("Routing", "wrong_key", "expected tenant_id/account_id")


def record(headers: Headers) -> ConsumerRecord[bytes, bytes]:
    """Return a record as aiokafka delivers it."""
    return ConsumerRecord("accounts", 2, 41, 1_700_000_000_123, 0, b"key", b"value", None, 3, 5, headers)


def test_the_headers_say_why_and_where_from() -> None:
    assert headers_of(record([]), SOURCE, REASON, "intake-accounts", "ledgerflow") == [
        ("__ledgerflow.errors.class", b"Routing"),
        ("__ledgerflow.errors.code", b"wrong_key"),
        ("__ledgerflow.errors.message", b"expected tenant_id/account_id"),
        ("__ledgerflow.errors.stage", b"intake-accounts"),
        ("__ledgerflow.errors.topic", b"accounts"),
        ("__ledgerflow.errors.partition", b"2"),
        ("__ledgerflow.errors.offset", b"41"),
        ("__ledgerflow.errors.timestamp", b"1700000000123"),
        ("__ledgerflow.errors.group", b"ledgerflow"),
        ("__ledgerflow.errors.attempt", b"1"),
    ]


def test_the_records_own_headers_stay_behind_ours() -> None:
    own: Headers = [("trace", b"\xff"), ("trace", b"2"), ("", b"")]
    assert headers_of(record(own), SOURCE, REASON, "s", "g")[10:] == own


def test_a_redriven_record_has_one_set_of_headers_and_counts_its_attempts() -> None:
    first = headers_of(record([("trace", b"1")]), SOURCE, REASON, "s", "g")
    second = headers_of(record(first), SOURCE, REASON, "s", "g")
    assert len(second) == len(first)
    assert dict(second)[HEADER_ATTEMPT] == b"2"
    assert second[-1] == ("trace", b"1")


def test_a_record_that_is_too_large_to_be_written_again_stays_where_it_is() -> None:
    large = replace(record([("trace", b"1")]), value=b"x" * KEPT_BYTES_MAX)
    key, value, headers, timestamp = letter_of(large, SOURCE, REASON, "s", "g")
    assert (key, value, timestamp) == (None, None, large.timestamp)
    assert dict(headers)[HEADER_LEFT_OUT] == str(KEPT_BYTES_MAX + len("key" + "trace1")).encode()
    assert dict(headers)["__ledgerflow.errors.offset"] == b"41" and "trace" not in dict(headers)


@pytest.mark.parametrize(
    ("value", "attempts"),
    [(b"0", 0), (b"7", 7), (b"999999999", 999_999_999)]
    + [(bad, 0) for bad in (b"", b"-1", b"1.5", b"x", b"9999999999", b"\xc2\xb2", "٣".encode(), None)],
)
def test_an_attempt_header_that_an_upstream_made_up_does_no_harm(value: bytes, attempts: int) -> None:
    """Kafka's headers may be null, too."""
    assert attempts_of(record([(HEADER_ATTEMPT, value)])) == attempts


def test_every_name_has_the_same_prefix() -> None:
    names = [value for name, value in vars(dead_letters).items() if name.startswith("HEADER_")]
    assert len(names) == len(set(names)) == 15
    assert all(name.startswith("__ledgerflow.errors.") for name in names)
