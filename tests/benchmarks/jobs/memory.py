"""The memory job: the ledger job on a ledger that is already large, from 10^4 to 10^6 accounts.

Ten settled payments an account are remembered, so that a million accounts come with ten million payment ids.
The rows are written into the changelog; the worker restores them, which counts for its memory, too, and then
keeps the ledger for a round's payments, spread over all accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.ledger.rows import PAYMENT_ROW, Account, account_key, payment_key
from pipeline.runtime.kafka.topics import changelog_name
from tests.benchmarks import inputs
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import expect
from tests.benchmarks.inputs import TENANT, Record, now_us
from tests.benchmarks.jobs.ledger import INITIAL_BALANCE_MINOR, SOURCE, LedgerInput
from tests.benchmarks.jobs.shape import Run

PAYMENTS_PER_ACCOUNT = 10
PARTS = (100, 10, 1)
"""The accounts of a step are the whole number divided by this."""


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured, all sizes one after the other."""

    def ours(number: int) -> dict[str, Any]:
        steps = [_step(bench, bench.sizes.accounts // part, number) for part in PARTS]
        growth = steps[0]["per_cpu_s"] / steps[-1]["per_cpu_s"]
        last = {name: steps[-1][name] for name in ("accounts", "rss_mib")}
        return {**last, "cost_growth": round(growth, 2), "steps": steps}

    return {"memory": ours}


def _step(bench: Bench, accounts: int, number: int) -> dict[str, Any]:
    app_id, partitions = f"memory-{accounts}-{number}", bench.settings.partitions
    start = bench.ends(SOURCE, "payment-events")
    bench.start_at(app_id, {SOURCE: start[SOURCE]})
    bench.create_changelogs(app_id, "ledger")
    job = LedgerInput(app_id, bench.sizes.payments, partitions, accounts)
    rows = inputs.write(bench.settings, changelog_name(app_id, "ledger"), _rows(job, partitions))
    bench.produce(SOURCE, job.decisions())
    found = bench.run_ours("ledger", app_id, job.commands)
    outcomes = Counter(type(event).__name__ for event in bench.read("payment-events", start))
    expect("outcomes", outcomes, Counter(PaymentReserved=job.payments, PaymentSettled=job.payments))
    return rated(found, job.payments, accounts=len(job.accounts), rows=rows)


def _rows(job: LedgerInput, partitions: int) -> Iterator[Record]:
    """Yield the changelog: every account, and what it has paid."""
    opened = Account(0, "EUR", credits_posted=INITIAL_BALANCE_MINOR).pack()
    now = now_us()
    for account in job.accounts:
        home = partition_of(f"{TENANT}/{account}", partitions)
        yield Record(account_key(TENANT, account), opened, home)
        for number in range(PAYMENTS_PER_ACCOUNT):
            row = PAYMENT_ROW.pack(("SETTLED", "ok", account, "shop", 1_00 + number, "EUR", "invoice", now))
            yield Record(payment_key(TENANT, f"{account}-{number}"), row, home)
