"""What a stream says about the items of files: matches, suggestions, breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.backtest.matching.streams import Events
from pipeline.domain.kernel import events as ev

CONFIRMED, SUGGESTED = "confirmed", "suggested"
LINE, POSTING = "line", "posting"
"""The sides of a break."""
SUGGESTIONS_MAX = 3
"""Rows of suggestions that a line has at most: the best by score."""


class Result(NamedTuple):
    """A row of the file that is written."""

    line_id: str | None
    """None: postings cancel each other, and the bank has no line of them."""
    posting_ids: tuple[str, ...]
    tier: str
    outcome: str
    score: int | None
    """Thousandths of a natural logarithm of odds; None where none was made."""
    decided_at: int
    """Microseconds UTC."""


class Break(NamedTuple):
    """What is wrong with an item; a row of the file of breaks."""

    item: str
    """A line_id or a posting_id: a break that names one of each is a row of each."""
    side: str
    kind: str
    difference_minor: int | None
    """The line minus the posting, minor units; None where no other side is known."""
    opened_at: int
    """Microseconds UTC."""
    resolved_at: int | None
    """None while it is open."""


@dataclass(slots=True)
class Results:
    """Collects what a stream says."""

    events: Events
    confirmed: list[Result] = field(default_factory=list)
    matched_lines: set[str] = field(default_factory=set)
    matched_postings: set[str] = field(default_factory=set)
    differing: int = 0
    """Matches of which lines and postings do not come to the same amount."""
    opened: Counter[str] = field(default_factory=Counter)
    """Breaks by kind: all that were opened, ..."""
    _open: dict[str, str] = field(default_factory=dict)
    """... and those that are not resolved, by id."""
    _breaks: dict[str, list[Break]] = field(default_factory=dict)
    """Rows of breaks, by id."""
    _suggested: dict[str, list[Result]] = field(default_factory=dict)

    def hear(self, said: Iterable[Any]) -> None:
        """Take what a stream emits."""
        for one in said:
            if isinstance(one, ev.ItemMatched):
                self._match(one)
            elif isinstance(one, ev.PostingsNetted):
                ids = tuple(one.posting_ids)
                self._confirm(Result(None, ids, one.tier, CONFIRMED, one.score, one.occurred_at))
            elif isinstance(one, ev.MatchSuggested):
                self._suggest(one)
            elif isinstance(one, ev.BreakOpened):
                self._open_break(one)
            elif isinstance(one, ev.BreakResolved):
                self._open.pop(one.break_id, None)
                rows = self._breaks.get(one.break_id, [])
                rows[:] = [row._replace(resolved_at=one.occurred_at) for row in rows]

    def rows(self) -> Iterator[Result]:
        """Yield all rows: the confirmed ones as they were decided, then suggestions that still stand."""
        yield from self.confirmed
        for line_id in self._suggested:
            yield from self.suggested(line_id)

    def breaks(self) -> Iterator[Break]:
        """Yield the rows of breaks, as they were opened."""
        for rows in self._breaks.values():
            yield from rows

    def suggested(self, line_id: str) -> list[Result]:
        """Return the suggestions of a line that still stand, the best first."""
        if line_id in self.matched_lines:
            return []
        standing = [
            one
            for one in self._suggested.get(line_id, ())
            if self.matched_postings.isdisjoint(one.posting_ids)
        ]
        standing.sort(key=lambda one: (-(one.score or 0), one.posting_ids))
        return standing[:SUGGESTIONS_MAX]

    def lines_with_suggestions(self) -> int:
        """Return how many lines have suggestions that still stand."""
        return sum(bool(self.suggested(line_id)) for line_id in self._suggested)

    def open_breaks(self) -> Counter[str]:
        """Return the breaks that are open, by kind."""
        return Counter(self._open.values())

    def _open_break(self, one: ev.BreakOpened) -> None:
        kind = one.kind or one.type
        self.opened[kind] += 1
        self._open[one.break_id] = kind
        line_id = self.events.line_id(one.account_id, one.statement_id, one.line_no)
        rest = (kind, one.difference_minor, one.occurred_at, None)
        self._breaks[one.break_id] = [
            Break(item, side, *rest)
            for side, item in ((LINE, line_id), (POSTING, one.posting_id))
            if item is not None
        ]

    def _match(self, one: ev.ItemMatched) -> None:
        self.differing += one.difference_minor is not None
        places = [(one.statement_id, one.line_no)]
        places += [(other.statement_id, other.line_no) for other in one.other_lines or ()]
        for statement_id, line_no in places:
            line_id = self.events.line_id(one.account_id, statement_id, line_no)
            ids = tuple(one.posting_ids)
            self._confirm(Result(line_id, ids, one.tier, CONFIRMED, one.score, one.occurred_at))

    def _confirm(self, result: Result) -> None:
        self.confirmed.append(result)
        self.matched_postings.update(result.posting_ids)
        if result.line_id is not None:
            self.matched_lines.add(result.line_id)

    def _suggest(self, one: ev.MatchSuggested) -> None:
        """Note suggestions by line, whichever side was asked about; the newest of the same counts."""
        own = self.events.line_id(one.account_id, one.statement_id, one.line_no)
        for candidate in one.candidates:
            said = [self.events.line_id(one.account_id, x.statement_id, x.line_no) for x in candidate.lines]
            lines = dict.fromkeys(filter(None, (own, *said)))
            ids = tuple(candidate.posting_ids)
            if not ids and one.posting_id is not None:
                ids = (one.posting_id,)
            for line_id in lines:
                tier = "SCORED" if len(ids) == 1 == len(lines) else "GROUP"
                result = Result(line_id, ids, tier, SUGGESTED, candidate.score, one.occurred_at)
                known = self._suggested.setdefault(line_id, [])
                known[:] = [other for other in known if other.posting_ids != ids]
                known.append(result)
