"""`ledgerflow balance --as-of`, `statement` and `payment` against a worker that answers from a script."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.cli.entry import main

ENDS = {"balance_minor": 0, "held_minor": 0, "available_minor": 0}
ABOUT = {"tenant_id": "t", "account_id": "a", "currency": "EUR", "lines": 3, "from": None, "to": None}
ABOUT |= {"opening": ENDS, "closing": {**ENDS, "balance_minor": -37_50}}
STEP = {
    **dict.fromkeys(("occurred_at", "recorded_at"), "1970-01-01T00:00:00Z"),
    "event": "payment_reserved",
    "state": "held",
    "code": "ok",
    "event_id": "e1",
    "causation_id": None,
}
PAYMENT = {
    "amount_minor": 12_50,
    "currency": "EUR",
    "debtor_account_id": "a",
    "creditor_account_id": "b",
    "state": "held",
    "code": "ok",
    "waiting_for": "review",
    "hold_expires_at": None,
    "due_at": None,
    "stuck_id": "e2",
    "refused_commands": 3,
    "exchange": {
        "creditor_amount_minor": 13_75,
        "currency": "USD",
        "rate_e8": 110_000_000,
        "rate_currency": "EUR",
        "rate_event_id": None,
    },
    "steps": [STEP],
}


def booking(line: int) -> dict[str, Any]:
    figures = {"booked_minor": -12_50, "held_change_minor": 0, "balance_minor": line, "available_minor": line}
    return {"line": line, "booked_at": "1970-01-01T00:00:00Z", "kind": "DEBIT", **figures} | {
        "payment_id": (None, "paid-1", "p")[line],
        "reference": None,
    }


class Worker:
    """An HTTP server on a free port, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(address.query).items()}
                outer.asked.append((address.path, query))
                status, body = outer.answer(address.path, query)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @staticmethod
    def answer(path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a balance, or a statement of three bookings in pages of two."""
        if path.startswith("/payments"):
            known = query.get("debtor") or path.endswith("/paid-1")
            return (200, {"data": PAYMENT}) if known else (409, {"detail": "several debtors"})
        if path.endswith("/nobody"):
            return 404, {"detail": "the history of t/nobody starts at noon"}
        if "yesterday" in query.values():
            return 400, {"detail": "as_of: must be a time with its zone"}
        if path.startswith("/balances"):
            meta = {"log": "postings", "partition": 0, "as_of_offset": 7, "lag": 0}
            return 200, {"data": {"balance_minor": 5_00, "currency": "EUR", **query}, "meta": meta}
        start = int(query.get("after", -1)) + 1
        lines = [booking(line) for line in range(start, min(start + 2, 3))]
        following = "/statements/t/a?after=1" if start == 0 else None
        return 200, {"data": {**ABOUT, "bookings": lines}, "next": following, "meta": {}}


@pytest.fixture
def worker() -> Iterator[Worker]:
    running = Worker()
    yield running
    running.close()


def said(capsys: pytest.CaptureFixture[str], worker: Worker, *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments, "--url", worker.url])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_a_balance_is_asked_for_at_its_times(capsys: pytest.CaptureFixture[str], worker: Worker) -> None:
    times = {"as_of": "2026-11-20T15:00:00+01:00", "known_at": "2026-11-21T00:00:00Z"}
    options = ("--as-of", times["as_of"], "--known-at", times["known_at"])
    code, out, err = said(capsys, worker, "balance", "t/a b", *options)
    assert code == 0 and "5.00 EUR" in out and "postings[0]@7" in err
    assert worker.asked == [("/balances/t/a%20b", times)]


def test_a_statement_is_read_to_its_end(capsys: pytest.CaptureFixture[str], worker: Worker) -> None:
    code, out, _ = said(capsys, worker, "statement", "t/a", "--from", "1", "--json")
    assert code == 0
    assert [line["line"] for line in json.loads(out)["bookings"]] == [0, 1, 2]
    first, second = (query for _, query in worker.asked)
    assert first == {"from": "1", "limit": "1000"}
    assert second == {**first, "after": "1"}


def test_a_statement_is_a_table_or_csv(capsys: pytest.CaptureFixture[str], worker: Worker) -> None:
    _, out, _ = said(capsys, worker, "statement", "t/a")
    lines = out.splitlines()
    assert "OPENING" in lines[1] and "CLOSING" in lines[-1] and len(lines) == 6
    assert sum("-12.50 EUR" in line for line in lines) == 3
    _, out, _ = said(capsys, worker, "statement", "t/a", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["line"] for row in rows] == ["", "0", "1", "2", ""]
    assert [row["kind"] for row in rows] == ["OPENING", "DEBIT", "DEBIT", "DEBIT", "CLOSING"]
    assert {row["currency"] for row in rows} == {"EUR"}
    assert [(row["booked_minor"], row["booked"]) for row in rows[1:4]] == [("-1250", "-12.50")] * 3
    assert (rows[-1]["balance_minor"], rows[-1]["balance"]) == ("-3750", "-37.50")
    parties = [(row["payment_id"], row["counterparty_account_id"]) for row in rows[1:4]]
    assert parties == [("", ""), ("paid-1", "b"), ("p", "")]  # that id is one of several debtors


def test_a_payment_is_shown_with_its_steps(capsys: pytest.CaptureFixture[str], worker: Worker) -> None:
    code, out, _ = said(capsys, worker, "payment", "t/p", "--debtor", "a")
    assert code == 0 and worker.asked == [("/payments/t/p", {"debtor": "a"})]
    shown = [line.split() for line in out.splitlines()]
    for line in (["amount", "12.50", "EUR"], ["waiting_for", "review"], ["refused_commands", "3"]):
        assert line in shown
    assert ["exchanged", "13.75", "USD", "at", "1.1", "USD", "for", "1", "EUR"] in shown
    assert ["1970-01-01T00:00:00Z", "payment_reserved", "held", "ok", "1970-01-01T00:00:00Z", "e1"] in shown
    _, out, _ = said(capsys, worker, "payment", "t/p", "--debtor", "a", "--json")
    assert json.loads(out)["data"] == PAYMENT


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["statement", "t/nobody"], 1, "starts at noon"),
        (["balance", "t/nobody", "--as-of", "1"], 1, "starts at noon"),
        (["balance", "t/a", "--as-of", "yesterday"], 2, "with its zone"),
        (["statement", "a"], 2, "TENANT/ACCOUNT"),
        (["payment", "t/p"], 1, "several debtors"),
        (["statement", "t/a", "--csv", "--json"], 2, "choose one"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], worker: Worker, arguments: list[str], code: int, hint: str
) -> None:
    found, out, err = said(capsys, worker, *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("error: ") and hint in err
