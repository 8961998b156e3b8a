"""The measured jobs, each run by one process of its own against the one broker of this run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.runtime.codec import Codec
from pipeline.runtime.registry import Registry, register_all
from pipeline.runtime.settings import Settings
from pipeline.runtime.topics import create_topics
from tests.benchmarks import exactness, processes, sum_rules
from tests.benchmarks.inputs import LedgerInput, SumInput, produce, sum_events

STOCK_EVENTS_MAX = 60_000
"""Stock Faust does some thousands a second: this many take it long enough to be measured well."""
LEDGER_SOURCE = "ledger-commands"


class Bench:
    """One broker, its topics, and the input of the sum job, which all rounds read."""

    def __init__(self, settings: Settings) -> None:
        register_all(settings.schema_registry_url)
        create_topics(settings, ())
        self.settings = settings
        registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
        registry.connect()
        self.codec = Codec(registry)
        self._sum = SumInput([[] for _ in range(settings.partitions)])

    def prepare_sum(self, events: int) -> None:
        """Produce the input of the sum job."""
        produce(
            self.settings,
            self.codec,
            sum_rules.SOURCE,
            sum_events(events, self.settings.partitions, self._sum),
        )

    def stock_sum(self, events: int, number: int) -> dict[str, Any]:
        """Run stock Faust over the first events of the topic; its table must be exact."""
        settings = self.settings
        job: dict[str, Any] = {
            "bootstrap_servers": settings.bootstrap_servers,
            "app_id": f"stock-{number}",
            "data_dir": str(settings.data_dir / f"stock-{number}"),
            "partitions": settings.partitions,
            "count": min(events, STOCK_EVENTS_MAX),
        }
        found = processes.run("tests.benchmarks.stock_faust", job, self._log(job["app_id"]))
        exactness.check_table("stock Faust", found["digest"], self._sum.sums(found["read"]))
        return _rated(found, job["count"])

    def our_sum(self, events: int, number: int) -> dict[str, Any]:
        """Run the sum job on our runtime over the whole topic; table and outputs must be exact."""
        start = exactness.ends(self.settings, ("balances",))
        app_id = f"sum-{number}"
        found = self._run_ours("sum", app_id, sum_rules.TABLE, events)
        sums = self._sum.sums()
        exactness.check_table("ours", found["digest"], sums)
        exactness.check_balances(self.settings, self.codec, start, sums)
        return _rated(found, events)

    def ledger(self, payments: int, number: int) -> dict[str, Any]:
        """Open a round's accounts, then time its payments: decided in the log -> settled and committed."""
        app_id = f"ledger-{number}"
        start = exactness.ends(self.settings, (LEDGER_SOURCE, "postings", "payment-events"))
        exactness.start_group_at(self.settings, app_id, {LEDGER_SOURCE: start[LEDGER_SOURCE]})
        job = LedgerInput(f"r{number}", payments, self.settings.partitions)
        opened = produce(self.settings, self.codec, LEDGER_SOURCE, job.openings())
        self._run_ours("ledger", app_id, "ledger", opened)
        produce(self.settings, self.codec, LEDGER_SOURCE, job.decisions())
        found = self._run_ours("ledger", app_id, "ledger", job.commands)
        found["postings"] = exactness.check_ledger(self.settings, self.codec, start, job)
        return _rated(found, payments)

    def _run_ours(self, job: str, app_id: str, table: str, records: int) -> dict[str, Any]:
        """Run one worker of ours until it has applied and committed `records` records."""
        settings = self.settings
        create_topics(settings.model_copy(update={"app_id": app_id}), (table,))
        overrides = {
            "data_dir": str(settings.data_dir / app_id),
            "kafka_port": settings.kafka_port,
            "registry_port": settings.registry_port,
            "web_port": settings.web_port,
            "app_id": app_id,
        }
        given = {"job": job, "records": records, "settings": overrides}
        found = processes.run("tests.benchmarks.our_worker", given, self._log(app_id))
        if found["records"] != records or found["dead_letters"]:
            raise exactness.Inexact(f"{app_id}: expected {records} records, all good: {found}")
        return found

    def _log(self, name: str) -> Path:
        return self.settings.data_dir / f"{name}.log"


def _rated(found: dict[str, Any], items: int) -> dict[str, Any]:
    """Add what was done a second, by the clock and by the CPU time that it took."""
    return {
        "items": items,
        "per_s": round(items / found["seconds"]),
        "per_cpu_s": round(items / found["cpu_s"]),
        "seconds": round(found["seconds"], 3),
        "cpu_s": round(found["cpu_s"], 3),
        "rss_mib": found["rss_mib"],
        **({"postings": found["postings"]} if "postings" in found else {}),
    }
