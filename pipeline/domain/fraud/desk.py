"""The rules of a decision over the rows that payments find and leave.

The row path opens a desk for one event, the batch path one for all events of a run; what is stored in the end
is the same.
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

if TYPE_CHECKING:
    from pipeline.domain.fraud.stream import FraudStream

MICROSECONDS_PER_SECOND = 1_000_000
COUNTRY_LENGTH_MAX = 8


class Desk:
    """Decisions, alerts and profiles by row key, as they are now."""

    def __init__(self, stream: FraudStream, rows: PrefetchingRows) -> None:
        self._stream = stream
        self._rows = rows
        self._found: dict[bytes, bytes | None] = {}
        """Rows as they were; None where there was none."""
        self._fresh: dict[bytes, bytes] = {}
        """Rows to be written."""
        self._profiles: dict[bytes, Profile] = {}
        """Those that have changed and are not put away; many at once would be slow to collect as garbage."""

    def load(self, keys: Sequence[bytes]) -> None:
        """Read the rows of decisions and profiles that the events need, in one go."""
        self._found.update(zip(keys, self._rows.get_many(keys), strict=True))

    def decide(
        self, event: PaymentInitiated, at_us: int, key: bytes, profile_key: bytes
    ) -> tuple[Verdict, bool]:
        """Return the verdict on a payment, and whether it raises an alert.

        A payment id that comes again gets its stored decision. It may be held because of other content under
        an id that was approved, or of another debtor under one that was not: then it has an alert, once.
        """
        stream, earlier = self._stream, self._decision(key)
        debtor, creditor, amount = event.debtor_account_id, event.creditor_account_id, event.amount_minor
        content = content_of(debtor, creditor, str(amount), event.currency)
        if earlier is not None and stream.remembers(earlier, at_us):
            verdict = stream.repeat(earlier, content)
            return verdict, verdict.outcome != "APPROVE" and self._alert(event, at_us, verdict, once=True)
        if is_for_the_ledger_to_refuse(amount, debtor, creditor):
            return stream.unscored, False
        attempt = attempt_of(at_us, amount, creditor, event.device_id, event.counterparty_country)
        verdict, held = stream.judge(self._profile(profile_key), attempt)
        self._fresh[key] = pack_decision(Decision(at_us, id64(debtor), id64(content), verdict, held))
        return verdict, verdict.outcome != "APPROVE" and self._alert(event, at_us, verdict)

    def learn(self, event: PaymentReviewed, key: bytes, profile_key: bytes) -> None:
        """Make a payment that a reviewer approved part of the debtor's habits, once."""
        decision = self._decision(key)
        if decision is None or decision.held is None or decision.debtor != id64(event.debtor_account_id):
            return
        self._profile(profile_key).learn(decision.held)
        decision.held = None
        self._fresh[key] = pack_decision(decision)

    def put_away(self, profile_key: bytes) -> None:
        """Encode a profile that no later event of the run needs."""
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
        """Keep an alert; return whether it is raised, which one that is there already is not if `once`."""
        key = alert_key(event.tenant_id, event.debtor_account_id, event.payment_id)
        if once and (key in self._fresh or self._rows.get(key) is not None):
            return False
        self._fresh[key] = pack_alert(alert_of(event, at_us, verdict))
        return True


def is_for_the_ledger_to_refuse(amount_minor: int, debtor: str, creditor: str) -> bool:
    """Whether the ledger takes no such amount, or no such pair of accounts: not worth a score."""
    return amount_minor <= 0 or debtor == creditor or debtor[0] == "$" or creditor[0] == "$"


def attempt_of(
    at_us: int, amount_minor: int, creditor_account_id: str, device_id: str | None, country: str | None
) -> Attempt:
    """Return a payment as the rules see it; an empty device or country is none."""
    return Attempt(
        at_us // MICROSECONDS_PER_SECOND,
        amount_minor,
        id64(creditor_account_id),
        id64(device_id) if device_id else None,
        country.upper()[:COUNTRY_LENGTH_MAX] if country else None,
    )


def content_of(*parts: str) -> str:
    """Return what the ledger compares under a payment id: debtor, creditor, amount and currency."""
    return "\0".join(parts)
