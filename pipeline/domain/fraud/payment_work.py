"""Payments of a run: their features, what is decided about them, and what is kept of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from pipeline.domain.fraud.account_rows import Account
from pipeline.domain.fraud.deciding.deciding import (
    APPROVED,
    BP_OF_POINT,
    REVIEWED,
    Decider,
    Decisions,
)
from pipeline.domain.fraud.deciding.decision import OUTCOMES
from pipeline.domain.fraud.deciding.facts import Asked, Facts
from pipeline.domain.fraud.deciding.in_force import InForce
from pipeline.domain.fraud.decision_book import facts_of
from pipeline.domain.fraud.expressions.by_column import Values, texts
from pipeline.domain.fraud.features.columns import Judged, Keys, Payments
from pipeline.domain.fraud.receipt_work import seconds_of
from pipeline.domain.fraud.run_payments import RunPayments
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.state_rows import FeatureRows
from pipeline.domain.fraud.tenant_days import TenantDays
from pipeline.domain.fraud.terms import named
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A payment that is judged."""

    place: int
    """Of its event in the run."""
    number: int
    """Among the payments of the run."""
    tenant: int
    """The number of the tenant in the run."""
    day: int
    """Of the tenant's time when it is judged, since 1970-01-01."""


class PaymentWork:
    """The payments of a run."""

    def __init__(
        self, payments: RunPayments, decider: Decider, accounts: dict[bytes, Account], days: TenantDays
    ) -> None:
        """`accounts`: by row key."""
        self._payments, self._decider, self._accounts, self._days = payments, decider, accounts, days
        self._in_force: dict[tuple[str, str], tuple[InForce, str]] = {}
        self._approved: dict[tuple[int, str], Verdict] = {}

    def pay(self, works: Sequence[Payment], features: FeatureRows) -> None:
        """Judge payments, in the order of the log."""
        of = self._payments.some([one.number for one in works])
        accounts = [self._accounts[key] for key in of.accounts]
        _touch([one.place for one in works], of, features)
        debtor, payee, device, country = of.ids
        payments = Payments(
            *(np.array(of.at_us, np.int64) // MICROSECONDS_PER_SECOND, debtor, payee, device, country),
            of.currencies([one.tenant for one in works]),
            of.minor,
            np.array([account.opened_s for account in accounts], np.int64),
        )
        decisions = self._decider.over(_facts_of(of, accounts))
        judged = features.tables.pay(payments, decisions, Keys(*of.keys))
        lines = zip(of.events, accounts, of.at_us, strict=True)
        deciding = [self._deciding(event.tenant_id, one.segment, at) for event, one, at in lines]
        self._keep(of, [name for _, name in deciding], decisions, judged)
        counted = [event.tenant_id for event in of.events], [one.day for one in works]
        in_force = [force for force, _ in deciding]
        self._days.count(*counted, in_force, decisions, judged.features, self._decider.deciders)

    def _keep(
        self,
        of: RunPayments,
        versions: Sequence[str],
        decisions: Decisions,
        judged: Judged,
    ) -> None:
        """Write what is decided, and what decided it, into the decisions."""
        ranks, points = decisions.ranks.tolist(), (decisions.scores_bp // BP_OF_POINT).tolist()
        for decision, version, rank, score in zip(of.decisions, versions, ranks, points, strict=True):
            paid = facts_of(decision)
            if rank == APPROVED:
                decision.verdict, paid.learned = self._approval(score, version), True
            else:
                paid.waits = rank == REVIEWED
        for place in np.flatnonzero(decisions.ranks != APPROVED).tolist():
            explained = decisions.explain(place, judged.features[:, place])
            reasons = tuple((reason.label, reason.text) for reason in explained.reasons)
            found = Verdict(OUTCOMES[ranks[place]], points[place], reasons, versions[place])
            of.decisions[place].verdict = found
        origins = judged.origins[1:].transpose(2, 0, 1).reshape(len(of.events), -1)
        for place in np.flatnonzero(origins.any(axis=1)).tolist():
            facts_of(of.decisions[place]).origins = _without_nobody(origins[place].tolist())

    def _deciding(self, tenant_id: str, segment: str, at_us: int) -> tuple[InForce, str]:
        """Return what decides about a payment, and its name."""
        whose = tenant_id, segment
        known = self._in_force.get(whose)
        if known is not None:
            force, _ = known
            if force.from_us <= at_us and (force.until_us is None or at_us < force.until_us):
                return known
        force = self._decider.deciders.at(at_us, *whose)
        found = self._in_force[whose] = force, named(force)
        return found

    def _approval(self, score: int, version: str) -> Verdict:
        found = self._approved.get((score, version))
        if found is None:
            found = self._approved[score, version] = Verdict(OUTCOMES[APPROVED], score, (), version)
        return found


def _touch(places: Sequence[int], of: RunPayments, features: FeatureRows) -> None:
    """Note that payments change states."""
    at_s = [seconds_of(at_us) for at_us in of.at_us]
    features.payers.touch(of.keys.payer, places, at_s)
    features.pairs.touch(of.keys.pair, places, at_s)
    named = [line for line in zip(of.keys.device, places, at_s, strict=True) if line[0]]
    if named:
        features.devices.touch(*zip(*named, strict=True))


def _without_nobody(pairs: Sequence[int]) -> list[int]:
    """Return the pairs of account and hops that name an account."""
    return [value for place in range(0, len(pairs), 2) if pairs[place] for value in pairs[place : place + 2]]


def _facts_of(of: RunPayments, accounts: Sequence[Account]) -> Facts:
    events = of.events
    words: dict[str, Callable[[], Values]] = {
        "debtor": lambda: texts([event.debtor_account_id for event in events]),
        "payee": lambda: texts([event.creditor_account_id for event in events]),
        "segment": lambda: texts([account.segment for account in accounts]),
        "device_id": lambda: texts(of.devices),
        "country": lambda: texts(of.countries),
        "channel": lambda: texts([event.channel or None for event in events]),
    }
    return Facts(np.array(of.at_us, np.int64), texts([event.tenant_id for event in events]), Asked(words))
