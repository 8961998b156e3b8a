"""Rows of before are readable by the desk, and their items have their earlier form."""

from __future__ import annotations

import pytest

from pipeline.domain.reconciliation.desk.items import taken_over
from pipeline.domain.reconciliation.desk.rows import EARLIER, NEWEST, Line, Posting, decode, pack
from tests.contract.row_kinds import golden_rows


@pytest.mark.parametrize("layout", [1, 2])
@pytest.mark.parametrize(("name", "content"), [("posting", Posting), ("line", Line)])
def test_an_item_of_an_earlier_layout_is_read_and_taken_over(
    name: str, content: type[Posting] | type[Line], layout: int
) -> None:
    for row in golden_rows("reconciliation", name, layout):
        entry = decode(row, content)
        assert entry.form == EARLIER
        modern = taken_over(entry)
        assert modern.form == NEWEST
        assert (modern.amount_minor, modern.currency, modern.day) == (
            *(entry.amount_minor, entry.currency),
            entry.day,
        )
        assert decode(pack(modern), content) == modern


def test_a_posting_that_is_taken_over_has_its_ids_first_and_in_normal_form() -> None:
    entry = Posting(
        *("t", "a", "p-1", "EUR", -5, 20_000, 1, 0),
        *(("pay-1", "entry-1"), ("INV 0012/a", "pay-1", "entry-1")),
        form=EARLIER,
    )
    modern = taken_over(entry)
    assert isinstance(modern, Posting)
    assert (modern.references, modern.own_ids) == (("PAY1", "ENTRY1", "INV0012A"), 2)


def test_a_line_that_is_taken_over_has_no_placeholder_for_a_reference() -> None:
    entry = Line("t", "a", "s-1", 3, "EUR", -5, 20_000, 0, "NOTPROVIDED", b"", False, form=EARLIER)
    modern = taken_over(entry)
    assert isinstance(modern, Line) and modern.references == ()
