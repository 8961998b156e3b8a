"""The whole product in one worker (`python -m topologies.worker`), as the pipeline and views jobs run it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from pipeline.domain.kernel import events as ev
from tests.benchmarks import processes
from tests.benchmarks.bench import Bench
from tests.benchmarks.exactness import Inexact, Offsets, expect
from tests.benchmarks.inputs import envelope, now_us
from tests.benchmarks.paced import PacedJob
from topologies.app import STREAMS, TABLELESS, TABLES

READY_WITHIN_S = 60.0
OPENED_WITHIN_S = SETTLED_WITHIN_S = 120.0
INITIAL_BALANCE_MINOR = 100_000_000


@contextmanager
def worker(bench: Bench, app_id: str, **more: str) -> Iterator[processes.Process]:
    """Yield a worker with every stream, each from the present end of its log on, once it is ready.

    `more` are settings of its environment, by their names there.
    """
    sources = [stream.source for stream in STREAMS]
    bench.create_changelogs(app_id, *TABLES, tableless=TABLELESS)
    bench.start_at(app_id, bench.ends(*sources))
    command = [sys.executable, "-m", "topologies.worker"]
    with processes.Process(command, bench.log(app_id), bench.environment(app_id) | more) as process:
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers(f"{base_url(bench)}/ready"):
            if time.monotonic() > deadline or not process.alive:
                raise process.failure("did not become ready")
            time.sleep(0.1)
        yield process


def base_url(bench: Bench) -> str:
    """Return where the worker's views are."""
    return f"http://127.0.0.1:{bench.settings.web_port}"


def open_accounts(bench: Bench, job: PacedJob) -> None:
    """Open the accounts of a job by the topic for it; wait until the ledger has them."""
    start: Offsets = bench.ends("balances")
    accounts = {job.account(place) for place in range(job.accounts)}
    now = now_us()
    opened = ((f"{job.tenant}/{account}", _opened(account, now, job.tenant)) for account in accounts)
    bench.produce("accounts", opened)
    deadline = time.monotonic() + OPENED_WITHIN_S
    while not accounts <= {event.account_id for event in bench.read("balances", start)}:
        if time.monotonic() > deadline:
            raise Inexact(f"the ledger has not all accounts after {OPENED_WITHIN_S:.0f} s")
        time.sleep(0.5)


def wait_until_settled(bench: Bench, start: Offsets, payments: int) -> None:
    """Wait until as many payments are settled since `start`; raise Inexact if they are not, or more are."""
    deadline, settled = time.monotonic() + SETTLED_WITHIN_S, 0
    while settled < payments and time.monotonic() < deadline:
        time.sleep(0.5)
        settled = sum(isinstance(event, ev.PaymentSettled) for event in bench.read("payment-events", start))
    expect("payments settled", settled, payments)


def _opened(account: str, at: int, tenant: str) -> ev.AccountOpened:
    return ev.AccountOpened(
        *envelope(f"open-{account}", at, tenant),
        *(account, f"customer-of-{account}", "checking", "EUR", INITIAL_BALANCE_MINOR),
        *("retail", (), 0),
    )


def answers(url: str) -> bool:
    """Return whether a server says that it is well."""
    try:
        with urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
