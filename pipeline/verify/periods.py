"""When entries count: late ones behind the period that is closed, reversals not before their originals.

No model is needed: an entry that was moved on says so, and all that its branch decides later must count after
the same period.
"""

from __future__ import annotations

from collections import defaultdict

from pipeline.verify.findings import Findings, about, at
from pipeline.verify.model.record import Record

JOURNALS = {
    "JournalSubmitted": ("journal_id", True),
    "JournalReversed": ("reversal_id", True),
    "PaymentReversed": ("reversal_id", True),
    "JournalLegsRequested": ("journal_id", False),
}
"""Commands on which a branch posts a journal: the field with its id, and whether the branch is its home."""


class Branch:
    """What is remembered of one partition; hashes stand for a tenant and an id."""

    def __init__(self) -> None:
        self.times: set[int] = set()
        """When payments and journals count: hashes of tenant, id and time, where reversals look."""
        self.at_home: dict[int, bool] = {}
        """Whether the branch is the home of all journals of an id."""
        self.closed: dict[str, int] = {}
        """By tenant: the last end of a period that an entry which the branch decided was moved on from."""


class Periods:
    """Is shown the entries and commands, partition by partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._branches: defaultdict[int, Branch] = defaultdict(Branch)
        self._moved_from: defaultdict[str, set[int]] = defaultdict(set)
        """By tenant: the ends of periods that entries were moved on from."""
        self._ends: defaultdict[str, set[int]] = defaultdict(set)
        """By tenant: the ends of its periods."""

    def hear(self, record: Record) -> None:
        """Take note of a command that ends a period, or says which branch is the home of a journal."""
        fields = record.fields
        if record.event == "PeriodClosed":
            self._ends[fields["tenant_id"]].add(fields["closed_through"])
        elif record.event in JOURNALS:
            name, here = JOURNALS[record.event]
            at_home, journal = (
                self._branches[record.partition].at_home,
                hash((fields["tenant_id"], fields[name])),
            )
            at_home[journal] = here and at_home.get(journal, True)

    def see(self, record: Record, counts_at: int, clearing: bool) -> None:
        """Check an entry by one of its postings. `clearing`: whether it goes through a clearing account."""
        posting, branch = record.fields, self._branches[record.partition]
        tenant, asked_at = posting["tenant_id"], posting.get("asked_at")
        journal_id, original = posting.get("journal_id"), posting.get("reverses")
        # A journal may ask for a time: then its effective time alone does not say that it was moved.
        moved = posting.get("effective_at") is not None and (asked_at is not None or journal_id is None)
        # A reversal may have been moved to the time of its original, and not behind a period.
        moved_on = moved and (original is None or hash((tenant, original, counts_at)) not in branch.times)
        branch.times.add(hash((tenant, posting["payment_id"] or journal_id, counts_at)))
        if moved:
            text = f"was moved on from {asked_at} to {counts_at}"
            self._expect(asked_at is None or asked_at < counts_at, record, text)
        if moved_on:
            self._moved_from[tenant].add(counts_at - 1)
        if not _is_decided_here(branch, tenant, journal_id, clearing):
            return
        if moved_on:
            branch.closed[tenant] = max(branch.closed.get(tenant, counts_at - 1), counts_at - 1)
        if tenant in branch.closed:
            self._expect(counts_at > branch.closed[tenant], record, "counts in a period that is closed")

    def close_branch(self, partition: int) -> None:
        """Forget a partition of which nothing more comes."""
        self._branches.pop(partition, None)

    def close(self) -> None:
        """Check what holds over all branches when it is quiet."""
        for tenant, ends in sorted(self._moved_from.items()):
            for end in sorted(ends - self._ends[tenant]):
                text = f"{tenant}: an entry was moved on from {end}, where no period ends"
                self._findings.wrong(about("periods", text))

    def _expect(self, holds: bool, record: Record, text: str) -> None:
        self._findings.count("periods")
        if not holds:
            self._findings.wrong(at("periods", record, text))


def _is_decided_here(branch: Branch, tenant: str, journal_id: str | None, clearing: bool) -> bool:
    """Whether a branch decides when an entry counts as it posts it.

    A journal's home does so, for all branches. A payment to another branch is decided before it is posted.
    """
    if journal_id is not None:
        return branch.at_home.get(hash((tenant, journal_id)), False)
    return not clearing
