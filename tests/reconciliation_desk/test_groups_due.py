"""What a due item is by groups, read from an account's index: as `groups` says of all items that are open."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.groups_due import (
    candidate_of,
    decide_groups,
    kind_of_due,
    tier_of,
)
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.neighbours import ROWS_MAX, Neighbours
from pipeline.domain.reconciliation.desk.rejections import digest_of, with_rejected
from pipeline.domain.reconciliation.desk.rows import CLAIMED, Entry, Line, Posting
from pipeline.domain.reconciliation.groups.around import Around
from pipeline.domain.reconciliation.groups.search import find_group
from pipeline.domain.reconciliation.groups.worth import NOTHING_UNKNOWN, RULES_WORTH

DAY = 86_400_000_000


def entry_of(text: str) -> Entry:
    """Return an item: `posting P1 100 [day:3] [ref:A] [words:A,B] ...` or `line 1 ...` (of statement S)."""
    kind, name, amount, *more = text.split()
    about: dict[str, Any] = {}
    for option in more:
        field, _, value = option.partition(":")
        about[field] = value
    day, references = int(about.get("day", 0)), tuple(filter(None, about.get("ref", "").split(",")))
    words = tuple(sorted(filter(None, about.get("words", "").split(","))))
    common = {"words": words, "sought": words, "status": about.get("status", "OPEN")}
    if kind == "posting":
        own = int(about.get("own", 0))
        return Posting("t", "a", name, "EUR", int(amount), day, 1, 0, (), references, own_ids=own, **common)
    details = tuple(
        (int(part.split("/")[0]), "EUR", tuple(part.split("/")[1:]), (), ())
        for part in filter(None, about.get("details", "").split(","))
    )
    line = Line("t", "a", "S", int(name), "EUR", int(amount), day, 0, "", b"", False, **common)
    return msgspec.structs.replace(
        line, line_id=f"line{name}", references=references, booked_day=day, kind=about.get("kind", ""),
        details=details,
    )  # fmt: skip


def desk_of(*texts: str, loaded: bool = True) -> tuple[AccountDesk, list[Entry], MemoryRows]:
    """Return an account with items, and the items; `loaded`: its index is read at once."""
    rows = MemoryRows()
    account = AccountDesk(rows, "t", "a", DAY)
    entries = [account.write(entry_of(text)) for text in texts]
    account.close()
    return AccountDesk(rows, "t", "a", DAY, 1_000 if loaded else 0), entries, rows


def near_of(account: AccountDesk, *reserved: bytes) -> Neighbours:
    return Neighbours(account, lambda entry: entry.key not in reserved, lambda ended_at: ended_at < 5)


def decided(*texts: str, loaded: bool = True, reserved: tuple[bytes, ...] = ()) -> list[str]:
    """Return what becomes of the first item: tier and its items, or `?` and those that it may be of."""
    account, (due, *_), _ = desk_of(*texts, loaded=loaded)
    near = near_of(account, *reserved)
    decision = decide_groups(due, near.around(as_item(due)), near)
    if decision.confirmed is not None:
        return [shown(tier_of(decision.confirmed), decision.confirmed.keys)]
    return [shown("?", group.keys) for group in decision.suggested]


def shown(what: str, keys: tuple[bytes, ...]) -> str:
    return " ".join((what, *sorted(key.partition(b"\0")[2].decode() for key in keys)))


STORIES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "three invoices by one transfer, by reference": (
        (
            "line 1 60137 ref:R7",
            "posting P1 10011 ref:R7",
            "posting P2 20023 ref:R7",
            "posting P3 30103 ref:R7",
        ),
        ["GROUP P1 P2 P3 line1"],
    ),
    "found by whichever of them is due first": (
        (
            "posting P1 10011 ref:R7",
            "line 1 60137 ref:R7",
            "posting P2 20023 ref:R7",
            "posting P3 30103 ref:R7",
        ),
        ["GROUP P1 P2 P3 line1"],
    ),
    "a posting paid by two lines": (
        ("posting P1 -30034 ref:R1", "line 1 -10011 ref:R1", "line 2 -20023 ref:R1"),
        ["GROUP P1 line1 line2"],
    ),
    "a booking that the bank takes back": (
        ("line 2 -12345 ref:R1 kind:REVERSAL day:1", "line 1 12345 ref:R1"),
        ["REVERSAL line1 line2"],
    ),
    "a journal that is reversed before anything was paid": (
        ("posting P1 12345 ref:R1", "posting P2 -12345 ref:R1 day:1"),
        ["REVERSAL P1 P2"],
    ),
    "a batch whose statement says what is in it": (
        (
            "line 1 30034 kind:BATCH details:10011/A,20023/B",
            "posting P1 10011 ref:A",
            "posting P2 20023 ref:B",
            "posting P3 20023 ref:C",
        ),
        ["GROUP P1 P2 line1"],
    ),
    "amounts alone, to the cent": (
        ("line 1 3003417", "posting P1 1001106", "posting P2 2002311"),
        ["GROUP P1 P2 line1"],
    ),
    "round amounts say too little": (
        ("line 1 30000", "posting P1 10000", "posting P2 20000", "posting P3 10000 day:3"),
        [],
    ),
    "nothing around it": (("line 1 30000",), []),
}


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize(("texts", "wanted"), STORIES.values(), ids=STORIES.keys())
def test_story(texts: tuple[str, ...], wanted: list[str], loaded: bool) -> None:
    found = decided(*texts, loaded=loaded)
    if wanted:
        assert found == wanted
    else:
        assert all(one.startswith("?") for one in found)


def test_an_item_that_waits_for_its_correction_is_of_no_group() -> None:
    texts, _ = STORIES["a posting paid by two lines"]
    assert decided(*texts, reserved=(b"l\0line2",)) == []


def test_what_a_person_has_rejected_is_neither_confirmed_nor_suggested() -> None:
    texts, _ = STORIES["a posting paid by two lines"]
    account, (due, *others), _ = desk_of(*texts)
    near = near_of(account)
    rejected = with_rejected(due, digest_of([due.key, *(one.key for one in others)]))
    decision = decide_groups(rejected, near.around(as_item(rejected)), near)
    assert (decision.confirmed, decision.suggested) == (None, ())


def test_a_group_is_told_as_a_candidate() -> None:
    texts, _ = STORIES["a posting paid by two lines"]
    account, (due, *_), _ = desk_of(*texts)
    near = near_of(account)
    group = decide_groups(due, near.around(as_item(due)), near).confirmed
    assert group is not None
    told = candidate_of(account, group)
    assert [(line.statement_id, line.line_no, line.line_id) for line in told.lines] == [
        ("S", 1, "line1"),
        ("S", 2, "line2"),
    ]
    assert (told.posting_ids, told.score) == (("P1",), sum(part.score for part in told.parts))


KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "the books alone": (("posting P1 5000",), "MISSING_EXTERNAL"),
    "the bank alone": (("line 1 5000",), "MISSING_INTERNAL"),
    "a part by reference": (("line 1 -5011 ref:R1", "posting P1 -12345 ref:R1"), "PARTIAL"),
    "two digits swapped": (("line 1 -12354 ref:R1", "posting P1 -12345 ref:R1"), "AMOUNT"),
    "the other sign": (("line 1 12345 ref:R1", "posting P1 -12345 ref:R1"), "SIGN"),
    "a fee by the bank's word": (("line 1 -500 kind:FEE",), "FEE"),
    "it repeats a matched one": (
        ("line 2 -12345 ref:R1 day:1", "line 1 -12345 ref:R1 status:CLAIMED"),
        "DUPLICATE",
    ),
    "another reference, the only one of its size": (
        ("line 1 -12345 ref:R1", "posting P1 -12345 ref:X9"),
        "REFERENCE",
    ),
}


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize(("texts", "kind"), KINDS.values(), ids=KINDS.keys())
def test_kind(texts: tuple[str, ...], kind: str, loaded: bool) -> None:
    account, (due, *_), _ = desk_of(*texts, loaded=loaded)
    named = kind_of_due(due, near_of(account).around(as_item(due)))
    assert named is not None and named.kind == kind


def test_a_match_that_is_over_is_not_remembered() -> None:
    texts, _ = KINDS["it repeats a matched one"]
    account, (due, before), _ = desk_of(*texts)
    account.write(msgspec.structs.replace(before, ended_at=4))
    assert near_of(account).around(as_item(due)).settled == ()
    account.write(msgspec.structs.replace(before, ended_at=5))
    assert [item.key for item in near_of(account).around(as_item(due)).settled] == [before.key]


def test_the_posting_of_a_matched_line_is_around_its_repetition() -> None:
    account, (due, line, posting), _ = desk_of(
        "posting P2 -12345 ref:R1", "line 1 -12345 ref:R1 status:CLAIMED", "posting P1 -12345 ref:R1"
    )
    account.write(msgspec.structs.replace(line, leader=line.key, partners=(posting.key,)))
    account.write(msgspec.structs.replace(posting, status=CLAIMED, leader=line.key))
    around = near_of(account).around(as_item(due))
    assert [item.key for item in around.settled] == [line.key, posting.key]
    named = kind_of_due(due, around)
    assert named is not None and (named.kind, named.others) == ("DUPLICATE", (posting.key,))


# --- bounds


def test_many_items_are_not_all_read_and_that_is_said() -> None:
    postings = [f"posting P{number:04d} {1_000 + number}" for number in range(400)]
    account, (due, *_), rows = desk_of("line 1 50000", *postings, loaded=False)
    read: list[bytes] = []
    get = rows.get
    rows.get = lambda key: read.append(key) or get(key)  # type: ignore[method-assign,func-returns-value]
    around = near_of(account).around(as_item(due))
    assert around.unknown == RULES_WORTH["DAY"]
    assert len(around.other) == 64, "a look-up to either side; all are below"
    assert len([key for key in read if key[:1] == b"o"]) <= ROWS_MAX


def test_references_that_many_have_leave_the_rule_of_references_unsure() -> None:
    postings = [f"posting P{number:04d} {1_000 + number} ref:R" for number in range(70)]
    account, (due, *_), _ = desk_of("line 1 50000 ref:R", *postings)
    assert near_of(account).around(as_item(due)).unknown == RULES_WORTH["REFERENCE"]


SMALL = st.lists(
    st.builds(
        lambda kind, amount, day, ref, word: (kind, amount, day, ref, word),
        st.sampled_from(["line", "posting"]),
        st.sampled_from([-300, -211, -89, 89, 100, 211, 300, 400]),
        st.integers(0, 3),
        st.sampled_from(["", "R1", "R2", "R1,R2"]),
        st.sampled_from(["", "ACME", "ACME,CORP"]),
    ),
    min_size=1,
    max_size=12,
)


@given(SMALL, st.booleans())
def test_of_few_items_all_are_around_and_the_groups_are_those_of_a_plain_list(
    items: list[tuple[str, int, int, str, str]], loaded: bool
) -> None:
    texts = [
        f"{kind} {place} {amount} day:{day} ref:{ref} words:{word}"
        for place, (kind, amount, day, ref, word) in enumerate(items)
    ]
    account, (due, *others), _ = desk_of(*texts, loaded=loaded)
    item, around = as_item(due), near_of(account).around(as_item(due))
    plain = sorted((as_item(one) for one in others), key=lambda one: one.key)
    same = tuple(one for one in plain if one.is_line == item.is_line)
    other = tuple(one for one in plain if one.is_line != item.is_line)
    assert (around.same, around.other, around.unknown) == (same, other, NOTHING_UNKNOWN)
    assert find_group(item, around) == find_group(item, Around(account.knowledge, same, other))
