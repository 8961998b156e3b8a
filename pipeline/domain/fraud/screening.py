"""Screening: decide payments, with the decisions, alerts and profiles that the decisions read and write.

    load the rows -> decide or learn, one event at a time -> write the changed rows

The row path opens one screening for one event, the batch path one for all events of a run. Both store the
same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.domain.fraud.alerts import alert_key, alert_of, pack_alert
from pipeline.domain.fraud.decisions import Decision, pack_decision, read_decision
from pipeline.domain.fraud.profile import Attempt, Profile, id64, pack_profile, read_profile
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import PaymentInitiated, PaymentReviewed
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
        stream, earlier = self._stream, self._decision(key)
        debtor, creditor, amount = event.debtor_account_id, event.creditor_account_id, event.amount_minor
        content = content_of(debtor, creditor, str(amount), event.currency)
        if earlier is not None and stream.remembers(earlier, at_us):
            verdict = stream.repeat(earlier, content)
            return verdict, verdict.outcome != "APPROVE" and self._alert(event, at_us, verdict, once=True)
        if is_refused_by_ledger(amount, debtor, creditor):
            return stream.unscored, False
        attempt = attempt_of(at_us, amount, creditor, event.device_id, event.counterparty_country)
        verdict, held = stream.judge(self._profile(profile_key), attempt)
        self._fresh[key] = pack_decision(Decision(at_us, id64(debtor), id64(content), verdict, held))
        return verdict, verdict.outcome != "APPROVE" and self._alert(event, at_us, verdict)

    def learn(self, event: PaymentReviewed, key: bytes, profile_key: bytes) -> None:
        """Add a payment that a reviewer approved to the debtor's habits; a second approval has no effect."""
        decision = self._decision(key)
        if decision is None or decision.held is None or decision.debtor != id64(event.debtor_account_id):
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

    def _decision(self, key: bytes) -> Decision | None:
        row = self._fresh.get(key) or self._found[key]
        return None if row is None else read_decision(row)

    def _profile(self, key: bytes) -> Profile:
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._profiles[key] = read_profile(self._found[key])
        return profile

    def _alert(self, event: PaymentInitiated, at_us: int, verdict: Verdict, *, once: bool = False) -> bool:
        """Store an alert and return whether to raise it; with `once`, not if it is stored already."""
        key = alert_key(event.tenant_id, event.debtor_account_id, event.payment_id)
        if once and (key in self._fresh or self._rows.get(key) is not None):
            return False
        self._fresh[key] = pack_alert(alert_of(event, at_us, verdict))
        return True


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
