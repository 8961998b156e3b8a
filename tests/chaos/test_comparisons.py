"""Each comparison by itself: what it lets pass, and what it finds."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.verify.dead import DeadLetters, Place
from pipeline.verify.decode import Decoder
from pipeline.verify.findings import Problem, first_of
from pipeline.verify.journal import Journal
from pipeline.verify.lanes import Lane
from pipeline.verify.model.intake import Intake
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    ALERTS,
    BALANCES,
    DEAD_LETTERS,
    HISTORY_ALERTS,
    JOURNAL_EVENTS,
    PAYMENT_EVENTS,
    POSTINGS,
    RESULTS,
    Expected,
    msgpack,
)
from pipeline.verify.planted import Planted, PlantedChecks
from pipeline.verify.versions import Versions
from tests.chaos.by_hand import envelope, opened, record
from tests.chaos.judge import Problems, Tail
from tests.chaos.small_bank import Bank
from tests.chaos.views_check import BALANCE_VIEW, POSITION_VIEW, compare_view, micros


def test_rows_are_packed_as_messagepack_is() -> None:
    numbers = [sign * (1 << bits) + more for bits in range(63) for sign in (1, -1) for more in (-1, 0, 1)]
    sizes = (0, 1, 31, 32, 255, 256, 65_535, 65_536)
    values: list[Any] = [*numbers, 2**64 - 1, None, True, False, *("é" * size for size in sizes)]
    values += [*(b"x" * size for size in sizes), [], [1, ["a", None]], list(range(15)), list(range(300))]
    for value in values:
        assert msgpack(value) == msgspec.msgpack.encode(value)


def test_a_value_without_a_frame_is_no_event() -> None:
    decoder = Decoder(lambda number: None)
    found = [decoder.read(value)[2] for value in (None, b"", b"\0\0", b"\1\0\0\0\1x", b"\0\0\0\0\1x")]
    assert found == ["no_value", "no_value", "no_header", "wrong_magic_byte", "unknown_schema_id"]


def lane(actual: list[Record], expected: list[Expected], least: int | None = None) -> list[Problem]:
    problems = Problems()
    compared = Lane(problems, lambda said: "model", iter(actual))
    for wanted in expected:
        compared.expect(wanted)
    compared.finish(least)
    return problems.new


def numbered(count: int) -> tuple[list[Record], list[Expected]]:
    expected = [Expected(POSTINGS, b"k", "E", {"event_id": str(number)}, number) for number in range(count)]
    actual = [record("E", envelope(str(number), account_id="x"), number) for number in range(count)]
    return [made._replace(key=b"k") for made in actual], expected


def test_while_it_runs_what_is_not_committed_yet_may_be_missing_but_nothing_may_be_too_much() -> None:
    actual, expected = numbered(4)
    del expected[3:]
    assert lane(actual[:1], expected, 1) == []
    assert lane(actual[:3], expected, 1) == []
    assert "lost tail" in lane(actual[:1], expected, 2)[0].text
    assert "nothing has caused" in lane(actual, expected, 1)[0].text
    assert "gap" in lane(actual[1:3], expected)[0].text
    swapped = [actual[1], actual[0], actual[2]]
    assert ["gap" in lane(swapped, expected)[0].text, "out of order" in lane(swapped, expected)[1].text]
    doubled = [actual[0], actual[0], *actual[1:3]]
    assert ["duplicate" in problem.text for problem in lane(doubled, expected)] == [True]


def test_each_wrong_record_of_a_long_lane_is_one_problem() -> None:
    actual, expected = numbered(1_000)
    del actual[700], actual[500]
    actual.insert(300, actual[299])
    actual[200] = actual[200]._replace(fields={**actual[200].fields, "event_id": "other"})
    texts = [problem.text for problem in lane(actual, expected)]
    assert [text.partition(" ")[0] for text in texts] == ["E.event_id", "duplicate", "gap:", "gap:"]


def test_a_lane_goes_on_when_more_has_come() -> None:
    actual, expected = numbered(4)
    log, problems = actual[:2], Problems()
    compared = Lane(problems, lambda said: "model", Tail(log, lambda: 10))
    for wanted in expected[:3]:
        compared.expect(wanted)
    compared.finish(least=2)
    log += actual[2:]
    compared.expect(expected[3])
    compared.finish()
    assert problems.new == []


def test_a_state_may_be_left_out_but_not_go_back_and_not_be_the_last_one_missing() -> None:
    states = [{"amount": amount} for amount in (-2, -1, 3)]

    def problems(*shown: int, key: bytes = b"k", least: int = 3) -> list[Problem]:
        log = [record("B", envelope("e", account_id="a"), at) for at in range(len(shown))]
        log = [made._replace(key=key, fields=states[one - 1]) for made, one in zip(log, shown, strict=True)]
        found = Problems()
        versions = Versions(found, "b", iter(log), (BALANCES, 0))
        for at, state in enumerate(states):
            versions.expect(Expected(BALANCES, b"k", "B", state, at))
        versions.finish(least)
        return found.new

    states[0] = dict(states[1])
    assert problems(1, 3) == problems(2, 3) == problems(1, least=2) == []
    states[0] = {"amount": -3}
    assert problems(1, 3) == problems(3) == problems(1, 2, least=2) == problems(least=0) == []
    for bad in (problems(2, 1, 3), problems(2), problems(), problems(3, 3), problems(1, key=b"x")):
        assert bad != []


def test_a_state_that_a_waiting_record_may_have_caused_is_compared_once_nothing_waits() -> None:
    def problems(*shown: int) -> list[Problem]:
        log = [record("B", envelope("e", account_id="a"), at) for at in range(len(shown))]
        log = [made._replace(key=b"k", fields={"amount": one}) for made, one in zip(log, shown, strict=True)]
        found = Problems()
        versions = Versions(found, "b", iter(log), (BALANCES, 0))
        versions.expect(Expected(BALANCES, b"k", "B", {"amount": 1}, 0))
        versions.finish(1, {"waits"})
        assert found.new == []
        versions.expect(Expected(BALANCES, b"k", "B", {"amount": 2}, 1))
        versions.finish(2)
        return found.new

    assert problems(1, 2) == problems(2) == []
    assert problems(1, 3) != [] and problems(1, 2, 1) != [] and problems(1) != []


def summed(*logs: list[Record], ended: bool = True) -> list[Problem]:
    """Return what is wrong with journals, one a partition."""
    problems = Problems()
    journal = Journal(problems)
    for number, log in enumerate(logs):
        for made in log:
            journal.see(made)
        if ended:
            journal.close_branch(number)
    if ended:
        journal.close()
    return problems.new


def test_a_journal_that_grows_may_be_read_up_to_half_an_entry() -> None:
    logs = Bank().topics[POSTINGS]
    last = max(made.offset for made in logs[0] if made.fields.get("side") == "DEBIT")
    assert summed(logs[0][: last + 1], logs[1], ended=False) == []
    found = {problem.check for problem in summed(logs[0][: last + 1], logs[1])}
    assert {"entries", "zero_sum"} <= found


def test_what_is_released_or_used_must_have_been_held() -> None:
    log = Bank().topics[POSTINGS][0]
    released = next(made for made in log if made.fields.get("change") == "RELEASED")
    placed = next(made for made in log if made.fields.get("hold_id") == released.fields["hold_id"])
    again = [log[0], log[1], *[placed, placed, released]]
    for forged in ([*log, placed], [*log, released], again, [made for made in log if made is not placed]):
        assert {problem.check for problem in summed(forged, ended=False)} == {"hold_fold"}


def test_money_in_flight_is_a_problem_when_it_is_quiet() -> None:
    logs = Bank().topics[POSTINGS]
    assert summed(logs[0], logs[1]) == []
    assert {problem.check for problem in summed(logs[0])} == {"clearing"}


def test_a_record_that_was_applied_may_not_be_a_dead_letter_too() -> None:
    bank = Bank()
    number, log = next((number, log) for number, log in bank.topics["accounts"].items() if len(log) > 1)
    applied = next(made for made in log if Intake(number, 2).apply(made)[0] is None)
    bank.bury(applied, "wrong_key")
    letter = bank.topics[DEAD_LETTERS][number][-1]

    def judged(letter: Record, code: str | None) -> list[str]:
        problems = Problems()
        dead = DeadLetters(problems)
        dead.add([letter])
        dead.judge(applied, code)
        return [problem.text for problem in problems.new]

    assert judged(letter, "wrong_key") == []
    assert judged(letter, None) == ["applied, and a dead letter: wrong_key"]
    assert "its code is wrong_key, must be no_key" in judged(letter, "no_key")[0]
    assert "another key or value" in judged(letter._replace(value=b"other"), "wrong_key")[0]


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


def planted(**expected: Any) -> Planted:
    return Planted("n", "north", expected, [Place("payments", 0, 0)], "manifest")


def missed(item: Planted, **records: list[Record]) -> list[Problem]:
    """Return which planted effects are missed."""
    topics = {"alerts": ALERTS, "answers": PAYMENT_EVENTS, "results": RESULTS}
    topics |= {"postings": POSTINGS, "journals": JOURNAL_EVENTS, "past": HISTORY_ALERTS}
    problems = Problems()
    checks = PlantedChecks(problems, [item])
    for name, log in records.items():
        for made in log:
            checks.listeners[topics[name]](made)
    checks.run(DeadLetters(problems))
    return problems.new


def test_each_planted_cause_has_its_effect_once() -> None:
    alert = record("FraudAlertRaised", envelope("x", payment_id="p", account_id="a"))
    answer = record("PaymentRejected", envelope("y", payment_id="p", account_id="a", code="declined"))
    outcome = planted(outcome={"payment_id": "p", "code": "declined", "event": None})
    assert missed(planted(alert=["p"]), alerts=[alert]) == missed(outcome, answers=[answer]) == []
    assert missed(planted(alert=["p"]), alerts=[alert, alert]) != []
    assert missed(planted(alert=["p"])) != []
    assert missed(outcome) != []
    assert missed(planted(dead_letter=True)) != []


def test_a_planted_journal_becomes_what_it_must_and_counts_in_an_open_period() -> None:
    updated = record("JournalUpdated", envelope("x", journal_id="j", state="REFUSED", code="expired"))
    refused = record("CommandRefused", envelope("y", payment_id=None, journal_id="j", code="exists"))
    wanted = {"journal_id": "j", "state": "REFUSED", "code": "expired"}
    there = {"journals": [updated], "answers": [refused]}
    for good in (wanted, wanted | {"state": None}, wanted | {"state": "CommandRefused", "code": "exists"}):
        assert missed(planted(journal=good), **there) == []
    for other in ({"state": "POSTED"}, {"code": "exists"}, {"journal_id": "k"}):
        assert missed(planted(journal=wanted | other), **there) != []
    item = planted(late={"journal_id": "j", "after": 5})
    for counts, found in ((6, 0), (5, 1), (None, 1)):
        fields = envelope("z", journal_id="j", payment_id=None, account_id="a", posting_id="P")
        posting = record("PostingRecorded", {**fields, "occurred_at": 1, "effective_at": counts})
        assert len(missed(item, postings=[posting])) == found
    assert len(missed(item)) == 1


def test_a_planted_refusal_and_a_planted_warning_are_of_their_account() -> None:
    refused = record("CommandRefused", envelope("x", payment_id=None, account_id="a", code="expired"))
    wanted = {"account_id": "a", "code": "expired"}
    assert missed(planted(refused=wanted), answers=[refused]) == []
    for other in ({"account_id": "b"}, {"code": "exists"}):
        assert missed(planted(refused=wanted | other), answers=[refused]) != []
    warning = record("PastOverdrawn", envelope("y", account_id="a"))
    assert missed(planted(overdrawn={"account_id": "a"}), past=[warning]) == []
    assert missed(planted(overdrawn={"account_id": "b"}), past=[warning]) != []


def test_a_planted_break_is_one_of_its_statement_and_of_its_payments_posting() -> None:
    about = {"account_id": "a", "statement_id": "S", "line_no": 1, "posting_id": "P"}
    opened_break = record("BreakOpened", envelope("x", type="AMOUNT", **about))
    posting = record("PostingRecorded", envelope("y", account_id="a", payment_id="p", posting_id="P"))
    there = {"results": [opened_break], "postings": [posting]}
    wanted = {"type": "AMOUNT", "account_id": "a", "statement_id": "S", "line_no": 1, "payment_id": "p"}
    assert missed(planted(**{"break": wanted}), **there) == []
    anything = dict.fromkeys(("statement_id", "line_no", "payment_id"))
    assert missed(planted(**{"break": wanted | anything}), **there) == []
    for other in ({"type": "DUPLICATE"}, {"statement_id": "T"}, {"line_no": 2}, {"payment_id": "q"}):
        assert missed(planted(**{"break": wanted | other}), **there) != []


def test_a_planted_break_of_a_kind_is_not_one_of_another_kind_of_its_type() -> None:
    about = {"account_id": "a", "statement_id": "S", "line_no": 1, "posting_id": None}
    opened_break = record("BreakOpened", envelope("x", type="AMOUNT", kind="FEE", **about))
    wanted = {"kind": "FEE", "account_id": "a", "statement_id": "S", "line_no": 1, "payment_id": None}
    assert missed(planted(**{"break": wanted}), results=[opened_break]) == []
    assert missed(planted(**{"break": wanted | {"kind": "AMOUNT"}}), results=[opened_break]) != []


def test_a_planted_late_line_is_matched_with_its_payments_posting() -> None:
    posting = record("PostingRecorded", envelope("y", account_id="a", payment_id="p", posting_id="P"))
    match = record("ItemMatched", envelope("x", account_id="a", posting_ids=["P"]))
    item = planted(matched={"account_id": "a", "payment_id": "p"})
    assert missed(item, results=[match], postings=[posting]) == []
    assert missed(item, results=[match]) != []
    assert missed(item, postings=[posting]) != []


def test_a_planted_group_or_reversal_is_matched_by_its_tier() -> None:
    posting = record("PostingRecorded", envelope("y", account_id="a", payment_id="p", posting_id="P"))
    lines = {"statement_id": "S", "line_no": 1, "other_lines": [{"statement_id": "S", "line_no": 2}]}
    group = record("ItemMatched", envelope("x", account_id="a", posting_ids=["P"], tier="GROUP", **lines))
    there = {"results": [group], "postings": [posting]}
    paid = {"account_id": "a", "payment_id": "p", "tier": "GROUP"}
    assert missed(planted(matched=paid), **there) == []
    assert missed(planted(matched=paid | {"tier": "REFERENCE"}), **there) != []
    line = {"account_id": "a", "payment_id": None, "statement_id": "S", "line_no": 2, "tier": "GROUP"}
    assert missed(planted(matched=line), **there) == []
    for other in ({"line_no": 3}, {"statement_id": "T"}, {"account_id": "b"}, {"tier": "REVERSAL"}):
        assert missed(planted(matched=line | other), **there) != []
