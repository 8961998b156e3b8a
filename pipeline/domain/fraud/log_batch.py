"""The batch path of the fraud stream: one `judging.Run` for all events of a run, whatever they are.

Rows are read and written once a run, states of features are columns, ids are checked and derived and outputs
encoded for all events together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.fraud.batch_events import alerts_block, decisions_blocks, refusals_block
from pipeline.domain.fraud.decision_book import facts_of
from pipeline.domain.fraud.judging import Run as Judging
from pipeline.domain.fraud.log import PASSED_ON, UNTIMED, FraudLog
from pipeline.domain.fraud.own_commands import cards_of, take_funds, take_own
from pipeline.domain.fraud.run_results import Decided, Funds, Result, Told
from pipeline.domain.fraud.said import COMMANDS, card_text, own_command
from pipeline.domain.fraud.scheduled_rows import NEVER, read_clock, waiting_key, write_clock
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import LeaveToRows, RuleBatch, blocks_of, structs_of
from pipeline.domain.kernel.columns import (
    ACTOR_COLUMN,
    METADATA_COLUMN,
    OTHER,
    Block,
    Passed,
    Run,
    derived_ids,
    joined,
    numpy_of,
    taken,
)
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.remittance import wrong_creditor_references
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.texts_batch import bad_texts

CLASSES = (
    *(ev.PaymentInitiated, *PASSED_ON),
    *(ev.PostingRecorded, ev.FundsReceived, ev.PayeeRiskChanged),
    *(ev.PayeeFraudConfirmed, ev.PaymentLabelled),
)
INITIATED, REVIEWED = range(2)
FUNDS = CLASSES.index(ev.FundsReceived)
ORIGINS_COLUMN = pa.list_(pa.struct([("account", pa.int64()), ("hops", pa.int64())]))
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "payment_id"), pa.string()),
    **dict.fromkeys(("debtor_account_id", "creditor_account_id", "currency", "payment_type"), pa.string()),
    **dict.fromkeys(("reference", "channel", "device_id"), pa.string()),
    **dict.fromkeys(("counterparty_country", "merchant_category", "creditor_reference"), pa.string()),
    **dict.fromkeys(("occurred_at", "amount_minor", "hold_expires_at", "expected_sequence"), pa.int64()),
    "creditor_currency": pa.string(),
    "rate_e8": pa.int64(),
    "execute_at": pa.int64(),
    **dict.fromkeys(("capture_id", "reversal_id", "link_id"), pa.string()),
    **dict.fromkeys(("approved", "hold", "balancing"), pa.bool_()),
    "actor": ACTOR_COLUMN,
    "metadata": METADATA_COLUMN,
    "capture_tolerance_bp": pa.int32(),
    **dict.fromkeys(("account_id", "payer_account_id", "payee_account_id"), pa.string()),
    **dict.fromkeys(("side", "label", "card"), pa.string()),
    **dict.fromkeys(("received_at", "paid_at", "labelled_at", "as_of"), pa.int64()),
    "origins": ORIGINS_COLUMN,
}
_IDS = (
    *("event_id", "tenant_id", "payment_id", "debtor_account_id", "creditor_account_id"),
    *("capture_id", "reversal_id", "link_id", "account_id"),
)
_RULED = frozenset(
    {
        *("event_id", "correlation_id", "occurred_at", "tenant_id", "payment_id", "debtor_account_id"),
        *("creditor_account_id", "amount_minor", "currency", "device_id", "counterparty_country", "channel"),
        *("approved", "link_id", "account_id", "payer_account_id", "payee_account_id", "side", "label"),
        *("card", "received_at", "paid_at", "labelled_at"),
    }
)
"""The fields that the rules read; ids of outputs and outputs themselves are made from the columns."""


class FraudLogBatch(RuleBatch):
    """Applies runs of events to the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, stream: FraudLog) -> None:
        self._stream = stream

    def _irregular(self, run: Run) -> np.ndarray:
        """Return which events are of another class, may wait, or are refused for an id or a text."""
        found = bad_ids(run, _IDS)
        found |= bad_texts(run)
        found |= run.kinds == OTHER
        found |= wrong_creditor_references(run.columns["creditor_reference"])
        found |= ~numpy_of(pc.is_null(run.columns["capture_tolerance_bp"]))  # few holds have one
        found |= numpy_of(pc.is_valid(run.columns["execute_at"]))
        return found

    def _events(self, run: Run) -> Sequence[Any]:
        return structs_of(run, CLASSES, _RULED)

    def _open(self, run: Run, events: Sequence[Any], rows: PrefetchingRows) -> _OpenRun:
        return _OpenRun(self._stream, run, events, rows)


class _OpenRun:
    """The judging of a run, and its results by position in the run."""

    def __init__(self, stream: FraudLog, run: Run, events: Sequence[Any], rows: PrefetchingRows) -> None:
        self._gate, self._rows, self._run, self._events = stream.terms.gate, rows, run, events
        times = np.minimum(numpy_of(run.columns["occurred_at"], 0), run.recorded_at)
        at_us = times[run.kinds == INITIATED].tolist()
        self._judging = Judging(stream.terms, rows, run.partition, events, at_us)
        self._place = 0
        self._clock = read_clock(rows)
        self._time_before = self._clock.watermark
        self._waiting = self._ids_of_waiting(events)
        self._refused: dict[int, str] = {}
        """Result codes of payments above a quota or of closed tenants."""
        self._cards, self._origins = _cards_of(run), _origins_of(run)

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event; see `OpenRun`. Raises LeaveToRows where something waits or is due."""
        kind, place, now = type(event), self._place, self._clock.watermark
        if kind not in UNTIMED:
            now = max(now, min(event.occurred_at, recorded_at))
            if self._clock.is_due(now) or (event.tenant_id, event.payment_id) in self._waiting:
                raise LeaveToRows
        if kind is ev.PaymentInitiated:
            code = None
            if not self._gate.open:
                times = event.occurred_at, recorded_at
                code = self._gate.refusal(event.tenant_id, *times, self._run.partitions, self._rows)
            if code is not None:
                self._refused[place], now = code, self._clock.watermark
            else:
                self._judging.pay(place)
        elif kind is ev.FundsReceived:
            take_funds(self._judging, place, event, recorded_at, self._origins.get(place, ()))
        elif kind is ev.PayeeRiskChanged and place in self._cards:
            names = event.tenant_id, event.payee_account_id
            self._judging.know(place, *names, self._cards[place])
        else:
            take_own(self._judging, place, event, recorded_at)
        self._clock.watermark = now
        self._place += 1

    def _ids_of_waiting(self, events: Sequence[Any]) -> set[tuple[str, str]]:
        """Return the ids, of those that commands name, of payments that wait or did."""
        if self._clock.earliest == NEVER:
            return set()
        commands = (event for event in events if type(event) not in UNTIMED)
        named = list({(event.tenant_id, event.payment_id): None for event in commands})
        found = self._rows.get_many([waiting_key(*ids) for ids in named])
        return {ids for ids, row in zip(named, found, strict=True) if row is not None}

    def close(self) -> Sequence[Block | Passed]:
        """Write the changed rows and return the outputs; see `OpenRun`."""
        results = self._judging.close()
        if self._clock.watermark != self._time_before:
            write_clock(self._rows, self._clock)
        run, outputs = self._run.slice(0, self._place), list[Block | Passed]()
        if self._refused:
            outputs.append(refusals_block(run, self._refused))
        decided = [(place, one) for place, one in results if isinstance(one, Decided)]
        if decided:
            places = np.array([place for place, _ in decided])
            outputs += decisions_blocks(run, places, [one.verdict for _, one in decided])
        alerts = [(place, one.verdict, one.alert_id) for place, one in decided if one.alert_id is not None]
        if alerts:
            pairs = [(place, verdict) for place, verdict, _ in alerts]
            outputs.append(alerts_block(run, pairs, [alert_id for *_, alert_id in alerts]))
        outputs += self._commands(run, results)
        passed = np.flatnonzero((run.kinds > INITIATED) & (run.kinds <= len(PASSED_ON)))
        if len(passed):
            outputs.append(Passed("ledger-commands", passed, passed))
        reviewed = np.flatnonzero(run.kinds == REVIEWED)
        if len(reviewed):
            outputs.append(Passed("payment-events", reviewed, reviewed))
        return outputs

    def _commands(self, run: Run, results: Iterable[tuple[int, Result]]) -> Iterator[Block]:
        """Yield what other partitions, and people, are told."""
        funds: list[tuple[int, Funds]] = []
        told: list[tuple[int, Told]] = []
        others: list[tuple[int, Result]] = []
        for place, result in results:
            if isinstance(result, Funds):
                funds.append((place, result))
            elif isinstance(result, Told) and run.kinds[place] == FUNDS:
                told.append((place, result))
            elif not isinstance(result, Decided):
                others.append((place, result))
        if funds:
            yield _funds_block(run, funds)
        if told:
            yield _told_block(run, told)
        if others:
            places = np.array([place for place, _ in others])
            for block in blocks_of([own_command(self._events[place], one) for place, one in others]):
                yield block._replace(order=places[block.order])


def _cards_of(run: Run) -> dict[int, np.ndarray]:
    """Return the cards of a run by position; none where one of them cannot be read: rows say which."""
    places = np.flatnonzero(run.kinds == CLASSES.index(ev.PayeeRiskChanged))
    if not len(places):
        return {}
    try:
        cards = cards_of(run.columns["card"].take(pa.array(places)).to_pylist())
    except Reject:
        return {}
    return dict(zip(places.tolist(), cards, strict=True))


def _origins_of(run: Run) -> dict[int, list[int]]:
    """Return the origins of receipts that have some, by position: account and hops, account and hops."""
    column = run.columns["origins"]
    if column.null_count == len(column):
        return {}
    sizes = numpy_of(pc.list_value_length(column), 0)
    parts = [numpy_of(part).astype(np.int64) for part in column.flatten().flatten()]
    pairs, found, begin = np.stack(parts, axis=1).ravel().tolist(), {}, 0
    for place in np.flatnonzero(sizes).tolist():
        end = begin + 2 * int(sizes[place])
        found[place], begin = pairs[begin:end], end
    return found


def _funds_block(run: Run, funds: Sequence[tuple[int, Funds]]) -> Block:
    """Return funds_received for postings: their positions in the run, ascending, and what they come to."""
    at = np.array([place for place, _ in funds])
    decisions = [one.decision for _, one in funds]
    paid = [facts_of(one) for one in decisions]
    names = ("tenant_id", "occurred_at", "correlation_id", "payment_id", "amount_minor", "currency")
    columns = taken(run.columns, ("account_id", "event_id", *names), at)
    payer, cause = columns.pop("account_id"), columns.pop("event_id")
    creditors = pa.array([one.creditor_account_id for one in paid], pa.string())
    named = joined("\0", columns["tenant_id"], payer, cause)  # `routing.cause_name`
    columns |= {
        "event_id": derived_ids(named, "funds_received"),
        "causation_id": cause,
        "account_id": creditors,
        "payer_account_id": payer,
        "received_at": pa.array([one.at_us for one in decisions], pa.int64()),
        "origins": _origins(paid),
    }
    return Block(COMMANDS, ev.FundsReceived, at, joined("/", columns["tenant_id"], creditors), columns)


def _told_block(run: Run, told: Sequence[tuple[int, Told]]) -> Block:
    """Return payee_risk_changed for receipts: their positions in the run, ascending, and what is told."""
    at = np.array([place for place, _ in told])
    names = ("event_id", "payment_id", "tenant_id", "occurred_at", "correlation_id")
    columns = taken(run.columns, names, at)
    payment, cause = columns.pop("payment_id"), columns.pop("event_id")
    payees = pa.array([one.account_id for _, one in told], pa.string())
    named = joined("\0", columns["tenant_id"], payees, payment, cause)  # `routing.cause_name`
    columns |= {
        "event_id": derived_ids(named, "payee_risk_changed"),
        "causation_id": cause,
        "payee_account_id": payees,
        "as_of": pa.array([one.as_of_us for _, one in told], pa.int64()),
        "card": pa.array([card_text(one.card) for _, one in told], pa.string()),
    }
    return Block(COMMANDS, ev.PayeeRiskChanged, at, joined("/", columns["tenant_id"], payees), columns)


def _origins(paid: Sequence[Any]) -> pa.Array:
    lengths = np.array([0, *(len(one.origins) // 2 for one in paid)])
    flat = np.array([value for one in paid for value in one.origins], np.int64).reshape(-1, 2)
    values = pa.StructArray.from_arrays(
        [pa.array(flat[:, 0]), pa.array(flat[:, 1].astype(np.int32))], ["account", "hops"]
    )
    return pa.ListArray.from_arrays(pa.array(np.cumsum(lengths).astype(np.int32)), values)
