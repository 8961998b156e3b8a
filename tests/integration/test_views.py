"""The table views on the real stack: two workers, each answers for every key, and one takes over."""

from __future__ import annotations

import csv
import io
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.kafka.topics import create_topics
from pipeline.runtime.local.stack import LocalStack
from pipeline.web.pages import documented
from tests.integration.views_bank import ACCOUNTS, STRANGE, Answer, Bank, fill, get, is_sharing
from tests.progress import eventually
from topologies.app import TABLELESS, TABLES, VIEWS


@pytest.fixture(scope="module")
def bank(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    settings = stack.settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("views")})
    register_all(settings.schema_registry_url)
    create_topics(settings, TABLES, TABLELESS)
    running = Bank(settings)
    try:
        eventually(lambda: all(is_sharing(url) for url in running.urls))
        fill(running)
        yield running
    finally:
        for process in running.processes:
            process.kill()
            process.wait()


def test_either_worker_answers_for_every_account(bank: Bank) -> None:
    owners = set()
    for account in ACCOUNTS:
        page = f"/balances/{bank.tenant}/{urllib.parse.quote(account, safe='')}"
        answers = [get(url + page) for url in bank.urls]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].body["data"] == answers[1].body["data"]
        assert answers[0].body["data"]["account_id"] == account
        meta = answers[0].body["meta"]
        assert meta["partition"] == partition_of(f"{bank.tenant}/{account}", 4)
        assert meta["as_of_offset"] > 0
        owners.add(meta["worker"])
    assert owners == set(bank.urls)


def test_money_in_the_views_adds_up(bank: Bank) -> None:
    rows = bank.balances(bank.urls[1]).body["data"]
    assert sum(row["balance_minor"] for row in rows) == 0  # the branches' own accounts are among them
    by_account = {row["account_id"]: row for row in rows}
    assert by_account[ACCOUNTS[0]]["balance_minor"] == 1_000_00 - 50
    assert by_account[ACCOUNTS[0]]["available_minor"] == 1_000_00 - 50 - 600_01  # held for the review
    assert by_account[ACCOUNTS[1]]["balance_minor"] == 1_000_00 + 50


def test_an_internal_account_is_found_on_the_branch_in_its_name(bank: Bank) -> None:
    for branch in range(4):
        for url in bank.urls:
            answer = get(f"{url}/balances/{bank.tenant}/$opening:EUR:{branch}")
            assert answer.status == 200
            assert answer.body["meta"]["partition"] == branch
    assert get(f"{bank.urls[0]}/balances/{bank.tenant}/$opening:EUR:4").status == 404


def test_an_account_with_a_strange_id_is_found(bank: Bank) -> None:
    for url in bank.urls:
        answer = get(f"{url}/balances/{bank.tenant}/{urllib.parse.quote(STRANGE, safe='')}")
        assert answer.status == 200 and answer.body["data"]["account_id"] == STRANGE


@pytest.mark.parametrize("shape", ["json", "csv"])
def test_pages_follow_each_other_without_gap_or_repeat(bank: Bank, shape: str) -> None:
    whole = [row["account_id"] for row in bank.balances(bank.urls[0]).body["data"]]
    assert whole == sorted(whole)
    link, seen, turn = f"/balances?tenant={bank.tenant}&limit=5&format={shape}", [], 0
    while link:
        answer = get(bank.urls[turn % 2] + link)  # any worker goes on where another one stopped
        assert answer.status == 200
        if shape == "json":
            rows, following = answer.body["data"], answer.body["next"]
        else:
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            following = answer.headers.get("Link", "").partition(">")[0][1:]
        assert 0 < len(rows) <= 5
        seen += [row["account_id"] for row in rows]
        link, turn = following, turn + 1
    assert seen == whole


def _past(bank: Bank, url: str, view: str, account: str, **asked: str) -> Answer:
    query = urllib.parse.urlencode(asked)
    return get(f"{url}/{view}/{bank.tenant}/{urllib.parse.quote(account, safe='')}?{query}")


def test_the_past_of_an_account_is_the_same_from_either_worker_and_leads_to_its_balance(bank: Bank) -> None:
    shown = ("balance_minor", "available_minor", "currency", "account_type")
    for account in ACCOUNTS:
        now = _past(bank, bank.urls[0], "balances", account).body["data"]

        def is_there(account: str = account, now: dict[str, Any] = now) -> bool:
            found = _past(bank, bank.urls[0], "balances", account, known_at="2100-01-01T00:00:00Z")
            return found.status == 200 and all(found.body["data"][name] == now[name] for name in shown)

        eventually(is_there)  # the history comes a moment after the ledger
        statements = [_past(bank, url, "statements", account).body for url in bank.urls]
        assert statements[0]["data"] == statements[1]["data"]
        statement = statements[0]["data"]
        assert statement["closing"]["balance_minor"] == now["balance_minor"]
        assert sum(line["booked_minor"] for line in statement["bookings"]) == now["balance_minor"]
        assert sum(line["held_change_minor"] for line in statement["bookings"]) == now["debits_pending"]


def test_a_balance_is_asked_for_by_both_times(bank: Bank) -> None:
    debtor, noon = ACCOUNTS[0], bank.noon_us()
    for url in bank.urls:
        lines = _past(bank, url, "history", debtor).body["data"]["bookings"]
        assert {line["kind"] for line in lines} == {"CREDIT", "DEBIT", "PLACED"}
        opened = _past(bank, url, "balances", debtor, known_at=lines[0]["booked_at"]).body["data"]
        assert (opened["balance_minor"], opened["available_minor"]) == (1_000_00, 1_000_00)
        as_of = _past(bank, url, "balances", debtor, as_of=str(noon)).body["data"]
        assert (as_of["balance_minor"], as_of["available_minor"]) == (99_950, 99_950 - 60_001)
        early = _past(bank, url, "balances", debtor, as_of=str(noon - 1))
        assert early.status == 404 and "starts at" in early.body["detail"]
        assert early.headers["Content-Type"] == "application/problem+json"
        bad = _past(bank, url, "balances", debtor, as_of="yesterday")
        assert bad.status == 400 and "such as 2026" in bad.body["detail"]


def test_a_statement_in_pages_and_as_csv_is_whole(bank: Bank) -> None:
    link, kinds, turn = f"/statements/{bank.tenant}/{ACCOUNTS[0]}?limit=2&format=csv", [], 0
    while link:
        answer = get(bank.urls[turn % 2] + link)
        kinds += [row["kind"] for row in csv.DictReader(io.StringIO(answer.text))]
        link, turn = answer.headers.get("Link", "").partition(">")[0][1:], turn + 1
    assert (kinds[0], kinds[-1]) == ("OPENING", "CLOSING")
    lines = _past(bank, bank.urls[0], "history", ACCOUNTS[0]).body["data"]["bookings"]
    assert kinds[1:-1] == [line["kind"] for line in lines]


def test_positions_show_the_price_of_their_partition(bank: Bank) -> None:
    for url in bank.urls:
        answer = get(f"{url}/positions/{bank.tenant}/{ACCOUNTS[3]}/EUR%2FUSD%20x")
        assert answer.status == 200
        assert answer.body["data"] | {"last_price_at": None} == {
            "tenant_id": bank.tenant,
            "account_id": ACCOUNTS[3],
            "instrument_id": "EUR/USD x",
            "currency": "EUR",
            "quantity_e8": 2 * 10**8,
            "average_cost_e8": 100 * 10**8,
            "cost_basis_e8": 200 * 10**8,
            "realised_pnl_e8": 0,
            "unrealised_pnl_e8": 20 * 10**8,
            "last_price_e8": 110 * 10**8,
            "last_price_at": None,
            "fees_minor": 5,
            "fees": "0.05",
            "trades": 1,
        }
        first = get(f"{url}/positions?tenant={bank.tenant}&limit=3").body
        assert len(first["data"]) == 3
        rest = get(url + first["next"]).body
        assert ([row["account_id"] for row in rest["data"]], rest["next"]) == ([ACCOUNTS[3]], None)
        assert len(get(f"{url}/positions/{bank.tenant}/{ACCOUNTS[3]}").body["data"]) == 1


def test_breaks_and_alerts_are_found_by_list_and_by_account(bank: Bank) -> None:
    for url in bank.urls:
        (found,) = get(f"{url}/breaks/{bank.tenant}/{ACCOUNTS[2]}").body["data"]
        assert (found["type"], found["amount_minor"], found["statement_id"]) == ("CLOSING_BALANCE", 500, "S1")
        assert get(f"{url}/breaks?tenant={bank.tenant}").body["data"] == [found]
        (alert,) = get(f"{url}/alerts/{bank.tenant}/{ACCOUNTS[0]}").body["data"]
        assert (alert["payment_id"], alert["outcome"], alert["payment_state"]) == (
            "pay-60001",
            "REVIEW",
            "held",
        )
        assert (alert["account_id"], alert["amount_minor"]) == (ACCOUNTS[0], 600_01)
        assert "probe_then_drain@1" in [reason["rule"] for reason in alert["reasons"]]
        assert get(f"{url}/alerts?tenant={bank.tenant}").body["data"] == [alert]
        assert get(f"{url}/alerts/{bank.tenant}/{ACCOUNTS[0]}/pay-60001").body["data"] == alert
        assert get(f"{url}/alerts/{bank.tenant}/{ACCOUNTS[0]}/pay-20").status == 404


def test_an_account_without_rows_is_empty_and_an_unknown_one_is_not_found(bank: Bank) -> None:
    for url in bank.urls:
        for view in ("positions", "breaks", "alerts"):
            assert get(f"{url}/{view}/{bank.tenant}/{ACCOUNTS[9]}").body["data"] == []
            answer = get(f"{url}/{view}/{bank.tenant}/nobody")
            assert (answer.status, answer.body["title"]) == (404, "Not Found")
        assert get(f"{url}/balances/{bank.tenant}/nobody").status == 404
        assert get(f"{url}/positions/{bank.tenant}/{ACCOUNTS[0]}/nothing").status == 404
        assert get(f"{url}/balances?tenant=nobody").body["data"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/balances", 400),
        ("/positions?limit=5", 400),
        ("/breaks", 400),
        ("/alerts", 400),
        ("/balances?tenant=a&limit=0", 400),
        ("/balances?tenant=a&limit=1001", 400),
        ("/balances?tenant=a&limit=ten", 400),
        ("/balances?tenant=a&format=xml", 400),
        ("/balances?tenant=", 400),
        ("/balances?tenant=a/b", 400),
        ("/balances?tennant=a", 400),
        ("/balances?tenant=a&limit=1&limit=2", 400),
        ("/balances?tenant=a&after=%00", 400),
        ("/balances?tenant=a&after=b/c", 400),
        ("/balances/a/b?limit=1", 400),
        ("/tables", 404),
        ("/table/", 404),
        ("/router/", 404),
        ("/graph/", 404),
        ("/stats/", 404),
    ],
)
def test_bad_requests_are_problems(bank: Bank, path: str, status: int) -> None:
    answer = get(bank.urls[0] + path)
    assert (answer.status, answer.body["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"


UNKNOWN = ("instrument", "journal", "proposal", "break", "posting", "line", "request")
SAMPLES = {"account": ACCOUNTS[0], "payment": "pay-60001"} | dict.fromkeys(UNKNOWN, "nothing")
OF_OTHERS = {"/fraud-payees/": {"account": ACCOUNTS[1]}, "/reconciliation/": {"account": ACCOUNTS[2]}}
"""Pages that know other accounts: one that was paid, one with a statement."""


def test_every_documented_page_is_there(bank: Bank) -> None:
    for url in bank.urls:
        pages = get(url).body["pages"]
        assert pages == documented(VIEWS)
        for path in pages:
            about = next((about for start, about in OF_OTHERS.items() if path.startswith(start)), {})
            filled = path.partition("?")[0].format(tenant=bank.tenant, **(SAMPLES | about))
            answer = get(url + filled + (f"?tenant={bank.tenant}" if "tenant=" in path else ""))
            unknown = any(f"{{{name}}}" in path for name in UNKNOWN)
            assert answer.status == (404 if unknown else 200), path
            assert "no such page" not in answer.text, path


def test_only_reading_is_allowed(bank: Bank) -> None:
    page = f"{bank.urls[0]}/balances?tenant={bank.tenant}"
    answer = get(page, method="POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert bank.balances(bank.urls[0]).status == get(page, method="HEAD").status == 200


def test_a_peer_is_asked_for_its_own_partitions_only(bank: Bank) -> None:
    """The header of a request between workers ends its way: what is not there is not asked for elsewhere."""
    owned = [part["partition"] for part in get(f"{bank.urls[0]}/ready").body["partitions"]]
    foreign = min(set(range(4)) - set(owned))
    page = f"{bank.urls[0]}/balances?tenant={bank.tenant}"
    answer = get(page, **{"Ledgerflow-Partitions": str(foreign)})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert get(page, **{"Ledgerflow-Partitions": "99"}).status == 400


def metric(url: str, name: str, label: str = "") -> float:
    """Return the sum of a metric over its labels, of those that have this one."""
    lines = [line for line in get(f"{url}/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(line.split()[-1]) for line in lines if label in line)


def test_health_and_metrics(bank: Bank) -> None:
    for url in bank.urls:
        assert get(f"{url}/live").body == {"status": "live", "stuck": []}
        eventually(lambda url=url: all(part["lag"] == 0 for part in get(f"{url}/ready").body["partitions"]))
        text = get(f"{url}/metrics").text
        assert "ledgerflow_ready 1.0" in text
        assert 'ledgerflow_applied_records_total{partition="' in text
        assert "process_resident_memory_bytes" in text
        eventually(lambda url=url: metric(url, "ledgerflow_audits_total", "table") > 0)
        assert metric(url, "ledgerflow_invariant_alerts_total") == 0
    eventually(lambda: sum(metric(url, "ledgerflow_audits_total", "clearing") for url in bank.urls) > 0)
    assert "/balances?tenant=" in get(bank.urls[0]).text
    assert "<table>" in get(bank.urls[0], accept="text/html").text


def test_when_a_worker_is_killed_the_other_takes_its_rows_over(bank: Bank) -> None:
    def statements(url: str) -> list[Any]:
        return [_past(bank, url, "statements", account).body["data"] for account in ACCOUNTS]

    before, past = bank.balances(bank.urls[0]).body["data"], statements(bank.urls[0])
    bank.processes[0].kill()
    bank.processes[0].wait()
    answer = bank.balances(bank.urls[1])  # not whole, so not given
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    statuses = set()

    def is_back() -> bool:
        statuses.add(bank.balances(bank.urls[1]).status)
        return 200 in statuses

    eventually(is_back)
    assert statuses == {200, 503}
    assert bank.balances(bank.urls[1]).body["data"] == before
    eventually(lambda: _past(bank, bank.urls[1], "statements", ACCOUNTS[0]).status == 200)
    assert statements(bank.urls[1]) == past
