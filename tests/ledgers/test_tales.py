"""The corpus of ledger tales: each is told to the rules, to their batch path and to the independent model."""

from __future__ import annotations

import pytest

from tests.ledgers.engines import ENGINES
from tests.ledgers.player import Player
from tests.ledgers.tale import Tale, read_tales

TALES = read_tales()


@pytest.mark.parametrize("tale", TALES, ids=[f"{tale.place}: {tale.name}" for tale in TALES])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_tale_ends_as_it_says(engine: str, tale: Tale) -> None:
    Player(tale, engine).play()
