"""What a load plants in statements is what the desk says of it, and nothing else is a break."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.loadgen import LoadPlan, demo, history
from pipeline.loadgen.plan import DAY_US, SECOND_US
from pipeline.loadgen.planting import BREAKS
from tests.loadgen.desk_of_load import DeskOfLoad

NOW = 1_790_000_000 * SECOND_US
ONLY_BREAKS = {"malformed_pct": 0.0, "fraud_per_mille": 0.0, "refusal_per_mille": 0.0, "story_per_mille": 0.0}
ALL = {kind.lower() for kind in BREAKS}


def bounded(seed: int, **settings: float) -> LoadPlan:
    return history(seed, 1_500, NOW, accounts=100, **(ONLY_BREAKS | settings))


@pytest.mark.parametrize("seed", (7, 8, 9))
def test_every_planted_break_of_a_bounded_load_is_opened_by_its_name_and_no_other(seed: int) -> None:
    desk = DeskOfLoad(bounded(seed)).run()
    assert desk.kinds() == ALL and desk.missed() == [] and desk.unplanted() == []


def test_a_load_without_breaks_has_none() -> None:
    desk = DeskOfLoad(bounded(7, break_per_mille=0.0)).run()
    assert not [one for one in desk.said if isinstance(one, ev.BreakOpened)]
    matched = Counter(one.tier for one in desk.said if isinstance(one, ev.ItemMatched))
    assert matched.total() == len(desk.postings) > 300 and set(matched) == {"REFERENCE", "SCORED"}


@pytest.mark.parametrize("seed", (7, pytest.param(8, marks=pytest.mark.long)))
def test_every_break_of_an_endless_load_is_opened_within_days_since_its_accounts_know_their_banks(
    seed: int,
) -> None:
    plan = demo(seed, NOW, rate=20.0, backlog_us=10 * DAY_US, **ONLY_BREAKS)
    desk = DeskOfLoad(plan).run(1_900)
    assert desk.kinds() == ALL and desk.missed() == [] and desk.unplanted() == []


def test_people_of_an_endless_load_assign_comment_correct_and_confirm_and_none_is_refused() -> None:
    plan = demo(7, NOW, rate=20.0, backlog_us=10 * DAY_US, **ONLY_BREAKS)
    desk = DeskOfLoad(plan, tells_people=True).run(1_900)
    said = Counter(type(one).__name__ for one in desk.said)
    assert not said["BreakActionRefused"] and said["BreakChanged"] > 20 and said["JournalSubmitted"] > 0
    asked = [one for one in desk.said if isinstance(one, ev.JournalSubmitted)]
    assert all(len(one.legs) == 2 and one.actor.subject == "anna" for one in asked)  # type: ignore[union-attr]
    assert any(isinstance(one, ev.ItemMatched) and one.tier == "PERSON" for one in desk.said)
    assert desk.missed() == [] and desk.unplanted() == []


def test_what_is_planted_and_not_said_is_missed() -> None:
    desk = DeskOfLoad(bounded(7)).run()
    desk.said = [one for one in desk.said if getattr(one, "kind", None) not in ("FEE", "PARTIAL")]
    desk.said = [one for one in desk.said if getattr(one, "tier", None) not in ("GROUP", "REVERSAL")]
    said = " ".join(desk.missed())
    assert all(f"no {kind} break" in said for kind in ("FEE", "PARTIAL"))
    assert all(f"never matched by {tier}" in said for tier in ("GROUP", "REVERSAL"))
