"""Payments that an endless run waits to hear of, and how far its event time may be ahead of the ledger.

The fraud stream tells a receiver's partition of each payment that the ledger has booked (`funds_received`,
with where the money was before). Once that is in fraud-commands, what is sent later is decided with it: the
next stage of a planted fraud waits for it.

What became of a payment is in payment-events, under its payer. While event time moves faster than real time,
a worker that stands still for a minute is days of it behind; a line or a posting whose other side has not
come by the end of the grace period would become a break that nobody planted. So `Pace` holds the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from pipeline.loadgen.payments import PaymentDraft
from pipeline.loadgen.plan import GRACE_US

AHEAD_US_MAX = GRACE_US // 2
"""How far event time may be ahead of the oldest payment of which the ledger has said nothing."""


class Awaited:
    """Waits for nothing until somebody reads the log for it (`is_read`)."""

    def __init__(self, key_of: Callable[[PaymentDraft], bytes]) -> None:
        """`key_of`: the key of the record that is waited for."""
        self.is_read = False
        self._key_of = key_of
        self._awaited: dict[bytes, set[bytes]] = {}
        """By key: ids of payments."""

    def expect(self, paid: Sequence[PaymentDraft]) -> None:
        """Wait for payments that are sent now."""
        for payment in paid if self.is_read else ():
            self._awaited.setdefault(self._key_of(payment), set()).add(_written(payment))

    def heard(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of the log: one with the key and the id of a payment says that it has come."""
        awaited = self._awaited.get(key or b"")
        if awaited is not None and value is not None:
            awaited -= {one for one in awaited if one in value}

    def lacks(self, paid: Sequence[PaymentDraft]) -> bool:
        """Whether one of the payments is still on its way."""
        return any(_written(one) in self._awaited.get(self._key_of(one), ()) for one in paid)

    def give_up(self, paid: Sequence[PaymentDraft]) -> None:
        """Wait for payments no longer: they have come, or were held or refused."""
        for payment in paid:
            awaited = self._awaited.get(self._key_of(payment))
            if awaited is not None:
                awaited.discard(_written(payment))
                if not awaited:
                    del self._awaited[self._key_of(payment)]


class Pace:
    """How far a run is ahead of what the ledger has said of the payments over nostro accounts."""

    def __init__(self) -> None:
        self.answers = Awaited(by_payer)
        self._sent: deque[tuple[int, PaymentDraft]] = deque()
        """By event time, microseconds UTC."""

    def sent(self, payment: PaymentDraft, at: int) -> None:
        """Take note of a payment that is sent now, at its event time."""
        if self.answers.is_read:
            self.answers.expect((payment,))
            self._sent.append((at, payment))

    def is_ahead(self, at: int) -> bool:
        """Whether event time `at` is too far ahead."""
        while self._sent and not self.answers.lacks((self._sent[0][1],)):
            self.answers.give_up((self._sent.popleft()[1],))
        return bool(self._sent) and at - self._sent[0][0] > AHEAD_US_MAX

    def give_up(self, at: int) -> None:
        """Wait no longer for what holds the run at event time `at`: it was lost."""
        while self.is_ahead(at):
            self.answers.give_up((self._sent.popleft()[1],))


def by_receiver(payment: PaymentDraft) -> bytes:
    """Return the key of what the receiver of a payment is told."""
    return f"{payment.tenant}/{payment.creditor}".encode()


def by_payer(payment: PaymentDraft) -> bytes:
    """Return the key of what is said of a payment."""
    return f"{payment.tenant}/{payment.debtor}".encode()


def _written(payment: PaymentDraft) -> bytes:
    """Return its id as Avro writes it, with the length before it: one id may begin as another does."""
    written = payment.payment_id.encode()
    assert len(written) < 64
    return bytes([2 * len(written)]) + written
