"""Today's fraud stream goes on from the table of the version before it, whose rules and rows were others.

The log, its answers and the table are those of f3ce736 (`earlier_fraud.py`): decisions and alerts by the old
rules, profiles, payments that wait, links, a quota.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud.decisions import Decision, read_decision
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.repeated import debtor_hash
from pipeline.domain.kernel import events as ev
from pipeline.runtime.settings import load_settings
from tests.fraud.log_traffic import debit
from tests.fraud.logs import busy_log
from tests.ledger.branches import DAY, envelope
from tests.streams.earlier_fraud import BUSY, CALM, HOUR, TENANTS, Earlier, link, payment, read_earlier
from tests.streams.stream_bench import CHANGELOG, StreamBench, applied_by_columns
from topologies import fraud
from topologies.configuration import Configuration

STATES = "prkvcn"
"""Families of the rows of features."""
WAITS = "sxyo"
MILLISECOND = 1000
"""Microseconds: a decision's time is that of its payment, or of its record, which is in milliseconds."""


@cache
def earlier() -> Earlier:
    return read_earlier()


@cache
def now() -> int:
    """Return an hour after the earlier version's last record, microseconds UTC."""
    return max(record.timestamp for record in earlier().log) * 1000 + HOUR


def bench_on(rows: dict[bytes, bytes], folder: Path) -> StreamBench:
    """Return today's stream on a table; it knows the schemas of the earlier log by their ids."""
    folder.mkdir(exist_ok=True)
    (folder / "tenants.toml").write_text(TENANTS)
    given = load_settings(tenants=folder / "tenants.toml")
    bench = StreamBench(fraud.STREAMS[0].spec(Configuration(given)), folder)
    for schema_id, text in earlier().schemas.items():
        bench.registry.add(text, schema_id)
    assert bench.store is not None
    bench.store.write(dict(rows), None)
    return bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = bench_on(earlier().rows, tmp_path)
    yield built
    built.close()


def stored(bench: StreamBench, families: str = "") -> dict[bytes, bytes]:
    """Return the rows of a table, or those of some families."""
    assert bench.store is not None
    rows = dict(bench.store.committed_scan(b""))
    return {key: row for key, row in rows.items() if not families or chr(key[0]) in families}


def decisions() -> dict[str, Decision]:
    """Return the decisions of the earlier version, by payment."""
    rows = earlier().rows.items()
    return {key.decode().split("\0")[2]: read_decision(row) for key, row in rows if key[:1] == b"d"}


def decided(bench: StreamBench) -> Iterator[ev.PaymentDecided]:
    """Yield the earlier version's decisions of which it kept the rows, as long as ids are known."""
    records = earlier().written["ledger-commands"]
    found = bench.codec.decode([record.value for record in records if record.value is not None])
    assert found.dead == {}
    left = decisions()
    for event in found.events:
        if type(event) is ev.PaymentDecided and event.payment_id in left:
            known = left[event.payment_id]
            is_of_debtor = known.debtor == debtor_hash(event.debtor_account_id)
            is_known = now() - known.at_us < 90 * DAY
            if is_known and is_of_debtor and 0 <= event.occurred_at - known.at_us < MILLISECOND:
                del left[event.payment_id]
                yield event


def initiated(event: ev.PaymentDecided, event_id: str, **changes: Any) -> ev.PaymentInitiated:
    """Return the payment of a decision once more."""
    names = [name for name in ev.PaymentInitiated.__struct_fields__ if hasattr(event, name)]
    again = ev.PaymentInitiated(**{name: getattr(event, name) for name in names})
    return msgspec.structs.replace(again, event_id=event_id, execute_at=None, **changes)


def test_what_is_kept_has_every_kind_of_row_of_the_version_before() -> None:
    assert {chr(key[0]) for key in earlier().rows} == set("dafeghjqw" + WAITS)
    kinds = {(one.verdict.outcome, one.held is None) for one in decisions().values()}
    assert kinds == {("APPROVE", True), ("REVIEW", False), ("DECLINE", True)}


async def test_a_repeat_gets_the_decision_of_the_earlier_version(bench: StreamBench) -> None:
    said, seen = list(decided(bench)), set()
    for before in said:
        again = initiated(before, f"again {before.payment_id}", occurred_at=now())
        answers = await bench.said(again, recorded_at=now())
        (after,) = (event for *_, event in answers if type(event) is ev.PaymentDecided)
        known = decisions()[before.payment_id]
        assert (after.outcome, after.score, after.rules_version) == (
            known.verdict.outcome,
            known.verdict.score,
            known.verdict.version,
        )
        assert tuple((one.rule, one.detail) for one in after.reasons) == known.verdict.reasons
        assert not any(topic == "fraud-alerts" for topic, *_ in answers)
        seen.add(after.outcome)
    assert seen == {"APPROVE", "REVIEW", "DECLINE"} and len(said) > 60
    assert stored(bench, STATES) == {}
    assert stored(bench, "dafeghj") == {
        key: row for key, row in earlier().rows.items() if chr(key[0]) in "dafeghj"
    }


async def test_other_content_under_an_id_that_was_approved_earlier_is_held(bench: StreamBench) -> None:
    (before,) = (one for one in decided(bench) if one.payment_id == "kept 1")
    answers = await bench.said(initiated(before, "other", amount_minor=99_00), recorded_at=now())
    (after,) = (event for *_, event in answers if type(event) is ev.PaymentDecided)
    assert (after.outcome, after.reasons[-1].rule) == ("REVIEW", "payment_id_reused")
    assert [topic for topic, *_ in answers].count("fraud-alerts") == 1


async def test_the_payments_of_a_link_are_known(bench: StreamBench) -> None:
    answers = await bench.said(link("link again", now()), recorded_at=now())
    (after,) = (event for *_, event in answers if type(event) is ev.PaymentsLinkDecided)
    assert [one.outcome for one in after.payments] == ["APPROVE"] * 2
    assert after.rules_version == decisions()["part 0"].verdict.version != "default@1"
    assert stored(bench, STATES) == {}


@pytest.mark.parametrize("approved", [True, False])
async def test_a_review_and_a_cancellation_of_a_held_payment_go_on_and_teach_nothing(
    approved: bool, bench: StreamBench
) -> None:
    held = next(name for name, one in decisions().items() if one.held is not None)
    about = {"payment_id": held, "debtor_account_id": CALM}
    review = ev.PaymentReviewed(**envelope("r", now()), **about, reviewer="r", reason="", approved=approved)
    topics = [topic for topic, *_ in await bench.said(review, recorded_at=now())]
    assert topics == ["ledger-commands", "payment-events"]
    off = ev.PaymentCancelled(**envelope("c", now()), **about, reason="none")
    assert [topic for topic, *_ in await bench.said(off, recorded_at=now())] == ["ledger-commands"]
    rows = stored(bench)
    assert {key for key in rows if rows[key] != earlier().rows.get(key)} == {b"w"}


async def test_a_label_is_of_no_payment_that_is_known_and_a_posting_tells_nobody(bench: StreamBench) -> None:
    """The earlier version kept no payee, no amount and no origins with a decision."""
    about = {"payment_id": "kept 1", "debtor_account_id": CALM, "creditor_account_id": "shop"}
    label = ev.PaymentLabelled(
        **envelope("l", now()), **about, label="FRAUD", source="CUSTOMER", labelled_at=now()
    )
    assert (await bench.step(bench.of(label, recorded_at=now()))).dead == "unknown_payment"
    paid = debit(payment("kept 1", now()), now())
    assert await bench.said(paid, recorded_at=now()) == []
    assert stored(bench) == earlier().rows


async def test_what_waits_is_decided_by_todays_rules_at_its_time(bench: StreamBench) -> None:
    at = now() + 3 * DAY
    tick = ev.BranchTicked("tick", "", at, "tick", None, "$clock:0", 0)
    answers = await bench.said(tick, recorded_at=at)
    after = {event.payment_id: event for *_, event in answers if type(event) is ev.PaymentDecided}
    outcomes = {name: one.outcome for name, one in after.items()}
    assert outcomes == {"waits": "APPROVE", "waits, large": "REVIEW"}
    assert all(one.rules_version == "default@1" and one.occurred_at < at for one in after.values())
    left = stored(bench, WAITS)
    assert {key[:1] for key in left} == {b"s", b"x"} and all(b"called off" in key for key in left)
    answers = await bench.said(payment("called off", at, execute_at=at + DAY), recorded_at=at)
    assert [type(event) for *_, event in answers] == [ev.CommandRefused]
    later = ev.BranchTicked("later", "", at + 91 * DAY, "later", None, "$clock:0", 0)
    await bench.said(later, recorded_at=at + 91 * DAY)
    assert stored(bench, WAITS) == {}


async def test_the_views_show_alerts_of_both_versions(bench: StreamBench) -> None:
    class NoLives:
        def rows_or_none(self, table: str) -> None:
            return None

    def shown() -> list[Any]:
        rows = stored(bench, "a").items()
        return [
            fraud.ALERTS.show(NoLives(), tuple(key.decode().split("\0")[1:]), row)  # type: ignore[arg-type]
            for key, row in rows
        ]

    before = shown()
    assert len(before) > 60 and {row["alert_id"] for row in before} == {None}
    assert {row["outcome"] for row in before} == {"REVIEW", "DECLINE"}
    await bench.said(payment("new", now(), 2_000_000_00), recorded_at=now())
    assert len(shown()) == len(before) + 1
    assert sum(row["alert_id"] is not None for row in shown()) == 1
    for view in fraud.STREAMS[0].views[1:]:
        assert all(view.show(NoLives(), ("acme", CALM), row) for row in stored(bench, view.family).values())


async def test_a_profile_goes_with_the_first_judged_payment_of_its_debtor(bench: StreamBench) -> None:
    profiles = stored(bench, "f")
    assert set(profiles) == {f"f\0acme\0{account}".encode() for account in (*BUSY, CALM)}
    await bench.said(payment("kept 1", now()), recorded_at=now())
    assert stored(bench, "f") == profiles
    await bench.said(payment("new", now()), recorded_at=now())
    del profiles[f"f\0acme\0{CALM}".encode()]
    assert stored(bench, "f") == profiles and len(stored(bench, "p")) == 1


async def test_rows_of_the_earlier_version_are_deleted_when_they_are_over(bench: StreamBench) -> None:
    """Each payment comes four days after the last one, and is held: so both queues move."""
    for number in range(250):
        at = now() + number * 4 * DAY
        bench.of(payment(f"new {number}", at, 2_000_000_00), recorded_at=at)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.failures == [] and bench.dead() == []
    left = stored(bench, "da" + WAITS)
    assert left and not set(left) & set(earlier().rows)


def shifted(length: int) -> list[tuple[Any, int]]:
    """Return what comes after the earlier log: of the same debtors, with ids that were there before, too."""
    log = busy_log(Random(20), length, (*BUSY, CALM), scheduled=0.1, links=0.05)
    by = now() - min(at for _, at in log)
    found = []
    for event, at in log:
        changes = {"occurred_at": event.occurred_at + by}
        if getattr(event, "execute_at", None) is not None:
            changes["execute_at"] = event.execute_at + by
        found.append((msgspec.structs.replace(event, **changes), at + by))
    return found


@pytest.mark.parametrize("whole", [False, True], ids=["on the table", "the whole log"])
async def test_rows_and_columns_go_on_alike(
    whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the table of the earlier version, and from its log alone, which has records of earlier schemas."""
    applied = applied_by_columns(monkeypatch, FraudLogBatch)
    said = []
    for least, sizes in ((10**9, (1, 30)), (10**9, (7,)), (1, (1, 200))):
        bench = bench_on({} if whole else earlier().rows, tmp_path / f"{least} {sizes}")
        bench.task._columns_from = least
        for record in earlier().log if whole else ():
            bench.record(record.value, record.key, record.timestamp * 1000)
        for event, at in shifted(500):
            bench.of(event, recorded_at=at)
        await _apply(bench, sizes)
        written = {place: one for place, one in bench.written().items() if place[0] != CHANGELOG}
        assert written["fraud-alerts", 0] and {code for _, code in bench.dead()} <= {
            "invalid_creditor_reference"
        }
        said.append((written, stored(bench)))
        bench.close()
    assert said[0] == said[1] == said[2]
    assert sum(applied) > 100


async def _apply(bench: StreamBench, sizes: Sequence[int]) -> None:
    start = number = 0
    while start < len(bench.log):
        size = sizes[number % len(sizes)]
        await bench.accept(*bench.log[start : start + size])
        await bench.settled()
        start, number = start + size, number + 1
    assert bench.failures == []


async def test_each_payment_of_the_earlier_log_is_decided_by_todays_rules(tmp_path: Path) -> None:
    bench = bench_on({}, tmp_path)
    for record in earlier().log:
        bench.record(record.value, record.key, record.timestamp * 1000)
    await _apply(bench, (50,))
    written = bench.decoded({("", 0): bench.written()["ledger-commands", 0]})
    today = [event.payment_id for *_, event in written if type(event) is ev.PaymentDecided]
    records = [record.value for record in earlier().written["ledger-commands"]]
    found = bench.codec.decode([value for value in records if value is not None])
    assert today == [event.payment_id for event in found.events if type(event) is ev.PaymentDecided]
    kept = {key.decode().split("\0")[2] for key in stored(bench, "d")}
    bench.close()
    assert kept >= set(decisions()), "decisions are kept for longer than before"
