"""The invariants by columns are those by rows, for honest journals and for those that are broken anywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.invariants import stream as invariants
from pipeline.domain.invariants.batch import InvariantBatch
from pipeline.domain.kernel import events as ev
from tests.invariants.honest_journal import HOUR, HonestJournal
from tests.kernel.side_by_side import Replay

ACCOUNTS = ["a", "b", "c", "$clearing:EUR:0"]
LONGS = st.one_of(
    st.integers(-3, 12), st.sampled_from([2**63 - 1, -(2**63), 2**61 - 1, 2**61, -(2**61), 2**62])
)
Spoilt = dict[str, Any]
SPOILS = st.one_of(
    st.fixed_dictionaries({"amount_minor": LONGS}),
    st.fixed_dictionaries({"account_sequence": LONGS}),
    st.fixed_dictionaries({"balance_minor_after": LONGS}),
    st.fixed_dictionaries({"balance_minor": LONGS}),
    st.fixed_dictionaries({"held_minor_after": st.one_of(st.none(), LONGS)}),
    st.fixed_dictionaries({"currency": st.sampled_from(["USD", "", "EURO", "€", "E\0R"])}),
    st.fixed_dictionaries({"side": st.sampled_from(["DEBIT", "CREDIT"])}),
    st.fixed_dictionaries({"change": st.sampled_from(["PLACED", "RELEASED", "UNSPECIFIED"])}),
    st.fixed_dictionaries({"entry_id": st.sampled_from(["0-e0", "0-e2", "other"])}),
    st.fixed_dictionaries({"account_id": st.sampled_from(ACCOUNTS)}),
    st.fixed_dictionaries({"tenant_id": st.just("south")}),
    st.fixed_dictionaries({"occurred_at": st.sampled_from([-1, 25 * HOUR, 2**62])}),
)


@st.composite
def honest(draw: st.DrawFn) -> list[Any]:
    """Return a journal with nothing wrong."""
    journal = HonestJournal()
    for _ in range(draw(st.integers(0, 30))):
        debit, credit = draw(st.permutations(ACCOUNTS))[:2]
        amount, at = draw(st.integers(1, 9)), draw(st.integers(0, 30)) * HOUR
        if draw(st.integers(0, 3)) == 0:
            journal.hold(debit, amount, at=at)
            if draw(st.booleans()):
                journal.hold(debit, amount, "RELEASED", at)
            continue
        uses_hold = journal.held(debit) >= amount and draw(st.booleans())
        journal.enter(debit, credit, amount, at, uses_hold, version=draw(st.sampled_from([2, 2, 2, 1])))
    return journal.log


@st.composite
def broken(draw: st.DrawFn) -> list[Any]:
    """Return a journal in which records are missing, doubled, swapped, changed, or of another kind."""
    log = draw(honest())
    for _ in range(draw(st.integers(0, 3))):
        if not log:
            break
        place = draw(st.integers(0, len(log) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "change", "change", "change", "other"])):
            case "drop":
                del log[place]
            case "double":
                log.insert(draw(st.integers(place, len(log))), log[place])
            case "swap":
                other = draw(st.integers(0, len(log) - 1))
                log[place], log[other] = log[other], log[place]
            case "other":
                log.insert(place, ev.TradeSettled("e", "north", 0, "c", None, "t", "a", 0))
            case "change":
                fields = type(log[place]).__struct_fields__
                known = {name: value for name, value in draw(SPOILS).items() if name in fields}
                if type(log[place]) is ev.HoldRecorded and known.get("held_minor_after", 0) is None:
                    continue  # a hold always says it
                log[place] = msgspec.structs.replace(log[place], **known)
    return log


def by_rows(log: list[Any]) -> Replay:
    replay = Replay(invariants)
    replay.by_rows([(event, 0) for event in log])
    return replay


@settings(max_examples=50, deadline=None)
@given(honest())
def test_an_honest_journal_breaks_nothing_and_goes_by_columns_to_its_end(log: list[Any]) -> None:
    replay = Replay(invariants)
    replay.by_columns(InvariantBatch(), [(event, 0) for event in log])
    assert replay.said == by_rows(log).said == {}
    assert replay.in_columns == len(log)


@settings(max_examples=150, deadline=None)
@given(broken(), st.lists(st.integers(0, 60), max_size=3).map(sorted))
def test_columns_and_rows_say_and_leave_the_same(log: list[Any], cuts: list[int]) -> None:
    expected, found = by_rows(log), Replay(invariants)
    edges = [0, *(min(cut, len(log)) for cut in cuts), len(log)]
    for start, stop in pairwise(edges):
        found.by_columns(InvariantBatch(), [(event, 0) for event in log[start:stop]])
    assert found.said == expected.said
    assert found.latest == expected.latest
    assert found.rows.data == expected.rows.data
    assert found.rejected == expected.rejected == []
