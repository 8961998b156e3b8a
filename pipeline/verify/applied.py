"""The offset among the rows of a changelog: up to where its stream has applied its log.

What never changes: it is written with the rows of its transaction, so it only goes forward, and it is there
for all that the group says is applied. Once, where a stream begins at another log, it goes back to 0, and the
name of the log comes next.
"""

from __future__ import annotations

from pipeline.verify.findings import Findings, Problem, at
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import SOURCE_LOG, SOURCE_OFFSET
from pipeline.verify.numbers import SHOWN_MAX, number_in


class AppliedOffset:
    """The source offset of one partition of a table, as its changelog says it."""

    def __init__(self, findings: Findings, place: tuple[str, int]) -> None:
        """`place`: the changelog and its partition."""
        self._findings = findings
        self._place = place
        self.last = 0
        """The newest one; 0: there is none."""
        self._back: Problem | None = None
        """That it has gone back to 0, which is wrong unless the name of a log comes next."""

    def is_row(self, record: Record) -> bool:
        """Take note of an offset; return whether a record is a row."""
        if record.key == SOURCE_LOG:
            self._back = None
            return False
        if record.key != SOURCE_OFFSET:
            return True
        self._say_back()
        value = record.value or b""
        said = number_in(value)
        if said is None:
            self._findings.wrong(at("table", record, f"{value[:SHOWN_MAX]!r} is no source offset"))
        elif said < self.last:
            back = at("table", record, f"the source offset goes back from {self.last} to {said}")
            if said:
                self._findings.wrong(back)
            else:
                self._back, self.last = back, 0
        else:
            self.last = said
        return False

    def _say_back(self) -> None:
        if self._back is not None:
            self._findings.wrong(self._back)
            self._back = None

    def finish(self, least: int | None) -> None:
        """Say where it is behind what the group has committed (None: nobody has asked)."""
        self._say_back()
        if least is not None and self.last < least:
            text = f"its source offset is {self.last}, and {least} is committed"
            self._findings.wrong(Problem("table", *self._place, -1, text))
