"""What the views are tested on: two workers, and a tenant with accounts, payments, trades and a statement."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Producer

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.settings import Settings
from tests.progress import SILENCE_S, eventually

ROOT = Path(__file__).parents[2]
STRANGE = "zz %s{}\n\"'?&#ä€"
"""An id that an upstream may use."""
ACCOUNTS = [*(f"acc-{number:02d}" for number in range(11)), STRANGE]
WORKER = """
import json, sys
from faust.worker import Worker
from pipeline.runtime.settings import Settings
from topologies.app import build
from topologies.configuration import Configuration
app = build(Configuration(Settings.model_validate_json(sys.argv[1])), worker=int(sys.argv[2]))
app.finalize()
Worker(app, loglevel="WARNING").execute_from_commandline()
"""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def get(url: str, accept: str = "*/*", method: str = "GET", **headers: str) -> Answer:
    request = urllib.request.Request(url, headers={"Accept": accept, **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_S) as response:
            return Answer(response.status, dict(response.headers), response.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read().decode())
    except OSError as error:
        return Answer(0, {}, str(error))


def spread_tenant() -> str:
    """Return a new tenant whose ACCOUNTS are on all four partitions."""
    while True:
        tenant = f"bank-{uuid.uuid4().hex[:8]}"
        if {partition_of(f"{tenant}/{account}", 4) for account in ACCOUNTS} == set(range(4)):
            return tenant


class Bank:
    """Two workers, and a tenant of the test's own with accounts on every partition."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tenant = spread_tenant()
        self.urls = [f"http://127.0.0.1:{settings.web_port + number}" for number in (0, 1)]
        self.processes = [self._start(number) for number in (0, 1)]
        self._codec = Codec(Registry(settings.schema_registry_url, settings.data_dir / "schemas"))

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        text = self.settings.model_dump_json(exclude={"sasl_password"}, exclude_none=True)
        return subprocess.Popen([sys.executable, "-c", WORKER, text, str(number)], cwd=ROOT)

    def envelope(self) -> tuple[str, str, int, str, None]:
        return str(uuid.uuid4()), self.tenant, self.noon_us(), "c", None

    @staticmethod
    def noon_us() -> int:
        """Yesterday's noon: no rule about nights, and no clock ahead."""
        return (int(time.time()) // 86_400 * 86_400 - 43_200) * 1_000_000

    def produce(self, topic: str, events: list[Any]) -> None:
        producer = Producer(self.settings.librdkafka())
        for event, value in zip(events, self._codec.encode(events), strict=True):
            key = record_key(event)
            producer.produce(topic, value, key, partition_of(key, self.settings.partitions))
        assert producer.flush(30) == 0

    def balances(self, url: str) -> Answer:
        return get(f"{url}/balances?tenant={self.tenant}&limit=1000")


def is_sharing(url: str) -> bool:
    """Whether a worker is ready and has half of the partitions."""
    answer = get(f"{url}/ready")
    return (
        answer.status == 200 and len([p for p in answer.body["partitions"] if p["stream"] == "ledger"]) == 2
    )


def fill(bank: Bank) -> None:
    """Open accounts, pay, trade, and receive a statement that does not add up; wait until all of it shows."""
    opened = [
        ev.AccountOpened(*bank.envelope(), account, "cust", "checking", "EUR", 1_000_00, "retail", (), 0)
        for account in ACCOUNTS
    ]
    bank.produce("accounts", opened)
    eventually(lambda: len(accounts_of(bank.balances(bank.urls[0]))) == len(ACCOUNTS))
    # Two very small amounts, then a large one at once: probe_then_drain, to be reviewed.
    payments = [
        ev.PaymentInitiated(
            *(*bank.envelope(), f"pay-{amount}", ACCOUNTS[0], ACCOUNTS[1], amount, "EUR", "transfer"),
            *("probe", None, None, None, None, None, "probe"),
        )
        for amount in (20, 30, 600_01)
    ]
    bank.produce("payments", payments)
    trade = ("BUY", 2 * 10**8, 100 * 10**8, 5, "EUR")
    bank.produce(
        "trades", [ev.TradeExecuted(*bank.envelope(), f"t-{a}", a, "EUR/USD x", *trade) for a in ACCOUNTS[:4]]
    )
    bank.produce("prices", [ev.PriceQuoted(*bank.envelope(), "EUR/USD x", 110 * 10**8, "EUR")])
    statement = ev.StatementClosed(*bank.envelope(), "S1", ACCOUNTS[2], "EUR", 0, 500, 0, bank.noon_us())
    bank.produce("statements", [statement])
    url, tenant = bank.urls[0], bank.tenant
    eventually(lambda: get(f"{url}/alerts?tenant={tenant}").body.get("data"))
    eventually(lambda: get(f"{url}/breaks?tenant={tenant}").body.get("data"))
    eventually(lambda: priced(get(f"{url}/positions?tenant={tenant}").body) == 4)
    eventually(lambda: get(f"{url}/alerts?tenant={tenant}").body["data"][0]["payment_state"] == "held")
    # A payment to another branch settles once its leg is answered.
    eventually(lambda: balance_of(bank, ACCOUNTS[0]) == 1_000_00 - 50)
    eventually(lambda: balance_of(bank, ACCOUNTS[1]) == 1_000_00 + 50)
    # The fraud stream hears of it from the ledger, on the payee's own partition.
    eventually(lambda: get(f"{url}/fraud-payees/{tenant}/{ACCOUNTS[1]}").status == 200)


def balance_of(bank: Bank, account: str) -> int:
    found: int = get(f"{bank.urls[0]}/balances/{bank.tenant}/{account}").body["data"]["balance_minor"]
    return found


def accounts_of(answer: Answer) -> list[str]:
    rows = answer.body["data"] if answer.status == 200 else []
    return [row["account_id"] for row in rows if not row["account_id"].startswith("$")]


def priced(body: Any) -> int:
    return len([row for row in body.get("data", []) if row["last_price_e8"] is not None])
