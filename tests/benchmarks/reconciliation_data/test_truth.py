"""The truth is consistent, and each kind is what its words say."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from tests.benchmarks.reconciliation_data.days import DAYS
from tests.benchmarks.reconciliation_data.frozen import generated
from tests.benchmarks.reconciliation_data.generator import DEFAULT, FAMILIES, SERIES, SMALL
from tests.benchmarks.reconciliation_data.kinds import KINDS
from tests.benchmarks.reconciliation_data.tables import DataSet
from tests.benchmarks.reconciliation_data.texts import creditor_reference

Row = dict[str, Any]
EQUAL = {
    *("clean", "no_reference", "truncated", "rewritten", "reference_in_text", "respelled_reference"),
    *("placeholder", "constant_reference", "late", "weekly", "twins", "value_past", "value_wrong"),
    *("booked_before", "batch_reference", "batch_bare", "returned"),
}
"""Kinds of which each line has the sum of its postings."""


class Case(NamedTuple):
    """One instance: (line or None, its postings) for each row of the truth."""

    kind: str
    links: list[tuple[Row | None, list[Row]]]

    @property
    def lines(self) -> list[Row]:
        return [line for line, _ in self.links if line is not None]

    @property
    def postings(self) -> list[Row]:
        return list({one["posting_id"]: one for _, ours in self.links for one in ours}.values())


@pytest.fixture(scope="module")
def made() -> DataSet:
    return generated("small", 1)


@pytest.fixture(scope="module")
def cases(made: DataSet) -> list[Case]:
    ours = {row["posting_id"]: row for row in made.postings.to_pylist()}
    theirs = {row["line_id"]: row for row in made.lines.to_pylist()}
    found: dict[int, Case] = {}
    for row in made.truth.to_pylist():
        case = found.setdefault(row["instance"], Case(row["kind"], []))
        line = None if row["line_id"] is None else theirs[row["line_id"]]
        case.links.append((line, [ours[one] for one in row["posting_ids"]]))
    return list(found.values())


def test_each_item_is_in_the_truth_of_one_instance_and_a_line_once(made: DataSet) -> None:
    rows = made.truth.to_pylist()
    lines = [row["line_id"] for row in rows if row["line_id"] is not None]
    assert sorted(lines) == made.lines["line_id"].to_pylist()
    of = defaultdict(set)
    for row in rows:
        for one in row["posting_ids"]:
            of[one].add(row["instance"])
    assert sorted(of) == made.postings["posting_id"].to_pylist()
    assert all(len(instances) == 1 for instances in of.values())


def test_sums_agree_where_they_must(cases: list[Case]) -> None:
    for case in cases:
        sums = [
            (line["amount_minor"], sum(one["amount_minor"] for one in ours))
            for line, ours in case.links
            if line
        ]
        if case.kind in EQUAL:
            assert all(theirs == ours for theirs, ours in sums), case
        total = sum(line["amount_minor"] for line in case.lines)
        booked = sum(one["amount_minor"] for one in case.postings)
        match case.kind:
            case "split" | "partial_paid":
                assert total == booked and len(case.lines) > 1 and len(case.postings) == 1
            case "partial_open":
                assert 0 < total / booked < 1
            case "reversal_bank":
                assert total == 0 and not case.postings and len(case.lines) == 2
            case "reversal_books":
                assert booked == 0 and not case.lines and len(case.postings) == 2
            case "fee_flat" | "fee_percent":
                assert total < booked and booked - total <= max(abs(booked) * 3 // 100, 2_500)
            case "fee_line":
                assert sums[0][0] == sums[0][1] and sums[1][0] < 0 == sums[1][1]
            case "fx":
                assert total < booked and abs(total - booked) < abs(booked) * 8 // 100
            case "fx_foreign":
                assert case.postings[0]["currency"] != case.lines[0]["currency"]
            case "wrong_sign":
                assert total == -booked
            case "typed_wrong":
                assert total != booked
                assert sorted(f"{abs(total):010d}") == sorted(f"{abs(booked):010d}")
            case "duplicate_reference" | "duplicate_bare":
                assert total == 2 * booked
                assert len({(one["reference"], one["description"]) for one in case.lines}) == 1
            case "missing_internal":
                assert not case.postings
            case "missing_external":
                assert not case.lines


def test_times_are_as_the_kinds_say(made: DataSet, cases: list[Case]) -> None:
    usual: dict[str, timedelta] = {}
    for case in cases:
        if case.kind == "clean":
            lag = case.lines[0]["booked_at"] - case.postings[0]["occurred_at"]
            account = case.lines[0]["account_id"]
            usual[account] = max(usual.get(account, lag), lag)
    assert usual["nostro-eur"] < timedelta(5) < timedelta(6) < usual["quiet"] < timedelta(11)
    for case in cases:
        for line, ours in case.links:
            if line is None or not ours:
                continue
            lag = line["booked_at"] - ours[0]["occurred_at"]
            value = line["value_date"] - line["booked_at"].date()
            match case.kind:
                case "late":
                    assert timedelta(7) <= lag + timedelta(hours=12) < timedelta(23)
                case "booked_before":
                    assert timedelta(3) < -lag < timedelta(17)
                case "value_past":
                    assert timedelta(1) <= -value <= timedelta(10)
                case "value_wrong":
                    assert abs(value) >= timedelta(30)
                case "clean":
                    assert lag > timedelta(hours=-4) and abs(value) < timedelta(4)
                case "twins":
                    assert len({one["occurred_at"].date() for one in case.postings}) == 1
    first = min(made.postings["occurred_at"].to_pylist())
    assert max(made.lines["booked_at"].to_pylist()) - first < timedelta(DAYS)


def test_references_are_as_the_kinds_say(cases: list[Case]) -> None:
    def letters(text: str) -> str:
        return "".join(filter(str.isalnum, text)).upper()

    for case in cases:
        ours = {one["reference"] for one in case.postings}
        theirs = [one["reference"] for one in case.lines]
        match case.kind:
            case "clean" | "value_wrong" | "duplicate_reference" | "batch_reference" | "constant_reference":
                assert [*ours] == [*{*theirs}] and None not in ours
            case (
                "no_reference"
                | "truncated"
                | "rewritten"
                | "weekly"
                | "batch_bare"
                | "duplicate_bare"
                | "twins"
            ):
                assert theirs == [None] * len(theirs)
            case "respelled_reference":
                assert letters(theirs[0]) == letters(*ours)
            case "reference_in_text":
                assert theirs == [None] and letters(*ours) in letters(case.lines[0]["description"])
            case "truncated":
                assert len(case.lines[0]["description"]) <= 35
    assert creditor_reference("539007547034") == "RF18539007547034"


def test_statements_are_a_chain_with_every_line(made: DataSet) -> None:
    amounts = dict(
        zip(made.lines["line_id"].to_pylist(), made.lines["amount_minor"].to_pylist(), strict=True)
    )
    of: defaultdict[str, list[int]] = defaultdict(list)
    for place in made.places.to_pylist():
        of[place["statement_id"]].append(amounts.pop(place["line_id"]))
        assert place["line_no"] == len(of[place["statement_id"]])
    assert not amounts
    before: dict[str, int] = {}
    for row in made.closings.to_pylist():
        opening, closing = row["opening_balance_minor"], row["closing_balance_minor"]
        booked = of[row["statement_id"]]
        assert (closing - opening, row["line_count"]) == (sum(booked), len(booked))
        assert before.get(row["account_id"], opening) == opening
        before[row["account_id"]] = closing


def test_labels_are_a_fifth_of_what_people_could_confirm_and_true(made: DataSet) -> None:
    rows = made.truth.to_pylist()
    of_line = {row["line_id"]: row for row in rows}
    labelled: defaultdict[str, set[str]] = defaultdict(set)
    for label in made.labels.to_pylist():
        labelled[label["line_id"]].add(label["posting_id"])
    for line_id, ours in labelled.items():
        assert ours == {*of_line[line_id]["posting_ids"]}
        assert KINDS[of_line[line_id]["kind"]].matched and of_line[line_id]["kind"] != "twins"
    possible = [row for row in rows if row["line_id"] and row["posting_ids"] and KINDS[row["kind"]].matched]
    assert 0.15 < len(labelled) / len(possible) < 0.25


def test_most_are_clean_each_kind_is_there_and_a_set_is_not_too_large(cases: list[Case]) -> None:
    found = Counter(case.kind for case in cases)
    assert found == {kind: SMALL.count(kind) for kind in KINDS}
    assert 0.69 < found["clean"] / len(cases) < 0.71
    assert sum(len(case.lines) + len(case.postings) for case in cases) < 2_500
    assert min(DEFAULT.count(kind) for kind in KINDS) >= 200
    for kind in KINDS:
        assert sum(hasattr(family, kind) for family in FAMILIES) == 1 or kind in SERIES
