"""Matches, sound statements and resolved breaks are deleted when they are over; what is open is kept."""

from __future__ import annotations

from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline.verify.model.reconciliation import ReconciliationBranch
from tests.chaos.test_reconciliation_model import SETTINGS, random_log

from pipeline.domain.kernel import retention
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import BUCKET_KEYS, Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.batch import ReconciliationBatch
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import Reconciliation
from pipeline.verify.model import retention as model_retention
from tests.chaos.by_hand import NOW_US, Event, chance, closed, posted, stated
from tests.chaos.side_by_side import NAMES, first_difference
from tests.examples import examples
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.reconciliation.test_batch import _schedules
from tests.reconciliation.test_properties import rules_of_any_kind

DAY = 86_400_000_000
SHORT = Windows(1, 2)
KINDS = {name: kind for kind, name in NAMES.items()}


class Account:
    """A nostro account, by days."""

    def __init__(self) -> None:
        self.stream, self.rows, self.said = Reconciliation(), MemoryRows(), list[str]()

    def apply(self, event: Event, day: int) -> None:
        name, fields = event
        at, out = NOW_US + day * DAY, Outbox()
        fields = {**fields, "event_id": f"{len(self.said)} {day}"}
        made = msgspec.convert(fields, KINDS[name])
        self.stream.apply(made, Arrival(at, 0, 1), self.rows, out)
        self.said += [type(event).__name__ for _, _, event in out.items]

    def post(self, name: str, day: int, amount: int = 5) -> None:
        self.apply(posted(name, amount, name, occurred_at=NOW_US + day * DAY), day)

    def state(self, place: str, day: int, reference: str, amount: int = 5) -> None:
        at = NOW_US + day * DAY
        about = {"occurred_at": at, "booked_at": at, "value_date": at // DAY}
        self.apply(stated(place, amount, reference, **about), day)

    def matches(self, names: str, day: int) -> None:
        """Match as many items as a bucket holds, so that the oldest ones are looked at."""
        for number in range(BUCKET_KEYS):
            self.post(f"{names}{number}", day)
            self.state(f"S {names}/{number + 1}", day, f"{names}{number}")

    def families(self) -> dict[str, int]:
        found = sorted(chr(key[0]) for key in self.rows.data)
        return {family: found.count(family) for family in found}


@pytest.mark.parametrize(("day", "kept"), [(400, 2), (401, 1)])
def test_a_match_is_deleted_when_both_windows_are_over(day: int, kept: int) -> None:
    account = Account()
    account.matches("old", 0)
    account.matches("new", day)
    found = account.families()
    assert (found["o"], found["l"], found["c"]) == (kept * BUCKET_KEYS,) * 3


def test_what_is_open_is_kept_however_old_it_is() -> None:
    account = Account()
    account.post("open posting", 0, 77)
    account.state("S/1", 0, "open line", 88)
    for year in range(5):
        account.matches(f"year {year} ", year * 500)
    found = account.families()
    assert (found["o"], found["l"]) == (BUCKET_KEYS + 1, BUCKET_KEYS + 1)
    assert sum(key[:1] == b"b" for key in account.rows.data) == 2
    account.state("S/2", 2_001, "open posting", 77)
    account.post("open line", 2_001, 88)
    assert account.said.count("BreakResolved") == 2
    for year in range(5, 8):
        account.matches(f"year {year} ", year * 500)
    assert not any(b"open" in key or key[:1] == b"b" for key in account.rows.data)
    assert account.families()["o"] < 2 * BUCKET_KEYS


def test_a_sound_statement_goes_and_one_with_a_break_stays() -> None:
    account = Account()
    for name, closing in (("sound", 0), ("broken", 5)):
        at = {"occurred_at": NOW_US, "closed_at": NOW_US}
        account.apply(closed(name, 0, closing, 0, **at), 0)
    account.matches("old", 0)
    account.matches("new", 500)
    account.matches("newer", 500)
    statements = {key.split(b"\0")[-1] for key in account.rows.data if key[:1] == b"s"}
    assert b"sound" not in statements and b"broken" in statements


@pytest.mark.parametrize("swept", [0, 4])
def test_what_is_over_counts_as_absent_whether_it_is_deleted_yet_or_not(swept: int) -> None:
    with mock.patch.object(retention, "SWEPT_MAX", swept):
        account = Account()
        account.matches("old", 0)
        account.matches("new", 401)
        assert account.families()["o"] == BUCKET_KEYS * (1 if swept else 2)
        account.said.clear()
        account.state("S old/1", 401, "old0")
        assert account.said == [], "neither a conflict nor a duplicate"
        account.post("old0", 401)
        assert account.said == ["ItemMatched"]


@pytest.mark.parametrize("known", [True, False])
def test_what_is_too_old_is_said_from_event_time_alone(known: bool) -> None:
    account = Account()
    if known:
        account.matches("old", 0)
    account.post("newest", 401)
    before = dict(account.rows.data)
    for event in (
        posted("old0", 5, "old0", occurred_at=NOW_US),
        stated("S old/1", 5, "old0", occurred_at=NOW_US),
        closed("S old", 0, 5, 1, occurred_at=NOW_US),
    ):
        with pytest.raises(Reject, match="too_old"):
            account.apply(event, 401)
    assert account.rows.data == before


@examples(100)
@given(_schedules(), rules_of_any_kind, st.integers(1, 3))
def test_batches_and_rows_forget_the_same(
    schedule: tuple[Log, list[int]], rules: ReconciliationSettings, bucket: int
) -> None:
    with mock.patch.object(retention, "BUCKET_KEYS", bucket):
        assert_alike(Reconciliation(rules, SHORT), ReconciliationBatch(rules, SHORT), *schedule)


@examples(100)
@given(_schedules(), rules_of_any_kind, st.integers(1, 3))
def test_what_is_said_is_the_same_whenever_rows_are_deleted(
    schedule: tuple[Log, list[int]], rules: ReconciliationSettings, bucket: int
) -> None:
    one, never = Replay(Reconciliation(rules, SHORT)), Replay(Reconciliation(rules, SHORT))
    with mock.patch.object(retention, "BUCKET_KEYS", bucket):
        one.by_rows(schedule[0])
        with mock.patch.object(retention, "SWEPT_MAX", 0):
            never.by_rows(schedule[0])
    assert (one.said, one.rejected) == (never.said, never.rejected)


@pytest.mark.parametrize("seed", range(20))
def test_model_and_product_forget_the_same(seed: int) -> None:
    window, tolerance, grace = SETTINGS[seed % len(SETTINGS)]
    settings = ReconciliationSettings(window, tolerance, grace)
    model = ReconciliationBranch(0, 1, window_days=window, tolerance=tolerance, grace_days=grace, keep_days=2)
    sizes = mock.patch.object(retention, "BUCKET_KEYS", 2), mock.patch.object(model_retention, "BUCKET", 2)
    with sizes[0], sizes[1]:
        log = random_log(chance(seed), 200)
        assert first_difference(model, Reconciliation(settings, SHORT), log) is None
    assert any(desk.past is not None and desk.past.gone > 3 for desk in model.desks.values())
