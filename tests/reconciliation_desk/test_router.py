"""What the desk does with each event of its log beside postings, lines and closings: a story each."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.desk.rows import MISSING, OPEN, Posting
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.weights import Weights, from_json
from tests.reconciliation_desk.branch import ANNA, BOB, DAY, Branch, entries, pending, with_
from tests.reconciliation_desk.test_stream import breaks, event_of, matches


def tell(branch: Branch, *texts: str) -> list[Any]:
    """Apply events of `test_stream.event_of`; return what is said."""
    said = []
    for text in texts:
        branch.number += 1
        said += branch.apply(event_of(text, branch.number))
    return said


def item(branch: Branch, name: str) -> Any:
    """Return a posting by its id, or a line by statement and number."""
    (found,) = [
        one
        for one in entries(branch.rows)
        if name == (one.posting_id if isinstance(one, Posting) else f"{one.statement_id}/{one.line_no}")
    ]
    return found


# --- what is broadcast


def rate(branch: Branch, day: float, base: str, quote: str, rate_e8: int, **more: Any) -> ev.RateQuoted:
    common = branch.common(day)
    del common["account_id"]
    return ev.RateQuoted(
        **{**common, "effective_from": common["occurred_at"], **more},
        base_currency=base,
        quote_currency=quote,
        rate_e8=rate_e8,
    )


def weights(branch: Branch, given: Weights | str | None, **more: Any) -> ev.MatchingWeightsPublished:
    common = branch.common(0)
    del common["account_id"]
    text = given.canonical().decode() if isinstance(given, Weights) else given
    fields: dict[str, Any] = {
        **common,
        "role": "LIVE",
        "of_tenant": "acme",
        "weights": text,
        "sha256": None if text is None else sha256(text.encode()).hexdigest(),
        "effective_from": 0,
    }
    return ev.MatchingWeightsPublished(**{**fields, **more})


def test_a_rate_holds_both_ways_from_minor_to_minor_units_from_its_day_on() -> None:
    branch = Branch()
    branch.apply(rate(branch, 10, "EUR", "USD", 125_000_000))
    branch.apply(rate(branch, 10, "EUR", "JPY", 160 * 10**8))
    known = branch.account().knowledge
    assert known.rate_e8("EUR", "USD", 9) is None
    assert [known.rate_e8("EUR", "USD", day) for day in (10, 99)] == [125_000_000] * 2
    assert known.rate_e8("USD", "EUR", 10) == 80_000_000
    assert known.rate_e8("EUR", "JPY", 10) == 160_000_000, "a cent is 1.6 yen"
    assert known.rate_e8("JPY", "EUR", 10) == 62_500_000
    branch.apply(rate(branch, 10, "EUR", "USD", 110_000_000))
    assert branch.account().knowledge.rate_e8("EUR", "USD", 10) == 110_000_000


def test_a_payment_in_another_currency_is_matched_at_the_days_rate() -> None:
    texts = ("10 posting P1 -10037", "12 line S1/1 -9033")
    for quoted in (False, True):
        branch = Branch()
        if quoted:
            branch.apply(rate(branch, 9, "USD", "EUR", 90_000_000))
        posting, line = (event_of(text, number) for number, text in enumerate(texts))
        branch.apply(with_(posting, currency="USD"))
        said = branch.apply(line) + tell(branch, "90 tick")
        assert matches(said) == (["S1/1 P1 SCORED"] if quoted else [])


@pytest.mark.parametrize(
    "change", [{"rate_e8": 0}, {"rate_e8": -1}, {"rate_e8": 10**18}, {"quote_currency": "EUR"}]
)
def test_no_rate_is_a_dead_letter_and_leaves_nothing(change: dict[str, Any]) -> None:
    branch = Branch()
    with pytest.raises(Reject, match="invalid_rate"):
        branch.apply(with_(rate(branch, 10, "EUR", "USD", 10**8), **change))
    assert branch.rows.data == {}


SHY = from_json(
    DEFAULT_WEIGHTS.canonical().replace(
        b'"confirm_from":%d' % DEFAULT_WEIGHTS.confirm_from, b'"confirm_from":60000'
    )
)
TWO = ("10 posting P1 -500", "12 line S1/1 -500")


def test_what_is_suggested_stands_so_until_it_is_a_break() -> None:
    branch = Branch()
    tell(branch, *(f"1 posting P{number} -5000" for number in (1, 2)))
    tell(branch, *(f"1 line S1/{number} -5000" for number in (1, 2)), "40 tick", "50 tick")
    asked = [one for one in branch.said if isinstance(one, ev.MatchSuggested)]
    assert asked
    standing = branch.figures(1)["open"]
    assert standing["suggested"]["items"] == len(asked)
    tell(branch, "90 tick", "130 tick")
    assert branch.figures(1)["open"].keys() <= {"explained", "unexplained"}


def test_published_weights_decide_from_their_time_on() -> None:
    branch = Branch()
    branch.apply(weights(branch, SHY, effective_from=11 * DAY))
    assert tell(branch, *TWO) == []
    suggested = tell(branch, "60 tick")
    assert {one.weights_sha256 for one in suggested} == {SHY.hash()}
    later = Branch()
    later.apply(weights(later, SHY, effective_from=13 * DAY))
    (match,) = tell(later, *TWO)
    assert match.weights_sha256 == DEFAULT_WEIGHTS.hash()


def test_a_tenants_own_weights_come_before_those_of_all_and_null_are_the_products() -> None:
    branch = Branch()
    branch.apply(weights(branch, SHY, tenant_id="*", of_tenant=None))
    assert tell(branch, *TWO) == []
    branch = Branch()
    branch.apply(weights(branch, SHY, tenant_id="*", of_tenant=None))
    branch.apply(weights(branch, None))
    assert [one.weights_sha256 for one in tell(branch, *TWO)] == [DEFAULT_WEIGHTS.hash()]
    branch = Branch()
    branch.apply(weights(branch, SHY, role="SHADOW"))
    assert len(tell(branch, *TWO)) == 1, "they decide nothing"


BAD_WEIGHTS: dict[str, tuple[dict[str, Any], str]] = {
    "of another tenant": ({"of_tenant": "north"}, "wrong_tenant"),
    "of all, under a tenant": ({"of_tenant": None}, "wrong_tenant"),
    "another hash": ({"sha256": "0" * 64}, "wrong_hash"),
    "a hash of nothing": ({"weights": None}, "wrong_hash"),
}


@pytest.mark.parametrize(("change", "code"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS.keys())
def test_weights_that_are_none_are_a_dead_letter(change: dict[str, Any], code: str) -> None:
    branch = Branch()
    with pytest.raises(Reject, match=code):
        branch.apply(weights(branch, SHY, **change))
    assert branch.rows.data == {}


@pytest.mark.parametrize("text", ["", "{}", SHY.canonical().decode() + " ", '{"version":1}'])
def test_weights_in_another_form_are_a_dead_letter(text: str) -> None:
    branch = Branch()
    with pytest.raises(Reject, match="invalid_weights"):
        branch.apply(weights(branch, text))


def test_an_event_of_another_log_is_a_dead_letter() -> None:
    branch = Branch()
    common = branch.common(1)
    del common["account_id"]
    with pytest.raises(Reject, match="unexpected_event"):
        branch.apply(ev.PriceQuoted(**common, instrument_id="X", price_e8=1, currency="EUR"))


# --- time


def test_an_account_without_events_falls_due_by_ticks_and_its_item_becomes_a_break() -> None:
    branch = Branch()
    tell(branch, "10 posting P1 -12345 A10001")
    said = [one for day in range(11, 60) for one in branch.tick(day)]
    assert breaks(said) == ["MISSING_EXTERNAL P1"]
    assert item(branch, "P1").status == MISSING
    assert branch.tick(70) == [] and pending(branch.rows, "t") == 0, "it waits for nothing any more"


def test_much_that_is_due_goes_on_by_events_of_its_own() -> None:
    branch = Branch()
    tell(
        branch,
        *(f"10 posting P{number} -{12_345 + 7919 * number} A{10_000 + number}" for number in range(30)),
    )
    tell(branch, "60 tick")
    said = tell(branch, "100 tick")
    assert 0 < len(breaks(said)) < 30 and len(branch.log) == 1
    assert len(breaks(said + branch.goes_on())) == 30
    assert {one.status for one in entries(branch.rows)} == {MISSING}


def test_statements_that_stop_are_a_break_that_the_next_one_resolves() -> None:
    branch = Branch()
    tell(branch, *(f"{day} close S{day} 100 100 0" for day in range(10, 20)))
    said = [one for day in range(20, 26) for one in branch.tick(day)]
    assert breaks(said) == ["STALE S19"]
    (resolved,) = tell(branch, "26 close S26 100 100 0")[-1:]
    assert isinstance(resolved, ev.BreakResolved) and resolved.kind == "STALE"
    assert branch.figures(26)["unsound_statements"] == 0


# --- people


def test_what_people_say_of_matches_counts() -> None:
    branch = Branch()
    tell(branch, "10 posting P1 -12345 A10001", "10 line S1/1 -500 B20002")
    line = item(branch, "S1/1")
    (match,) = branch.decides(11, ev.MatchConfirmed, [line], "P1")
    assert (match.tier, match.difference_minor, match.actor) == ("PERSON", 11_845, ANNA)
    assert branch.figures(10)["match_rate_by_tier_ppm"] == {"PERSON": 1_000_000}
    (refused,) = branch.decides(11, ev.MatchConfirmed, [line], "P1")
    assert refused.code == "already_matched"
    branch.decides(12, ev.MatchRejected, [line], "P1")
    assert branch.figures(10)["open"] == {"waiting": {"items": 2, "minor": 12_845}}
    assert {one.status for one in entries(branch.rows)} == {OPEN}


def test_a_match_that_is_rejected_does_not_come_again_and_its_words_are_counted_once() -> None:
    branch = Branch()
    (match,) = tell(branch, *TWO)
    assert match.tier == "SCORED"
    assert branch.account().desk.met == 1, "the line has met; the posting still waits for its reference"
    branch.decides(13, ev.MatchRejected, [item(branch, "S1/1")], "P1")
    said = [one for day in range(14, 110) for one in branch.tick(day)]
    assert branch.account().desk.met == 2
    assert matches(said) == [] and not [one for one in said if isinstance(one, ev.MatchSuggested)]
    assert sorted(one.status for one in entries(branch.rows)) == [MISSING, MISSING]


def test_words_of_an_item_that_had_not_met_are_counted_when_it_does() -> None:
    branch = Branch()
    tell(branch, "10 posting P1 -500 A10001", "10 line S1/1 -500 A10001")
    assert branch.account().desk.met == 0
    branch.decides(11, ev.MatchRejected, [item(branch, "S1/1")], "P1")
    tell(branch, "13 tick")
    assert branch.account().desk.met == 2


def test_what_people_do_about_a_break_moves_its_item() -> None:
    branch = Branch()
    tell(branch, "10 line S1/1 -350", "60 tick", "70 tick")
    (life,) = branch.lives()
    break_id = item(branch, "S1/1").break_id
    assert life.kind == "MISSING_INTERNAL" and item(branch, "S1/1").standing == "UNEXPLAINED"
    (changed,) = branch.apply(
        ev.BreakAssigned(**branch.common(71), break_id=break_id, assignee="bob", actor=ANNA)
    )
    assert (changed.change, item(branch, "S1/1").standing) == ("ASSIGNED", "UNEXPLAINED")


def accepted(branch: Branch, break_id: str, day: float) -> None:
    """Let two people accept a break as it is; nothing is posted."""
    asked = ev.BreakWrittenOff(**branch.common(day), break_id=break_id, reason="small", actor=ANNA)
    branch.apply(asked)
    branch.apply(
        ev.CorrectionApproved(
            **branch.common(day), break_id=break_id, correction_id=asked.event_id, actor=BOB
        )
    )


def test_a_statement_is_unsound_while_it_has_an_open_break() -> None:
    branch = Branch()
    tell(branch, "10 line S1/1 100", "10 close S1 0 150 1")
    assert (branch.figures(10)["statements"], branch.figures(10)["unsound_statements"]) == (1, 1)
    opened = next(one for one in branch.said if isinstance(one, ev.BreakOpened))
    assert (opened.kind, opened.since) == ("CLOSING_BALANCE", 10)
    accepted(branch, opened.break_id, 11)
    assert branch.figures(10)["unsound_statements"] == 0
    branch.apply(ev.BreakReopened(**branch.common(12), break_id=opened.break_id, reason="not so", actor=ANNA))
    assert branch.figures(10)["unsound_statements"] == 1


def test_the_age_of_a_statements_break_counts_from_its_closing() -> None:
    branch = Branch()
    tell(branch, "10 line S1/1 100", "10 close S1 0 150 2")
    said = tell(branch, "10 line S1/2 70 day:12")
    (opened,) = [one for one in said if isinstance(one, ev.BreakOpened)]
    assert (opened.kind, opened.since) == ("CLOSING_BALANCE", 10)
    assert branch.figures(10)["unsound_statements"] == 1


def test_a_line_that_was_missing_makes_a_statement_sound() -> None:
    branch = Branch()
    tell(branch, "10 line S1/1 100", "10 close S1 0 150 2")
    assert branch.figures(10)["unsound_statements"] == 1
    assert branch.figures(10)["completeness_ppm"] == 500_000
    tell(branch, "10 line S1/2 50")
    assert branch.figures(10)["unsound_statements"] == 0
    assert branch.figures(10)["completeness_ppm"] == 1_000_000
