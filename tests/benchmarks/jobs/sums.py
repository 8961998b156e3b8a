"""The sum job: amount_minor per debtor, in a table with a changelog, one output per change.

All contenders read the same topic, the same bytes, from its beginning.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from tests.benchmarks import exactness, processes
from tests.benchmarks.bench import TUNINGS, Bench, Tuning, rated
from tests.benchmarks.digest import digest_of
from tests.benchmarks.inputs import AMOUNT_MINOR_MAX, TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run

SOURCE = "benchmark-sums"
"""A topic of its own: what other jobs write into payments is not for this one."""
ACCOUNTS = 10_000
STOCK_EVENTS_MAX, QUIXSTREAMS_EVENTS_MAX = 60_000, 100_000
"""The slower peers do some thousands a second: this many take them long enough to be measured well."""
WARM_UP = 2
"""One part in so many of the input comes before Kafka Streams' clock starts: its code is compiled by then."""
QUIXSTREAMS = Path(__file__).parents[1] / "quixstreams_sum.py"


@dataclass
class SumInput:
    """The payments as they stand in the log, by partition: (debtor, amount_minor)."""

    by_partition: list[list[tuple[str, int]]]

    def sums(self, read: Sequence[int] | None = None) -> Counter[str]:
        """Return the sum per debtor over the first `read[p]` payments of each partition p (default: all)."""
        totals: Counter[str] = Counter()
        for number, payments in enumerate(self.by_partition):
            for debtor, amount in payments if read is None else payments[: read[number]]:
                totals[debtor] += amount
        return totals


def sum_events(
    count: int, partitions: int, into: SumInput, accounts: int = ACCOUNTS
) -> Iterator[tuple[str, Any]]:
    """Yield (key, payment_initiated), noting each in `into`; seeded."""
    rng, now = random.Random(1), now_us()
    for number in range(count):
        debtor = f"acc-{rng.randrange(accounts):07d}"
        amount = rng.randrange(1, AMOUNT_MINOR_MAX)
        key = f"{TENANT}/{debtor}"
        into.by_partition[partition_of(key, partitions)].append((debtor, amount))
        event = ev.PaymentInitiated(
            *envelope(f"{number:032x}", now + number),
            *(f"pay-{number}", debtor, f"acc-{rng.randrange(accounts):07d}", amount, "EUR"),
            *("transfer", f"invoice {number}"),
            *("app", None, None, None, None, None),
        )
        yield key, event


def contenders(bench: Bench) -> dict[str, Run]:
    """Produce the input; return who sums it up."""
    events = bench.sizes.events
    given = SumInput([[] for _ in range(bench.settings.partitions)])
    bench.create_topic(SOURCE)
    bench.produce(SOURCE, sum_events(events, bench.settings.partitions, given))
    sums = given.sums()

    def ours(number: int) -> dict[str, Any]:
        start = bench.ends("balances")
        found = bench.run_ours("sum", f"sum-{number}", events, source=SOURCE)
        check_table("ours", found["digest"], sums)
        check_balances(bench, start, sums)
        return rated(found, events)

    def stock_faust(number: int) -> dict[str, Any]:
        settings, app_id = bench.settings, f"stock-{number}"
        job: dict[str, Any] = {
            "bootstrap_servers": settings.bootstrap_servers,
            "app_id": app_id,
            "source": SOURCE,
            "data_dir": str(settings.data_dir / app_id),
            "partitions": settings.partitions,
            "count": min(events, STOCK_EVENTS_MAX),
        }
        found = processes.run(processes.module("tests.benchmarks.stock_faust", job), bench.log(app_id))
        check_table("stock Faust", found["digest"], given.sums(found["read"]))
        return rated(found, job["count"])

    def quixstreams(number: int) -> dict[str, Any]:
        app_id = f"quixstreams-{number}"
        start, count = bench.ends("balances"), min(events, QUIXSTREAMS_EVENTS_MAX)
        command = [
            str(bench.peers.quixstreams),
            str(QUIXSTREAMS),
            json.dumps(_quix_job(bench, app_id, count)),
        ]
        found = processes.run(command, bench.log(app_id))
        check_each_change(bench, start, given)
        return rated(found, count)

    def kafka_streams(tuning: Tuning, number: int) -> dict[str, Any]:
        app_id, start, warm_up = f"sum-{tuning.name}-{number}", bench.ends("balances"), events // WARM_UP
        counts = {"records": events, "warmup_records": warm_up}
        found = bench.run_kafka_streams(bench.kafka_streams("sum", app_id, SOURCE, tuning, **counts))
        check_table(tuning.name, found["digest"], sums)
        check_balances(bench, start, sums)
        return rated(found, events - warm_up)

    peers: dict[str, Run] = {"sum_quixstreams": quixstreams} if bench.peers.quixstreams else {}
    if bench.peers.kafka_streams:
        peers |= {f"sum_{tuning.name}": partial(kafka_streams, tuning) for tuning in TUNINGS}
    return {"sum_stock_faust": stock_faust, **peers, "sum": ours}


def _quix_job(bench: Bench, app_id: str, count: int) -> dict[str, Any]:
    payment, balance = map(schemas.newest, ("ledgerflow.PaymentInitiated", "ledgerflow.BalanceUpdated"))
    return {
        "bootstrap_servers": bench.settings.bootstrap_servers,
        "app_id": app_id,
        "source": SOURCE,
        "data_dir": str(bench.settings.data_dir / app_id),
        "count": count,
        "commit_interval_s": 5.0,
        "payment_schema": payment.text,
        "balance_schema": balance.text,
        "balance_header": (b"\0" + bench.registry.id_of(balance).to_bytes(4, "big")).hex(),
    }


def check_balances(bench: Bench, start: exactness.Offsets, sums: Counter[str]) -> None:
    """Raise Inexact unless the last balance_updated of every account has the account's sum."""
    found = {event.account_id: event.debits_posted for event in bench.read("balances", start)}
    what = "accounts whose last balance_updated is right"
    exactness.expect(what, exactness.agreeing(found, sums), len(sums))


def check_each_change(bench: Bench, start: exactness.Offsets, given: SumInput) -> None:
    """The same for a peer that says every change, and read as much of each partition as it said changes."""
    partitions = bench.settings.partitions
    read, found = Counter[int](), Counter[str]()
    for event in bench.read("balances", start):
        read[partition_of(f"{event.tenant_id}/{event.account_id}", partitions)] += 1
        found[event.account_id] = event.debits_posted
    sums = given.sums([read[number] for number in range(partitions)])
    exactness.expect("sums said last", found == sums, True)


def check_table(name: str, digest: str, sums: Counter[str]) -> None:
    """Raise Inexact unless a table's digest is that of `sums`."""
    exactness.expect(f"{name}: digest of its {len(sums)} sums", digest, digest_of(sums.items()))
