"""What operators' actions come to."""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.runtime.kafka.operator_actions import NO_OFFSET, decisions


def _acted(
    action: str, first: int, end: int, topic: str = "payments", partition: int = 0
) -> ev.OperatorActed:
    return ev.OperatorActed("a", "", 0, "a", None, action, "op", "why", topic, partition, first, end, None)


def test_ranges_are_kept_by_action_topic_and_partition() -> None:
    found = decisions(
        [
            _acted("QUARANTINED", 5, 6),
            _acted("QUARANTINED", 9, 12),
            _acted("LOSS_ACCEPTED", 0, 4, partition=1),
        ]
    )
    spans = found.of("QUARANTINED", "payments", 0)
    assert spans.ranges == ((5, 6), (9, 12))
    assert spans.covers(10, 12) and not spans.covers(10, 13)
    assert spans.touches(11, 20) and not spans.touches(6, 9)
    assert found.of("LOSS_ACCEPTED", "payments", 1).covers(0, 4)
    assert not found.of("LOSS_ACCEPTED", "payments", 0).ranges


def test_an_action_without_offsets_makes_no_range() -> None:
    assert not decisions([_acted("TOPIC_REPAIRED", NO_OFFSET, NO_OFFSET)]).spans
