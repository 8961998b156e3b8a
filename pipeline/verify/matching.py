"""What scored reconciliation says of postings and lines, beside its log: one partition in one pass.

log, results -> caused -> model/match_judge.py -> problems
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from pipeline.verify.findings import Findings, at
from pipeline.verify.model.match_defaults import DEFAULT_WEIGHTS
from pipeline.verify.model.match_judge import MatchJudge
from pipeline.verify.model.record import Record

CHECK = "matches"


def caused(log: Iterable[Record], results: Iterable[Record]) -> Iterator[tuple[Record | None, list[Record]]]:
    """Yield each record of a log with the results that it has caused; None: nothing there has caused them.

    Results stand in the order of their causes. An event that stands there twice takes them the first time.
    """
    rest = iter(results)
    ahead = next(rest, None)
    for record in log:
        found = []
        while ahead is not None and ahead.fields["causation_id"] == record.fields.get("event_id"):
            found.append(ahead)
            ahead = next(rest, None)
        yield record, found
    if ahead is not None:
        yield None, list(chain((ahead,), rest))


def judge(
    log: Iterable[Record],
    results: Iterable[Record],
    findings: Findings,
    is_dead: Callable[[Record], bool] = lambda record: False,
    default_weights: str | None = DEFAULT_WEIGHTS,
) -> None:
    """Follow a partition whose streams are at rest; say what is wrong.

    `default_weights`: the text of the weights that come with the product; None: they are another release's,
    and what is scored by weights that nobody has published is taken as it was said.
    """
    model = MatchJudge(default_weights)
    last: Record | None = None
    for record, said in caused(log, results):
        if record is None:
            findings.wrong(
                at(CHECK, said[0], f"cause: {said[0].event} is caused by nothing that stands there")
            )
            break
        last = record
        findings.count(CHECK)
        for wrong in model.follow(record, said, is_dead(record)):
            findings.wrong(at(CHECK, said[0] if said else record, f"{wrong.name}: {wrong.text}"))
    for wrong in model.end():
        assert last is not None
        findings.wrong(at(CHECK, last, f"{wrong.name}: {wrong.text}"))
