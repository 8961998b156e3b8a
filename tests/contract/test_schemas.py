"""The schemas themselves: where they are, what they share, and that versions follow each other."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

import schemas
from schemas import SchemaVersion
from schemas.compatibility import check
from schemas.upcasters import UPCASTERS

Change = Callable[[dict[str, Any]], None]


def field(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in record["fields"] if entry["name"] == name)


def changed(version: SchemaVersion, change: Change) -> SchemaVersion:
    """Return the version that would follow `version` if `change` were made to its schema."""
    record = copy.deepcopy(json.loads(version.text))
    change(record)
    return version._replace(
        version=version.version + 1,
        text=json.dumps(record),
        path=version.path.replace(".avsc", "-planted.avsc"),
    )


def test_every_pair_of_versions_is_compatible_both_ways_and_no_rule_is_broken() -> None:
    assert check() == []


def test_every_step_from_a_version_to_the_next_has_an_upcaster_and_no_other_has() -> None:
    steps = {
        (name, number) for name in schemas.record_names() for number in range(1, schemas.newest(name).version)
    }
    assert set(UPCASTERS) == steps
    assert {("ledgerflow.PaymentInitiated", 1), ("ledgerflow.PostingRecorded", 2)} <= steps


def test_a_subject_is_the_topic_and_the_record_name() -> None:
    newest = schemas.newest("ledgerflow.PaymentInitiated")
    assert newest.subject == "payments-ledgerflow.PaymentInitiated"
    assert (newest.topic, newest.event, newest.version) == ("payments", "payment_initiated", 6)
    assert newest.path == "payments/payment_initiated/v6.avsc"


def test_the_outcome_of_a_cancellation_is_another_record_than_its_command() -> None:
    assert schemas.newest("ledgerflow.PaymentCancelled").topic == "payments"
    assert schemas.newest("ledgerflow.outcomes.PaymentCancelled").topic == "payment-events"


def test_a_named_type_is_defined_alike_wherever_it_is_used() -> None:
    from pipeline.schema_models import catalogue

    linked = {"LinkedPayment", "DecidedPayment", "LegPayment", "LinkOpening"}
    of_legs = {"JournalLeg", "LegPart", "LegShare"}
    of_fraud = {"FraudReason", "FeatureDrift", "MoneyOrigin"}
    of_matching = {"LineRef", "MatchCandidate", "ScorePart"}
    assert set(catalogue().records) == {
        *("Actor", "Exchange", "StatementDetail", "RequestedCommand"),
        *of_fraud,
        *of_legs,
        *linked,
        *of_matching,
    }


def add_field_without_default(record: dict[str, Any]) -> None:
    record["fields"].append({"name": "note", "type": "string"})


def remove_a_required_field(record: dict[str, Any]) -> None:
    record["fields"].remove(field(record, "reference"))


def count_the_time_in_milliseconds(record: dict[str, Any]) -> None:
    field(record, "occurred_at")["type"] = {"type": "long", "logicalType": "timestamp-millis"}


def drop_the_logical_type(record: dict[str, Any]) -> None:
    field(record, "occurred_at")["type"] = "long"


def widen_the_amount_to_decimal(record: dict[str, Any]) -> None:
    amount = field(record, "amount_minor")
    amount["type"] = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}


def narrow_the_amount(record: dict[str, Any]) -> None:
    field(record, "amount_minor")["type"] = "int"


def add_a_payment_type(record: dict[str, Any]) -> None:
    field(record, "payment_type")["type"]["symbols"].append("refund")


def make_an_id_a_uuid(record: dict[str, Any]) -> None:
    field(record, "payment_id")["type"] = {"type": "string", "logicalType": "uuid"}


def add_a_time_with_a_default(record: dict[str, Any]) -> None:
    kind = {"type": "long", "logicalType": "timestamp-micros"}
    record["fields"].append({"name": "due_at", "type": kind, "default": 0})


def add_an_amount_that_is_a_float(record: dict[str, Any]) -> None:
    record["fields"].append({"name": "fee_minor", "type": "double", "default": 0.0})


def move_the_envelope(record: dict[str, Any]) -> None:
    record["fields"].append(record["fields"].pop(0))


PLANTED: list[tuple[Change, str]] = [
    (add_field_without_default, "note"),
    (remove_a_required_field, "reference"),
    (count_the_time_in_milliseconds, "occurred_at was long timestamp-micros and is long timestamp-millis"),
    (drop_the_logical_type, "occurred_at was long timestamp-micros and is long"),
    (widen_the_amount_to_decimal, "amount_minor was long and is bytes decimal"),
    (narrow_the_amount, "amount_minor was long and is int"),
    (add_a_payment_type, "refund"),
    (make_an_id_a_uuid, "payment_id is string uuid, which is not allowed"),
    (add_a_time_with_a_default, "due_at has a logical type and a default other than null"),
    (add_an_amount_that_is_a_float, "fee_minor is double"),
    (move_the_envelope, "does not start with the envelope"),
]


@pytest.mark.parametrize(("change", "said"), PLANTED, ids=[change.__name__ for change, _ in PLANTED])
def test_a_planted_violation_is_caught(change: Change, said: str) -> None:
    newest = schemas.newest("ledgerflow.PaymentInitiated")
    problems = check([newest, changed(newest, change)])
    assert any(said in problem for problem in problems), problems


def test_a_frozen_type_is_caught_two_versions_later() -> None:
    first, second, *_ = schemas.versions("ledgerflow.PaymentInitiated")
    third = changed(second, count_the_time_in_milliseconds)
    assert sum(
        "timestamp-millis" in problem and first.path in problem for problem in check([first, second, third])
    )


def test_what_may_follow_is_let_through() -> None:
    def add_a_nullable_time(record: dict[str, Any]) -> None:
        kind = ["null", {"type": "long", "logicalType": "timestamp-micros"}]
        record["fields"].append({"name": "due_at", "type": kind, "default": None})

    newest = schemas.newest("ledgerflow.PaymentInitiated")
    assert check([newest, changed(newest, add_a_nullable_time)]) == []


def test_a_result_code_may_be_added_because_older_readers_have_a_symbol_for_it() -> None:
    def add_a_result_code(record: dict[str, Any]) -> None:
        field(record, "code")["type"]["symbols"].append("frozen")

    newest = schemas.newest("ledgerflow.PaymentSettled")
    assert check([newest, changed(newest, add_a_result_code)]) == []
