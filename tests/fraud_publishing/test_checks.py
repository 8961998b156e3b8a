"""What is refused of an event of fraud-rules by itself, before any partition has it."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud.expressions import canonical
from pipeline.domain.fraud.expressions.rule_sets import Entry
from pipeline.domain.fraud.model.artefact import MODEL_BYTES_MAX
from pipeline.domain.fraud.publishing import checks
from pipeline.domain.fraud.publishing.checks import MODEL_PART_BYTES, base64_of, check_publication
from pipeline.domain.kernel.outbox import Reject
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import (
    in_role,
    list_parts,
    model_parts,
    published,
    rule_set,
    watch_list,
)

SET = published(rule_set(1, watch_list("a", 3)))
LIST_PART = list_parts(rule_set(1, watch_list("a", 3)))[0]
MODEL_PART = model_parts(model_bytes(1), 900)[0]
ROLE = in_role(model_bytes(1), 3)
NONE = in_role(None, 0)
BAD_RULE = SET.head.replace("amount > 500 EUR", "amuont > 500 EUR")


def code_of(event: Any) -> str | None:
    try:
        check_publication(event)
    except Reject as reject:
        return reject.code
    return None


def hashed(head: str) -> dict[str, Any]:
    return {"head": head, "sha256": hashlib.sha256(head.encode()).hexdigest()}


@pytest.mark.parametrize("event", [SET, LIST_PART, MODEL_PART, ROLE, NONE])
def test_what_is_in_order_is_taken(event: Any) -> None:
    assert code_of(event) is None


@pytest.mark.parametrize(
    ("event", "changes", "code"),
    [
        (SET, {"tenant_id": "north"}, "wrong_tenant"),
        (SET, {"of_tenant": "north"}, "wrong_tenant"),
        (SET, {"of_tenant": "north", "tenant_id": "north"}, "invalid_rules"),
        (SET, {"of_tenant": "*"}, "wrong_tenant"),
        (ROLE, {"of_tenant": "*"}, "wrong_tenant"),
        (SET, {"sha256": "0" * 64}, "wrong_hash"),
        (SET, {"sha256": SET.sha256.upper()}, "invalid_hash"),
        (SET, {"version": 2}, "invalid_rules"),
        (SET, {"set_id": "other"}, "invalid_rules"),
        (SET, {"effective_from": 5}, "invalid_rules"),
        (SET, hashed(BAD_RULE), "invalid_rules"),
        (SET, hashed(SET.head.replace("[1,", "[2,", 1)), "invalid_rules"),
        (SET, hashed(SET.head + " "), "invalid_rules"),
        (SET, hashed("{}"), "invalid_rules"),
        (SET, hashed("[" * 5_000), "invalid_rules"),
        (SET, hashed("x" * (canonical.HEAD_BYTES_MAX + 1)), "invalid_rules"),
        (LIST_PART, {"list_sha256": "x"}, "invalid_hash"),
        (LIST_PART, {"list_sha256": "0" * 64}, "invalid_part"),
        (LIST_PART, {"number": 1}, "invalid_part"),
        (LIST_PART, {"part": LIST_PART.part + "\n"}, "invalid_part"),
        (LIST_PART, {"part": "\ud7ff"}, "invalid_part"),
        (LIST_PART, {"part": f'["{LIST_PART.list_sha256}",0,[]]'}, "invalid_part"),
        (LIST_PART, {"part": LIST_PART.part.replace(",0,", ",-1,"), "number": -1}, "invalid_part"),
        (LIST_PART, {"part": LIST_PART.part.replace(",0,", ",512,"), "number": 512}, "invalid_part"),
        (MODEL_PART, {"model_sha256": ""}, "invalid_hash"),
        (MODEL_PART, {"number": -1}, "invalid_part"),
        (MODEL_PART, {"number": 8}, "invalid_part"),
        (MODEL_PART, {"part": ""}, "invalid_part"),
        (MODEL_PART, {"part": MODEL_PART.part + "\n"}, "invalid_part"),
        (MODEL_PART, {"part": "é" * 4}, "invalid_part"),
        (MODEL_PART, {"part": "QR=="}, "invalid_part"),  # bits beyond the last byte
        (MODEL_PART, {"part": base64_of(b"x" * (MODEL_PART_BYTES + 1))}, "invalid_part"),
        (MODEL_PART, {"part": base64_of(b"x" * MODEL_PART_BYTES)}, None),
        (ROLE, {"tenant_id": "north"}, "wrong_tenant"),
        (ROLE, {"parts": 0}, "invalid_model"),
        (ROLE, {"parts": 9}, "invalid_model"),
        (ROLE, {"model_sha256": "y" * 64}, "invalid_hash"),
        (ROLE, {"catalogue_version": "x" * 65}, "invalid_model"),
        (NONE, {"parts": 1}, "invalid_model"),
    ],
)
def test_what_is_not_in_order_is_refused(event: Any, changes: dict[str, Any], code: str | None) -> None:
    assert code_of(msgspec.structs.replace(event, **changes)) == code


def test_the_largest_part_and_head_fit_into_an_event() -> None:
    assert len(base64_of(b"x" * MODEL_PART_BYTES)) + 10_000 < 768 * 1024
    assert canonical.HEAD_BYTES_MAX + 10_000 < 768 * 1024
    assert canonical.PART_BYTES_MAX + 10_000 < 768 * 1024


def test_a_model_of_the_most_bytes_has_the_most_parts() -> None:
    parts = checks.model_parts(b"x" * MODEL_BYTES_MAX)
    assert len(parts) == checks.MODEL_PARTS_MAX and b"".join(parts) == b"x" * MODEL_BYTES_MAX


def test_a_list_of_long_values_is_cut_by_bytes_as_well() -> None:
    entries = tuple(Entry(f"{number:04}" + "\x01" * 252) for number in range(2_000))
    rules = rule_set(1, msgspec.structs.replace(watch_list("a", 0), entries=entries))
    parts = canonical.parts_of(rules)
    assert len(parts) > 1 and max(map(len, parts)) <= canonical.PART_BYTES_MAX
    assert canonical.assembled(canonical.head_bytes(rules), parts) == rules
    assert [canonical.checked_part(part).number for part in parts] == list(range(len(parts)))
