"""What is remembered of statements is bounded, and what has ended goes; a year of statements, five a day."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.domain.reconciliation.chain import history, pages
from pipeline.domain.reconciliation.chain.closings import arrive_closing
from pipeline.domain.reconciliation.chain.inputs import Closing, Line, digest
from pipeline.domain.reconciliation.chain.lines import arrive_line
from pipeline.domain.reconciliation.chain.rows import (
    AGAIN_MAX,
    INSTANCES_MAX,
    NEWEST_LINKS,
    PAGES_MAX,
    History,
    Series,
    history_key,
    series_key,
)
from pipeline.domain.reconciliation.chain.sweeping import FAMILIES, forget
from tests.reconciliation_chain.random_chains import arrivals, chain, told
from tests.reconciliation_chain.stories import ACCOUNT, DAY, KEEP_DAYS, Bank, show
from tests.reconciliation_chain.test_properties import FAULTS, broken

SEEDS = st.integers(0, 2**32)


def five_a_day(days: int, statement_id: str = "") -> list[Closing]:
    """Return empty statements that move the balance by one each, their lines left out."""
    return [
        Closing(statement_id or f"S{number}", "EUR", number, number + 1, 0, number // 5 * DAY + number)
        for number in range(5 * days)
    ]


def closed(bank: Bank, closing: Closing) -> list[str]:
    """Apply a closing; return what it opens of the chain."""
    bank.watermark = max(bank.watermark, closing.closed_at)
    outcome = bank.told(arrive_closing(bank.rows, bank.moment, closing))
    return [show(one) for one in outcome.opened if one.kind != "CLOSING_BALANCE"]


def history_of(bank: Bank) -> History:
    found = bank.rows.get(history_key(ACCOUNT, "EUR"), History)
    assert found is not None
    return found


@pytest.mark.parametrize("statement_id", ["", "STMT"], ids=["an id each", "one id"])
def test_a_year_of_five_statements_a_day_is_an_unbroken_chain_in_bounded_rows(statement_id: str) -> None:
    bank, year = Bank(), five_a_day(365, statement_id)
    late = year.pop(40)  # of the first days
    opened = [text for closing in year for text in closed(bank, closing)]
    assert [text.split()[0] for text in opened] == ["OPENING_BALANCE"]
    assert len(history_of(bank).links) <= NEWEST_LINKS
    assert history_of(bank).pages <= PAGES_MAX
    assert max(map(len, bank.table.data.values())) < 16_384
    assert closed(bank, late) == []
    assert not [text for text in bank.standing() if text.startswith("OPENING_BALANCE")]


def test_what_is_older_than_all_that_is_remembered_is_said() -> None:
    bank, years = Bank(), five_a_day(800)
    late = years.pop(7)
    for closing in years:
        closed(bank, closing)
    known = history_of(bank)
    assert known.pages == PAGES_MAX
    assert known.known_from_day > 0
    chain_rows = [key for key in bank.table.data if key[:1] in b"hg"]
    assert len(chain_rows) == 1 + PAGES_MAX
    assert closed(bank, late) == ["GAP 0 S7"]


@given(SEEDS, st.sampled_from(FAULTS), st.booleans())
def test_a_chain_in_pages_is_the_chain_in_one_piece(seed: int, fault: str, shuffled: bool) -> None:
    rng = random.Random(seed)
    said, _ = broken(rng, chain(rng, 14, numbered=rng.random() < 0.5), fault)
    events = arrivals(said)
    if shuffled:
        rng.shuffle(events)
    whole = told(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE_LINKS", 3)
        patch.setattr(pages, "NEWEST_LINKS", 5)
        in_pages = told(events)
    assert in_pages.standing() == whole.standing()
    assert in_pages.keys == whole.keys
    assert history_of(whole).pages == 0
    assert history_of(in_pages).pages


@given(SEEDS, st.sampled_from(FAULTS))
def test_a_statement_that_follows_is_judged_as_if_the_whole_chain_were(seed: int, fault: str) -> None:
    rng = random.Random(seed)
    said, _ = broken(rng, chain(rng, 12, numbered=rng.random() < 0.5), fault)
    events = arrivals(said)
    quick = told(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "follows", lambda *_: False)
        slow = told(events)
    assert quick.table.data == slow.table.data
    assert quick.ever == slow.ever


def test_statements_of_one_id_are_bounded_and_the_complete_ones_go_first() -> None:
    bank = Bank()
    for number in range(4 * INSTANCES_MAX):
        closed(bank, Closing("STMT", "EUR", number, number + 1, 1 if number == 2 else 0, number * DAY))
    series = bank.rows.get(series_key(ACCOUNT, "EUR", "STMT"), Series)
    assert series is not None
    assert series.made == 4 * INSTANCES_MAX
    assert len(series.instances) == INSTANCES_MAX
    assert series.instances[0].number == 3  # it waits for its line
    found = arrive_line(bank.rows, bank.moment, Line("STMT", 1, "EUR", 1, 2, b"late"))
    assert [one.kind for one in found.resolved] == ["SEQUENCE_GAP"]


def test_lines_that_came_again_are_bounded() -> None:
    bank = Bank()
    lines = [Line("S9", number, "EUR", 1, 0, digest(number)) for number in range(1, 2 * AGAIN_MAX)]
    for line in lines:
        arrive_line(bank.rows, bank.moment, line)
    closed(bank, Closing("S9", "EUR", 0, len(lines), len(lines), 0))
    for line in lines:
        assert arrive_line(bank.rows, bank.moment, line).what == "REPEAT"
    series = bank.rows.get(series_key(ACCOUNT, "EUR", "S9"), Series)
    assert series is not None
    assert len(series.again) == AGAIN_MAX


def test_what_is_refused_leaves_nothing_behind() -> None:
    bank = Bank()
    arrive_line(bank.rows, bank.moment, Line("S9", 1, "EUR", AMOUNT_LIMIT, 0, b"1"))
    before = dict(bank.table.data)
    with pytest.raises(Reject, match="overflow"):
        arrive_line(bank.rows, bank.moment, Line("S9", 2, "EUR", 1, 0, b"2"))
    with pytest.raises(Reject, match="line_no_must_not_be_negative"):
        arrive_line(bank.rows, bank.moment, Line("S9", -1, "EUR", 1, 0, b"2"))
    with pytest.raises(Reject, match="line_count_must_not_be_negative"):
        arrive_closing(bank.rows, bank.moment, Closing("S9", "EUR", 0, 0, -1, 0))
    assert bank.table.data == before


INT64 = st.integers(-(2**63), 2**63 - 1)
AMOUNTS = st.integers(-AMOUNT_LIMIT, AMOUNT_LIMIT) | st.integers(-3, 3)
TIMES = INT64 | st.integers(0, 3 * DAY)
IDS = st.sampled_from(("", "S9"))
LINES = st.builds(
    lambda statement_id, number, amount, at: Line(
        statement_id, number, "EUR", amount, at // DAY, digest(number % 3, amount)
    ),
    IDS,
    INT64 | st.integers(0, 4),
    AMOUNTS,
    TIMES,
)
CLOSINGS = st.builds(
    Closing,
    IDS,
    st.just("EUR"),
    AMOUNTS,
    AMOUNTS,
    INT64 | st.integers(0, 4),
    TIMES,
    st.none() | INT64 | st.integers(0, 3),
    st.none() | INT64 | st.integers(0, 3),
    st.none() | TIMES,
)


@given(st.lists(LINES | CLOSINGS, max_size=12), INT64)
def test_whatever_numbers_come_rows_can_be_written_and_breaks_be_said(
    events: list[Line | Closing], watermark: int
) -> None:
    bank = Bank()
    bank.watermark = watermark
    for event in events:
        before = dict(bank.table.data)
        try:
            outcome = bank.tell_line(event) if isinstance(event, Line) else bank.tell_closing(event)
        except Reject:
            assert bank.table.data == before
            continue
        figures = [outcome.stale_at or 0, *(one.amount_minor for one in outcome.opened)]
        assert all(-(2**63) <= figure < 2**63 for figure in figures)
    bank.told(history.fall_stale(bank.rows, bank.moment, "EUR"))


def swept(bank: Bank) -> None:
    """Hand back every key whose time has come, as the desk's queue does."""
    queue, bank.ended = bank.ended, []
    for at, key in queue:
        assert chr(key[0]) in FAMILIES
        if not bank.moment.is_over(at):
            bank.ended.append((at, key))
        elif (again := forget(bank.rows, bank.moment, key)) is not None:
            bank.ended.append((again, key))


@given(SEEDS, st.sampled_from(("none", "doubled", "removed")))
def test_what_has_ended_goes_and_deleting_it_decides_nothing(seed: int, fault: str) -> None:
    rng = random.Random(seed)
    said, _ = broken(rng, chain(rng, 8, numbered=False), fault)
    once, bank = told(arrivals(said)), told(arrivals(said))
    later = max(one.closing.closed_at for one in said) + (KEEP_DAYS + 2) * DAY
    once.watermark = bank.watermark = later
    swept(bank)
    assert {key[:1] for key in bank.table.data} == {b"h"}
    assert bank.ended == []
    fresh = [msgspec.structs.replace(line, booked_day=later // DAY) for line in said[0].lines]
    for line in fresh:
        kept, gone = arrive_line(once.rows, once.moment, line), arrive_line(bank.rows, bank.moment, line)
        assert msgspec.to_builtins(kept, builtin_types=(bytes,)) == msgspec.to_builtins(
            gone, builtin_types=(bytes,)
        )


def test_statements_with_an_open_break_stay_until_it_is_resolved() -> None:
    bank = Bank()
    bank.tell("5 close S9 0->10 1")
    bank.watermark = (KEEP_DAYS + 20) * DAY
    swept(bank)
    assert series_key(ACCOUNT, "EUR", "S9") in bank.table.data
    line = Line("S9", 1, "EUR", 10, 5, digest("late"))
    assert [one.kind for one in bank.told(arrive_line(bank.rows, bank.moment, line)).resolved] == [
        "SEQUENCE_GAP"
    ]
    bank.watermark += (2 * KEEP_DAYS) * DAY
    swept(bank)
    bank.watermark += (2 * KEEP_DAYS) * DAY
    swept(bank)
    assert {key[:1] for key in bank.table.data} == {b"h"}


def test_a_content_is_known_for_as_long_as_its_last_place() -> None:
    bank = Bank()
    bank.tell("0 line S1/1 -5 FEE booked:0")
    bank.tell(f"{KEEP_DAYS - 100} line S2/1 -5 FEE booked:0")
    bank.watermark = (KEEP_DAYS + 50) * DAY
    swept(bank)
    assert bank.tell(f"{KEEP_DAYS + 50} line S2/1 -5 FEE booked:0").what == "REPEAT"


def test_rows_are_of_one_account_only() -> None:
    bank, other = Bank(), MemoryRows()
    bank.tell("5 line S9/1 -100")
    assert other.data == {}
    assert all(key.split(b"\0")[1:3] == [b"acme", b"nostro"] for key in bank.table.data)
