"""The vector path of the fraud stream: a run of events at once, with the results of `FraudStream.apply`.

    Run -> gate -> columns, row keys -> rows, in one read -> _Desk -> rows, in one write
             |                                                 |
      refusals as a block          decisions and alerts as blocks; reviews and cancellations passed on

A score depends on every payment of the debtor before it, so payments are still judged in order, by the same
`FraudStream.judge`. What a run saves is everything around that: no Struct is made of an event, a profile is
read and written once, ids are checked and derived together. An event that must be rejected ends the run: it
is left to the row path. A property test holds both against each other.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.fraud.alerts import Alert, alert_key, pack_alert
from pipeline.domain.fraud.batch_events import alerts_block, decisions_blocks, refusals_block
from pipeline.domain.fraud.decisions import Decision, pack_decision, read_decision
from pipeline.domain.fraud.profile import Profile, id64, pack_profile, read_profile
from pipeline.domain.fraud.remittance import wrong_creditor_references
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.stream import PASSED_ON, FraudStream, attempt_of, is_for_the_ledger_to_refuse
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Passed, Run, joined
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.rows import PrefetchingRows

CLASSES = (ev.PaymentInitiated, *PASSED_ON)
INITIATED, REVIEWED = range(2)
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "payment_id"), pa.string()),
    **dict.fromkeys(("debtor_account_id", "creditor_account_id", "currency", "payment_type"), pa.string()),
    **dict.fromkeys(("reference", "channel", "device_id"), pa.string()),
    **dict.fromkeys(("counterparty_country", "merchant_category", "creditor_reference"), pa.string()),
    **dict.fromkeys(("occurred_at", "amount_minor", "hold_expires_at"), pa.int64()),
    **dict.fromkeys(("capture_id", "reversal_id"), pa.string()),
    "approved": pa.bool_(),
}
_IDS = (
    "event_id",
    "tenant_id",
    "payment_id",
    "debtor_account_id",
    "creditor_account_id",
    "capture_id",
    "reversal_id",
)


class FraudBatch:
    """The vector path over the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, stream: FraudStream) -> None:
        self._stream = stream

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block | Passed]]:
        """Apply the events up to the first irregular one; return how many, and what they say."""
        length = int(np.argmax(np.append(_irregular(run), True)))
        if not length:
            return 0, []
        run = run.slice(0, length)
        codes = self._refused(run, rows)
        if not codes:
            return length, self._decided(run, rows)
        let_in = np.delete(np.arange(length), list(codes))
        said = self._decided(run.take(let_in), rows) if len(let_in) else []
        return length, [refusals_block(run, codes), *(_placed(part, let_in) for part in said)]

    def _refused(self, run: Run, rows: PrefetchingRows) -> dict[int, str]:
        """Return which payments the gate does not let in, by position in the run, ascending, and why."""
        if self._stream.gate.open:
            return {}
        initiated = np.flatnonzero(run.kinds == INITIATED)
        tenants = run.columns["tenant_id"].take(pa.array(initiated)).to_pylist()
        occurred = run.columns["occurred_at"].to_numpy()[initiated].tolist()
        recorded = run.recorded_at[initiated].tolist()
        codes = self._stream.gate.refusals(tenants, occurred, recorded, run.partitions, rows)
        return {at: code for at, code in zip(initiated.tolist(), codes, strict=True) if code is not None}

    def _decided(self, run: Run, rows: PrefetchingRows) -> list[Block | Passed]:
        """Decide the payments of a run, and pass the rest on; return what is said."""
        desk = _Desk(self._stream, run, rows)
        desk.apply()
        desk.write()
        said: list[Block | Passed] = []
        initiated = np.flatnonzero(run.kinds == INITIATED)
        passed = np.flatnonzero(run.kinds != INITIATED)
        if len(initiated):
            said += decisions_blocks(run, initiated, desk.verdicts)
        if desk.alerts:
            said.append(alerts_block(run, desk.alerts))
        if len(passed):
            said.append(Passed("ledger-commands", passed, passed))
        reviewed = np.flatnonzero(run.kinds == REVIEWED)
        if len(reviewed):
            said.append(Passed("payment-events", reviewed, reviewed))
        return said


def _placed(part: Block | Passed, positions: np.ndarray) -> Block | Passed:
    """Return what some rows of a run say, which stand at these positions of it, as the run says it."""
    order = positions[part.order]
    if isinstance(part, Block):
        return part._replace(order=order)
    return part._replace(order=order, positions=positions[part.positions])


def _irregular(run: Run) -> np.ndarray:
    """Return which events are of another class, or are refused (`check_ids`, `check_creditor_reference`)."""
    found = bad_ids(run, _IDS)
    found |= run.kinds == OTHER
    found |= wrong_creditor_references(run.columns["creditor_reference"])
    return found


class _Desk:
    """What the events of a run find and leave."""

    def __init__(self, stream: FraudStream, run: Run, rows: PrefetchingRows) -> None:
        self.verdicts: list[Verdict] = []
        """Of the payments, in order."""
        self.alerts: list[tuple[int, Verdict]] = []
        """With the position of the payment in the run."""
        self._stream = stream
        self._run = run
        self._rows = rows
        self._fresh: dict[bytes, bytes] = {}
        """Rows to be written."""
        self._profiles: dict[bytes, Profile] = {}
        """Those that the run has changed and comes back to; many at once would be slow to go through."""
        columns = run.columns
        tenant, debtor, payment = (columns[name] for name in ("tenant_id", "debtor_account_id", "payment_id"))
        self._decision_keys = joined("\0", "d", tenant, payment).cast(pa.binary()).to_pylist()
        self._profile_keys = joined("\0", "f", tenant, debtor).cast(pa.binary()).to_pylist()
        keys = [*self._decision_keys, *self._profile_keys]
        self._found: dict[bytes, bytes | None] = dict(zip(keys, rows.get_many(keys), strict=True))
        self._last = {key: at for at, key in enumerate(self._profile_keys)}
        """Where the run comes to a debtor for the last time."""

    def apply(self) -> None:
        """Judge the payments, and learn from the reviews, in order."""
        columns = self._run.columns
        amount = pc.fill_null(columns["amount_minor"], 0)
        names = ("debtor_account_id", "creditor_account_id", "currency")
        debtor, creditor, currency = (columns[name] for name in names)
        content = joined("\0", debtor, creditor, amount.cast(pa.string()), currency)
        at_us = np.minimum(columns["occurred_at"].to_numpy(), self._run.recorded_at)
        payments = zip(
            at_us.tolist(),
            amount.to_numpy().tolist(),
            content.to_pylist(),
            *(columns[name].to_pylist() for name in (*names, "device_id", "counterparty_country")),
            strict=True,
        )
        kinds, approved = self._run.kinds.tolist(), columns["approved"].to_pylist()
        keys = zip(self._decision_keys, self._profile_keys, strict=True)
        for at, ((key, profile_key), payment) in enumerate(zip(keys, payments, strict=True)):
            if kinds[at] == INITIATED:
                self.verdicts.append(self._decide(at, key, profile_key, *payment))
            elif approved[at]:
                self._learn(key, profile_key, payment[3])
            if self._last[profile_key] == at and profile_key in self._profiles:
                self._fresh[profile_key] = pack_profile(self._profiles.pop(profile_key))

    def _decide(
        self,
        at: int,
        key: bytes,
        profile_key: bytes,
        at_us: int,
        amount_minor: int,
        content: str,
        debtor: str,
        creditor: str,
        currency: str,
        device: str | None,
        country: str | None,
    ) -> Verdict:
        stream = self._stream
        earlier = self._decision(key)
        again = earlier is not None and stream.remembers(earlier, at_us)
        if again:
            assert earlier is not None
            verdict = stream.repeat(earlier, content)
        elif is_for_the_ledger_to_refuse(amount_minor, debtor, creditor):
            return stream.unscored
        else:
            attempt = attempt_of(at_us, amount_minor, creditor, device, country)
            verdict, held = stream.judge(self._profile(profile_key), attempt)
            decision = Decision(at_us, id64(debtor), id64(content), verdict, held)
            self._fresh[key] = pack_decision(decision)
        if verdict.outcome != "APPROVE":
            alert = Alert(at_us, verdict, creditor, amount_minor, currency)
            self._alert(at, alert, only_once=again)
        return verdict

    def _decision(self, key: bytes) -> Decision | None:
        row = self._fresh.get(key) or self._found[key]
        return None if row is None else read_decision(row)

    def _profile(self, key: bytes) -> Profile:
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._profiles[key] = read_profile(self._found[key])
        return profile

    def _alert(self, at: int, alert: Alert, *, only_once: bool) -> None:
        """Raise an alert; one for an id that comes again only if it has none yet."""
        names = ("tenant_id", "debtor_account_id", "payment_id")
        key = alert_key(*(self._run.columns[name][at].as_py() for name in names))
        if only_once and (key in self._fresh or self._rows.get(key) is not None):
            return
        self._fresh[key] = pack_alert(alert)
        self.alerts.append((at, alert.verdict))

    def _learn(self, key: bytes, profile_key: bytes, debtor: str) -> None:
        """Make a payment that a reviewer approved part of the debtor's habits, once."""
        decision = self._decision(key)
        if decision is None or decision.held is None or decision.debtor != id64(debtor):
            return
        self._profile(profile_key).learn(decision.held)
        decision.held = None
        self._fresh[key] = pack_decision(decision)

    def write(self) -> None:
        """Write the rows that have changed."""
        self._rows.put_many(self._fresh.items())
