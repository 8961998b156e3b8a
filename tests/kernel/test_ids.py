"""Ids of upstreams, and the names of events as causes: two things never have one name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.intake.stream import Intake
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.ids import ID_CHARS_MAX, check_ids
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.routing import KEY_FIELDS, cause_name
from pipeline.domain.kernel.rows import MemoryRows

TRADE = ev.TradeExecuted("e", "t", 0, "c", None, "t1", "a", "EUR/USD", "BUY", 1, 1, 0, "EUR")
PAYMENT = ev.PaymentInitiated("e", "t", 0, "c", None, "p", "a", "b", 1, "EUR", "transfer", "r", *[None] * 6)


@pytest.mark.parametrize("event", [TRADE, PAYMENT], ids=lambda event: type(event).__name__)
def test_ordinary_ids_pass(event: Any) -> None:
    check_ids(event)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * (ID_CHARS_MAX + 1)], ids=["empty", "NUL", "long"])
@pytest.mark.parametrize(
    ("event", "name"),
    [(TRADE, name) for name in ("event_id", "tenant_id", "account_id", "instrument_id", "trade_id")]
    + [(PAYMENT, name) for name in ("event_id", "payment_id", "debtor_account_id", "creditor_account_id")],
)
def test_an_id_that_cannot_be_is_refused_by_its_name(event: Any, name: str, value: str) -> None:
    with pytest.raises(Reject) as refused:
        check_ids(msgspec.structs.replace(event, **{name: value}))
    assert (refused.value.code, refused.value.detail) == ("invalid_id", name)


def test_the_longest_id_passes() -> None:
    check_ids(msgspec.structs.replace(TRADE, account_id="x" * ID_CHARS_MAX))


@pytest.mark.parametrize("name", ["tenant_id", "account_id"])
def test_a_slash_is_refused_where_another_part_of_a_key_follows(name: str) -> None:
    with pytest.raises(Reject, match="invalid_id"):
        check_ids(msgspec.structs.replace(TRADE, **{name: "a/b"}))


def test_intake_refuses_what_the_logs_could_not_carry() -> None:
    out = Outbox()
    with pytest.raises(Reject, match="invalid_id"):
        Intake("trades", "position-commands").apply(
            msgspec.structs.replace(TRADE, account_id="a/b"), Arrival(0, 0, 4), MemoryRows(), out
        )
    assert out.items == []


@pytest.mark.parametrize("name", ["tenant_id", "debtor_account_id", "payment_id", "event_id"])
def test_one_event_id_for_two_things_gives_two_names(name: str) -> None:
    other = msgspec.structs.replace(PAYMENT, **{name: "other"})
    assert cause_name(PAYMENT) != cause_name(other)


def test_a_retry_has_the_name_of_the_first_time() -> None:
    assert cause_name(PAYMENT) == cause_name(msgspec.structs.replace(PAYMENT, occurred_at=7, amount_minor=2))


def test_every_event_that_a_stream_reads_has_a_name() -> None:
    for kind in KEY_FIELDS:
        given: dict[str, Any] = {field.name: field.name for field in msgspec.structs.fields(kind)}
        parts = cause_name(kind(**given)).split("\0")
        assert parts[0] == "tenant_id" and parts[-1] == "event_id" and len(parts) in (3, 4, 5)
