"""Statements handed to reconciliation, and what it says of them: one claim per item, breaks that exist.

The verdicts themselves are not judged anew here; `planted.py` asks for those that must be there.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.branch import same_order
from pipeline.verify.dead import DeadLetters, digest
from pipeline.verify.journal import Journal
from pipeline.verify.reader import ITEMS, RESULTS, Reader
from pipeline.verify.report import Check

STATEMENTS = ("StatementLine", "StatementClosed")


class Break:
    """A break, as far as it can be asked for."""

    __slots__ = ("account_id", "line_no", "posting_id", "resolved", "statement_id", "type")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.type: str = fields["type"]
        self.account_id: str = fields["account_id"]
        self.statement_id: str | None = fields["statement_id"]
        self.line_no: int | None = fields["line_no"]
        self.posting_id: str | None = fields["posting_id"]
        self.resolved = False


class Reconciliation:
    """Reads statements, items and results; then `checks`."""

    def __init__(self, reader: Reader, dead: DeadLetters, journal: Journal) -> None:
        self._reader = reader
        self._dead = dead
        self._journal = journal
        self.inputs = Check(
            "inputs_reconciliation", "Each statement item is applied, once and in order, or a dead letter."
        )
        self.claims = Check("claims", "Each posting and each statement line is matched once, and exists.")
        self.breaks_paired = Check("breaks", "Each break is opened once and resolved at most once.")
        self.breaks: dict[str, Break] = {}
        """By tenant/break id."""
        self._watched = set().union(*journal.watched.values())
        self.matched: set[str] = set()
        """Of the postings of watched payments, those that were matched."""

    def run(self) -> list[Check]:
        """Check everything and return the checks."""
        for partition in range(self._reader.partitions(ITEMS)):
            lines = self._read_items(partition)
            self._read_results(partition, lines)
        return [self.inputs, self.claims, self.breaks_paired]

    def _read_items(self, partition: int) -> set[tuple[str, str, str, int]]:
        """Compare the items with the statements; return the lines of this partition."""
        passed: list[bytes] = []
        lines: set[tuple[str, str, str, int]] = set()
        for record, (name, fields) in self._reader.events(ITEMS, partition):
            if name in STATEMENTS:
                passed.append(digest(record))
            if not self._dead.holds(record) and name == "StatementLine":
                lines.add(
                    (fields["tenant_id"], fields["account_id"], fields["statement_id"], fields["line_no"])
                )
        applied: list[bytes] = []
        for record, event in self._reader.inputs("statements", partition):
            self.inputs.count()
            if self._dead.holds(record):
                continue
            if event is None or event.name not in STATEMENTS:
                self.inputs.fail(f"{record.place} is no statement item and no dead letter")
                continue
            applied.append(digest(record))
        same_order(self.inputs, "statements", partition, applied, passed)
        return lines

    def _read_results(self, partition: int, lines: set[tuple[str, str, str, int]]) -> None:
        postings = self._journal.nostro[partition] if partition < len(self._journal.nostro) else set()
        claimed: set[str] = set()
        matched: set[tuple[str, str, str, int]] = set()
        if partition >= self._reader.partitions(RESULTS):
            return
        for record, (name, fields) in self._reader.events(RESULTS, partition):
            if name == "ItemMatched":
                line = (fields["tenant_id"], fields["account_id"], fields["statement_id"], fields["line_no"])
                self.claims.expect(line in lines, f"{record.place}: matches a line that no statement has")
                if line in matched:
                    self.claims.fail(f"{record.place}: line {line[3]} of {line[2]} is matched a second time")
                matched.add(line)
                for posting_id in fields["posting_ids"]:
                    if posting_id in claimed:
                        self.claims.fail(f"{record.place}: posting {posting_id} is claimed a second time")
                    if posting_id not in postings:
                        self.claims.fail(f"{record.place}: claims {posting_id}, which no posting has")
                    claimed.add(posting_id)
                    if posting_id in self._watched:
                        self.matched.add(posting_id)
            else:
                self._break(record.place, name, fields)

    def _break(self, place: str, name: str, fields: dict[str, Any]) -> None:
        key = f"{fields['tenant_id']}/{fields['break_id']}"
        known = self.breaks.get(key)
        if name == "BreakOpened":
            self.breaks_paired.expect(known is None, f"{place}: break {key} is opened a second time")
            self.breaks[key] = Break(fields)
        elif name == "BreakResolved":
            good = known is not None and not known.resolved
            self.breaks_paired.expect(good, f"{place}: resolves {key}, which is not open")
            if known is not None:
                known.resolved = True
        else:
            self.breaks_paired.fail(f"{place}: {name} is no result of reconciliation")
