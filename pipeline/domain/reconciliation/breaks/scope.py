"""What the rules of breaks work with: the event, the rows, the outputs; and the writing of a break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.reconciliation.breaks.rows import LIFE_ROW, Life, life_key, read_life
from pipeline.domain.reconciliation.breaks.states import ENDED
from pipeline.domain.tenants.break_rules import BreakRules


class Scope(msgspec.Struct, frozen=True, gc=False):
    """The context of one event of an account."""

    cause: Any
    """The event. It has a tenant and an account."""
    watermark: int
    """Event time of the account, this event included, microseconds UTC."""
    rows: Rows
    out: Outbox
    rules: BreakRules
    """What the tenant has set."""
    keep_us: int
    """How long what has ended is kept, event time of the account."""
    ended: Callable[[int, bytes], None]
    """Takes the key of a row that is over when its windows are: (event time, key)."""

    def is_over(self, ended_at: int | None) -> bool:
        """Whether what has ended at a time counts as absent."""
        return ended_at is not None and self.watermark - ended_at > self.keep_us

    def life(self, break_id: str) -> Life | None:
        """Return a break of the account that still counts, or None."""
        found = read_life(self.rows, life_key(self.cause.tenant_id, self.cause.account_id, break_id))
        return None if found is None or self.is_over(found.ended_at) else found

    def write(self, break_id: str, life: Life) -> Life:
        """Write a break, with the time at which it has ended or that it has not; return it so."""
        key = life_key(self.cause.tenant_id, self.cause.account_id, break_id)
        if life.status not in ENDED:
            life = msgspec.structs.replace(life, ended_at=None)
        elif life.ended_at is None:
            life = msgspec.structs.replace(life, ended_at=self.watermark)
            self.ended(self.watermark, key)
        self.rows.put(key, LIFE_ROW.pack(life))
        return life

    @property
    def record_key(self) -> str:
        """The key of what is said about the account."""
        return f"{self.cause.tenant_id}/{self.cause.account_id}"


def sweep_life(rows: Rows, key: bytes, watermark: int, keep_us: int) -> None:
    """Delete a break whose windows are over, where its key has come up; one that was reopened stays."""
    life = read_life(rows, key)
    if life is not None and life.ended_at is not None and watermark - life.ended_at > keep_us:
        rows.delete(key)
