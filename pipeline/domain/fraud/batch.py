"""The batch path of the fraud stream: one `Screening` for all events of a run.

A profile is read and written once a run; ids are checked and derived, and outputs encoded, for all events
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.fraud.batch_events import alerts_block, decisions_blocks, refusals_block
from pipeline.domain.fraud.scheduled_rows import NEVER, read_clock, waiting_key, write_clock
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.screening import Screening
from pipeline.domain.fraud.stream import PASSED_ON, FraudStream
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import LeaveToRows, RuleBatch, structs_of
from pipeline.domain.kernel.columns import (
    ACTOR_COLUMN,
    METADATA_COLUMN,
    OTHER,
    Block,
    Passed,
    Run,
    joined,
    numpy_of,
)
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.remittance import wrong_creditor_references
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.texts_batch import bad_texts

CLASSES = (ev.PaymentInitiated, *PASSED_ON)
INITIATED, REVIEWED = range(2)
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
}
_IDS = (
    *("event_id", "tenant_id", "payment_id", "debtor_account_id", "creditor_account_id"),
    *("capture_id", "reversal_id", "link_id"),
)
_RULED = frozenset(
    {
        *("occurred_at", "tenant_id", "payment_id", "debtor_account_id", "creditor_account_id"),
        *("amount_minor", "currency", "device_id", "counterparty_country", "approved"),
        "link_id",
    }
)
"""The fields that the rules read; ids of outputs and outputs themselves are made from the columns."""


class FraudBatch(RuleBatch):
    """Applies runs of payments to the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, stream: FraudStream) -> None:
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
        """Return each event with the row keys of its decision and of the debtor's profile."""
        columns = run.columns
        tenant, debtor, payment = (columns[name] for name in ("tenant_id", "debtor_account_id", "payment_id"))
        decisions = joined("\0", "d", tenant, payment).cast(pa.binary()).to_pylist()
        profiles = joined("\0", "f", tenant, debtor).cast(pa.binary()).to_pylist()
        return list(zip(structs_of(run, CLASSES, _RULED), decisions, profiles, strict=True))

    def _open(self, run: Run, events: Sequence[Any], rows: PrefetchingRows) -> _RunOfPayments:
        return _RunOfPayments(self._stream, run, events, rows)


class _RunOfPayments:
    """The screening of a run, and its results by position in the run, ascending."""

    def __init__(self, stream: FraudStream, run: Run, events: Sequence[Any], rows: PrefetchingRows) -> None:
        self._gate, self._screening, self._run, self._rows = stream.gate, Screening(stream, rows), run, rows
        self._place = 0
        self._clock = read_clock(rows)
        self._time_before = self._clock.watermark
        self._waiting = self._ids_of_waiting(events)
        self._decided: list[int] = []
        self._verdicts: list[Verdict] = []
        self._alerts: list[tuple[int, Verdict]] = []
        self._refused: dict[int, str] = {}
        """Result codes of payments above a quota or of closed tenants."""
        _, decisions, profiles = zip(*events, strict=True)
        self._screening.load([*decisions, *profiles])
        self._last = {key: place for place, key in enumerate(profiles)}
        """By key of a profile: the position of the last event that needs it."""

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event; see `OpenRun`. Raises LeaveToRows where something waits or is due."""
        about, key, profile_key = event
        now = max(self._clock.watermark, min(about.occurred_at, recorded_at))
        if self._clock.is_due(now) or (about.tenant_id, about.payment_id) in self._waiting:
            raise LeaveToRows
        place = self._place
        self._place += 1
        kind = type(about)
        if kind is ev.PaymentInitiated:
            if not self._initiated(place, about, key, profile_key, recorded_at):
                now = self._clock.watermark
        elif kind is ev.PaymentReviewed and about.approved:
            self._screening.learn(about, key, profile_key)
        self._clock.watermark = now
        if self._last[profile_key] == place:
            self._screening.put_away(profile_key)

    def _initiated(
        self, place: int, event: ev.PaymentInitiated, key: bytes, profile_key: bytes, recorded_at: int
    ) -> bool:
        """Decide a payment; return whether a quota lets it through."""
        if not self._gate.open:
            times = event.occurred_at, recorded_at
            code = self._gate.refusal(event.tenant_id, *times, self._run.partitions, self._rows)
            if code is not None:
                self._refused[place] = code
                return False
        at_us = min(event.occurred_at, recorded_at)
        verdict, alerted = self._screening.decide(event, at_us, key, profile_key)
        self._decided.append(place)
        self._verdicts.append(verdict)
        if alerted:
            self._alerts.append((place, verdict))
        return True

    def _ids_of_waiting(self, events: Sequence[Any]) -> set[tuple[str, str]]:
        """Return the ids, of those that the run names, of payments that wait or did."""
        if self._clock.earliest == NEVER:
            return set()
        named = list({(about.tenant_id, about.payment_id): None for about, _, _ in events})
        found = self._rows.get_many([waiting_key(*ids) for ids in named])
        return {ids for ids, row in zip(named, found, strict=True) if row is not None}

    def close(self) -> Sequence[Block | Passed]:
        """Write the changed rows and return the outputs; see `OpenRun`."""
        self._screening.write()
        if self._clock.watermark != self._time_before:
            write_clock(self._rows, self._clock)
        run, outputs = self._run.slice(0, self._place), list[Block | Passed]()
        if self._refused:
            outputs.append(refusals_block(run, self._refused))
        if self._decided:
            outputs += decisions_blocks(run, np.array(self._decided), self._verdicts)
        if self._alerts:
            outputs.append(alerts_block(run, self._alerts))
        passed = np.flatnonzero(run.kinds != INITIATED)
        if len(passed):
            outputs.append(Passed("ledger-commands", passed, passed))
        reviewed = np.flatnonzero(run.kinds == REVIEWED)
        if len(reviewed):
            outputs.append(Passed("payment-events", reviewed, reviewed))
        return outputs
