"""The rules of links, broken on purpose: the logs of their tales find each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.domain.ledger import held_pairs, link_books, link_home
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.rows import account_key
from tests.chaos.mutants import part_of_a_link
from tests.ledgers.engines import first_difference_of
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales

Set = Callable[[Any, str, Any], None]


def tells_the_others_to_post_what_failed(patch: Set) -> None:
    tell = link_home.tell_end
    patch(
        link_home,
        "tell_end",
        lambda event, home, there, posted, *about: tell(event, home, there, True, *about),
    )


def settles_when_the_first_branch_has_answered(patch: Set) -> None:
    answered = link_home.HomeLink.answered

    def hasty(self: Any, event: Any) -> None:
        self.link.waiting = [event.branch]
        answered(self, event)

    patch(link_home.HomeLink, "answered", hasty)


def lets_each_payment_spend_all(patch: Set) -> None:
    """The second payment does not see what the first has taken."""
    reserve = Books.reserve

    def forgetful(self: Books, debit: str, credit: str, currency: str, amount: int) -> str | None:
        code = reserve(self, debit, credit, currency, amount)
        if code is None and type(self.event).__name__ == "PaymentsLinkDecided":
            self.accounts[debit].debits_pending = 0
        return code

    patch(Books, "reserve", forgetful)


def opens_an_account_whose_payments_are_refused(patch: Set) -> None:
    open_debtor = link_books._open

    def opened(link: Any, books: Books, *about: Any) -> str | None:
        code = open_debtor(link, books, *about)
        if code is None:
            account = books.accounts[link.debtor_account_id]
            books.rows.put(row_key_of(books, link), account.pack())
        return code

    patch(link_books, "_open", opened)


def row_key_of(books: Books, link: Any) -> bytes:
    return account_key(books.event.tenant_id, link.debtor_account_id)


def forgets_which_payment_a_leg_is_of(patch: Set) -> None:
    patch(held_pairs, "by_leg", lambda payments: {})


@pytest.mark.parametrize(
    "mutant",
    [
        part_of_a_link,
        tells_the_others_to_post_what_failed,
        settles_when_the_first_branch_has_answered,
        lets_each_payment_spend_all,
        opens_an_account_whose_payments_are_refused,
        forgets_which_payment_a_leg_is_of,
    ],
)
def test_a_ledger_is_found_by_the_logs_of_tales_that(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tales = [tale for tale in read_tales() if tale.place.startswith("links.txt")]
    logs = [(Player(tale, "model").play(), tale.settings) for tale in tales]
    assert all(first_difference_of(ledger, settings) is None for ledger, settings in logs)
    mutant(monkeypatch.setattr)

    def found(ledger: Any, settings: Any) -> bool:
        try:
            return first_difference_of(ledger, settings) is not None
        except (AssertionError, ValueError, KeyError, IndexError):
            return True  # the rules themselves see that it cannot be

    assert any(found(ledger, settings) for ledger, settings in logs)
