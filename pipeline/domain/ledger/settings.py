"""The settings of the ledger."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pipeline.domain.kernel.settings import ConceptSettings
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND

HOLDS_MAX = 1000


class LedgerSettings(ConceptSettings, frozen=True):
    """How long the ledger remembers ids, keeps proposals and believes rates, how far ahead it believes a
    clock, and how many holds an account has."""

    dedupe_window_days: Annotated[
        int, Meta(ge=1, le=3650, description="A command that comes later than that, event time, is too_old.")
    ] = 90
    clock_ahead_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=86400,
            description="`occurred_at` ahead of Kafka's time by more is not_yet; 0: none is.",
        ),
    ] = 300
    holds_max: Annotated[
        int, Meta(ge=1, le=HOLDS_MAX, description="Open holds of an account; one more is too_many_holds.")
    ] = HOLDS_MAX
    backdating: Annotated[
        Literal["book", "refuse"],
        Meta(
            description="What becomes of a debit that counts over five minutes in the past: `book`, with a"
            " warning where it overdraws the past, or `refuse`."
        ),
    ] = "book"
    proposal_days: Annotated[
        int, Meta(ge=1, le=365, description="Event time a command may wait for a second person.")
    ] = 7
    rate_max_age_seconds: Annotated[
        int,
        Meta(ge=1, le=31_536_000, description="How long a quoted rate counts; then it is rate_too_old."),
    ] = 86_400
    rate_tolerance_bp: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="How far a named rate may be from the quoted one, in 1/10,000 of it.",
        ),
    ] = 100

    @property
    def clock_ahead_us(self) -> int | None:
        """How far a command may be ahead of Kafka's time, in microseconds; None: as far as it is."""
        return self.clock_ahead_seconds * MICROSECONDS_PER_SECOND or None


SETTINGS = LedgerSettings
