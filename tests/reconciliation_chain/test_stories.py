"""Stories of banks, worked out by hand: what each line and each closing means, and which breaks there are."""

from __future__ import annotations

import pytest

from tests.reconciliation_chain.stories import STORIES, Bank, Told, meaning, stories

FILES = sorted(STORIES.glob("*.txt"))
ALL = [story for file in FILES for story in stories(file.read_text("utf-8"))]


@pytest.mark.parametrize("story", ALL, ids=lambda story: story.title)
def test_a_story(story: Told) -> None:
    bank = Bank()
    found = [(entry, meaning(bank, entry)) for entry, _ in story.entries]
    assert found == [*story.entries]


@pytest.mark.parametrize("story", ALL, ids=lambda story: story.title)
def test_a_story_told_twice_has_no_second_effect(story: Told) -> None:
    bank = Bank()
    for entry, _ in story.entries:
        bank.tell(entry)
    before, keys = bank.standing(), dict(bank.keys)
    for entry, _ in story.entries:
        bank.tell(entry)
    assert (bank.standing(), bank.keys) == (before, keys)


def test_there_are_stories_enough() -> None:
    assert len({story.title for story in ALL}) == len(ALL) >= 40
