"""Outputs of a run: the events of its commands as columns, in the order of the row path."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.columns import Block, derived_ids, joined, said
from pipeline.domain.ledger.batch.decide import (
    BOOK,
    CANCELLED_STATE,
    CODE,
    CODES,
    FAILED,
    HELD,
    IN_FLIGHT,
    OK,
    REJECTED,
    RELEASE,
    RESERVE,
    SETTLE,
    SETTLED,
    DecidedRun,
)
from pipeline.domain.ledger.batch.facts import CANCELLED, DECIDED, LEG_REFUSED, LEG_REQUESTED, REVIEWED, Facts
from pipeline.domain.ledger.batch.touch import Touches
from pipeline.domain.ledger.books import NOSTRO
from pipeline.domain.ledger.rows import STATUS_NAMES

_CODES = pa.array(CODES)
_TYPES = pa.array(ACCOUNT_TYPES)
_STATUSES = pa.array(STATUS_NAMES)
_SIDES = pa.array(["DEBIT", "CREDIT"])
_SUFFIXES = pa.array([":D", ":C"])
_ENTRY_NAMES = pa.array(["settle", "leg"])
_HOLDS = {RESERVE: ("PLACED", "hold_placed"), RELEASE: ("RELEASED", "hold_released")}
"""By mode: `change` and the id's name of a hold that outlasts its command, or ends without a posting."""
_PAYMENT = ("payment_id", "debtor_account_id", "creditor_account_id", "currency")
_CAUSE = ("tenant_id", "debtor_account_id", "payment_id", "event_id")
"""The columns of `routing.cause_name`; all commands of a run are about payments."""
_COMMANDS = {DECIDED: "payment_initiated", REVIEWED: "payment_reviewed", CANCELLED: "payment_cancelled"}


def blocks(facts: Facts, decision: DecidedRun, touches: Touches) -> list[Block]:
    """Return the events of the decided commands, by topic and class."""
    outputs = _Outputs(facts, decision, touches)
    found = [
        *outputs.postings(),
        *outputs.holds(),
        outputs.balances(),
        *outputs.payment_events(),
        *outputs.legs(),
    ]
    return [block for block in found if len(block.order)]


def codes_of(facts: Facts, decision: DecidedRun, at: np.ndarray) -> pa.Array:
    """Return the codes of the commands at some positions; that of a refused leg comes with its event."""
    codes = _CODES.take(pa.array(decision.code[at]))
    from_leg = facts.run.kinds[at] == LEG_REFUSED
    if not from_leg.any():
        return codes
    return pc.if_else(pa.array(from_leg), facts.columns["code"].take(pa.array(at)), codes)


class _Outputs:
    """Builds the events of one run; `at`: for each event, the position of its command in the run."""

    def __init__(self, facts: Facts, decision: DecidedRun, touches: Touches) -> None:
        self._facts = facts
        self._decision = decision
        self._touches = touches
        self._kinds = facts.run.kinds[: decision.length]
        named = [facts.columns[name] for name in _CAUSE]
        self._causes = joined("\0", *named)
        self._batch = pa.RecordBatch.from_pydict(facts.columns)
        self._actor = said(facts.columns, "actor")
        self._metadata = said(facts.columns, "metadata")

    def _columns(self, at: np.ndarray, *names: str) -> dict[str, pa.Array]:
        """Return some columns of the commands, and the envelope of events they cause, without event_id."""
        wanted = ("tenant_id", "occurred_at", "correlation_id", "event_id", *names)
        taken = dict(zip(wanted, self._batch.select(wanted).take(pa.array(at)).columns, strict=True))
        taken["causation_id"] = taken.pop("event_id")
        return taken

    def _derived(self, at: np.ndarray, name: str) -> pa.Array:
        return derived_ids(self._causes.take(pa.array(at)), name)

    def _keys(self, numbers: np.ndarray) -> pa.Array:
        return self._facts.accounts.names.take(pa.array(numbers))

    def postings(self) -> list[Block]:
        """Return two postings for each entry, debit first; copies of nostro postings for reconciliation."""
        touches, facts = self._touches, self._facts
        posted = np.isin(self._decision.mode[touches.commands], (BOOK, SETTLE))
        entries = touches.commands[posted]
        names = _ENTRY_NAMES.take(pa.array((self._kinds[entries] == LEG_REQUESTED).astype(np.int8)))
        twice = pa.array(np.repeat(np.arange(len(entries)), 2))
        at, both = np.repeat(entries, 2), np.repeat(posted, 2)
        side = pa.array(np.tile([0, 1], len(entries)))
        account = touches.account[both]
        table = facts.accounts.table
        kind = table["account_type"][account]
        entry_ids = derived_ids(self._causes.take(pa.array(entries)), names).take(twice)
        posting_ids = joined("", entry_ids, _SUFFIXES.take(side))
        columns = {
            **self._columns(at, "payment_id", "currency", "reference", *self._actor, *self._metadata),
            "event_id": posting_ids,
            "posting_id": posting_ids,
            "entry_id": entry_ids,
            "account_id": facts.accounts.ids.take(pa.array(account)),
            "account_type": _TYPES.take(pa.array(kind)),
            "side": _SIDES.take(side),
            "amount_minor": pa.array(facts.amount[at]),
            "account_sequence": pa.array(touches.sequence_after[both]),
            "balance_minor_after": pa.array(touches.balance_after[both]),
            "branch": self._branch(len(at)),
            "booked_at": pa.array(facts.run.recorded_at[at]),
            "held_minor_after": pa.array(touches.held_after[both]),
        }
        journal = Block("postings", ev.PostingRecorded, at, self._keys(account), columns)
        nostro = np.flatnonzero(kind == NOSTRO)
        if not len(nostro):
            return [journal]
        take = pa.array(nostro)
        chosen = {name: column.take(take) for name, column in columns.items()}
        copied = Block(
            "reconciliation-items", ev.PostingRecorded, at[nostro], journal.keys.take(take), chosen
        )
        return [journal, copied]

    def holds(self) -> list[Block]:
        """Return the holds that outlast their command, and those that end without a posting."""
        mode = self._decision.mode[self._touches.commands]
        return [self._holds(kind, np.flatnonzero(mode == kind)) for kind in _HOLDS if (mode == kind).any()]

    def _holds(self, mode: int, which: np.ndarray) -> Block:
        """Return the hold events of some accepted commands (`which`: indexes into `touches.commands`)."""
        touches, facts = self._touches, self._facts
        at, debit = touches.commands[which], 2 * which
        account, (change, name) = touches.account[debit], _HOLDS[mode]
        columns = self._columns(at, "payment_id", "currency", *self._actor)
        columns |= {
            "hold_id": columns.pop("payment_id"),
            "event_id": self._derived(at, name),
            "account_id": facts.accounts.ids.take(pa.array(account)),
            "account_type": _TYPES.take(pa.array(facts.accounts.table["account_type"][account])),
            "change": pa.repeat(pa.scalar(change), len(at)),
            "amount_minor": pa.array(facts.amount[at]),
            "held_minor_after": pa.array(touches.held_after[debit]),
            "balance_minor": pa.array(touches.balance_after[debit]),
            "booked_at": pa.array(facts.run.recorded_at[at]),
            "branch": self._branch(len(at)),
        }
        return Block("postings", ev.HoldRecorded, at, self._keys(account), columns)

    def _branch(self, count: int) -> pa.Array:
        return pa.array(np.full(count, self._facts.run.partition, np.int32))

    def balances(self) -> Block:
        """Return the balance of each changed account after its last command."""
        touches, accounts = self._touches, self._facts.accounts
        account, at = touches.account[touches.last], touches.commands[touches.last // 2]
        row, take = accounts.table[account], pa.array(account)
        ids = accounts.ids.take(take)
        balance, limit = row["credits_posted"] - row["debits_posted"], row["limit_minor"]
        columns = self._columns(at)
        columns |= {
            "event_id": joined(":", columns["causation_id"], accounts.names.take(take)),
            "account_id": ids,
            "account_type": _TYPES.take(pa.array(row["account_type"])),
            "currency": pa.array([currency.decode() for currency in row["currency"].tolist()], pa.string()),
            **{
                name: pa.array(row[name])
                for name in ("debits_pending", "debits_posted", "credits_pending", "credits_posted")
            },
            "available_minor": pa.array(balance - row["debits_pending"]),
            "balance_minor": pa.array(balance),
            "account_sequence": pa.array(row["sequence"]),
            "overdraft_limit_minor": pa.array(np.maximum(limit, 0), mask=row["unlimited"] == 1),
            "minimum_balance_minor": pa.array(-limit, mask=limit >= 0),
            "status": _STATUSES.take(pa.array(row["status"])),
        }
        return Block("balances", ev.BalanceUpdated, touches.last, self._keys(account), columns)

    def payment_events(self) -> list[Block]:
        """Return the outcomes of payments, and the answers to refused commands."""
        kinds, code, state, refused = (
            self._kinds,
            self._decision.code,
            self._decision.state,
            self._decision.refused,
        )
        reserved = (kinds == DECIDED) & np.isin(state, (HELD, IN_FLIGHT, SETTLED))
        rejected = (state == REJECTED) | ((code == CODE["too_old"]) & ~refused)
        outcomes: tuple[tuple[type, str, np.ndarray], ...] = (
            (ev.PaymentReserved, "payment_reserved", reserved),
            (ev.PaymentSettled, "payment_settled", state == SETTLED),
            (ev.PaymentRejected, "payment_rejected", rejected),
            (ev.PaymentFailed, "payment_failed", state == FAILED),
            (ev.PaymentCancelledOutcome, "payment_cancelled", state == CANCELLED_STATE),
        )
        found = [
            self._outcome(event, name, np.flatnonzero(which))
            for event, name, which in outcomes
            if which.any()
        ]
        for kind, command in _COMMANDS.items():
            which = (kinds == kind) & refused
            if which.any():
                found.append(self._refusal(command, np.flatnonzero(which)))
        return found

    def _outcome(self, event: type, name: str, at: np.ndarray) -> Block:
        columns = {
            **self._columns(at, *_PAYMENT, *self._actor),
            "event_id": self._derived(at, name),
            "amount_minor": pa.array(self._facts.amount[at]),
            "code": codes_of(self._facts, self._decision, at),
        }
        return Block("payment-events", event, at, self._keys(self._facts.debtor[at]), columns)

    def _refusal(self, command: str, at: np.ndarray) -> Block:
        columns = self._columns(at, "payment_id", "debtor_account_id", *self._actor)
        columns |= {
            "event_id": self._derived(at, f"refused:{command}"),
            "command": pa.array([command] * len(at), pa.string()),
            "account_id": columns.pop("debtor_account_id"),
            "code": codes_of(self._facts, self._decision, at),
        }
        keys = self._keys(self._facts.debtor[at])
        return Block("payment-events", ev.CommandRefused, at, keys, columns)

    def legs(self) -> list[Block]:
        """Return legs requested from other branches, and answers to legs that they requested here."""
        answered = self._kinds == LEG_REQUESTED
        posted = self._decision.code == OK
        asked = self._decision.state == IN_FLIGHT
        return [
            *([self._requests(np.flatnonzero(asked))] if asked.any() else []),
            *(
                self._answers(event, np.flatnonzero(answered & which))
                for event, which in ((ev.LegPosted, posted), (ev.LegRefused, ~posted))
                if (answered & which).any()
            ),
        ]

    def _requests(self, at: np.ndarray) -> Block:
        columns = self._columns(at, *_PAYMENT, "reference", *self._actor, *self._metadata)
        columns |= {
            "event_id": self._derived(at, "leg_requested"),
            "leg_id": derived_ids(columns["debtor_account_id"], joined("", "leg:", columns["payment_id"])),
            "account_id": columns["creditor_account_id"],
            "amount_minor": pa.array(self._facts.amount[at]),
            "origin_branch": self._branch(len(at)),
        }
        keys = self._keys(self._facts.creditor[at])
        return Block("ledger-commands", ev.LegRequested, at, keys, columns)

    def _answers(self, event: type, at: np.ndarray) -> Block:
        columns = {
            **self._columns(at, *_PAYMENT, "leg_id", *self._actor),
            "event_id": self._derived(at, "leg_answer"),
            "amount_minor": pa.array(self._facts.amount[at]),
            "code": codes_of(self._facts, self._decision, at),
        }
        return Block("ledger-commands", event, at, self._keys(self._facts.debtor[at]), columns)
