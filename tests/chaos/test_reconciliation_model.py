"""The model of reconciliation: short ledgers by hand, and random logs beside the product's rules."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from pipeline.domain.reconciliation import (
    matching as reconciliation_matching,
)
from pipeline.domain.reconciliation import (
    rows as reconciliation_rows,
)
from pipeline.domain.reconciliation import (
    stream as reconciliation,
)
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import Reconciliation
from pipeline.verify.model.reconciliation import ReconciliationBranch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import DAY_US
from tests.chaos.by_hand import NOW_US, Event, chance, closed, envelope, in_order, posted, stated
from tests.chaos.side_by_side import first_difference


def day(number: int, **other: Any) -> dict[str, Any]:
    """Return the time of an event some days from now."""
    return {"occurred_at": NOW_US + number * DAY_US, **other}


def tick(number: int) -> Event:
    """Return an event that moves the account's time and does nothing else: an empty statement."""
    return closed(f"tick {number}", 0, 0, 0, currency="XXX", **day(number))


def said(log: list[Event]) -> list[str]:
    """Return what a log makes come out, as text."""
    branch, found = ReconciliationBranch(0, 1), list[str]()
    for made in in_order(log, times_us=[NOW_US + 1000 * DAY_US] * len(log)):
        dead, out = branch.apply(made)
        found += [dead] if dead else []
        for wanted in out:
            fields = wanted.fields
            if wanted.event == "ItemMatched":
                place = f"{fields['statement_id']}/{fields['line_no']}"
                found.append(f"{place} = {' '.join(fields['posting_ids'])} by {fields['tier']}")
            elif wanted.event == "BreakOpened":
                parts = (fields["statement_id"], fields["line_no"], fields["posting_id"])
                place = "/".join(str(part) for part in parts if part is not None)
                found.append(f"{fields['type']} {fields['amount_minor']} on {place}")
            elif wanted.event == "BreakResolved":
                found.append(f"resolved {fields['type']} {fields['resolution']}")
    return found


LEDGERS: list[tuple[str, list[Event], list[str]]] = [
    ("by the reference", [posted("P", -5, "R"), stated("S/1", -5, "R")], ["S/1 = P by REFERENCE"]),
    ("the line first", [stated("S/1", -5, "R"), posted("P", -5, "R")], ["S/1 = P by REFERENCE"]),
    ("by the payment", [posted("P", 5, payment_id="p"), stated("S/1", 5, "p")], ["S/1 = P by REFERENCE"]),
    ("by the entry", [posted("P", 5), stated("S/1", 5, "entry P")], ["S/1 = P by REFERENCE"]),
    ("by amount and date", [posted("P", 5, "R"), stated("S/1", 5)], ["S/1 = P by AMOUNT_DATE"]),
    ("not by a date too far", [posted("P", 5), stated("S/1", 5, **day(4))], ["MISSING_EXTERNAL 5 on P"]),
    (
        "at any date by reference",
        [posted("P", 5, "R"), stated("S/1", 5, "R", **day(9))],
        ["S/1 = P by REFERENCE"],
    ),
    ("not by another sign", [posted("P", 5), stated("S/1", -5)], []),
    ("a blank reference is none", [posted("P", 5, " "), stated("S/1", 5, " ")], ["S/1 = P by AMOUNT_DATE"]),
    ("another amount", [posted("P", 5, "R"), stated("S/1", 7, "R")], ["AMOUNT 2 on S/1/P"]),
    (
        "the right one comes later",
        [posted("P", 5, "R"), stated("S/1", 7, "R"), stated("S/2", 5, "R")],
        ["AMOUNT 2 on S/1/P", "S/2 = P by REFERENCE", "resolved AMOUNT matched"],
    ),
    (
        "the nearest date, then the lowest sequence",
        [
            posted("P", 5, account_sequence=3, **day(1)),
            posted("Q", 5, account_sequence=2),
            posted("R", 5, account_sequence=1),
            stated("S/1", 5),
        ],
        ["S/1 = R by AMOUNT_DATE"],
    ),
    ("a line without a posting", [stated("S/1", 5), tick(1), tick(2)], ["MISSING_INTERNAL 5 on S/1"]),
    ("a posting without a line", [posted("P", 5), tick(1), tick(2)], ["MISSING_EXTERNAL 5 on P"]),
    (
        "what was missing comes",
        [posted("P", 5), tick(2), stated("S/1", 5, **day(2))],
        ["MISSING_EXTERNAL 5 on P", "S/1 = P by AMOUNT_DATE", "resolved MISSING_EXTERNAL matched"],
    ),
    (
        "what was missing comes with another amount",
        [posted("P", 5, "R"), tick(2), stated("S/1", 6, "R", **day(2))],
        ["MISSING_EXTERNAL 5 on P", "resolved MISSING_EXTERNAL line_arrived", "AMOUNT 1 on S/1/P"],
    ),
    (
        "a line with a reference waits for its posting",
        [stated("S/1", 5, "R"), posted("P", 5, "Q"), tick(2)],
        ["S/1 = P by AMOUNT_DATE"],
    ),
    (
        "a line that repeats a reference",
        [posted("P", 5, "R"), stated("S/1", 5, "R"), stated("S/2", 5, "R")],
        ["S/1 = P by REFERENCE", "DUPLICATE 5 on S/2"],
    ),
    (
        "a free text may come again next week, an id of ours may not",
        [
            *(posted("P", 5, "R"), stated("S/1", 5, "R")),
            *(posted("Q", 6), stated("S/2", 6, "entry Q")),
            *(stated("S/3", 5, "R", **day(4)), stated("S/4", 6, "entry Q", **day(9)), tick(11)),
        ],
        [
            "S/1 = P by REFERENCE",
            "S/2 = Q by REFERENCE",
            "DUPLICATE 6 on S/4",
            "MISSING_INTERNAL 5 on S/3",
        ],
    ),
    (
        "the same posting again",
        [posted("P", 5), posted("P", 5), stated("S/1", 5)],
        ["S/1 = P by AMOUNT_DATE"],
    ),
    ("the same line again", [stated("S/1", 5, "R"), stated("S/1", 5, "R")], []),
    (
        "another line under its number, each content once",
        [stated("S/1", 5, "R"), stated("S/1", 6, "R"), stated("S/1", 6, "R")],
        ["DUPLICATE 6 on S/1"],
    ),
    ("a sound statement", [stated("S/1", 5, "R"), closed("S", 1, 6, 1)], []),
    ("numbered from zero", [stated("S/0", 5, "R"), closed("S", 1, 6, 1)], []),
    (
        "a line that comes late",
        [closed("S", 1, 6, 1), stated("S/1", 5, "R")],
        [
            "SEQUENCE_GAP 0 on S",
            "CLOSING_BALANCE 5 on S",
            "resolved SEQUENCE_GAP line_arrived",
            "resolved CLOSING_BALANCE line_arrived",
        ],
    ),
    ("a number left out", [stated("S/2", 5, "R"), closed("S", 1, 6, 1)], ["SEQUENCE_GAP 0 on S"]),
    (
        "closed twice",
        [closed("S", 1, 1, 0), closed("S", 1, 1, 0), closed("S", 2, 2, 0)],
        ["DUPLICATE 2 on S"],
    ),
    (
        "it opens with another balance, until the one between comes",
        [closed("S", 0, 0, 0), closed("U", 5, 5, 0, **day(2)), closed("T", 0, 5, 0, **day(1))],
        [
            "OPENING_BALANCE 5 on U",
            "CLOSING_BALANCE 5 on T",
            "resolved OPENING_BALANCE statement_arrived",
        ],
    ),
    ("a negative number", [stated("S/-1", 5)], ["line_no_must_not_be_negative"]),
    ("a negative count", [closed("S", 0, 0, -1)], ["line_count_must_not_be_negative"]),
    ("two currencies", [stated("S/1", 5, "R"), closed("S", 0, 0, 1, currency="USD")], ["currency_mismatch"]),
    ("an amount too large", [stated("S/1", 2**61 + 1), posted("P", -(2**61) - 1)], ["overflow"] * 2),
    ("lines too large together", [stated("S/1", 2**61, "R"), stated("S/2", 1, "R")], ["overflow"]),
    ("an id that no key can carry", [posted("", 1), closed("S\0", 0, 0, 0)], ["malformed_id"] * 2),
    ("another log's event", [("TradeExecuted", envelope("x", account_id="a"))], ["unexpected_event"]),
]


@pytest.mark.parametrize("log, results", [case[1:] for case in LEDGERS], ids=[case[0] for case in LEDGERS])
def test_a_ledger_is_reconciled_as_the_rules_say(log: list[Event], results: list[str]) -> None:
    assert said(log) == results


def test_one_record_settles_a_hundred_items_at_most() -> None:
    log = [posted(f"P{number}", 5, f"R{number}") for number in range(150)]
    missing = [said([*log, *(tick(2) for _ in range(ticks))]) for ticks in range(3)]
    again = [*log, tick(2), tick(3)]
    assert [len(found) for found in (missing[0], missing[1], said(again))] == [0, 100, 150]


def test_a_view_shows_the_breaks_that_are_open() -> None:
    branch = ReconciliationBranch(0, 1)
    for made in in_order([posted("P", 5, "R"), stated("S/1", 7, "R")]):
        branch.apply(made)
    (shown,) = branch.view()
    assert (shown["type"], shown["amount_minor"], shown["opened_at"]) == ("AMOUNT", 2, NOW_US)
    branch.apply(in_order([stated("S/2", 5, "R")])[0])
    assert list(branch.view()) == []


# --- beside the product


def random_log(source: random.Random, length: int) -> list[Record]:
    """Return a log of few amounts, references, days and numbers, so that items meet in every way."""
    log: list[Event] = []
    day, references = 0, [None, None, "", " ", "r\0", "R1", "R1", "R2", "PAY1", "PAY2", "entry P3"]
    for index in range(length):
        day += source.random() < 0.2
        at = NOW_US + (day + source.choice([-3, -1, 0, 0, 0, 0, 1])) * DAY_US + source.randrange(1000)
        amount = source.choice([100, 100, -100, -101, 101, 0, 7, 2**61 if index % 20 == 0 else 7])
        about: dict[str, Any] = {
            "event_id": f"e{index}",
            "occurred_at": at,
            "currency": source.choice(["EUR"] * 30 + ["USD", ""]),
            "account_id": source.choice(["nostro"] * 4 + ["vostro"]),
        }
        kind, reference = source.randrange(10), source.choice(references)
        if kind < 4:
            about |= {"account_sequence": index, "payment_id": source.choice([None, "PAY1", "PAY2"])}
            log.append(posted(f"P{source.randrange(length)}", amount, reference, **about))
        elif kind < 9:
            about["booked_at"] = at + source.randrange(-1, 2) * DAY_US
            about["value_date"] = at // DAY_US + source.randrange(-2, 3)
            place = f"S{source.randrange(4)}/{source.randrange(-1, 12)}"
            log.append(stated(place, amount, reference, **about))
        else:
            about["closed_at"] = NOW_US + source.randrange(5) * DAY_US
            balances = source.choice([0, 0, 100]), source.choice([0, 0, 100, 2**61 + 1])
            log.append(closed(f"S{source.randrange(6)}", *balances, source.randrange(-1, 4), **about))
        if source.random() < 0.1:
            log.append(source.choice(log))  # it comes again
    return in_order(log, times_us=[NOW_US + source.choice([2, 100]) * DAY_US for _ in log])


SETTINGS = [(3, 0, 2), (3, 0, 2), (0, 0, 0), (1, 1, 1), (4, 150, 3)]


def models(seed: int) -> tuple[ReconciliationBranch, Reconciliation]:
    window, tolerance, grace = SETTINGS[seed % len(SETTINGS)]
    model = ReconciliationBranch(0, 1, window_days=window, tolerance=tolerance, grace_days=grace)
    return model, Reconciliation(ReconciliationSettings(window, tolerance, grace))


@pytest.mark.parametrize("seed", range(40))
def test_model_and_product_say_and_write_the_same_for_random_logs(seed: int) -> None:
    assert first_difference(*models(seed), random_log(chance(seed), 100)) is None


def claims_nothing(index_keys: Any) -> Any:
    return lambda item: index_keys(msgspec.structs.replace(item, status=reconciliation_rows.OPEN))


def twice(emit: Any) -> Any:
    return lambda *what: (emit(*what), emit(*what))


def nothing(_: Any) -> Any:
    return lambda *_: None


BROKEN = [
    (reconciliation_rows, "index_keys", claims_nothing),
    (reconciliation_matching, "emit_match", twice),
    (reconciliation_matching, "_claim_repeated_by", nothing),
    (reconciliation_matching, "_named_with_other_amount", nothing),
    (reconciliation, "settle_due", nothing),
    (reconciliation, "check_chain", nothing),
]


@pytest.mark.parametrize("module, name, broken", BROKEN, ids=[name for _, name, _ in BROKEN])
def test_a_broken_product_differs_from_the_model(
    module: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, broken(getattr(module, name)))
    assert any(first_difference(*models(seed), random_log(chance(seed), 100)) for seed in range(5))
