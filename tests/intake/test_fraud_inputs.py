"""What comes to the log of the fraud decisions besides payments: to one log or two, or it is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud.publishing.checks import check_publication
from pipeline.domain.intake.stream import ACCEPTED, FRAUD_ALSO, Intake, IntakeBeside
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.routing import BROADCAST, KEY_FIELDS, record_key
from tests.fraud_publishing.publishing import list_parts, published, rule_set, watch_list
from tests.ledger.branches import envelope, opened

LEDGER, FRAUD = "ledger-commands", "fraud-commands"
LABEL = ev.PaymentLabelled(
    **envelope("e1"),
    payment_id="p1",
    debtor_account_id="alice",
    creditor_account_id="bob",
    label="FRAUD",
    source="CHARGEBACK",
    labelled_at=5,
)
RATE = ev.RateQuoted(
    **envelope("e2"), base_currency="EUR", quote_currency="USD", rate_e8=10**8, effective_from=0
)
INNER = (
    ev.PayeeRiskChanged("e3", "acme", 0, "c", None, "bob", 0, "AQ=="),
    ev.PayeeFraudConfirmed("e4", "acme", 0, "c", None, "p1", "bob", "alice", 0, "FRAUD", 0),
    ev.FundsReceived("e5", "acme", 0, "c", None, "p1", "bob", "alice", 5, "EUR", 0, ()),
)
"""What only the fraud stream itself says."""


def passed_on(intake: Intake, event: Any) -> list[tuple[str, str]] | str:
    """Return (topic, key) of what intake passes on; or the code of the dead letter."""
    out = Outbox()
    try:
        intake.apply(event, Arrival(10, 0, 4), None, out)
    except Reject as reject:
        assert not out.items
        return reject.code
    assert all(said is None for _, _, said in out.items)
    return [(topic, key) for topic, key, _ in out.items]


def test_a_label_goes_to_the_debtors_partition_alone() -> None:
    intake = Intake("fraud-labels", FRAUD)
    assert record_key(LABEL) == "acme/alice"
    assert passed_on(intake, LABEL) == [(FRAUD, "")]
    assert passed_on(intake, msgspec.structs.replace(LABEL, creditor_account_id="a/b")) == "invalid_id"
    assert passed_on(intake, msgspec.structs.replace(LABEL, payment_id="")) == "invalid_id"
    nobody = ev.Actor("bank", "", None, None, None)
    assert passed_on(intake, msgspec.structs.replace(LABEL, actor=nobody)) == "invalid_actor"


def test_an_opened_account_and_a_rate_go_to_both_logs_and_other_events_of_accounts_to_the_ledger_alone() -> (
    None
):
    accounts, beside = Intake("accounts", LEDGER), IntakeBeside("accounts", FRAUD, FRAUD_ALSO)
    opening = opened("o", "alice")
    assert (passed_on(accounts, opening), passed_on(beside, opening)) == ([(LEDGER, "")], [(FRAUD, "")])
    frozen = ev.AccountFrozen(**envelope("f"), account_id="alice", side="BOTH", reason="x")
    assert (passed_on(accounts, frozen), passed_on(beside, frozen)) == ([(LEDGER, "")], [])
    closed = ev.PeriodClosed(**envelope("p"), period_id="2026-10", closed_through=0)
    assert (passed_on(accounts, closed), passed_on(beside, closed)) == ([(LEDGER, "*")], [])
    rates, beside = Intake("rates", LEDGER), IntakeBeside("rates", FRAUD, FRAUD_ALSO)
    assert (passed_on(rates, RATE), passed_on(beside, RATE)) == ([(LEDGER, "*")], [(FRAUD, "*")])
    false = msgspec.structs.replace(RATE, rate_e8=0)
    assert passed_on(rates, false) == passed_on(beside, false) == "invalid_rate"  # it is left out of both


def test_rules_go_to_every_partition_and_a_bad_set_to_none() -> None:
    intake = Intake("fraud-rules", FRAUD, check=check_publication)
    rules = rule_set(1, watch_list("a", 3))
    event = published(rules)
    assert passed_on(intake, event) == [(FRAUD, "*")]
    assert passed_on(intake, list_parts(rules)[0]) == [(FRAUD, "*")]
    assert passed_on(intake, msgspec.structs.replace(event, sha256="0" * 64)) == "wrong_hash"
    assert passed_on(intake, msgspec.structs.replace(event, tenant_id="north")) == "wrong_tenant"
    assert passed_on(intake, msgspec.structs.replace(event, tenant_id="a/b", of_tenant="a/b")) == "invalid_id"


def test_all_that_a_tenant_publishes_has_one_key_so_that_its_parts_come_before_it_everywhere() -> None:
    assert {
        record_key(one) for one in (published(rule_set(1)), *list_parts(rule_set(1, watch_list("a", 1))))
    } == {"*/*"}
    for kind in ACCEPTED["fraud-rules"]:
        assert KEY_FIELDS[kind] == "tenant_id" and kind in BROADCAST


@pytest.mark.parametrize("source", sorted(ACCEPTED))
@pytest.mark.parametrize("event", INNER, ids=lambda event: type(event).__name__)
def test_what_the_stream_says_to_itself_is_a_dead_letter_on_every_upstream_topic(
    source: str, event: Any
) -> None:
    assert passed_on(Intake(source, LEDGER), event) == "unexpected_event"
