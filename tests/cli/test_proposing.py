"""`rebuild --propose` on the screen: what is asked for, what is shown, and when the exit code is 1."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer

from pipeline.cli.problems import BadInput
from pipeline.cli.proposing import Asked, asked_of, require_correction_accounts, show_proposals
from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.rows import Account
from pipeline.rebuild.corrections import Cause, Party
from pipeline.rebuild.proposals import Balances, Kept, Proposed, Uneven, propose

ALICE, BOB, OTHER_SIDE = Party("north", "alice"), Party("north", "bob"), Party("north", "corrections")


def found() -> tuple[Balances, list[Proposed], list[Kept]]:
    """Return an account that gets a correction, and one that gets none."""
    balances = Balances([OTHER_SIDE])
    balances.correcting[OTHER_SIDE] = Account(0, "EUR", limit_minor=None)
    balances.uneven = [
        Uneven(0, ALICE, Account(0, "EUR", credits_posted=500), "EUR", 500, 750),
        Uneven(0, BOB, Account(0, "USD"), "USD", 0, 1),
    ]
    proposed, kept = propose(balances, {0: Cause("a", "b", 0, 9)}, 0, (), {}, ev.Actor("bank", "anna"))
    return balances, proposed, kept


def shown(capsys: pytest.CaptureFixture[str], *about: Any, **how: bool) -> tuple[int, str]:
    with pytest.raises(typer.Exit) as end:
        show_proposals(*about, **how)
    return end.value.exit_code, capsys.readouterr().out


def test_a_correction_is_shown_with_both_balances_and_where_it_is_booked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    balances, proposed, kept = found()
    code, text = shown(capsys, proposed, kept, balances, {"rules": "b"}, sent=False, as_json=True)
    told = json.loads(text)
    assert (code, told["ok"], told["sent"], told["rules"]) == (1, False, False, "b")
    (row,) = told["corrections"]
    assert (row["account"], row["change"], row["against"]) == ("north/alice", "2.50 EUR", "corrections")
    assert (row["balance"], row["correct"]) == ("5.00 EUR", "7.50 EUR")
    assert "--against" in told["not_corrected"][0]["why"]


def test_nothing_is_sent_without_yes_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    balances, proposed, kept = found()
    code, text = shown(capsys, proposed, kept, balances, {}, sent=False, as_json=False)
    assert code == 1 and "1 corrections, none of them sent: --yes sends them" in text
    code, text = shown(capsys, proposed, kept, balances, {}, sent=True, as_json=False)
    assert code == 1 and "1 corrections sent" in text, "one account gets none"
    code, text = shown(capsys, proposed, [], balances, {}, sent=True, as_json=False)
    assert code == 0
    balances.more, balances.held_differ = 1_000, 2
    code, text = shown(capsys, proposed, [], balances, {}, sent=True, as_json=False)
    assert code == 1 and "1,000 more accounts" in text and "2 accounts differ in what is held" in text


def test_even_balances_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = shown(capsys, [], [], Balances(), {}, sent=False, as_json=False)
    assert (code, text.strip()) == (0, "every posted balance is what these rules make of the log")


@pytest.mark.parametrize("text", ["north", "north=", "=corrections"])
def test_an_account_to_book_against_is_written_with_its_tenant(text: str) -> None:
    with pytest.raises(BadInput, match="TENANT=ACCOUNT"):
        asked_of([text], False)
    assert asked_of(["north=corrections"], True) == Asked((OTHER_SIDE,), True)


def test_an_account_to_book_against_is_open_and_the_only_one_of_its_currency() -> None:
    balances, _, _ = found()
    require_correction_accounts(Asked((OTHER_SIDE,)), balances)
    with pytest.raises(BadInput, match="there is no account north/bob"):
        require_correction_accounts(Asked((BOB,)), balances)
    balances.correcting[BOB] = Account(0, "EUR")
    with pytest.raises(BadInput, match="both in EUR"):
        require_correction_accounts(Asked((OTHER_SIDE, BOB)), balances)
