"""Decide all commands of a run at once: a result code and a mode for each, as `Ledger` would one by one.

The mode of a command says how its amount changes four counters: debits of its debit account and credits of
its credit account, PENDING[mode] times the pending and POSTED[mode] times the posted one. Checks come in the
order of the row path, because the first one that fails gives the code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import numpy_of
from pipeline.domain.ledger.back_dating import BACK_DATED_US
from pipeline.domain.ledger.batch.facts import (
    CANCELLED,
    COUNTER_MAX,
    DECIDED,
    LEG_POSTED,
    LEG_REFUSED,
    LEG_REQUESTED,
    REVIEWED,
    Facts,
)
from pipeline.domain.ledger.retention import Retention
from pipeline.domain.ledger.rows import CLOSED

NONE, RESERVE, BOOK, SETTLE, RELEASE = range(5)
PENDING = np.array([0, 1, 0, -1, -1])
POSTED = np.array([0, 0, 1, 1, 0])
"""Factors of the amount, by mode."""

CODES = (
    "ok",
    "too_old",
    "declined",
    "amount_must_be_positive",
    "accounts_must_differ",
    "debtor_not_found",
    "debtor_closed",
    "currency_mismatch",
    "creditor_not_found",
    "creditor_closed",
    "insufficient_funds",
    "cancelled",
    "exists",
    "exists_with_different_link",
    "exists_with_different_hold",
    "exists_with_different_expiry",
    "exists_with_different_debtor",
    "exists_with_different_creditor",
    "exists_with_different_amount",
    "exists_with_different_reference",
    "exists_with_different_currency",
    "exists_with_different_rate",
    "exists_with_different_type",
    "exists_with_different_execution_time",
    "exists_with_different_metadata",
    "payment_not_found",
    "payment_in_flight",
    "already_settled",
    "already_failed",
)
CODE = {code: number for number, code in enumerate(CODES)}
OK = CODE["ok"]
NO_STATE, HELD, IN_FLIGHT, SETTLED, REJECTED, FAILED, CANCELLED_STATE = range(7)
STATES = ("", "HELD", "IN_FLIGHT", "SETTLED", "REJECTED", "FAILED", "CANCELLED")
_ENDED = {"IN_FLIGHT": "payment_in_flight", "SETTLED": "already_settled"}


class DecidedRun(NamedTuple):
    """The decisions of a run; arrays have one element for each of the first `length` commands."""

    length: int
    """How many commands are decided: all before the first irregular one."""
    code: np.ndarray
    """Index into CODES."""
    mode: np.ndarray
    debit: np.ndarray
    """Number of the account in `Facts.accounts`, as `credit`."""
    credit: np.ndarray
    refused: np.ndarray
    """Whether the command is answered with command_refused and has no effect."""
    state: np.ndarray
    """Index into STATES: the state that the payment has now; NO_STATE where its row is not written."""
    watermark: int | None
    """The branch's watermark after the run, None where it does not move."""
    watermarks: np.ndarray
    """The branch's watermark after each command, microseconds UTC."""


def decide(facts: Facts, retention: Retention, ahead_max: int | None) -> DecidedRun:
    """Decide the commands up to the first irregular one.

    `ahead_max`: as in `answer_ahead`, None where that is not asked.
    """
    kinds, regular = facts.run.kinds, facts.regular.copy()
    if ahead_max is not None:
        ahead = numpy_of(facts.columns["occurred_at"]) - facts.run.recorded_at
        regular &= (ahead <= ahead_max) | ~np.isin(kinds, (DECIDED, REVIEWED, CANCELLED))
    code = np.zeros(len(kinds), np.int8)
    refused = np.zeros(len(kinds), bool)
    for position, answer in facts.answers.items():
        code[position], refused[position] = CODE[answer], True
    new = (kinds == DECIDED) & ~refused
    occurred = facts.columns["occurred_at"].to_numpy(zero_copy_only=False)
    too_old, watermarks = _too_old(facts, new, retention.window_us)
    refused[too_old] = kinds[too_old] != DECIDED
    debits = np.isin(kinds, (DECIDED, REVIEWED, LEG_POSTED)) & ~refused & ~too_old
    regular &= ~(debits & (watermarks - occurred > BACK_DATED_US))
    regular &= _nothing_is_over(facts, watermarks, retention.keep_us)
    if facts.next_due is not None:
        regular &= watermarks < facts.next_due
    for position, first in facts.repeat_of.items():
        regular[position] &= not too_old[first]  # the id of a payment that is too old is not stored
    code[too_old] = CODE["too_old"]
    _judge_decided(facts, new & ~too_old, code)
    _judge_credit(facts, kinds == LEG_REQUESTED, code)
    _judge_held(facts, code, refused, too_old)
    mode = _modes(facts, code, refused)
    is_leg = kinds == LEG_REQUESTED
    debit = np.where(is_leg, facts.clearing, facts.debtor)
    credit = np.where(is_leg | facts.local, facts.creditor, facts.clearing)

    table = facts.accounts.table
    high = np.zeros(len(table), bool)
    for name in ("debits_pending", "debits_posted", "credits_pending", "credits_posted"):
        high |= table[name] > COUNTER_MAX
    regular &= ~((mode != NONE) & (high[debit] | high[credit]))
    count = int(np.argmin(np.append(regular, False)))
    code, mode, debit, credit = code[:count], mode[:count], debit[:count], credit[:count]
    _limit(facts, new[:count], code, mode, debit, credit)
    state = _states(facts, code, refused[:count])
    seen = watermarks[:count][new[:count]]
    watermark = int(seen[-1]) if len(seen) and seen[-1] != facts.watermark else None
    return DecidedRun(count, code, mode, debit, credit, refused[:count], state, watermark, watermarks[:count])


def _too_old(facts: Facts, new: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which commands are older than the window, and the watermark at each of them.

    `new`: payments whose ids are not known; they move the watermark.
    """
    occurred = facts.columns["occurred_at"].to_numpy(zero_copy_only=False)
    before = -(2**62) if facts.watermark is None else facts.watermark
    seen = np.where(new, np.minimum(occurred, facts.run.recorded_at), before)
    watermarks = np.maximum(np.maximum.accumulate(seen), before)
    timed = np.isin(facts.run.kinds, (DECIDED, REVIEWED, CANCELLED))
    return timed & (watermarks - occurred > window), watermarks


def _nothing_is_over(facts: Facts, watermarks: np.ndarray, keep: int) -> np.ndarray:
    """Return for each command whether no row that it names counts as absent, and the walk can wait; bool."""
    fine = np.ones(len(watermarks), bool)
    if facts.next_walk is None:
        return ~fine
    fine &= watermarks < facts.next_walk
    for position, at in facts.ended.items():
        fine[position] &= watermarks[position] - at <= keep
    for position, first in facts.behind.items():  # the payment may have ended within the run
        fine[position] &= watermarks[position] - watermarks[first] <= keep
    occurred = facts.columns["occurred_at"].to_numpy(zero_copy_only=False)
    seen = np.minimum(occurred, facts.run.recorded_at)
    for home, told in facts.told.items():
        legs = (facts.run.kinds == LEG_REQUESTED) & (facts.home == home)
        fine[legs] &= max(told, int(seen[legs].max())) - occurred[legs] <= keep
    return fine


def _judge_decided(facts: Facts, new: np.ndarray, code: np.ndarray) -> None:
    """Give new payments the code of `Ledger._refusal`."""
    accounts, debtor = facts.accounts, facts.debtor
    declined = numpy_of(pc.equal(facts.columns["outcome"], "DECLINE"), False)
    refusals = (
        ("declined", declined),
        ("amount_must_be_positive", facts.amount <= 0),
        ("accounts_must_differ", debtor == facts.creditor),
        ("debtor_not_found", ~accounts.exists[debtor]),
        ("debtor_closed", accounts.table["status"][debtor] == CLOSED),
        ("currency_mismatch", accounts.currency[debtor] != facts.currency),
    )
    for name, holds in refusals:
        code[new & (code == OK) & holds] = CODE[name]
    _judge_credit(facts, new & facts.local & (code == OK), code)


def _judge_credit(facts: Facts, these: np.ndarray, code: np.ndarray) -> None:
    """Give commands the code of `Books.creditor_code`."""
    accounts, creditor = facts.accounts, facts.creditor
    for name, holds in (
        ("creditor_not_found", ~accounts.exists[creditor]),
        ("creditor_closed", accounts.table["status"][creditor] == CLOSED),
        ("currency_mismatch", accounts.currency[creditor] != facts.currency),
    ):
        code[these & (code == OK) & holds] = CODE[name]


def _judge_held(facts: Facts, code: np.ndarray, refused: np.ndarray, too_old: np.ndarray) -> None:
    """Decide reviews and cancellations, which are for payments that are held."""
    kinds = facts.run.kinds
    for position, payment in facts.payments.items():
        if kinds[position] in (LEG_POSTED, LEG_REFUSED) or (payment is not None and payment.state == "HELD"):
            continue
        if too_old[position]:
            continue
        refused[position] = True
        answer = "payment_not_found" if payment is None else _ENDED.get(payment.state, "already_failed")
        code[position] = CODE[answer]
    approved = numpy_of(facts.columns["approved"], False)
    code[(kinds == CANCELLED) & ~refused] = CODE["cancelled"]
    code[(kinds == REVIEWED) & ~refused & ~approved] = CODE["declined"]


def _modes(facts: Facts, code: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """Return the mode of each command, before debtors' limits are checked."""
    kinds, local, accepted = facts.run.kinds, facts.local, (code == OK) & ~refused
    decided, reviewed = kinds == DECIDED, kinds == REVIEWED
    held = decided & numpy_of(pc.equal(facts.columns["outcome"], "REVIEW"), False)
    mode = np.full(len(kinds), NONE, np.int8)
    mode[accepted & decided] = RESERVE
    mode[accepted & ((decided & local & ~held) | (kinds == LEG_REQUESTED))] = BOOK
    mode[accepted & ((kinds == LEG_POSTED) | (reviewed & local))] = SETTLE
    mode[(kinds == LEG_REFUSED) | ((kinds == CANCELLED) & ~refused) | (reviewed & ~accepted & ~refused)] = (
        RELEASE
    )
    return mode


def _states(facts: Facts, code: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """Return the new state of each command's payment, NO_STATE where its row is not written."""
    count = len(code)
    kinds, local, accepted = facts.run.kinds[:count], facts.local[:count], code == OK
    decided, reviewed = kinds == DECIDED, kinds == REVIEWED
    held = decided & numpy_of(pc.equal(facts.columns["outcome"], "REVIEW"), False)[:count]
    state = np.full(count, NO_STATE, np.int8)
    proceeds = accepted & (decided | reviewed)
    state[proceeds] = IN_FLIGHT
    state[(proceeds & local) | (kinds == LEG_POSTED)] = SETTLED
    state[proceeds & held] = HELD
    state[(decided & ~accepted & (code != CODE["too_old"])) | (reviewed & ~accepted)] = REJECTED
    state[kinds == LEG_REFUSED] = FAILED
    state[kinds == CANCELLED] = CANCELLED_STATE
    state[refused] = NO_STATE
    return state


def _limit(
    facts: Facts, new: np.ndarray, code: np.ndarray, mode: np.ndarray, debit: np.ndarray, credit: np.ndarray
) -> None:
    """Reject payments that a debtor's limit does not allow.

    Most accounts can pay all debits of the run even if nothing comes in. Only the commands on the other
    accounts are checked in order, with a running balance.
    """
    table, amount = facts.accounts.table, facts.amount[: len(mode)]
    asks = new & (mode != NONE)
    demand = np.zeros(len(table), np.int64)
    np.add.at(demand, debit[asks], amount[asks])
    available = table["credits_posted"] - table["debits_posted"] - table["debits_pending"]
    lowest = -table["limit_minor"]
    tight = (demand > 0) & (table["unlimited"] == 0) & (available - demand < lowest)
    if not tight.any():
        return
    left = dict(zip(np.flatnonzero(tight).tolist(), available[tight].tolist(), strict=True))
    for position in np.flatnonzero((mode != NONE) & (tight[debit] | tight[credit])).tolist():
        debtor, creditor, wanted = int(debit[position]), int(credit[position]), int(amount[position])
        if debtor in left:
            if asks[position]:
                if left[debtor] - wanted < lowest[debtor]:
                    code[position], mode[position] = CODE["insufficient_funds"], NONE
                    continue
                left[debtor] -= wanted
            elif mode[position] == RELEASE:
                left[debtor] += wanted
        if creditor in left and mode[position] in (BOOK, SETTLE):
            left[creditor] += wanted
