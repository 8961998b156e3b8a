"""The tales of this folder, as they are written and with all lists turned round."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domain.reconciliation.groups.kinds import KINDS
from tests.reconciliation_groups.tales import Tale, TaleError, play, read_tales

TALES = read_tales()
NAMES = [f"{tale.place}: {tale.name}" for tale in TALES]


@pytest.mark.parametrize("turned", [False, True], ids=["as written", "turned round"])
@pytest.mark.parametrize("tale", TALES, ids=NAMES)
def test_a_tale_ends_as_it_says(tale: Tale, turned: bool) -> None:
    play(tale, turned=turned)


def test_twenty_tales_and_more_are_worked_out_by_hand_and_each_has_a_name_of_its_own() -> None:
    assert sum(tale.by_hand for tale in TALES) >= 20
    assert len({tale.name for tale in TALES}) == len(TALES)


def test_every_kind_is_told() -> None:
    told = {word for tale in TALES for step in tale.steps if step.answer for word in step.answer.split()}
    assert set(KINDS) - told == set()


@pytest.mark.parametrize(
    "text",
    [
        "posting P1 1.00\n",
        "tale: x\npay P1 1.00\n",
        "tale: x\nposting P1 1.0\n",
        "tale: x\ngroup P1 => open\n",
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "wrong.txt").write_text(text)
    with pytest.raises(TaleError, match=r"wrong.txt:\d"):
        for tale in read_tales(tmp_path):
            play(tale)


def test_an_answer_that_is_another_one_is_seen(tmp_path: Path) -> None:
    (tmp_path / "wrong.txt").write_text("tale: x\nposting P1 1.00\ngroup P1 => confirmed\n")
    (tale,) = read_tales(tmp_path)
    with pytest.raises(AssertionError, match=r"wrong.txt:3: group P1"):
        play(tale)
