"""An account in memory: what learning has of it, and rates."""

from __future__ import annotations

from pipeline.backtest.matching.memory import Index, Knowledge

__all__ = ["Index", "Seen"]


class Seen(Knowledge):
    """What an account has seen (`Known`), with rates."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: dict[tuple[str, str], int] = {}

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        return self.rates.get((source, target))

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        return tuple(sorted(target for source, target in self.rates if source == currency))
