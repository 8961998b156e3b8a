"""Reads balances over HTTP, one after the other on each of a few connections that are kept.

`python -m tests.benchmarks.reads '{"url": ..., "paths": [...], "connections": N}'` waits for lines: each is a
number of seconds to read for, answered by a JSON line with requests a second and percentiles.
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


async def main() -> None:
    """Read as the first argument and the lines of standard input say."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    connector = aiohttp.TCPConnector(limit=job["connections"])
    async with aiohttp.ClientSession(job["url"], connector=connector) as session:
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            seconds = float(line)
            until = time.monotonic() + seconds
            readers = [read_on(session, job["paths"], until) for _ in range(job["connections"])]
            took_ms = np.concatenate(await asyncio.gather(*readers))
            rate = round(len(took_ms) / seconds)
            print(json.dumps({"requests_per_s": rate, **percentiles(took_ms)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
