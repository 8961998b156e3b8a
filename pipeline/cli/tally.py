"""What `up` has counted of its topics, as the screen and the summary show it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.cli.news import News
from pipeline.runtime.kafka.topics import TOPICS, UPSTREAM

EVENTS_IN = tuple(spec.name for spec in TOPICS if spec.name in UPSTREAM)


@dataclass
class Tally:
    """The counts, over all runs on the data directory."""

    records: Counter[str] = field(default_factory=Counter)
    """Committed records by topic."""
    breaks_opened: int = 0
    breaks_resolved: int = 0
    accounts: int = 0
    """Accounts with a balance, without the ledger's internal ones."""
    in_flight: dict[str, int] = field(default_factory=dict)
    """Minor units by currency that have left one branch and not reached another yet; no zeros."""
    lag: int = 0
    """Offsets that the streams have not read yet (records, and control records of transactions)."""
    news: tuple[News, ...] = ()
    """The latest news of this run, oldest first."""
    last_posting: str = ""

    @property
    def events_in(self) -> int:
        """Records that upstream systems produced."""
        return sum(self.records[topic] for topic in EVENTS_IN)
