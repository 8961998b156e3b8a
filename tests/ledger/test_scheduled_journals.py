"""Journals that wait: the bound of them, what is kept of one, and those of others that are due."""

from __future__ import annotations

from unittest import mock

from pipeline.domain.ledger import scheduled_journals
from pipeline.domain.ledger import stream as ledger_stream
from tests.ledgers.player import play


def test_no_more_journals_wait_on_an_account_than_a_bound() -> None:
    with mock.patch.object(scheduled_journals, "WAITING_MAX", 2):
        play("""
            open A 10.00
            open B
            open C
            2x journal J{n} A -0.01 B 0.01 execute=5 => scheduled
            journal K1 B -0.01 C 0.01 execute=5 => refused too_many_scheduled
            journal K2 C -0.01 D 0.01 execute=5 => scheduled
            void J1 A => voided
            journal K1 B -0.01 C 0.01 execute=5 => scheduled
        """)


def test_nothing_is_left_of_journals_that_have_been_posted_or_voided() -> None:
    ledger = play("""
        open A 10.00
        open B
        journal J1 A -1.00 B 1.00 execute=5 label=a:b => scheduled
        journal J2 A -1.00 B 1.00 execute=6 => scheduled
        void J2 A on=1 => voided
        tick 7 => posted
        labels B a:b
    """)
    kept = {key[:1] for branch in ledger.branches for key in branch.rows.data}
    assert not kept & {b"s", b"i", b"d", b"n"}


def test_a_command_meets_its_journals_posted_however_many_others_are_due() -> None:
    with mock.patch.multiple(ledger_stream, OTHERS_MAX=0, OTHERS_OF_TICK=0):
        play("""
            open A 10.00
            open B
            open C 5.00
            open D
            journal J1 A -9.00 B 9.00 execute=5 => scheduled
            journal J2 C -5.00 D 5.00 execute=4 => scheduled
            tick 6
            expect B 0.00
            void J1 A on=6 => posted, refused already_settled
            expect D 0.00
            pay P1 D->A 5.00 on=6 => posted, reserved, settled
        """)
