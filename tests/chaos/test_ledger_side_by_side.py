"""The model of the ledger beside the product's rules, on random traffic: record by record, and row by row."""

from __future__ import annotations

import pytest

from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.verify.model.ledger import Branch
from tests.chaos.ledger_town import logs_of
from tests.chaos.side_by_side import first_difference


@pytest.mark.parametrize("seed, partitions", [(1, 1), (2, 2), (3, 3)])
def test_model_and_product_say_and_write_the_same_for_random_traffic(seed: int, partitions: int) -> None:
    logs = logs_of([Branch(number, partitions) for number in range(partitions)], seed, 1500)
    for number, log in enumerate(logs):
        product = Ledger(LedgerRules(dedupe_window_days=90))
        assert first_difference(Branch(number, partitions), product, log) is None


@pytest.mark.parametrize("seed, partitions", [(4, 1), (5, 2)])
def test_they_do_so_where_few_holds_may_be_open_and_much_waits_for_its_turn(
    seed: int, partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With small bounds random traffic meets what needs thousands of holds otherwise."""
    monkeypatch.setattr("pipeline.domain.ledger.stream.OTHERS_MAX", 1)
    monkeypatch.setattr("pipeline.verify.model.ledger_due.OTHERS_MAX", 1)
    bounds = {"holds_max": 4, "ended_max": 2}
    logs = logs_of([Branch(number, partitions, **bounds) for number in range(partitions)], seed, 1500)
    said = ""
    for number, log in enumerate(logs):
        model = Branch(number, partitions, **bounds)
        assert first_difference(model, Ledger(LedgerRules(**bounds)), log) is None
        again = Branch(number, partitions, **bounds)
        said += "".join(str(again.apply(one)[1]) for one in log)
    assert "too_many_holds" in said


@pytest.mark.parametrize("seed, partitions", [(6, 1), (7, 2)])
def test_they_do_so_where_debits_of_the_past_are_refused(seed: int, partitions: int) -> None:
    about = {"refuses_past": True}
    logs = logs_of([Branch(number, partitions, **about) for number in range(partitions)], seed, 1500)
    said = ""
    for number, log in enumerate(logs):
        product = Ledger(LedgerRules(backdating="refuse"))
        assert first_difference(Branch(number, partitions, **about), product, log) is None
        again = Branch(number, partitions, **about)
        said += "".join(str(again.apply(one)[1]) for one in log)
    assert "back_dated" in said and "'PaymentSettled'" in said


def test_a_wrong_rule_of_the_model_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    (log,) = logs_of([Branch(0, 1)], 2, 400)
    monkeypatch.setattr("pipeline.verify.model.ledger_captures.CAPTURES_MAX", 0)
    found = first_difference(Branch(0, 1), Ledger(LedgerRules(dedupe_window_days=90)), log)
    assert found is not None and "too_many_captures" in found
