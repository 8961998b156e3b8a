"""Age, materiality and priority of breaks; kinds; what tenants set for them."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.breaks.ageing import (
    IMMATERIAL,
    MATERIAL,
    NORMAL,
    PRIORITIES,
    age_days,
    bucket_of,
    materiality_of,
    priority_of,
)
from pipeline.domain.reconciliation.breaks.kinds import KINDS, type_of
from pipeline.domain.tenants.break_rules import NO_RULES, BreakRules
from pipeline.domain.tenants.settings import TenantsError, parse_tenants

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        *((0, "0-1"), (1, "0-1"), (2, "2-5"), (5, "2-5"), (6, "6-30"), (30, "6-30")),
        *((31, "31-90"), (90, "31-90"), (91, "90+"), (10_000, "90+")),
    ],
)
def test_a_bucket_has_its_first_and_its_last_day(days: int, bucket: str) -> None:
    assert bucket_of(days) == bucket


@pytest.mark.parametrize(
    ("reached_at", "days"), [(10 * DAY, 0), (11 * DAY - 1, 0), (11 * DAY, 1), (9 * DAY, 0), (110 * DAY, 100)]
)
def test_age_is_days_of_event_time_since_the_item_and_never_below_zero(reached_at: int, days: int) -> None:
    assert age_days(10, reached_at) == days


@pytest.mark.parametrize(
    ("size", "currency", "materiality"),
    [
        *((499, "EUR", IMMATERIAL), (-499, "EUR", IMMATERIAL), (0, "EUR", IMMATERIAL)),
        *((500, "EUR", NORMAL), (-99_999, "EUR", NORMAL)),
        *((100_000, "EUR", MATERIAL), (-100_000, "EUR", MATERIAL), (2**62, "EUR", MATERIAL)),
        *((1, "USD", NORMAL), (2**62, "USD", NORMAL)),
    ],
)
def test_materiality_goes_by_what_is_at_stake(size: int, currency: str, materiality: str) -> None:
    rules = BreakRules(immaterial_below={"EUR": 500}, material_from={"EUR": 100_000})
    assert materiality_of("FEE", size, currency, rules) == materiality


def test_what_is_wrong_with_a_statement_is_material_whatever_its_amount() -> None:
    structural = {name for name in KINDS if materiality_of(name, 0, "EUR", NO_RULES) == MATERIAL}
    assert structural == {"OPENING_BALANCE", "CLOSING_BALANCE", "SEQUENCE_GAP", "GAP", "OVERLAP", "STALE"}


def test_a_break_never_gets_less_urgent_with_age_and_a_larger_one_is_never_less_urgent() -> None:
    ages = (0, 2, 6, 31, 91)
    for materiality in PRIORITIES:
        found = [priority_of(materiality, days) for days in ages]
        assert found == sorted(found, reverse=True) and set(found) <= {1, 2, 3, 4}
    for days in ages:
        found = [priority_of(materiality, days) for materiality in (MATERIAL, NORMAL, IMMATERIAL)]
        assert found == sorted(found)


def test_every_kind_has_a_type_that_events_know() -> None:
    types = set(ev.BreakType.__args__) - {"UNSPECIFIED"}  # type: ignore[attr-defined]
    assert {type_of(name, is_line) for name in KINDS for is_line in (True, False)} == types
    assert types <= set(KINDS), "each type is a kind, too"
    assert type_of("DATE", True) == type_of("REFERENCE", True) == "MISSING_INTERNAL"
    assert type_of("DATE", False) == type_of("REFERENCE", False) == "MISSING_EXTERNAL"


FILE = """
[default.breaks]
immaterial_below = { EUR = 100 }

[tenants.north.breaks]
material_from = { EUR = 5000 }
write_off_accounts = { EUR = "losses" }

[tenants.south]
"""


def test_a_tenant_has_its_own_table_or_that_of_the_default() -> None:
    tenants = parse_tenants(FILE)
    assert tenants.of("north").breaks == BreakRules(
        material_from={"EUR": 5000}, write_off_accounts={"EUR": "losses"}
    )
    assert (
        tenants.of("south").breaks
        == tenants.of("unknown").breaks
        == BreakRules(immaterial_below={"EUR": 100})
    )


def test_a_file_that_says_nothing_of_breaks_keeps_its_name() -> None:
    plain = parse_tenants("[tenants.north]\nclosed = true\n")
    with_breaks = parse_tenants("[tenants.north]\nclosed = true\n[tenants.north.breaks]\n")
    assert plain.version == "1-15aa21cee6e9", "as an earlier version has named it"
    assert with_breaks.version != plain.version


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("immaterial_below = { eur = 1 }", "'eur' is no ISO 4217 code"),
        ("material_from = { EUR = -1 }", "material_from: EUR must be from 0"),
        (
            "material_from = { EUR = 5 }\nimmaterial_below = { EUR = 6 }",
            "EUR: material_from is less",
        ),
        ('write_off_accounts = { EUR = "a/b" }', "'a/b' cannot be an account"),
        ('write_off_accounts = { EUR = "$own" }', "cannot be an account"),
        ('write_off_accounts = { EUR = "" }', "cannot be an account"),
        ("from = 1", "unknown"),
    ],
)
def test_a_wrong_setting_is_named(line: str, said: str) -> None:
    with pytest.raises(TenantsError, match=said):
        parse_tenants(f"[tenants.north.breaks]\n{line}\n")
