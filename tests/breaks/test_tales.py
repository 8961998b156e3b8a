"""The tales of breaks: what people and the ledger do, and what is said of it."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel import events as ev
from tests.breaks.teller import BY_HAND, FOLDER, Bank, Tale, read_tales

TALES = read_tales()


@pytest.mark.parametrize("tale", TALES, ids=[tale.name for tale in TALES])
def test_a_tale_is_as_it_says(tale: Tale) -> None:
    bank = Bank()
    for happens, said in tale.lines:
        assert bank.tell(happens) == said, happens


def test_fifteen_tales_and_more_are_worked_out_by_hand() -> None:
    found = sum(path.read_text("utf-8").count(BY_HAND) for path in FOLDER.glob("*.txt"))
    assert found == len(TALES) >= 15
    assert len({tale.name for tale in TALES}) == len(TALES)


def test_the_tales_say_every_code_of_an_action_that_is_the_breaks_own() -> None:
    said = {text for tale in TALES for _, text in tale.lines}
    of_matches = {"item_not_found", "already_matched", "match_not_found"}  # said by whoever matches
    codes = set(ev.BreakActionCode.__args__) - {"unspecified", "too_many_actions"} - of_matches  # type: ignore[attr-defined]
    assert {code for code in codes if f"refused {code}" not in said} == set()
