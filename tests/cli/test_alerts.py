"""`ledgerflow alerts` without a cluster: what a person reads who works with it all day."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import alerts
from pipeline.cli.asking import NotFound
from pipeline.cli.entry import main

VIEWS = "--url http://127.0.0.1:1"


def row(number: int, minute: int, **more: Any) -> dict[str, Any]:
    reasons = [
        {
            "rule": "structuring_24h@1",
            "detail": f"{number} amounts in a day just under a reporting threshold",
        },
        {"rule": "list:watch", "detail": "mule is on the list watch"},
        {
            "rule": "model:amount_deviations",
            "detail": "amount_deviations 12.5 standard deviations: riskier (62 % of what moved the score)",
        },
    ]
    return {
        "tenant_id": "north",
        "account_id": "alice",
        "payment_id": f"p-{number}",
        "alert_id": "a-1",
        "outcome": "REVIEW",
        "score": 60 + number,
        "reasons": reasons,
        "rules_version": "default@1; model 3f2a",
        "decided_at": f"2026-12-01T12:{minute:02}:30.000000Z",
        "creditor_account_id": "mule",
        "amount_minor": 9_500_00,
        "currency": "EUR",
        "payment_state": "held",
        **more,
    }


ROWS = [
    row(2, 20, outcome="DECLINE", score=100, payment_state="rejected"),
    row(1, 5),
    row(3, 40, alert_id=None, account_id="bob", payment_state=None, currency="JPY", amount_minor=4_000),
]
DEBTOR = {
    "first_paid_at": "2026-11-01T09:00:00.000000Z",
    "approved_payments": 6,
    "usual_amount_eur_minor": 32_10,
    "largest_amount_eur_minor": 1_060_00,
    "payments_24h": 3,
    "amount_24h_eur_minor": 28_500_00,
    "payees_30d": 4,
    "devices_30d": 1,
    "confirmed_frauds": 0,
}
PAYEE = {
    "first_received_at": "2026-11-20T09:00:00.000000Z",
    "receipts": 1_240,
    "receipts_24h": 12,
    "amount_24h_eur_minor": 9_000_00,
    "payers_24h": 11,
    "payers_7d": 64,
    "confirmed_frauds": 3,
}


class Views:
    """Pages of alerts, two rows a page; debtors and payees."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, _: list[str], path: str, parameters: Any = None) -> dict[str, Any]:
        self.asked.append(path)
        if path in ("/alerts", "/alerts/north/alice"):
            rows = [one for one in ROWS if path == "/alerts" or one["account_id"] == "alice"]
            start = 2 if "after" in parameters else 0
            assert parameters.get("after", "north/alice/p-1") == "north/alice/p-1"
            return {"data": rows[start : start + 2], "next": "there" if len(rows) > start + 2 else None}
        if path == "/fraud-debtors/north/alice":
            return {"data": DEBTOR}
        if path == "/fraud-payees/north/mule":
            return {"data": PAYEE}
        raise NotFound(f"{path} is not known")


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Views:
    made = Views()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(alerts, "ask", made.ask)
    return made


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[str, str]:
    assert main(shlex.split(f"alerts {line} {VIEWS}")) == 0
    written = capsys.readouterr()
    return written.out, written.err


def test_payments_of_one_alert_are_one_line_and_the_newest_is_last(
    views: Views, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "north")
    heading, first, second = out.splitlines()
    assert heading.split() == ["newest", "account", "payments", "amount", "outcome", "score", "state", "why"]
    assert first.split("  ")[0] == "2026-12-01 12:20" and "19,000.00 EUR" in first
    assert " refused " in first and "100" in first and " held " in first
    assert first.endswith("structuring_24h, list watch, model")
    assert (
        "bob" in second
        and "4,000 JPY" in second
        and "held for review" in second
        and "not known yet" in second
    )
    assert err == "2 alerts on 3 payments, of which 1 wait for a review\n"


def test_one_account_is_shown_with_reasons_and_both_sides(
    views: Views, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = said(capsys, "north/alice")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "alert a-1: 2 payments, 19,000.00 EUR"
    assert lines[1] == ("2026-12-01 12:05:30  p-1  9,500.00 EUR to mule: held for review, score 61; now held")
    assert lines[2].split("  ")[0] == "structuring_24h" and lines[2].endswith("under a reporting threshold")
    assert lines[4].startswith("model ") and lines[4].endswith(
        "how far the amount is above the usual one (amount_deviations): 12.5 standard deviations: riskier"
        " (62 % of what moved the score)"
    )
    assert lines[5] == "decided by default@1; model 3f2a"
    assert lines[6].endswith("refused, score 100; now rejected")
    assert lines[-2] == (
        "payer alice: pays since 2026-11-01 09:00; 6 approved payments, no confirmed fraud; usually 32.10"
        " EUR, at most 1,060.00 EUR; 3 payments of 28,500.00 EUR in its last day; 4 payees and 1 device in"
        " 30 days"
    )
    assert lines[-1] == (
        "payee mule: paid since 2026-11-20 09:00; 1,240 receipts, 3 confirmed frauds; 12 receipts of"
        " 9,000.00 EUR from 11 payers in its last day; 64 payers in a week"
    )
    assert views.asked.count("/fraud-payees/north/mule") == 1


def test_only_alerts_that_wait_are_asked_for_and_scripts_get_objects(
    views: Views, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "north --open --json")
    (alert,) = map(json.loads, out.splitlines())
    assert alert["alert_id"] == "a-1" and [one["payment_id"] for one in alert["payments"]] == ["p-1", "p-2"]
    assert err == "1 alert on 2 payments, of which 1 wait for a review\n"


def test_what_nobody_knows_is_said_and_nothing_is_obeyed(
    views: Views, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = {
        **ROWS[1],
        "creditor_account_id": "x\x1b[2J",
        "reasons": [{"rule": "[red]a@1", "detail": "\x1b[31m"}],
    }
    monkeypatch.setattr(alerts, "pages", lambda *_: [evil])
    out, _ = said(capsys, "north/alice")
    assert "\x1b" not in out and "[red]a" in out and "nothing is known yet" in out


def test_a_payee_that_has_received_nothing_is_no_list_of_zeros() -> None:
    assert alerts._as_payee({**PAYEE, "receipts": 0}) == "has received nothing; 3 confirmed frauds"


def test_a_rule_keeps_its_name_and_an_unknown_feature_its_words() -> None:
    assert alerts.in_words("fan_out@3", "x") == ("fan_out", "x")
    assert alerts.in_words("model:gone", "gone 3: safer") == ("model:gone", "gone 3: safer")
    assert alerts.in_words("payment_id_reused", "x") == ("payment_id_reused", "x")
