"""What the views of reconciliation show of an account: breaks, figures, items, statements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel.views import AccountView, NotFound, Question, TableView
from pipeline.domain.reconciliation import views
from pipeline.web import answers
from tests.cli.fake_worker import Worker, home, scope_of
from tests.web.reconciled import ids_of, reconciled


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    running = Worker(tmp_path)
    running.commit("reconciliation", reconciled().data, home("a"))
    yield running
    running.close()


async def shown(worker: Any, view: TableView, *path: str, **query: Any) -> list[dict[str, Any]]:
    """Return the rows that a view shows, of an account if no tenant is asked for."""
    path = path or (() if query else ("t", "a"))
    page = await answers.answer(worker, scope_of(view, *path, **query))
    assert all(set(row) == set(view.columns) for _, row in page.rows), "a column for each field"
    return [row for _, row in page.rows]


async def test_breaks_say_kind_age_and_priority_and_whether_they_are_open(worker: Any) -> None:
    found = {row["kind"]: row for row in await shown(worker, views.BREAKS)}
    assert set(found) == {"MISSING_INTERNAL", "MISSING_EXTERNAL", "SEQUENCE_GAP"}
    line = found["MISSING_INTERNAL"]
    assert (line["statement_id"], line["line_no"], line["difference_minor"]) == ("S1", 2, -40)
    assert (line["state"], line["status"], line["age"], line["age_days"]) == ("OPEN", "OPEN", "31-90", 43)
    assert (line["materiality"], line["priority"]) == ("NORMAL", 2)
    assert found["SEQUENCE_GAP"]["materiality"] == "MATERIAL"
    assert await shown(worker, views.BREAKS, tenant="t", state="ENDED") == []
    assert len(await shown(worker, views.BREAKS, tenant="t", state="OPEN")) == 3


async def test_a_day_says_how_complete_and_how_much_is_matched_cleared_and_explained(worker: Any) -> None:
    first, second, third, last = await shown(worker, views.SUMMARY)
    assert (first["day"], first["lines"], first["postings"]) == ("1970-01-02", 2, 1)
    assert (first["match_rate_ppm"], first["match_rate_by_tier_ppm"]) == (666_666, {"REFERENCE": 666_666})
    assert (first["value_minor"], first["cleared_minor"], first["clearing_ppm"]) == (240, 200, 833_333)
    assert (second["statements"], second["unsound_statements"], second["announced_lines"]) == (1, 0, 2)
    assert (third["statements"], third["unsound_statements"], third["completeness_ppm"]) == (1, 1, 0)
    assert last["open"] == {"waiting": {"items": 1, "minor": 5}}


async def test_open_breaks_are_counted_by_age_and_kind(worker: Any) -> None:
    rows = worker.open_store("reconciliation", home("a"))
    answer = views.AGES.ask(rows, "t", "a", Question())
    assert answer.about["is_complete"] is True and answer.about["reached_at"] == "1970-02-14T12:00:00Z"
    table = views.AGES.as_table(Question(), answer)
    assert [tuple(row[name] for name in views.AGES.columns) for row in table] == [
        ("t", "a", "EUR", "31-90", "MISSING_EXTERNAL", 1, 250),
        ("t", "a", "EUR", "31-90", "MISSING_INTERNAL", 1, 40),
        ("t", "a", "EUR", "31-90", "SEQUENCE_GAP", 1, 0),
    ]
    with pytest.raises(NotFound, match="t/b is not known"):
        views.AGES.ask(rows, "t", "b", Question())


async def test_more_breaks_than_are_counted_are_said(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "BREAKS_MAX", 2)
    about = views.AGES.ask(worker.open_store("reconciliation", home("a")), "t", "a", Question()).about
    assert about["is_complete"] is False and sum(row["breaks"] for row in about["open"]) == 2


async def test_items_say_how_they_stand_and_with_what_they_are_matched(worker: Any) -> None:
    matched, missing, waiting = await shown(worker, views.POSTINGS)
    (line_id,) = [row["line_id"] for row in await shown(worker, views.LINES) if row["tier"] is not None]
    assert (matched["status"], matched["tier"], matched["matched_with"]) == (
        "CLAIMED",
        "REFERENCE",
        [f"line/{line_id}"],
    )
    assert (missing["status"], missing["standing"], missing["step"]) == ("MISSING", "UNEXPLAINED", None)
    assert missing["break_id"] in ids_of(reconciled(), "f")
    assert (waiting["status"], waiting["step"], waiting["references"]) == (
        "OPEN",
        "WAITS",
        ["ENTRYP3", "INV10004"],
    )
    assert waiting["due_at"] is not None and waiting["posted_on"] == "1970-02-14"
    (line,) = await shown(worker, views.LINES, "t", "a", line_id)
    assert (line["statement_id"], line["line_no"], line["matched_with"]) == ("S1", 1, ["posting/P1"])
    assert (line["booked_on"], line["value_on"]) == ("1970-01-02", "1970-01-02")


async def test_statements_say_whether_they_are_sound_and_the_chain_their_order(worker: Any) -> None:
    sound, broken = await shown(worker, views.STATEMENTS)
    assert [one["standing"] for row in (sound, broken) for one in row["statements"]] == ["SOUND", "BROKEN"]
    assert broken["statements"][0]["open_breaks"] == ["SEQUENCE_GAP"]
    assert broken["statements"][0]["closing"]["announced_lines"] == 1
    (chain,) = await shown(worker, views.CHAIN)
    assert [(one["statement_id"], one["is_sound"]) for one in chain["statements"]] == [
        ("S1", True),
        ("S2", False),
    ]
    assert (chain["older_pages"], chain["known_from"], chain["is_stale"]) == (0, None, False)


def test_every_view_of_reconciliation_is_about_its_own_table() -> None:
    assert {view.table for view in views.VIEWS} == {"reconciliation"}
    assert [view.name for view in views.VIEWS if isinstance(view, AccountView)] == ["reconciliation/ages"]
