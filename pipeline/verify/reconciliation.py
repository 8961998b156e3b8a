"""What reconciliation says of postings and lines: one claim per item, breaks that exist.

The verdicts themselves depend on settings and are not judged; `planted` asks for some that must be there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from pipeline.verify.findings import Findings, at
from pipeline.verify.model.record import Record

Line = tuple[str, str, str, int]
"""Tenant, account, statement, number."""


def line_of(record: Record) -> Line:
    """Return the line that an item or a match is about."""
    fields = record.fields
    return fields["tenant_id"], fields["account_id"], fields["statement_id"], fields["line_no"]


class Claims:
    """Postings, lines and breaks of one partition, each claimed, opened and resolved once."""

    def __init__(self, findings: Findings, lines: Container[Line], postings: Container[str]) -> None:
        self._findings = findings
        self._lines = lines
        self._postings = postings
        self._claimed: set[str] = set()
        self._matched: set[Line] = set()
        self._breaks: dict[str, bool] = {}
        """By tenant/break id: whether it is resolved."""

    def follow(self, results: Iterable[Record]) -> None:
        """Follow the results of the partition."""
        for record in results:
            if record.event == "ItemMatched":
                self._match(record)
            else:
                self._break(record)

    def _match(self, record: Record) -> None:
        line = line_of(record)
        self._expect("claims", line in self._lines, record, "matches a line that no statement has")
        if line in self._matched:
            self._wrong("claims", record, f"line {line[3]} of {line[2]} is matched a second time")
        self._matched.add(line)
        for posting_id in record.fields["posting_ids"]:
            if posting_id in self._claimed:
                self._wrong("claims", record, f"posting {posting_id} is claimed a second time")
            if posting_id not in self._postings:
                self._wrong("claims", record, f"claims {posting_id}, which no posting has")
            self._claimed.add(posting_id)

    def _break(self, record: Record) -> None:
        if record.event not in ("BreakOpened", "BreakResolved"):
            return self._wrong("breaks", record, f"{record.event} is no result of reconciliation")
        key = f"{record.fields['tenant_id']}/{record.fields['break_id']}"
        if record.event == "BreakOpened":
            self._expect("breaks", key not in self._breaks, record, f"break {key} is opened a second time")
            self._breaks[key] = False
        else:
            good = self._breaks.get(key) is False
            self._expect("breaks", good, record, f"resolves {key}, which is not open")
            self._breaks[key] = True

    def _expect(self, check: str, holds: bool, record: Record, text: str) -> None:
        self._findings.count(check)
        if not holds:
            self._wrong(check, record, text)

    def _wrong(self, check: str, record: Record, text: str) -> None:
        self._findings.wrong(at(check, record, text))
