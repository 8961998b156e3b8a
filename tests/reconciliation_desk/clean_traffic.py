"""Random logs in which nearly all pairs are clean, and some are almost: what must not be taken for clean.

A payment is a posting and a line with its reference, in either order, some events apart. What is wrong with
some of them: another amount, currency or account, the reference of another payment, a placeholder or a
constant for a reference, a kind, a wrong date, a repeat, a day or two years late.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from tests.kernel.side_by_side import Log
from tests.reconciliation_desk.traffic import DAY, SHY_WEIGHTS, SOMEBODY

one_of = st.sampled_from
ACCOUNTS = (*["nostro"] * 5, "nostro 2")
STEPS = (*[0] * 30, 1, 1, 2, 40, 700)
"""Days from an event to the next one."""
APART = (0, 1, 2, 2, 3, 5, 9)
"""Payments between the two events of a payment."""
NOTHING: dict[str, Any] = {}
WRONG_LINE: tuple[dict[str, Any], ...] = (
    *[NOTHING] * 14,
    {"amount_minor": 777},
    {"amount_minor": 0},
    {"currency": "USD"},
    {"account_id": "nostro 2"},
    {"external_reference": "REF 100000"},
    {"external_reference": "NOTPROVIDED"},
    {"external_reference": "CONST 1"},
    {"external_reference": None, "description": "Ann Bell"},
    {"end_to_end_id": "REF 100001"},
    {"entry_kind": "FEE"},
    {"entry_kind": "INFORMATION"},
    {"description": "OUR CHARGES"},
    {"value_date": 20_400},
    {"booked_at": 19_000 * DAY},
    {"line_no": 3},
    {"line_no": -1},
    {"statement_id": ""},
    {"amount_minor": 2**62},
    {"actor": SOMEBODY, "counterparty_name": "Ann Bell"},
)
WRONG_POSTING: tuple[dict[str, Any], ...] = (
    *[NOTHING] * 14,
    {"amount_minor": 778},
    {"amount_minor": 0},
    {"amount_minor": 2**62},
    {"side": "DEBIT"},
    {"reference": "REF-100000"},
    {"reference": "CONST-1"},
    {"reference": None, "payment_id": None, "entry_id": "0"},
    {"posting_id": "P100000"},
    {"posting_id": ""},
    {"currency": ""},
    {"journal_id": "journal-1"},
    {"metadata": {"description": "for REF100001", "counterparty": "Ann Bell"}},
)


def _posting(number: int, common: dict[str, Any]) -> ev.PostingRecorded:
    return ev.PostingRecorded(
        **common,
        posting_id=f"P{number}",
        entry_id=f"entry-{number}",
        payment_id=f"pay-{number}",
        account_type="NOSTRO",
        side="CREDIT",
        amount_minor=100 + number % 7,
        currency="EUR",
        account_sequence=number,
        balance_minor_after=0,
        branch=1,
        reference=f"REF-{number}",
    )


def _line(number: int, line_no: int, common: dict[str, Any]) -> ev.StatementLine:
    at = common["occurred_at"]
    return ev.StatementLine(
        **common,
        statement_id=f"S{line_no // 12}",
        line_no=line_no,
        external_reference=f"ref {number}",
        amount_minor=100 + number % 7,
        currency="EUR",
        booked_at=at,
        value_date=at // DAY,
        description=f"payment REF{number}",
    )


def _beside(draw: st.DrawFn, common: dict[str, Any], line_no: int) -> Any:
    """Return what comes between payments: time, weights, the end of a statement."""
    what = draw(one_of(("tick", "weights", "closing")))
    if what == "tick":
        return ev.BranchTicked(**{**common, "account_id": "$branch"}, branch=1)
    if what == "closing":
        ends = {"opening_balance_minor": 0, "closing_balance_minor": 5, "line_count": 12}
        return ev.StatementClosed(
            **common,
            statement_id=f"S{line_no // 12}",
            currency="EUR",
            **ends,
            closed_at=common["occurred_at"],
        )
    del common["account_id"]
    return ev.MatchingWeightsPublished(
        **common,
        role="LIVE",
        of_tenant=None,
        weights=SHY_WEIGHTS.canonical().decode(),
        sha256=SHY_WEIGHTS.hash(),
        effective_from=common["occurred_at"],
    )


@st.composite
def clean_logs(draw: st.DrawFn, most: int = 30) -> Log:
    """Return a log of a partition, nearly all of it clean pairs."""
    places: list[tuple[int, int, int, bool]] = []
    for number in range(draw(st.integers(1, most))):
        first, second = 2 * number, 2 * (number + draw(one_of(APART))) + 1
        is_line_first = draw(st.integers(0, 7)) == 7
        places += [(first, number, 0, is_line_first), (second, number, 1, not is_line_first)]
    log: Log = []
    at, lines = 20_000 * DAY, 0
    accounts = {number: draw(one_of(ACCOUNTS)) for _, number, _, _ in places}
    for _, number, _, is_line in sorted(places):
        at += draw(one_of(STEPS)) * DAY + 1
        common: dict[str, Any] = {
            "event_id": f"e{len(log)}",
            "tenant_id": "acme",
            "occurred_at": at,
            "correlation_id": "c",
            "causation_id": None,
            "account_id": accounts[number],
        }
        name = 100_000 + number
        event: Any
        if is_line:
            lines += 1
            event, wrong = _line(name, lines, common), draw(one_of(WRONG_LINE))
        else:
            event, wrong = _posting(name, common), draw(one_of(WRONG_POSTING))
        event = msgspec.structs.replace(event, **wrong)
        log.append((event, at + draw(one_of((1, 1, 1, 1, -DAY)))))
        dice = draw(st.integers(0, 19))
        if dice == 0:
            log.append((msgspec.structs.replace(event, event_id=f"e{len(log)}"), at + 1))
        elif dice == 1:
            log.append((_beside(draw, {**common, "event_id": f"e{len(log)}"}, lines), at + 1))
    return log
