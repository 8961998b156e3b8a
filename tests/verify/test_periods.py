"""What the postings alone say of when entries count: `pipeline.verify.periods`."""

from __future__ import annotations

from typing import Any

from pipeline.verify.periods import Periods
from tests.chaos.by_hand import record
from tests.chaos.judge import Problems

HERE, ELSEWHERE = "JournalSubmitted", "JournalLegsRequested"


class Branch:
    """The books of one branch, as they are shown to the check."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.periods = Periods(self.problems)

    def hear(self, event: str, **fields: Any) -> None:
        self.periods.hear(record(event, {"tenant_id": "north", "account_id": "A", **fields}))

    def post(
        self,
        payment: str | None = None,
        journal: str | None = None,
        *,
        at: int,
        asked: int | None = None,
        reverses: str | None = None,
        clearing: bool = False,
    ) -> None:
        """Post an entry that counts at a time; one that has asked for another time was moved."""
        about = {"payment_id": payment, "journal_id": journal, "reverses": reverses, "asked_at": asked}
        times = {"effective_at": None if asked is None else at, "occurred_at": at}
        fields = {"tenant_id": "north", "account_id": "A", **about, **times}
        self.periods.see(record("PostingRecorded", fields), at, clearing)

    def found(self) -> list[str]:
        self.periods.close()
        return [problem.text for problem in self.problems.new]


def after_a_late_journal(branch: Branch) -> None:
    """Let a journal of the branch be moved behind a period that ends at 10."""
    branch.hear("PeriodClosed", period_id="p", closed_through=10)
    branch.hear(HERE, journal_id="J1")
    branch.post(journal="J1", at=11, asked=5)


def test_what_a_branch_decides_after_a_late_entry_counts_behind_the_period() -> None:
    branch = Branch()
    after_a_late_journal(branch)
    branch.hear(HERE, journal_id="J2")
    branch.post("P1", at=11)
    branch.post(journal="J2", at=12)
    assert branch.found() == []
    branch.post("P2", at=10)
    branch.post(journal="J2", at=9)
    assert branch.found() == ["counts in a period that is closed"] * 2


def test_what_was_decided_before_or_elsewhere_may_count_in_the_period() -> None:
    branch = Branch()
    after_a_late_journal(branch)
    branch.hear(ELSEWHERE, journal_id="J2")
    branch.post(journal="J2", at=9)
    branch.post("P1", at=9, clearing=True)
    assert branch.found() == []


def test_a_late_entry_of_another_branch_does_not_close_the_period_here() -> None:
    branch = Branch()
    branch.hear("PeriodClosed", period_id="p", closed_through=10)
    branch.hear(ELSEWHERE, journal_id="J1")
    branch.post(journal="J1", at=11, asked=5)
    branch.post("P1", at=9)
    assert branch.found() == []


def test_an_id_that_is_a_journals_on_two_branches_says_nothing_of_the_home() -> None:
    branch = Branch()
    after_a_late_journal(branch)
    for event in (HERE, ELSEWHERE, HERE):
        branch.hear(event, journal_id="J2")
    branch.post(journal="J2", at=9)
    assert branch.found() == []


def test_a_reversal_is_moved_to_its_original_or_behind_a_period() -> None:
    branch = Branch()
    branch.post("P1", at=20)
    branch.hear("PaymentReversed", reversal_id="R1")
    branch.post(journal="R1", at=20, asked=15, reverses="P1")
    branch.post("P2", at=16)
    assert branch.found() == []
    branch.post(journal="R2", at=18, asked=15, reverses="P1")
    assert branch.found() == ["north: an entry was moved on from 17, where no period ends"]


def test_a_reversal_that_is_moved_behind_a_period_closes_it_for_what_follows() -> None:
    branch = Branch()
    branch.hear("PeriodClosed", period_id="p", closed_through=10)
    branch.post("P1", at=5)
    branch.hear("PaymentReversed", reversal_id="R1")
    branch.post(journal="R1", at=11, asked=5, reverses="P1")
    branch.post("P2", at=9)
    assert branch.found() == ["counts in a period that is closed"]
