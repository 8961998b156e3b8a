"""The judge says of every tale what is wrong with it, and nothing else."""

from __future__ import annotations

import pytest

from tests.reconciliation_judge.tales import FOLDER, Tale, judged, tales

TALES = [tale for path in sorted(FOLDER.glob("*.txt")) for tale in tales(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("tale", TALES, ids=[tale.title for tale in TALES])
def test_tale(tale: Tale) -> None:
    found, at_end = judged(tale.steps)
    assert [", ".join(names) for names in found] == [", ".join(step.wrong) for step in tale.steps]
    assert at_end == list(tale.at_end)


def test_there_are_tales_of_every_problem_and_no_title_twice() -> None:
    assert len(TALES) >= 30
    assert len({tale.title for tale in TALES}) == len(TALES)
