"""The quick ways of the fraud stream do what the plain ones do: batches as rows, suspects as all rules."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.fraud.batch import FraudBatch
from pipeline.domain.fraud.preselection import preselect_by
from pipeline.domain.fraud.profile import Attempt, Profile
from pipeline.domain.fraud.rules import RULES
from pipeline.domain.fraud.score import RuleScorer, Verdict
from pipeline.domain.fraud.settings import FraudRules
from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel import events as ev
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import Tenant, Tenants
from tests.examples import examples
from tests.fraud.logs import busy_log
from tests.fraud.test_properties import cancellations, payments, reviews, scheduled, times
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.kernel.signed import signed

_ids = ("event_id", "tenant_id", "payment_id", "debtor_account_id")
_references = st.sampled_from(["RF18539007547034", "RF19539007547034", "rf18539007547034", "", "RF18é"])
_bad_ids = st.sampled_from(["", "\0", "a/b", "x" * 257, "é" * 200])


_bad_texts = st.sampled_from(["", "\x1f", "a\x7f", "\n", "x" * 257, "é" * 257, "é" * 200])
_metadata = st.dictionaries(st.sampled_from(["a", "", "k" * 65, "é" * 64, "\0", "b"]), _bad_texts, max_size=2)
_many = st.just({f"key {number}": "" for number in range(17)})


def _has_text(event: Any) -> bool:
    if type(event) is ev.BranchTicked:
        return True  # it can have none
    return event.actor is not None or getattr(event, "metadata", None) is not None


@st.composite
def _spoiled(draw: st.DrawFn) -> Any:
    event = draw(st.one_of(payments, reviews, cancellations))
    if draw(st.booleans()):
        part = draw(st.sampled_from(ev.Actor.__struct_fields__))
        bad = msgspec.structs.replace(ev.Actor("i", "s"), **{part: draw(_bad_texts)})
        return msgspec.structs.replace(event, actor=bad)
    if type(event) is ev.PaymentInitiated and draw(st.booleans()):
        return msgspec.structs.replace(event, metadata=draw(st.one_of(_metadata, _many)))
    if type(event) is ev.PaymentInitiated and draw(st.booleans()):
        return msgspec.structs.replace(event, creditor_reference=draw(_references))
    return msgspec.structs.replace(event, **{draw(st.sampled_from(_ids)): draw(_bad_ids)})


@st.composite
def _own(draw: st.DrawFn) -> Any:
    """Return a payment that the ledger will refuse: of its own accounts, or to itself."""
    names = st.sampled_from(["A1", "$A1"])
    return msgspec.structs.replace(
        draw(payments), debtor_account_id=draw(names), creditor_account_id=draw(names)
    )


_other = st.just(ev.AccountLimitSet("e", "acme", 0, "c", None, "A1", 5))
_usual = st.one_of(payments, payments, payments, scheduled, reviews, cancellations)
_any = st.one_of(*[_usual] * 12, _own(), _spoiled(), _other)


@st.composite
def _logs(draw: st.DrawFn) -> tuple[Log, list[int]]:
    """Return a log, with ids that come again, and where it is cut into batches."""
    drawn = draw(st.lists(st.tuples(_any, st.one_of(st.none(), times)), min_size=1, max_size=60))
    log = [(event, event.occurred_at if at is None else at) for event, at in drawn]
    return log, sorted(draw(st.lists(st.integers(0, len(log)), max_size=4)))


@st.composite
def _tenants(draw: st.DrawFn) -> Gate:
    """Return a gate: some tenants with a quota, small enough to be felt, some closed, some free."""
    small = st.one_of(st.none(), st.integers(1, 5))
    named = {}
    for name in ("acme", "other"):
        rate, burst = draw(small), draw(small)
        named[name] = Tenant(
            payments_per_second=rate, burst=burst if rate else None, closed=draw(st.integers(0, 4)) == 0
        )
    return Gate(Tenants(tenants=named))


def _busy(seed: int) -> tuple[Log, list[int], Gate]:
    """Return what busy accounts send, and now and then tenants with a quota, and where it is cut."""
    chance = Random(seed)
    log, gate = busy_log(chance, 150, scheduled=chance.choice([0.0, 0.0, 0.1]), links=0.05), Gate()
    if chance.random() < 0.4:
        log = [
            (msgspec.structs.replace(event, tenant_id=chance.choice(["acme", "acme", "b", "shut"])), at)
            for event, at in log
        ]
        quota = Tenant(payments_per_second=1, burst=chance.choice([4, 12, 40]))
        gate = Gate(Tenants(default=quota, tenants={"shut": Tenant(closed=True)}))
    reviewed = [_reviewed(chance, place, log) for place in range(len(log))]
    for place in sorted(chance.randrange(len(log)) for _ in range(chance.randrange(4))):
        ahead = chance.choice([0, -3_600_000_000, 1])
        tick = ev.BranchTicked(f"tick-{place}", "", log[place][1] + ahead, "c", None, "$clock:0", 0)
        reviewed.insert(place, (tick, log[place][1]))
    return reviewed, sorted(chance.randrange(len(log)) for _ in range(chance.randrange(4))), gate


def _reviewed(chance: Random, place: int, log: Log) -> tuple[Any, int]:
    """Return an entry of a log; a review is mostly of one of the payments shortly before it."""
    event, at = log[place]
    payments = [one for one, _ in log[max(0, place - 12) : place] if type(one) is ev.PaymentInitiated]
    if type(event) is not ev.PaymentReviewed or not payments or chance.random() < 0.2:
        return event, at
    payment = chance.choice(payments)
    names = ("tenant_id", "debtor_account_id", "payment_id")
    return msgspec.structs.replace(event, **{name: getattr(payment, name) for name in names}), at


_gates = st.one_of(st.just(Gate()), st.just(Gate()), st.just(Gate()), _tenants())
_schedules = st.tuples(_logs(), _gates).map(lambda drawn: (*drawn[0], drawn[1]))


@examples(500)
@given(st.one_of(*[_schedules] * 4, st.integers(0, 2**32).map(_busy)))
def test_batches_and_rows_agree(schedule: tuple[Log, list[int], Gate]) -> None:
    log, cuts, gate = schedule
    log = [(event if _has_text(event) else signed(event), at) for event, at in log]
    stream = FraudStream(gate=gate)
    replay = assert_alike(stream, FraudBatch(stream), log, cuts)
    assert replay.latest == {}
    for _, alert in replay.said.get("fraud-alerts", []):
        for reason in alert.reasons:
            note(f"reason: {reason.rule}")


@st.composite
def _rules(draw: st.DrawFn) -> FraudRules:
    """Return rules of which many find something, and some are switched off."""
    small = {
        name: draw(st.integers(1, 6))
        for name in FraudRules.__struct_fields__
        if name.endswith(("_max", "_payments_min"))
    }
    weights = {
        name: draw(st.sampled_from([0, 1, 5, 60]))
        for name in FraudRules.__struct_fields__
        if name.startswith("weight_")
    }
    hours = {name: draw(st.integers(0, 24)) for name in ("night_from_hour_utc", "night_to_hour_utc")}
    amounts = {
        name: draw(st.integers(1, 200_00))
        for name in FraudRules.__struct_fields__
        if name.endswith("_minor") and draw(st.booleans())
    }
    return FraudRules(**{**small, **weights, **hours, **amounts})


class _Comparing(RuleScorer):
    """Scores, and holds the rules that are suspected against all of them."""

    def __init__(self, rules: FraudRules) -> None:
        super().__init__(rules)
        self.found: set[str] = set()
        self._all, self._quick = rules, preselect_by(rules)

    def score(self, profile: Profile, attempt: Attempt) -> Verdict:
        suspects = self._quick(profile, attempt)
        assert suspects == [rule for rule in RULES if rule in suspects]
        for rule in RULES:
            finding = rule(profile, attempt, self._all)
            if finding is not None and finding.weight:
                assert rule in suspects, finding
                self.found.add(finding.rule)
        return super().score(profile, attempt)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.just(FraudRules()), _rules()), st.integers(0, 2**32))
def test_a_rule_that_finds_something_is_suspected(rules: FraudRules, seed: int) -> None:
    scorer = _Comparing(rules)
    Replay(FraudStream(rules, scorer)).by_rows(busy_log(Random(seed), 60))
    for rule in scorer.found:
        note(f"found: {rule}")
