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


def test_a_whole_statement_that_came_again_lends_no_line_though_it_would_fit() -> None:
    bank = Bank()
    first = ("5 line STMT/1 -1 FEE", "5 line STMT/2 10 A", "5 close STMT 0->9 2 at:5.3")
    for entry in (*first, *first, "5 line STMT/2 20 B"):
        bank.tell(entry)
    assert meaning(bank, "5 close STMT 9->28 2 at:5.6") == "broken STMT#2; SEQUENCE_GAP 0 STMT#2"


def test_there_are_stories_enough() -> None:
    assert len({story.title for story in ALL}) == len(ALL) >= 45
