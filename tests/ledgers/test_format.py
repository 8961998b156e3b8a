"""The format of tales: what cannot be read names its file and line, what is not so names the line, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledgers.player import Player
from tests.ledgers.tale import TaleError, read_tales, tale_of, tales_of

FAULTS = {
    "steal A 1.00": "no command is called `steal`",
    "open A 1.0": "`1.0` is not understood",
    "open A 1.00 gold": "`gold` is not understood",
    "open A colour=red": "`colour=red` is not understood",
    "open EUR 1.00": "`EUR` is no account",
    "open A.7": "`A.7` is no account",
    "open": "an account is missing",
    "pay P1 A 1.00": "`A` is not DEBTOR->CREDITOR",
    "pay P1 A->B": "an amount is missing",
    "pay P1 A->B one": "`one` is no amount with two decimals",
    "pay P1 A->B 1.00 on=soon": "`soon` is no day",
    "pay P1 A->B 1.00 => reserved,, settled": "an answer between two commas is empty",
    "freeze A LEFT": "`LEFT` is no side",
    "journal J1": "a leg is missing",
    "capture P1 A C1": "an amount is missing",
    "expect A 1.00 perhaps": "`perhaps` is not understood",
    "counters A credits 1.00 1.00 debits 1.00 1.00": "`debits PENDING POSTED` is missing",
    "repeat nothing": "no event is called `nothing`",
    "window 5": "belongs before the first step",
    "tenant acme rich": "belongs before the first step",
}


@pytest.mark.parametrize(("line", "why"), FAULTS.items())
def test_a_line_that_cannot_be_read_is_named(line: str, why: str) -> None:
    with pytest.raises(TaleError) as caught:
        list(tales_of(f"# A file.\n\ntale: one\n  open A 1.00\n  {line}\n", "a.txt"))
    assert str(caught.value).startswith("a.txt:5: ") and why in str(caught.value)


@pytest.mark.parametrize("header", ["worked out by head", "window wide", "tenant acme rich"])
def test_a_header_that_is_none_is_named(header: str) -> None:
    with pytest.raises(TaleError, match=rf"a.txt:2: `{header}` is no header"):
        list(tales_of(f"tale: one\n{header}\nopen A\n", "a.txt"))


def test_a_tale_has_a_name_and_steps_and_no_name_is_taken_twice(tmp_path: Path) -> None:
    for text, why in (("open A\n", "a.txt:1: a file of tales"), ("tale: one\n", "a.txt:1: a tale has")):
        with pytest.raises(TaleError, match=why):
            list(tales_of(text, "a.txt"))
    (tmp_path / "a.txt").write_text("tale: one\nopen A\n")
    (tmp_path / "b.txt").write_text("\ntale: one\nopen B\n")
    with pytest.raises(TaleError, match=r"b\.txt:2: the name of this tale is taken by a.txt:1"):
        read_tales(tmp_path)


STORIES = {
    "pay P1 A->B 15.00 => reserved": "the ledger says: reserved, settled 15.00",
    "pay P1 A->B 15.00 => reserved, settled 15.01": "the ledger says: reserved, settled 15.00",
    "pay P1 A->B 15.00": "the ledger says: reserved, settled 15.00",
    "expect A 100.01": "the ledger has",
    "expect A 100.00 held 0.01": "the ledger has",
    "expect A 100.00 frozen DEBIT": "the ledger has",
    "expect A 100.00 closed": "the ledger has",
    "expect X 0.00": "the account does not exist",
    "counters A debits 0.00 0.01 credits 0.00 100.00": "the ledger has",
    "clearing 0.01": "the ledger has 0, the tale 1",
    "entries": "the ledger has",
    "days A 1": "the ledger has",
    "deliver => settled": "the ledger says: nothing",
}


@pytest.mark.parametrize("engine", ["rules", "batch", "model"])
@pytest.mark.parametrize(("line", "why"), STORIES.items())
def test_what_is_not_so_is_named(line: str, why: str, engine: str) -> None:
    with pytest.raises(AssertionError) as caught:
        Player(tale_of(f"open A 100.00\nopen B\n{line}"), engine).play()
    assert str(caught.value).startswith(f"text:4: {line}") and why in str(caught.value)
