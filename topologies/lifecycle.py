"""The lifecycle stream.

payment-events --> Lifecycle, or LifecycleBatch for large batches --> payment-alerts
                         |
                   table: lifecycle (every payment's life, what is due when, what is stuck)
"""

from __future__ import annotations

from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.stream import Lifecycle, LifecycleRules
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import LINGER_S, StreamSpec


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that follows every payment, and says which are stuck."""
    rules = LifecycleRules(settings.stuck_after_seconds, settings.review_after_seconds)
    stream = Lifecycle(rules)
    vector = LifecycleBatch(stream)
    return [
        StreamSpec(
            "lifecycle",
            "payment-events",
            stream,
            table="lifecycle",
            vector=vector,
            linger_s=LINGER_S,
        )
    ]
