"""Random logs of the desk: few accounts, amounts, references and words, so that items meet in every way.

What the desk sends to its own log comes back two events later.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import msgspec
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.chain.inputs import key_of, line_of, place_of
from pipeline.domain.reconciliation.desk.stream import WINDOWS, apply
from pipeline.domain.reconciliation.desk.time import TOPIC
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from tests.kernel.side_by_side import PARTITIONS, Log

DAY = 86_400_000_000
ACCOUNTS = (("acme", "nostro"), ("acme", "nostro"), ("acme", "nostro 2"), ("north", "nostro"))
AMOUNTS = (-500, -500, -850, 1_200, 1_200, -12_500, -12_520, 350, 0)
REFERENCES = (None, None, "INV 10017", "INV-10017", "R20023", "R20024", "NOTPROVIDED", "")
TEXTS = (
    None,
    None,
    "",
    "rent of May",
    "Ann Bell",
    "Ann Bell invoice INV10017",
    "fee of 350",
    "OUR CHARGES",
    "USD 13.00",
)
WHAT = ("posting", "posting", "posting", "line", "line", "line", "closing", "tick", "said", "told")
STEPS = (0, 0, 0, 0, 0, 1, 1, 3, 12, 40)
"""Days from an event to the next one."""
KINDS = (None, None, None, None, "FEE", "REVERSAL", "BATCH", "INFORMATION")
DETAILS: tuple[tuple[tuple[int | None, str | None], ...] | None, ...] = (
    *(None, None, None),
    ((-300, "INV 10017"), (-200, None)),
    ((None, "R20023"),),
)
MISFITS: tuple[dict[str, Any], ...] = (
    {"currency": ""},
    {"account_id": "nos\0tro"},
    {"amount_minor": 2**62},
    {"line_no": -1},
    {"line_count": -1},
)
"""What a record cannot say."""
SOMEBODY = ev.Actor("https://idp", "ann")
ECHO_AFTER, EVENTS_MAX = 2, 300

SHY_WEIGHTS = msgspec.structs.replace(DEFAULT_WEIGHTS, confirm_from=20_000)

one_of = st.sampled_from


def _posting(draw: st.DrawFn, common: dict[str, Any]) -> ev.PostingRecorded:
    amount, description, party = draw(one_of(AMOUNTS)), draw(one_of(TEXTS)), draw(one_of(TEXTS))
    texts = {"description": description, "counterparty": party}
    unread: dict[str, Any] = {"held_minor_after": 1, "effective_at": 2, "reason": "r", "rate_e8": 3}
    name = f"P{draw(st.integers(0, 12))}"
    return ev.PostingRecorded(
        **common,
        **(unread | {"asked_at": 4, "approved_by": "b", "lowest_balance_minor": 5}),
        posting_id=name,
        entry_id=f"entry-{name}",
        payment_id=draw(one_of((None, None, "PAY10001", "PAY10002"))),
        account_type="NOSTRO",
        side="CREDIT" if amount >= 0 else "DEBIT",
        amount_minor=abs(amount),
        currency=draw(one_of(("EUR", "EUR", "EUR", "USD"))),
        account_sequence=int(common["event_id"][1:]),
        balance_minor_after=0,
        branch=1,
        reference=draw(one_of(REFERENCES)),
        purpose=draw(one_of((None, None, "SALA"))),
        actor=draw(one_of((None, SOMEBODY))),
        metadata={name: text for name, text in texts.items() if text is not None} or None,
    )


def _line(draw: st.DrawFn, common: dict[str, Any]) -> ev.StatementLine:
    at = common["occurred_at"]
    details = draw(one_of(DETAILS))
    original = draw(one_of((None, None, None, 1_300)))
    return ev.StatementLine(
        **common,
        statement_id=draw(one_of(("S1", "S1", "S2", ""))),
        line_no=draw(st.integers(0, 9)),
        external_reference=draw(one_of((*REFERENCES, "PAY10001", "entry-P3"))),
        amount_minor=draw(one_of(AMOUNTS)),
        currency=draw(one_of(("EUR", "EUR", "EUR", "USD"))),
        booked_at=at,
        value_date=at // DAY + draw(one_of((0, 0, -4, 9))),
        description=draw(one_of(TEXTS)) or "",
        actor=draw(one_of((None, None, SOMEBODY))),
        counterparty_name=draw(one_of(TEXTS)),
        counterparty_account=draw(one_of((None, None, "DE02100500000054540402"))),
        end_to_end_id=draw(one_of(REFERENCES)),
        bank_reference=draw(one_of((None, None, "B1"))),
        transaction_code="NTRF",
        is_reversal=draw(one_of((None, None, None, False, True))),
        entry_kind=draw(one_of(KINDS)),
        original_amount_minor=original,
        original_currency=None if original is None else "USD",
        fee_minor=draw(one_of((None, None, 20))),
        details=None
        if details is None
        else tuple(ev.StatementDetail(amount, None, reference) for amount, reference in details),
    )


def _closing(draw: st.DrawFn, common: dict[str, Any]) -> ev.StatementClosed:
    return ev.StatementClosed(
        **common,
        statement_id=draw(one_of(("S1", "S2", ""))),
        currency="EUR",
        opening_balance_minor=draw(one_of((0, -500))),
        closing_balance_minor=draw(one_of((0, -500, 700))),
        line_count=draw(st.integers(0, 3)),
        closed_at=common["occurred_at"],
        sequence_no=draw(one_of((None, 1, 2))),
        from_at=draw(one_of((None, common["occurred_at"] - DAY))),
    )


def _tick(common: dict[str, Any]) -> ev.BranchTicked:
    return ev.BranchTicked(**{**common, "tenant_id": "acme", "account_id": "$branch"}, branch=1)


def _told(draw: st.DrawFn, common: dict[str, Any]) -> Any:
    """Return a rate, or weights: every partition is told."""
    common = {name: value for name, value in common.items() if name != "account_id"}
    effective_from = common["occurred_at"] + draw(one_of((-DAY, 0, DAY)))
    if draw(st.booleans()):
        rate_e8 = draw(one_of((10**8, 90_000_000, 0)))
        return ev.RateQuoted(
            **common,
            base_currency="USD",
            quote_currency="EUR",
            rate_e8=rate_e8,
            effective_from=effective_from,
        )
    text = draw(one_of((None, SHY_WEIGHTS.canonical().decode())))
    tenant_id, of_tenant = draw(one_of((("acme", "acme"), ("*", None), ("acme", None))))
    return ev.MatchingWeightsPublished(
        **{**common, "tenant_id": tenant_id},
        role=draw(one_of(("LIVE", "LIVE", "SHADOW"))),
        of_tenant=of_tenant,
        weights=text,
        sha256=None if text is None else SHY_WEIGHTS.hash(),
        effective_from=effective_from,
    )


def _said(draw: st.DrawFn, common: dict[str, Any], lines: list[ev.StatementLine]) -> Any:
    """Return what a person says of a match."""
    kind: Any = draw(one_of((ev.MatchConfirmed, ev.MatchRejected)))
    named = []
    for line in [draw(one_of(lines))] if lines else []:
        known = line_of(line)
        key = key_of(known.content, place_of(known), 1).decode()
        named.append(ev.LineRef(line.statement_id, line.line_no, key))
        common = {**common, "tenant_id": line.tenant_id, "account_id": line.account_id}
    postings = (f"P{draw(st.integers(0, 12))}",)
    return kind(**common, lines=tuple(named), posting_ids=postings, actor=SOMEBODY)


@st.composite
def logs(draw: st.DrawFn, most: int = 30, first_day: int = 20_000) -> Log:
    """Return a log of a partition; an event is hardly ever refused."""
    log: Log = []
    lines: list[ev.StatementLine] = []
    at = first_day * DAY
    for number in range(draw(st.integers(1, most))):
        at += draw(one_of(STEPS)) * DAY + 1
        tenant_id, account_id = draw(one_of(ACCOUNTS))
        common: dict[str, Any] = {
            "event_id": f"e{number}",
            "tenant_id": tenant_id,
            "occurred_at": at,
            "correlation_id": "c",
            "causation_id": None,
            "account_id": account_id,
        }
        what = draw(one_of(WHAT))
        if what == "posting":
            event: Any = _posting(draw, common)
        elif what == "line":
            event = _line(draw, common)
            lines.append(event)
        elif what == "told":
            event = _told(draw, common)
        elif what == "closing":
            event = _closing(draw, common)
        else:
            event = _tick(common) if what == "tick" else _said(draw, common, lines)
        if draw(st.integers(0, 40)) == 40:
            misfit = draw(one_of(MISFITS)).items()
            event = msgspec.structs.replace(event, **{k: v for k, v in misfit if hasattr(event, k)})
        log.append((event, at + draw(one_of((1, 1, 1, -DAY, 5 * DAY)))))
    return log


def echoed(log: Log, windows: Windows = WINDOWS, rows: MemoryRows | None = None) -> Log:
    """Return a log with what the desk sends to it: each of these two events after its cause."""
    rows, todo, full = rows or MemoryRows(), deque(log), Log()
    by_rows = partial(apply, windows=windows)
    while todo and len(full) < EVENTS_MAX:
        event, recorded_at = todo.popleft()
        full.append((event, recorded_at))
        out = Outbox()
        try:
            by_rows(event, Arrival(recorded_at, 0, PARTITIONS), rows, out)
        except Reject:
            continue
        for topic, _, said in out.items:
            if topic == TOPIC:
                todo.insert(min(ECHO_AFTER, len(todo)), (said, recorded_at))
    return full
