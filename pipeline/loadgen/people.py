"""People of an endless run who look after breaks: they assign, comment, correct, and confirm a match.

    break_opened (reconciliation-results) -> People.heard -> step -> break-actions

Anna works on what she hears of; Ben approves what she suggests, since that takes two people. Of a FEE she
suggests a correction; a REFERENCE is confirmed as a match once the breaks of line and posting are both open;
other breaks are assigned and commented.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.journals import leg
from pipeline.loadgen.plan import SECOND_US, Produce
from pipeline.loadgen.world import Community

HEARS_OF = "ledgerflow.BreakOpened"
MARK = "H"
"""Follows the seed in ids of what people say."""
HEARD_MAX = 64
"""Breaks that wait for somebody; what is older is left to others."""


def _person(name: str) -> dict[str, str | None]:
    fields = {"issuer": "https://idp.example", "subject": name, "session_id": f"demo-{name}"}
    return {**fields, "key_id": None, "roles_version": None}


ANNA, BEN = _person("anna"), _person("ben")


class People:
    """Hears of breaks, as `watches.PaymentWatch` wants it, and says what is done about them."""

    def __init__(self, communities: Sequence[Community], emitter: Emitter) -> None:
        self.is_read = False
        self.read: Callable[[bytes], ev.BreakOpened | None] = lambda value: None
        """Reads a value of reconciliation-results; None: it opens no break."""
        self._emitter = emitter
        self._backers = {(one.tenant, one.nostro): one.backer for one in communities}
        self._opened: deque[ev.BreakOpened] = deque(maxlen=HEARD_MAX)
        self._halves: dict[tuple[str, str, str | None, int | None], ev.BreakOpened] = {}
        """Breaks of references, by tenant, account, statement and line, whose other side is not open yet."""

    def heard(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of reconciliation-results."""
        opened = None if value is None else self.read(value)
        if opened is not None:
            self.heard_of(opened)

    def heard_of(self, opened: ev.BreakOpened) -> None:
        """Take a break of an account of this run."""
        if (opened.tenant_id, opened.account_id) in self._backers:
            self._opened.append(opened)

    def step(self, at: int) -> Iterator[Produce]:
        """Yield what is done about the oldest break, at event time `at` (microseconds UTC)."""
        if not self._opened:
            return
        opened = self._opened.popleft()
        if opened.kind == "FEE" and opened.difference_minor:
            yield from self._correct(opened, opened.difference_minor, at)
        elif opened.kind == "REFERENCE":
            yield from self._confirm(opened, at)
        else:
            yield self._says("BreakAssigned", opened, at, {"assignee": "anna"})
            text = f"asked the bank about {opened.kind}"
            yield self._says("BreakCommented", opened, at + SECOND_US, {"text": text})

    def _correct(self, opened: ev.BreakOpened, difference_minor: int, at: int) -> Iterator[Produce]:
        backer = self._backers[opened.tenant_id, opened.account_id]
        legs = [
            leg(1, opened.account_id, difference_minor, opened.currency),
            leg(2, backer, -difference_minor, opened.currency),
        ]
        fields: dict[str, Any] = {"legs": legs, "reference": "charges of the bank"}
        fields |= {"reason": "a fee that the books lack", "reverses": None}
        yield self._says("CorrectionSuggested", opened, at, fields)
        approved = {"correction_id": fields["event_id"]}
        yield self._says("CorrectionApproved", opened, at + SECOND_US, approved, BEN)

    def _confirm(self, opened: ev.BreakOpened, at: int) -> Iterator[Produce]:
        line = (opened.statement_id, opened.line_no)
        if opened.posting_id is not None:
            if not opened.counterpart_lines:
                return
            line = (opened.counterpart_lines[0].statement_id, opened.counterpart_lines[0].line_no)
        place = (opened.tenant_id, opened.account_id, *line)
        other = self._halves.pop(place, None)
        if other is None:
            self._halves[place] = opened
            if len(self._halves) > HEARD_MAX:
                del self._halves[next(iter(self._halves))]
            return
        of_line, of_posting = (other, opened) if opened.posting_id is not None else (opened, other)
        named = {"statement_id": line[0], "line_no": line[1], "line_id": of_line.line_id}
        fields = {"lines": [named], "posting_ids": [of_posting.posting_id]}
        yield self._says("MatchConfirmed", opened, at, fields | {"reason": "the payer said so"})

    def _says(
        self,
        name: str,
        opened: ev.BreakOpened,
        at: int,
        fields: dict[str, Any],
        actor: dict[str, str | None] = ANNA,
    ) -> Produce:
        """Return an event of a person; `fields` without the envelope, which is added to them."""
        fields |= {"account_id": opened.account_id, "actor": actor}
        if name != "MatchConfirmed":
            fields["break_id"] = opened.break_id
        tenant, account = opened.tenant_id, opened.account_id
        return self._emitter.event("break-actions", f"ledgerflow.{name}", 1, tenant, account, at, fields)
