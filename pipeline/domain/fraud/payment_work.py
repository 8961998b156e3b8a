"""Payments of a run: their features, what is decided about them, and what is kept of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
from pipeline.domain.fraud.deciding.facts import Facts
from pipeline.domain.fraud.deciding.in_force import InForce
from pipeline.domain.fraud.decision_book import facts_of
from pipeline.domain.fraud.decisions import Decision
from pipeline.domain.fraud.expressions.by_column import texts
from pipeline.domain.fraud.features.amounts import number_of
from pipeline.domain.fraud.features.columns import Judged, Keys, Payments
from pipeline.domain.fraud.features.ids import id63
from pipeline.domain.fraud.phases import Work
from pipeline.domain.fraud.receipt_work import seconds_of
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.state_rows import FeatureRows
from pipeline.domain.fraud.tenant_days import TenantDays
from pipeline.domain.fraud.terms import named
from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND

COUNTRY_LENGTH_MAX = 8
DEVICE_CHARS_MAX = ID_CHARS_MAX


class PaymentKeys(NamedTuple):
    """The row keys of a payment's states."""

    payer: bytes
    receiver: bytes
    card: bytes
    pair: bytes
    device: bytes
    """Empty where no device is named."""
    population: bytes


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A payment that is judged."""

    event: PaymentInitiated
    at_us: int
    payer: bytes
    """Row keys, as `PaymentKeys` has them, and that of the account."""
    receiver: bytes
    card: bytes
    pair: bytes
    device: bytes
    population: bytes
    account: bytes
    decision: Decision
    """What is decided is written into it."""
    tenant: int
    """The number of the tenant in the run."""
    day: int
    """Of the tenant's time when it is judged, since 1970-01-01."""


class PaymentWork:
    """The payments of a run."""

    def __init__(self, decider: Decider, accounts: dict[bytes, Account], days: TenantDays) -> None:
        self._decider, self._accounts, self._days = decider, accounts, days
        self._in_force: dict[tuple[str, str], tuple[InForce, str]] = {}
        self._approved: dict[tuple[int, str], Verdict] = {}

    def pay(self, works: Sequence[Work], features: FeatureRows) -> None:
        """Judge payments, in the order of the log."""
        payments: list[Payment] = [work.what for work in works]
        keys = Keys(
            [one.payer for one in payments],
            [one.receiver for one in payments],
            [one.card for one in payments],
            [one.pair for one in payments],
            [one.device for one in payments],
            [one.population for one in payments],
        )
        _touch([work.place for work in works], payments, keys, features)
        accounts = [self._accounts[one.account] for one in payments]
        decisions = self._decider.over(_facts_of(payments, accounts))
        judged = features.tables.pay(_columns_of(payments, accounts), decisions, keys)
        deciding = [self._deciding(*line) for line in zip(payments, accounts, strict=True)]
        self._keep(payments, [name for _, name in deciding], decisions, judged)
        in_force = [force for force, _ in deciding]
        self._days.count(payments, in_force, decisions, judged.features, self._decider.deciders)

    def _keep(
        self,
        payments: Sequence[Payment],
        versions: Sequence[str],
        decisions: Decisions,
        judged: Judged,
    ) -> None:
        """Write what is decided, and what decided it, into the decisions."""
        origins = judged.origins[1:].transpose(2, 0, 1).reshape(len(payments), -1)
        carried = {place: origins[place] for place in np.flatnonzero(origins.any(axis=1)).tolist()}
        ranks, scores = decisions.ranks.tolist(), decisions.scores_bp.tolist()
        lines = zip(payments, versions, ranks, scores, strict=True)
        for place, (one, version, rank, score) in enumerate(lines):
            if rank == APPROVED:
                verdict = self._approval(score // BP_OF_POINT, version)
            else:
                explained = decisions.explain(place, judged.features[:, place])
                reasons = tuple((reason.label, reason.text) for reason in explained.reasons)
                verdict = Verdict(OUTCOMES[rank], score // BP_OF_POINT, reasons, version)
            decision, paid = one.decision, facts_of(one.decision)
            decision.verdict = verdict
            paid.learned, paid.waits = rank == APPROVED, rank == REVIEWED
            if place in carried:
                paid.origins = _without_nobody(carried[place].tolist())

    def _deciding(self, one: Payment, account: Account) -> tuple[InForce, str]:
        """Return what decides about a payment, and its name."""
        whose = one.event.tenant_id, account.segment
        known = self._in_force.get(whose)
        if known is not None:
            force, _ = known
            if force.from_us <= one.at_us and (force.until_us is None or one.at_us < force.until_us):
                return known
        force = self._decider.deciders.at(one.at_us, *whose)
        found = self._in_force[whose] = force, named(force)
        return found

    def _approval(self, score: int, version: str) -> Verdict:
        found = self._approved.get((score, version))
        if found is None:
            found = self._approved[score, version] = Verdict(OUTCOMES[APPROVED], score, (), version)
        return found


def _touch(places: Sequence[int], payments: Sequence[Payment], keys: Any, features: FeatureRows) -> None:
    """Note that payments change states."""
    at_s = [seconds_of(one.at_us) for one in payments]
    features.payers.touch(keys.payer, places, at_s)
    features.pairs.touch(keys.pair, places, at_s)
    named = [line for line in zip(keys.device, places, at_s, strict=True) if line[0]]
    if named:
        features.devices.touch(*zip(*named, strict=True))


def _without_nobody(pairs: Sequence[int]) -> list[int]:
    """Return the pairs of account and hops that name an account."""
    return [value for place in range(0, len(pairs), 2) if pairs[place] for value in pairs[place : place + 2]]


def _facts_of(payments: Sequence[Payment], accounts: Sequence[Account]) -> Facts:
    events = [one.event for one in payments]
    return Facts(
        np.array([one.at_us for one in payments], np.int64),
        texts([event.tenant_id for event in events]),
        {
            "debtor": texts([event.debtor_account_id for event in events]),
            "payee": texts([event.creditor_account_id for event in events]),
            "segment": texts([account.segment for account in accounts]),
            "device_id": texts([device_of(event.device_id) for event in events]),
            "country": texts([country_of(event.counterparty_country) for event in events]),
            "channel": texts([event.channel or None for event in events]),
        },
    )


def country_of(text: str | None) -> str | None:
    """Return a country as features have it; an empty one counts as none."""
    return text.upper()[:COUNTRY_LENGTH_MAX] if text else None


def device_of(text: str | None) -> str | None:
    """Return a device as states have it: keys of rows are bounded. An empty one counts as none."""
    return text[:DEVICE_CHARS_MAX] if text else None


def id_of(text: str | None) -> int:
    """Return the id of a device or a country, 0 for none."""
    return id63(text) if text else 0


def _columns_of(payments: Sequence[Payment], accounts: Sequence[Account]) -> Payments:
    rows = [
        (
            one.at_us // MICROSECONDS_PER_SECOND,
            id63(one.event.debtor_account_id),
            id63(one.event.creditor_account_id),
            one.decision.paid.device,  # type: ignore[union-attr]
            one.decision.paid.country,  # type: ignore[union-attr]
            number_of(one.tenant, one.event.currency),
            one.event.amount_minor,
            account.opened_s,
        )
        for one, account in zip(payments, accounts, strict=True)
    ]
    return Payments(*np.array(rows, np.int64).T.copy())
