"""Reads balances over HTTP, on a few connections that are kept.

`python -m tests.benchmarks.reads '{"url": ..., "paths": [...], "connections": N}'` waits for lines: each has
the seconds to read for and a rate. At a rate of 0 each connection asks again once it is answered, as fast as
the worker can; at another one requests are due in turn, whatever became of those before, and are measured
from then (no coordinated omission). The answer is a JSON line with requests a second and percentiles.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

import aiohttp
import numpy as np

from tests.benchmarks.latency import percentiles


async def read_on(session: aiohttp.ClientSession, paths: list[str], until: float) -> list[float]:
    """Read random paths until a time (monotonic clock); return how long each took, ms."""
    took_ms, rng = [], random.Random(1)
    while time.monotonic() < until:
        started = time.monotonic()
        async with session.get(rng.choice(paths)) as response:
            await response.read()
            response.raise_for_status()
        took_ms.append((time.monotonic() - started) * 1000)
    return took_ms


async def read_at(
    session: aiohttp.ClientSession, paths: list[str], seconds: float, rate: float
) -> list[float]:
    """Read random paths at a steady rate; return how long after it was due each was answered, ms."""
    rng, start = random.Random(1), time.monotonic()

    async def read(due: float) -> float:
        async with session.get(rng.choice(paths)) as response:
            await response.read()
            response.raise_for_status()
        return (time.monotonic() - due) * 1000

    asked = []
    for number in range(int(seconds * rate)):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        asked.append(asyncio.create_task(read(due)))
    return await asyncio.gather(*asked)


async def main() -> None:
    """Read as the first argument and the lines of standard input say."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    connector = aiohttp.TCPConnector(limit=job["connections"])
    async with aiohttp.ClientSession(job["url"], connector=connector) as session:
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            seconds, rate = map(float, line.split())
            if rate:
                took_ms = np.array(await read_at(session, job["paths"], seconds, rate))
            else:
                until = time.monotonic() + seconds
                readers = [read_on(session, job["paths"], until) for _ in range(job["connections"])]
                took_ms = np.concatenate(await asyncio.gather(*readers))
            found = {"requests_per_s": round(len(took_ms) / seconds), **percentiles(took_ms)}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
