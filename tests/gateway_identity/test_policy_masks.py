"""Masks of fields by role."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway.policy.policy import DEPTH_MAX
from pipeline.gateway.policy.reading import parse_policy
from tests.gateway_identity.people import person

POLICY = parse_policy(
    """
[roles.clerk]
about = "reads payments"
queries = ["payments"]
[roles.clerk.masks]
"*.text" = "hidden"
"payments.iban" = "last_four"

[roles.trainee]
about = "reads payments, sees less"
queries = ["payments"]
[roles.trainee.masks]
"payments.text" = "last_four"
"payments.iban" = "hidden"
"payments.amount" = "hidden"

[roles.stranger]
about = "reads something else"
queries = ["balances"]
"""
)
ROW = {"iban": "CH9300762011623852957", "text": "for Bob", "amount": 5, "state": "settled"}


def masked(*roles: str, row: dict[str, Any] = ROW, tenant: str = "north") -> dict[str, Any]:
    """Return a row of payments as someone with roles in `north` sees it."""
    return POLICY.mask(person(*roles), tenant, "payments", row)


def test_a_field_is_hidden_or_shows_its_end() -> None:
    assert masked("clerk") == {"iban": "…2957", "text": None, "amount": 5, "state": "settled"}


def test_of_several_roles_each_field_has_the_mildest_mask() -> None:
    assert masked("clerk", "trainee") == {"iban": "…2957", "text": "… Bob", "amount": 5, "state": "settled"}


def test_a_role_that_may_not_read_the_view_unmasks_nothing() -> None:
    assert masked("clerk", "stranger") == masked("clerk")


def test_for_who_may_not_read_a_view_everything_is_hidden() -> None:
    assert masked("stranger") == dict.fromkeys(ROW)
    assert masked("clerk", tenant="south") == dict.fromkeys(ROW)
    assert POLICY.masks_for(person("stranger"), "north", "payments") is None


def test_nested_values_are_masked_too() -> None:
    row = {"steps": [{"text": "secret", "at": 1}, {"more": ({"iban": "AB12345"},)}]}
    assert masked("clerk", row=row) == {"steps": [{"text": None, "at": 1}, {"more": [{"iban": "…2345"}]}]}


def test_what_lies_too_deep_is_hidden() -> None:
    row: dict[str, Any] = {"text": "secret"}
    for _ in range(DEPTH_MAX + 5):
        row = {"down": row}
    assert "secret" not in str(masked("clerk", row=row))


@given(st.text(max_size=20))
def test_the_end_of_a_text_is_never_all_of_it(text: str) -> None:
    shown = masked("clerk", row={"iban": text})["iban"]
    assert len(shown.removeprefix("…")) in (0, 4)
    assert text == "" or text not in shown
