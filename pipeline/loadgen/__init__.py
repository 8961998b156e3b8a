"""`ledgerflow load`: seeded, realistic traffic with planted frauds, breaks, retries and malformed records.

plan = history(seed=7, count=10_000, now=now_us)          bounded; its events end just before now
plan = demo(seed=7, now=now_us, rate=200)                 endless; event time catches up with now
report = run(plan, settings.librdkafka(), settings.registry(), rate=200, manifest_path=path)
generate(plan, encode)                                    only the records, without I/O
"""

from pipeline.loadgen.encoder import LoadError
from pipeline.loadgen.gateway_client import GatewayAccess
from pipeline.loadgen.generator import generate
from pipeline.loadgen.plan import LoadPlan, PlantedItem, Produce, demo, history
from pipeline.loadgen.report import LoadReport
from pipeline.loadgen.run import run

__all__ = [
    "GatewayAccess",
    "LoadError",
    "LoadPlan",
    "LoadReport",
    "PlantedItem",
    "Produce",
    "demo",
    "generate",
    "history",
    "run",
]
