"""Screening: decide payments, with the decisions, alerts and profiles that the decisions read and write.

    load the rows -> decide or learn, one event at a time -> write the changed rows

The row path opens one screening for one event, the batch path one for all events of a run. Both store the
same rows.

The time of a tenant is that of its newest decided payment on the partition. A decision counts until that time
is later by more than `decisions_kept_days`, an alert until it is later by more than both windows. What is
over counts as absent, and is deleted with a bucket of others (`kernel.retention`).

A payment that is older than its tenant's time by more than the window for duplicates is not looked at: it may
have been decided before, and the ledger, whose time is the same or later, refuses it as too old. An hour is
added, for brokers whose clocks differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.domain.fraud.alerts import ALERTED, alert_key, alert_of, pack_alert, read_alert
from pipeline.domain.fraud.decisions import DECIDED, Decision, pack_decision, read_decision
from pipeline.domain.fraud.profile import Attempt, Profile, id64, pack_profile, read_profile
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import PaymentInitiated, PaymentReviewed
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.retention import Queues
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from pipeline.domain.fraud.stream import FraudStream

COUNTRY_LENGTH_MAX = 8


class Screening:
    """Decisions, alerts and profiles by row key, read once and written once."""

    def __init__(self, stream: FraudStream, rows: PrefetchingRows) -> None:
        self._stream = stream
        self._rows = rows
        self._kept_us, self._alerts_kept_us = stream.kept_us, stream.alerts_kept_us
        self._decided = Queues(DECIDED, rows, self._kept_us)
        self._alerted = Queues(ALERTED, rows, self._alerts_kept_us)
        self._found: dict[bytes, bytes | None] = {}
        """Rows as they were; None where there was none."""
        self._fresh: dict[bytes, bytes] = {}
        """Rows to be written."""
        self._profiles: dict[bytes, Profile] = {}
        """Decoded profiles that may still change. `put_away` encodes one as soon as it can: many live objects
        make Python's garbage collection slow."""

    def load(self, keys: Sequence[bytes]) -> None:
        """Read the rows of decisions and profiles that the events need, in one call."""
        self._found.update(zip(keys, self._rows.get_many(keys), strict=True))

    def decide(
        self, event: PaymentInitiated, at_us: int, key: bytes, profile_key: bytes
    ) -> tuple[Verdict, bool]:
        """Return the verdict on a payment, and whether it raises an alert.

        `at_us`: event time, microseconds UTC. A repeated payment id gets its stored decision. A repeat
        that is not approved raises an alert only if this debtor's payment has none yet: it may differ from
        the first payment in its content or its debtor.
        """
        stream = self._stream
        decided = self._decided.of(event.tenant_id)
        newest_at = max(decided.newest_at, at_us)
        if newest_at - at_us > stream.too_old_us:
            return stream.unscored, False
        earlier = self._decision(key, newest_at)
        debtor, creditor, amount = event.debtor_account_id, event.creditor_account_id, event.amount_minor
        content = content_of(debtor, creditor, str(amount), event.currency)
        if earlier is not None:
            verdict = stream.repeat(earlier, content)
            return verdict, self._alert(event, at_us, newest_at, verdict, once=True)
        if is_refused_by_ledger(amount, debtor, creditor):
            return stream.unscored, False
        attempt = attempt_of(at_us, amount, creditor, event.device_id, event.counterparty_country)
        verdict, held = stream.judge(self._profile(profile_key), attempt)
        self._fresh[key] = pack_decision(Decision(at_us, id64(debtor), id64(content), verdict, held))
        keys = decided.add(at_us, key)
        if keys:
            self._forget(keys, newest_at - self._kept_us, _decided_at)
        return verdict, self._alert(event, at_us, newest_at, verdict)

    def knows(self, tenant_id: str, key: bytes) -> bool:
        """Whether the decision on a payment id is known."""
        return self._decision(key, self._decided.of(tenant_id).newest_at) is not None

    def learn(self, event: PaymentReviewed, key: bytes, profile_key: bytes) -> None:
        """Add a payment that a reviewer approved to the debtor's habits; a second approval has no effect.

        A review that may need a second person teaches nothing, also once that person has approved it: this
        stream does not hear of that.
        """
        decision = self._decision(key, self._decided.of(event.tenant_id).newest_at)
        if decision is None or decision.held is None or decision.debtor != id64(event.debtor_account_id):
            return
        amount = decision.held.amount_minor if event.link_id is None else INT64_MAX
        if self._stream.gate.review_may_need_two(event.tenant_id, amount):
            return
        self._profile(profile_key).learn(decision.held)
        decision.held = None
        self._fresh[key] = pack_decision(decision)

    def put_away(self, profile_key: bytes) -> None:
        """Encode a changed profile that no later event of the run needs."""
        profile = self._profiles.pop(profile_key, None)
        if profile is not None:
            self._fresh[profile_key] = pack_profile(profile)

    def write(self) -> None:
        """Write the rows that have changed."""
        for key in [*self._profiles]:
            self.put_away(key)
        self._rows.put_many(self._fresh.items())
        self._decided.write()
        self._alerted.write()

    def _decision(self, key: bytes, newest_at: int) -> Decision | None:
        row = self._fresh.get(key) or self._found[key]
        decision = None if row is None else read_decision(row)
        return None if decision is None or newest_at - decision.at_us > self._kept_us else decision

    def _forget(self, keys: list[bytes], before_us: int, time_of: Callable[[bytes], int]) -> None:
        """Delete those rows that are of an earlier time."""
        for key, stored in zip(keys, self._rows.get_many(keys), strict=True):
            row = self._fresh.get(key, stored)
            if row is not None and time_of(row) < before_us:
                self._rows.delete(key)
                self._fresh.pop(key, None)
                if key in self._found:
                    self._found[key] = None

    def _profile(self, key: bytes) -> Profile:
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._profiles[key] = read_profile(self._found[key])
        return profile

    def _alert(
        self, event: PaymentInitiated, at_us: int, newest_at: int, verdict: Verdict, *, once: bool = False
    ) -> bool:
        """Store an alert and return whether to raise it: not if the payment is approved, and with `once` not
        if it is stored already."""
        if verdict.outcome == "APPROVE":
            return False
        key = alert_key(event.tenant_id, event.debtor_account_id, event.payment_id)
        if once:
            known = self._fresh.get(key) or self._rows.get(key)
            if known is not None and newest_at - _alerted_at(known) <= self._alerts_kept_us:
                return False
        self._fresh[key] = pack_alert(alert_of(event, at_us, verdict))
        alerted = self._alerted.of(event.tenant_id)
        keys = alerted.add(newest_at, key)
        if keys:
            self._forget(keys, newest_at - self._alerts_kept_us, _alerted_at)
        return True


def _decided_at(row: bytes) -> int:
    return read_decision(row).at_us


def _alerted_at(row: bytes) -> int:
    return read_alert(row).at_us


def is_refused_by_ledger(amount_minor: int, debtor: str, creditor: str) -> bool:
    """Whether the ledger surely refuses the amount or the pair of accounts, so that no score is needed."""
    return amount_minor <= 0 or debtor == creditor or debtor[0] == "$" or creditor[0] == "$"


def attempt_of(
    at_us: int, amount_minor: int, creditor_account_id: str, device_id: str | None, country: str | None
) -> Attempt:
    """Return a payment as the rules see it; an empty device or country counts as none."""
    return Attempt(
        at_us // MICROSECONDS_PER_SECOND,
        amount_minor,
        id64(creditor_account_id),
        id64(device_id) if device_id else None,
        country.upper()[:COUNTRY_LENGTH_MAX] if country else None,
    )


def content_of(*parts: str) -> str:
    """Return debtor, creditor, amount and currency as one text: what an approval is bound to."""
    return "\0".join(parts)
