"""Which payments of planted frauds were received: what the next stage of an endless story waits for.

The fraud stream tells a receiver's partition of each payment that the ledger has booked (`funds_received`,
with where the money was before). Once that is in fraud-commands, what is sent later is decided with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.loadgen.payments import PaymentDraft


class Receipts:
    """Waits for nothing until somebody reads the log for it (`is_read`)."""

    def __init__(self) -> None:
        self.is_read = False
        self._awaited: dict[bytes, set[bytes]] = {}
        """By receiver: ids of payments."""

    def expect(self, paid: Sequence[PaymentDraft]) -> None:
        """Wait for payments that are sent now."""
        for payment in paid if self.is_read else ():
            self._awaited.setdefault(_receiver(payment), set()).add(_written(payment))

    def heard(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of fraud-commands: one of a receiver that names a payment says that it has come."""
        awaited = self._awaited.get(key or b"")
        if awaited is not None and value is not None:
            awaited -= {one for one in awaited if one in value}

    def lacks(self, paid: Sequence[PaymentDraft]) -> bool:
        """Whether one of the payments is still on its way."""
        return any(_written(one) in self._awaited.get(_receiver(one), ()) for one in paid)

    def give_up(self, paid: Sequence[PaymentDraft]) -> None:
        """Wait for payments no longer: they have come, or were held or refused."""
        for payment in paid:
            awaited = self._awaited.get(_receiver(payment))
            if awaited is not None:
                awaited.discard(_written(payment))
                if not awaited:
                    del self._awaited[_receiver(payment)]


def _receiver(payment: PaymentDraft) -> bytes:
    """Return the key of what its receiver is told."""
    return f"{payment.tenant}/{payment.creditor}".encode()


def _written(payment: PaymentDraft) -> bytes:
    """Return its id as Avro writes it, with the length before it: one id may begin as another does."""
    written = payment.payment_id.encode()
    assert len(written) < 64
    return bytes([2 * len(written)]) + written
