"""The reconciliation job foresees what the desk says, whether its own log is read at once or in the end."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.stream import apply
from pipeline.domain.reconciliation.desk.time import TOPIC
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.jobs.reconciliation import ReconciliationInput, check

AT = Arrival(2**62, 0, 1)


def results(job: ReconciliationInput, *, goes_on_last: bool) -> list[Any]:
    """Return what the desk says of a job's items. `goes_on_last`: its own log is read behind all of them."""
    rows, said = MemoryRows(), list[Any]()
    todo = deque(event for _, event in job.events())
    while todo:
        out = Outbox()
        apply(todo.popleft(), AT, rows, out)
        own = [event for topic, _, event in out.items if topic == TOPIC]
        todo.extend(own) if goes_on_last else todo.extendleft(reversed(own))
        said += [event for topic, _, event in out.items if topic != TOPIC]
    return said


@pytest.mark.parametrize("goes_on_last", (True, False))
@pytest.mark.parametrize("seed", ("r1", "r2"))
def test_the_desk_says_what_the_job_foresees(seed: str, goes_on_last: bool) -> None:
    job = ReconciliationInput(seed, 2_000)
    said = results(job, goes_on_last=goes_on_last)
    check(said, job)
    assert len(job.matches) == 970 and job.breaks.total() == 50
    assert {kind for kind, *_ in job.breaks} == {
        "AMOUNT",
        "DUPLICATE",
        "MISSING_EXTERNAL",
        "MISSING_INTERNAL",
    }
    a_break = next(event for event in said if isinstance(event, ev.BreakOpened))
    for wrong in ([*said, a_break], [event for event in said if event is not a_break]):
        with pytest.raises(Inexact):
            check(wrong, job)
