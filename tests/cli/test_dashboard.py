"""The live panel of `up`: what it tells, on terminals of any height, and that it never stops a run."""

from __future__ import annotations

import errno
import io
from collections import Counter
from collections.abc import Iterator
from typing import cast

import pytest
from rich.console import Console

from pipeline.cli.dashboard import Dashboard, View
from pipeline.cli.news import KEPT, News, news_of, posting_line
from pipeline.cli.records import ERROR_HEADER, TopicRecord
from pipeline.cli.supervisor import Child, Worker
from pipeline.cli.tally import Tally
from pipeline.verify.decode import Event

COUNTS = {"payments": 900, "accounts": 100, "postings": 2_000, "fraud-alerts": 13, "dead-letters": 20}
NEWS = tuple(News(1_700_000_000_000, "alert", f"north/a-{number} declined") for number in range(KEPT))


def view(news: tuple[News, ...] = NEWS, options: str = "") -> View:
    tally = Tally(Counter(COUNTS), 11, 4, 1_327, {"EUR": 69_031}, 124, news, "north/a-1 debit 1.00 EUR")
    worker = Worker(0, "http://127.0.0.1:6066", child=cast(Child, object()), ready=True, lists=("/balances",))
    servers, registry = "127.0.0.1:19092", "http://127.0.0.1:18081"
    return View(
        tally,
        [worker],
        Worker(0, "http://127.0.0.1:8080", ready=True),
        servers,
        registry,
        "running",
        0,
        [],
        4.0,
        options,
    )


@pytest.fixture
def shown() -> Iterator[io.StringIO]:
    """Where the panel is drawn."""
    with io.StringIO() as file:
        yield file


def drawn(file: io.StringIO, height: int, what: View) -> list[str]:
    """Return the lines of the first picture on a terminal of that height."""
    console = Console(file=file, force_terminal=True, color_system=None, width=110, height=height)
    dashboard = Dashboard(console)
    dashboard.open()
    file.truncate(0)
    dashboard.show(what)
    return file.getvalue().splitlines()


def test_a_picture_tells_what_happens_and_where_everything_is(shown: io.StringIO) -> None:
    text = "\n".join(drawn(shown, 40, view(options=" --data d")))
    for part in (
        *("1,000", "2,000", "1,327", "7 open, 4 resolved", "13", "20", "124", "690.31 EUR", "ends in 4 s"),
        *("north/a-11 declined", "north/a-1 debit 1.00 EUR", "ready", "http://127.0.0.1:6066"),
        *("/balances", "127.0.0.1:19092", "http://127.0.0.1:18081", "ledgerflow verify --data d"),
    ):
        assert part in text, part


@pytest.mark.parametrize("height", [20, 24, 34, 60])
def test_a_picture_fits_the_terminal_and_leaves_out_old_news_first(shown: io.StringIO, height: int) -> None:
    lines = drawn(shown, height, view())
    assert len(lines) <= height and "Ctrl-C" in lines[-1]
    news = [line for line in lines if "declined" in line and "north/" in line]
    assert len(news) == min(KEPT, max(0, height - 26))
    assert all(f"a-{KEPT - 1 - number} " in line for number, line in enumerate(reversed(news)))


def test_a_terminal_that_has_gone_does_not_stop_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    dashboard = Dashboard(Console(file=Gone(), force_terminal=True, width=80, height=24))
    dashboard.say("before")
    dashboard.open()
    dashboard.show(view())
    dashboard.say("meanwhile")
    dashboard.close()
    dashboard.say("after")


def test_what_was_said_while_the_panel_was_there_stays_on_the_screen(shown: io.StringIO) -> None:
    dashboard = Dashboard(Console(file=shown, force_terminal=True, color_system=None, width=110, height=34))
    dashboard.open()
    dashboard.say("worker 0 ended with exit code 70; starting it again")
    dashboard.close()
    assert "worker 0 ended with exit code 70" in shown.getvalue()


def record(topic: str, /, **error: str) -> TopicRecord:
    headers = [(f"{ERROR_HEADER}{name}", value.encode()) for name, value in error.items()]
    return TopicRecord(topic, 1, 7, 1_700_000_000_000, b"t/a", b"", headers)


def test_an_alert_a_break_and_a_dead_letter_are_news_in_one_line_each() -> None:
    account = {"tenant_id": "t", "account_id": "a\x1b[31m\n"}
    reasons = [{"rule": "fan_out", "detail": "9"}, {"rule": "night", "detail": "3"}]
    alert = Event("FraudAlertRaised", {**account, "outcome": "DECLINE", "score": 90, "reasons": reasons})
    amount = {"amount_minor": -1_250, "currency": "EUR", "detail": "no posting"}
    opened = Event("BreakOpened", {**account, "type": "MISSING_INTERNAL", **amount})
    payment = {"payment_id": "p", "waiting_for": "review", "amount_minor": 5, "currency": "EUR"}
    stuck = Event("PaymentStuck", {"tenant_id": "t", **payment})
    said = [
        news_of(record("fraud-alerts"), alert),
        news_of(record("payment-alerts"), stuck),
        news_of(record("reconciliation-results"), opened),
        news_of(record("dead-letters", code="no_key", topic="payments", partition="2", offset="9"), None),
    ]
    assert [(told.kind, told.text) for told in said if told is not None] == [
        ("alert", "t/a\\u001b[31m\\n declined, score 90: fan_out, night"),
        ("stuck", "t/p waits for its review, 0.05 EUR"),
        ("break", "t/a\\u001b[31m\\n missing internal, -12.50 EUR: no posting"),
        ("dead letter", "no_key: payments[2]@9"),
    ]
    journal = {**account, "journal_id": "j", "code": "creditor_not_found", "leg_no": 3}
    refused = news_of(record("journal-events"), Event("JournalUpdated", {**journal, "state": "REFUSED"}))
    assert refused is not None and refused[1:] == (
        "journal",
        "t/a\\u001b[31m\\n refused j: creditor_not_found (leg 3)",
    )
    assert news_of(record("journal-events"), Event("JournalUpdated", {**journal, "state": "POSTED"})) is None
    place = {"topic": "postings", "partition": 1, "offset": 9, "expected": "4", "found": "5"}
    broken = news_of(
        record("invariant-alerts"), Event("InvariantBroken", {**account, **place, "invariant": "balance"})
    )
    assert broken is not None and broken[1:] == (
        "broken",
        "balance of t/a\\u001b[31m\\n: expected 4, found 5 at postings[1]@9",
    )
    late = {**account, "posting_id": "p", "currency": "EUR"}
    past = news_of(record("history-alerts"), Event("PastOverdrawn", {**late, "short_minor": 250}))
    assert past is not None
    assert past[1:] == ("past", "t/a\\u001b[31m\\n 2.50 EUR too low in the past, by posting p")
    past = news_of(record("history-alerts"), Event("PastOverdrawn", {**late, "short_minor": None}))
    assert past is not None and past.text.endswith(" not checked in the past, by posting p")
    drifted = {"model_sha256": "3f2a" * 16, "drifted": [{"feature": "amount", "psi_bp": 3_012}]}
    drift = news_of(record("fraud-alerts"), Event("FraudModelDrifted", {**account, **drifted}))
    assert drift is not None
    assert drift[1:] == ("drift", "t model 3f2a3f2a3f2a has drifted: amount 3,012 bp")
    assert news_of(record("reconciliation-results"), Event("ItemMatched", {})) is None
    assert news_of(record("payment-alerts"), Event("PaymentResumed", {})) is None
    assert news_of(record("fraud-alerts"), None) is None


def test_a_posting_is_told_with_the_balance_after_it() -> None:
    fields = {"tenant_id": "t", "account_id": "a", "side": "DEBIT", "currency": "EUR"}
    event = Event("PostingRecorded", {**fields, "amount_minor": 1_250, "balance_minor_after": -250})
    assert posting_line(event) == "t/a debit 12.50 EUR, balance -2.50 EUR"


def test_a_hold_is_told_with_what_is_held_after_it() -> None:
    fields = {"tenant_id": "t", "account_id": "a", "change": "PLACED", "currency": "EUR"}
    event = Event("HoldRecorded", {**fields, "amount_minor": 1_250, "held_minor_after": 2_000})
    assert posting_line(event) == "t/a hold placed 12.50 EUR, held 20.00 EUR"
