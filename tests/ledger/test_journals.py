"""What the postings of journals and of reversals say beside their amounts."""

from __future__ import annotations

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.journals import earlier_key, journal_key, unpack_journal
from tests.ledgers.player import play
from tests.ledgers.words import account_id


def test_a_rate_and_a_purpose_stand_on_the_postings_of_their_legs() -> None:
    ledger = play("open A 100.00\nopen B.1 USD\nopen DeskE\nopen DeskD USD limit=none\nopen Fee.2")
    a, b, fxe, fxd, fee = map(account_id, ("A", "B.1", "DeskE", "DeskD", "Fee.2"))
    legs = (
        ev.JournalLeg(1, 0, a, "DEBIT", 100_00, "EUR"),
        ev.JournalLeg(2, 0, fxe, "CREDIT", 99_00, "EUR"),
        ev.JournalLeg(3, 0, fee, "CREDIT", 1_00, "EUR", "fee"),
        ev.JournalLeg(4, 1, fxd, "DEBIT", 106_92, "USD", "fx", 1_0800_0000),
        ev.JournalLeg(5, 1, b, "CREDIT", 106_92, "USD", "fx", 1_0800_0000),
    )
    event = ev.JournalSubmitted(
        "e", "acme", 0, "c", None, "FX1", a, legs, "an exchange", "asked by phone", None, "REFUSE", None
    )
    ledger.run(event)
    said = {
        (one.account_id, one.side): one for one in ledger.said(ev.PostingRecorded) if one.journal_id == "FX1"
    }
    assert (said[b, "CREDIT"].rate_e8, said[b, "CREDIT"].purpose) == (1_0800_0000, "fx")
    assert (said[fee, "CREDIT"].purpose, said[fee, "CREDIT"].rate_e8) == ("fee", None)
    assert {one.reason for one in said.values()} == {"asked by phone"}
    states = [(event.state, event.legs) for event in ledger.said(ev.JournalUpdated)]
    assert states == [("PREPARING", 5), ("POSTED", 5)]
    again = structs.replace(event, event_id="again", legs=tuple(reversed(legs)))
    ledger.run(again)
    assert [event.code for event in ledger.said(ev.CommandRefused)] == ["exists"]


def test_a_reversal_says_what_it_reverses_and_why() -> None:
    ledger = play("""
        open A 100.00
        open B
        pay P1 A->B 60.00 => reserved, settled
        unpay P1 A R1 => posted
    """)
    back = [one for one in ledger.said(ev.PostingRecorded) if one.journal_id == "R1"]
    assert [(one.side, one.reverses, one.reason, one.amount_minor) for one in back] == [
        ("DEBIT", "P1", "a mistake", 60_00),
        ("CREDIT", "P1", "a mistake", 60_00),
    ]


def test_a_journal_under_its_earlier_key_is_its_accounts_and_moves_when_it_changes() -> None:
    ledger = play("""
        open A 100.00
        open B 100.00
        journal J A -5.00 B 5.00 => posted
    """)
    a, b = map(account_id, ("A", "B"))
    rows = ledger.branches[0].rows
    rows.put(earlier_key("acme", "J"), rows.data.pop(journal_key("acme", a, "J")))
    legs = (ev.JournalLeg(1, 0, a, "DEBIT", 5_00, "EUR"), ev.JournalLeg(2, 0, b, "CREDIT", 5_00, "EUR"))
    submitted = ev.JournalSubmitted(
        "again", "acme", 0, "c", None, "J", a, legs, "reference of J", None, None, "REFUSE", None
    )
    ledger.run(submitted)
    assert [event.code for event in ledger.said(ev.CommandRefused)] == ["exists"]
    ledger.run(structs.replace(submitted, event_id="of B", account_id=b))
    assert rows.data.keys() >= {earlier_key("acme", "J"), journal_key("acme", b, "J")}
    back = ev.JournalReversed("back", "acme", 0, "c", None, "J", a, "R", (), "why", None, "NEXT_PERIOD")
    ledger.run(back)
    assert [event.state for event in ledger.said(ev.JournalUpdated)] == ["POSTED"] * 3
    assert earlier_key("acme", "J") not in rows.data
    moved = unpack_journal(rows.data[journal_key("acme", a, "J")])
    assert {(one.account_id, one.amount_minor) for one in moved.reversed} == {(a, 5_00), (b, 5_00)}
