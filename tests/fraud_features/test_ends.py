"""States that end, labels that are withdrawn, receipts that nobody paid."""

from __future__ import annotations

import numpy as np

from pipeline.domain.fraud.features.forms import ACCOUNT_KEPT_S, CARD_AGAIN_S
from pipeline.domain.fraud.features.layout import R_COUNT, R_FRAUDS, RISK
from tests.fraud_features.histories import (
    BOTH,
    COLUMNS,
    DAY_S,
    ROWS,
    START_S,
    fresh,
    last,
    payments,
    receipts,
    settle,
)


def test_a_debtor_is_new_again_after_400_days() -> None:
    for lanes in (COLUMNS, ROWS, BOTH):
        tables = fresh(lanes)
        last(tables, {})
        before = last(tables, {"at_s": START_S + ACCOUNT_KEPT_S})
        after = last(tables, {"at_s": START_S + 2 * ACCOUNT_KEPT_S + 1})
        assert (before["approved_payments"], before["account_age"]) == (1, ACCOUNT_KEPT_S)
        assert (after["approved_payments"], after["account_age"]) == (0, 0)


def test_a_payee_is_told_again_before_its_card_ends() -> None:
    tables, told = fresh(), []
    for day in range(0, 400, 20):
        of = payments({"at_s": START_S + day * DAY_S, "debtor": 1 + day})
        cards = tables.receive(receipts(of, tables.pay(of)))
        told += [day] * len(cards)
    assert told == [0, CARD_AGAIN_S // DAY_S, 2 * CARD_AGAIN_S // DAY_S]


def test_a_label_that_is_withdrawn_leaves_what_was_before() -> None:
    tables, plain = fresh(), fresh()
    of = payments({}, {"at_s": START_S + 60, "minor": 900_00}, {"at_s": START_S + 120})
    for one in (tables, plain):
        settle(one, of, one.pay(of))
    fraud = payments({"at_s": START_S + 60, "minor": 900_00})
    learned, known_s = np.ones(1, bool), np.array([START_S + 5 * DAY_S])
    tables.unlearn(fraud, learned)
    (card,) = tables.confirm(fraud, known_s)
    tables.relearn(fraud, learned)
    (back,) = tables.withdraw(fraud, known_s, known_s + DAY_S)
    assert tables.payers.state(1).tolist() == plain.payers.state(1).tolist()
    assert tables.pairs.state((1, 2)).tolist() == plain.pairs.state((1, 2)).tolist()
    assert card.values[2] == 1 and back.values[2] == 0
    after = tables.receivers.state(2)
    assert after[R_FRAUDS] == 0
    assert after[RISK.at + 2 * RISK.slots : RISK.hand].sum() == 0


def test_what_a_journal_books_is_money_without_a_payer() -> None:
    for lanes in (COLUMNS, ROWS):
        tables = fresh(lanes)
        of = payments({"debtor": 0, "payee": 9, "minor": 800_00})
        booked = receipts(of, tables.pay(of))._replace(origins=np.zeros((5, 2, 1), np.int64))
        tables.receive(booked)
        assert tables.receivers.state(9)[R_COUNT] == 1
        found = last(tables, {"debtor": 9, "at_s": START_S + 60})
        assert (found["amount_in_24h"], found["payers_in_24h"], found["since_inflow"]) == (800_00, 0, 60)
