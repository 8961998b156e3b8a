"""Posts payments to a gateway on some kept connections, each with a key of its own.

`python -m tests.benchmarks.posts '{"url": ..., "headers": {...}, "job": ..., "connections": N}'` waits for
lines: each has the seconds to post for. Each connection posts again once it is answered. The answer is a JSON
line with how many were accepted, how many a second, and percentiles.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import numpy as np

from tests.benchmarks.latency import percentiles
from tests.benchmarks.paced import PacedJob

Payment = tuple[str, dict[str, Any]]


def payments(job: PacedJob) -> Iterator[Payment]:
    """Yield the idempotency key and the body of each payment of a job."""
    for number, (debtor, creditor, amount) in enumerate(job.payments()):
        yield (
            f"{job.seed}-{number}",
            {
                "payment_id": job.payment_id(number),
                "debtor_account_id": job.account(debtor),
                "creditor_account_id": job.account(creditor),
                "amount_minor": amount,
                "currency": "EUR",
                "payment_type": "transfer",
                "reference": f"invoice {number}",
                "channel": "app",
            },
        )


async def post_on(
    session: aiohttp.ClientSession, path: str, left: Iterator[Payment], until: float
) -> list[float]:
    """Post payments until a time (monotonic clock); return how long each took, ms."""
    took_ms = []
    while time.monotonic() < until:
        key, body = next(left)
        started = time.monotonic()
        async with session.post(path, json=body, headers={"Idempotency-Key": key}) as response:
            said = await response.read()
            if response.status != 202:
                raise RuntimeError(f"{key}: {response.status} {said[:500]!r}")
        took_ms.append((time.monotonic() - started) * 1000)
    return took_ms


async def main() -> None:
    """Post as the first argument and the lines of standard input say."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    job = PacedJob.of(given["job"])
    path, left = f"/v1/{job.tenant}/payments", payments(job)
    connector = aiohttp.TCPConnector(limit=given["connections"])
    async with aiohttp.ClientSession(given["url"], connector=connector, headers=given["headers"]) as session:
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            seconds = float(line)
            until = time.monotonic() + seconds
            posting = [post_on(session, path, left, until) for _ in range(given["connections"])]
            took_ms = np.concatenate(await asyncio.gather(*posting))
            found = {"accepted": len(took_ms), "commands_per_s": round(len(took_ms) / seconds)}
            print(json.dumps(found | percentiles(took_ms)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
