"""Room for the parts of held journals, broken on purpose: the logs of their tales find each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.domain.ledger import clearing_room, journal_home, journal_legs
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales

Set = Callable[[Any, str, Any], None]


def keeps_no_room_for_parts(patch: Set) -> None:
    patch(journal_home, "two_sided", lambda branches: {})


def keeps_room_at_home_only(patch: Set) -> None:
    request = journal_home.request_legs
    patch(journal_home, "request_legs", lambda *about: request(*about[:5]))


def keeps_room_without_asking_for_it(patch: Set) -> None:
    reserve = clearing_room.reserve_with_room
    for user in (journal_home, journal_legs):
        patch(user, "reserve_with_room", lambda legs, entries, books: reserve(legs, (), books))


def keeps_room_for_one_of_several_entries(patch: Set) -> None:
    needed = clearing_room.two_sided
    patch(
        journal_home,
        "two_sided",
        lambda branches: {branch: entries[:1] for branch, entries in needed(branches).items()},
    )


def gives_up_all_room_with_the_first_part(patch: Set) -> None:
    def given_up(parts: Any, entries: Any, journal_id: str, books: Any, out: Any) -> None:
        for account_id, account in books.accounts.items():
            if account_id.startswith("$clearing:") and entries:
                room = min(account.debits_pending, account.credits_pending)
                if room:
                    books.release(account_id, account_id, account.currency, room)
                    books.emit_hold(out, "RELEASED", journal_id, account_id, room, "room_released:0")

    patch(journal_legs, "give_up_room", given_up)


@pytest.mark.parametrize(
    "mutant",
    [
        keeps_no_room_for_parts,
        keeps_room_at_home_only,
        keeps_room_without_asking_for_it,
        keeps_room_for_one_of_several_entries,
        gives_up_all_room_with_the_first_part,
    ],
)
def test_a_ledger_is_found_that(mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    tales = [tale for tale in read_tales() if tale.place.startswith("room_for_parts.txt")]
    assert len(tales) >= 10
    for tale in tales:
        Player(tale).play()
    mutant(monkeypatch.setattr)

    def found(tale: Any) -> bool:
        try:
            Player(tale).play()
        except Exception:
            return True  # the tale does not end as it says, or the rules see that it cannot be
        return False

    assert any(found(tale) for tale in tales)
