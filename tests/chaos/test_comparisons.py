"""Each comparison by itself: what it lets pass, and what it finds."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.chaos.by_hand import envelope, opened, record
from tests.chaos.comparisons import (
    Problem,
    compare_dead_letters,
    compare_sequence,
    compare_versions,
    duplicated_ids,
    first_of,
)
from tests.chaos.forwarding import predict_forwarding
from tests.chaos.journal_fold import clearing_not_zero, fold_journal
from tests.chaos.ledger_model import Branch
from tests.chaos.log_reader import Record, Schemas
from tests.chaos.planted import compare_planted
from tests.chaos.small_bank import Bank
from tests.chaos.views_check import BALANCE_VIEW, POSITION_VIEW, compare_view, micros
from tests.chaos.wire import (
    ALERTS,
    BALANCES,
    DEAD_LETTERS,
    JOURNAL_EVENTS,
    PAYMENT_EVENTS,
    POSTINGS,
    RESULTS,
    Expected,
    msgpack,
)


def test_rows_are_packed_as_messagepack_is() -> None:
    numbers = [sign * (1 << bits) + more for bits in range(63) for sign in (1, -1) for more in (-1, 0, 1)]
    sizes = (0, 1, 31, 32, 255, 256, 65_535, 65_536)
    values: list[Any] = [*numbers, 2**64 - 1, None, True, False, *("é" * size for size in sizes)]
    values += [*(b"x" * size for size in sizes), [], [1, ["a", None]], list(range(15)), list(range(300))]
    for value in values:
        assert msgpack(value) == msgspec.msgpack.encode(value)


def test_a_value_without_a_frame_is_no_event() -> None:
    schemas = Schemas("http://nobody.invalid")
    found = [schemas.decode(value)[2] for value in (None, b"", b"\0\0", b"\1\0\0\0\1x")]
    assert found == ["no_value", "no_value", "no_header", "wrong_magic_byte"]


def test_while_it_runs_what_is_not_committed_yet_may_be_missing_but_nothing_may_be_too_much() -> None:
    place = (POSTINGS, 0)
    expected = [Expected(POSTINGS, b"k", "E", {"event_id": str(number)}, number) for number in range(3)]
    actual = [record("E", envelope(str(number), account_id="x"), number) for number in range(4)]
    actual = [made._replace(key=b"k") for made in actual]
    assert compare_sequence("model", place, actual[:1], expected, 1) == []
    assert compare_sequence("model", place, actual[:3], expected, 1) == []
    assert "lost tail" in compare_sequence("model", place, actual[:1], expected, 2)[0].text
    assert "nothing has caused" in compare_sequence("model", place, actual, expected, 1)[0].text
    assert "gap" in compare_sequence("model", place, actual[1:3], expected)[0].text
    swapped = [actual[1], actual[0], actual[2]]
    assert "out of order" in compare_sequence("model", place, swapped, expected)[0].text
    doubled = [actual[0], actual[0], actual[1]]
    assert "duplicate" in compare_sequence("model", place, doubled, expected)[0].text
    assert duplicated_ids(doubled, expected) != []


def test_a_state_may_be_left_out_but_not_go_back_and_not_be_the_last_one_missing() -> None:
    place = (BALANCES, 0)
    states = [{"amount": amount} for amount in (1, 2, 3)]
    versions = {b"k": [Expected(BALANCES, b"k", "B", state, at) for at, state in enumerate(states)]}

    def problems(*shown: int, key: bytes = b"k", least: int = 3) -> list[Problem]:
        log = [record("B", envelope("e", account_id="a"), at) for at in range(len(shown))]
        log = [made._replace(key=key, fields=states[one - 1]) for made, one in zip(log, shown, strict=True)]
        return compare_versions("b", place, log, versions, "fields", least)

    assert problems(1, 3) == problems(3) == problems(1, 2, least=2) == problems(least=0) == []
    for bad in (problems(2, 1, 3), problems(2), problems(), problems(3, 3), problems(1, key=b"x")):
        assert bad != []


def test_a_journal_that_grows_may_be_read_up_to_half_an_entry() -> None:
    log = Bank().topics[POSTINGS][0]
    last = max(made.offset for made in log if made.fields.get("side") == "DEBIT")
    assert fold_journal(log[: last + 1], ended=False)[1] == []
    (problem,) = fold_journal(log[: last + 1])[1]
    assert (problem.offset, problem.text) == (last, "half an entry at the end")


def test_what_is_released_or_used_must_have_been_held() -> None:
    log = Bank().topics[POSTINGS][0]
    released = next(made for made in log if made.fields.get("change") == "RELEASED")
    placed = next(made for made in log if made.fields.get("hold_id") == released.fields["hold_id"])
    again = [log[0], log[1], *[placed, placed, released]]
    for forged in ([*log, placed], [*log, released], again, [made for made in log if made is not placed]):
        assert [problem.check for problem in fold_journal(forged)[1]] == ["holds"]


def test_money_in_flight_is_a_problem_when_it_is_quiet() -> None:
    bank = Bank()
    folds = [fold_journal(bank.topics[POSTINGS][number])[0] for number in (0, 1)]
    assert clearing_not_zero(folds) == []
    assert clearing_not_zero(folds[:1]) != []


def test_a_record_that_was_applied_may_not_be_a_dead_letter_too() -> None:
    bank = Bank()
    number, log = next((number, log) for number, log in bank.topics["accounts"].items() if len(log) > 1)
    dead = predict_forwarding(log, 2)[0]
    applied = next(made for made in log if made.offset not in dead)
    bank.bury(applied, "wrong_key")
    letters = bank.topics[DEAD_LETTERS][number][-1:]
    assert "must have: no dead letter" in compare_dead_letters(letters, log, {})[0].text
    altered = [letters[0]._replace(value=b"other")]
    assert "other bytes" in compare_dead_letters(altered, log, {applied.offset: "wrong_key"})[0].text


def test_a_view_must_show_every_account_with_its_last_state() -> None:
    branch = Branch(0, 1)
    branch.apply(record(*opened("bob")))
    (row,) = branch.view()
    assert compare_view("url", BALANCE_VIEW, [row], [row]) == []
    assert compare_view("url", BALANCE_VIEW, [], [row]) != []
    assert compare_view("url", BALANCE_VIEW, [row, row], [row]) != []
    assert compare_view("url", BALANCE_VIEW, [dict(row) | {"balance_minor": 1}], [row]) != []
    assert compare_view("url", BALANCE_VIEW, [row, dict(row) | {"account_id": "eve"}], [row]) != []


def test_a_view_has_times_as_text() -> None:
    state = dict.fromkeys(POSITION_VIEW.fields, 1) | dict.fromkeys(POSITION_VIEW.key, "x")
    row = state | {"last_price_at": "1970-01-01T00:00:00.000001Z"}
    assert compare_view("url", POSITION_VIEW, [row], [state]) == []
    assert compare_view("url", POSITION_VIEW, [row | {"last_price_at": None}], [state]) != []
    assert (micros(None), micros("1969-12-31T23:59:59Z"), micros(str(2**62))) == (None, -1_000_000, 2**62)


def test_the_first_problem_is_that_of_the_earliest_record() -> None:
    late, early, nowhere = (Problem("c", "t", 0, at, "", at) for at in (9, 3, 0))
    assert first_of([nowhere, late, early]) == early
    assert first_of([nowhere]) == nowhere
    assert first_of([]) is None


def planted(**expected: Any) -> dict[str, Any]:
    return {"name": "n", "tenant_id": "north", "records": [["payments", 0, 0]], "expected": expected}


def said(**records: list[Record]) -> dict[str, list[Record]]:
    topics = {"alerts": ALERTS, "letters": DEAD_LETTERS, "answers": PAYMENT_EVENTS, "results": RESULTS}
    topics |= {"postings": POSTINGS, "journals": JOURNAL_EVENTS}
    return {topic: records.get(name, []) for name, topic in topics.items()}


def test_each_planted_cause_has_its_effect_once() -> None:
    alert = record("FraudAlertRaised", envelope("x", payment_id="p", account_id="a"))
    answer = record("PaymentRejected", envelope("y", payment_id="p", account_id="a", code="declined"))
    items = [
        planted(alert=["p"]),
        planted(outcome={"payment_id": "p", "code": "declined", "event": None}),
    ]
    assert compare_planted(items, said(alerts=[alert], answers=[answer])) == []
    assert len(compare_planted(items, said(alerts=[alert, alert]))) == 2
    assert compare_planted([planted(dead_letter=True)], said()) != []


def test_a_planted_journal_becomes_what_it_must_and_counts_in_an_open_period() -> None:
    updated = record("JournalUpdated", envelope("x", journal_id="j", state="REFUSED", code="expired"))
    refused = record("CommandRefused", envelope("y", payment_id=None, journal_id="j", code="exists"))
    wanted = {"journal_id": "j", "state": "REFUSED", "code": "expired"}
    there = said(journals=[updated], answers=[refused])
    for good in (wanted, wanted | {"state": None}, wanted | {"state": "CommandRefused", "code": "exists"}):
        assert compare_planted([planted(journal=good)], there) == []
    for other in ({"state": "POSTED"}, {"code": "exists"}, {"journal_id": "k"}):
        assert compare_planted([planted(journal=wanted | other)], there) != []
    item = planted(late={"journal_id": "j", "after": 5})
    for counts, found in ((6, 0), (5, 1), (None, 1)):
        fields = envelope("z", journal_id="j", payment_id=None, account_id="a", posting_id="P")
        posting = record("PostingRecorded", {**fields, "occurred_at": 1, "effective_at": counts})
        assert len(compare_planted([item], said(postings=[posting]))) == found
    assert len(compare_planted([item], said())) == 1


def test_a_planted_break_is_one_of_its_statement_and_of_its_payments_posting() -> None:
    about = {"account_id": "a", "statement_id": "S", "line_no": 1, "posting_id": "P"}
    opened_break = record("BreakOpened", envelope("x", type="AMOUNT", **about))
    posting = record("PostingRecorded", envelope("y", account_id="a", payment_id="p", posting_id="P"))
    there = said(results=[opened_break], postings=[posting])
    wanted = {"type": "AMOUNT", "account_id": "a", "statement_id": "S", "line_no": 1, "payment_id": "p"}
    assert compare_planted([planted(**{"break": wanted})], there) == []
    anything = dict.fromkeys(("statement_id", "line_no", "payment_id"))
    assert compare_planted([planted(**{"break": wanted | anything})], there) == []
    for other in ({"type": "DUPLICATE"}, {"statement_id": "T"}, {"line_no": 2}, {"payment_id": "q"}):
        assert compare_planted([planted(**{"break": wanted | other})], there) != []


def test_a_planted_late_line_is_matched_with_its_payments_posting() -> None:
    posting = record("PostingRecorded", envelope("y", account_id="a", payment_id="p", posting_id="P"))
    match = record("ItemMatched", envelope("x", account_id="a", posting_ids=["P"]))
    item = planted(matched={"account_id": "a", "payment_id": "p"})
    assert compare_planted([item], said(results=[match], postings=[posting])) == []
    assert compare_planted([item], said(results=[match])) != []
    assert compare_planted([item], said(postings=[posting])) != []
