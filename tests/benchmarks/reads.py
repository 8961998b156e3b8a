"""Reads balances over HTTP, on a few connections that are kept.

`python -m tests.benchmarks.reads '{"url": ..., "paths": [...], "connections": N}'` waits for lines: each has
the seconds to read for and a rate. At a rate of 0 each connection asks again once it is answered, as fast as
the server can; at another one requests are due in turn, whatever became of those before, and are measured
from then (no coordinated omission). The answer is a JSON line with requests a second and percentiles.
`headers` go with each request. With `refusable`, 429 is an answer, too; `refused` counts them.
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


class Reader:
    """Reads random paths of a job, and counts how often it was refused."""

    def __init__(self, session: aiohttp.ClientSession, job: dict[str, Any]) -> None:
        self._session, self._paths = session, job["paths"]
        self._is_refusable = job.get("refusable", False)
        self.refused = 0

    async def on(self, until: float) -> list[float]:
        """Read until a time (monotonic clock); return how long each took, ms."""
        took_ms, rng = [], random.Random(1)
        while time.monotonic() < until:
            started = time.monotonic()
            await self._read(rng.choice(self._paths))
            took_ms.append((time.monotonic() - started) * 1000)
        return took_ms

    async def at(self, seconds: float, rate: float) -> list[float]:
        """Read at a steady rate; return how long after it was due each was answered, ms."""
        rng, start = random.Random(1), time.monotonic()

        async def read(due: float) -> float:
            await self._read(rng.choice(self._paths))
            return (time.monotonic() - due) * 1000

        asked = []
        for number in range(int(seconds * rate)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            asked.append(asyncio.create_task(read(due)))
        return await asyncio.gather(*asked)

    async def _read(self, path: str) -> None:
        async with self._session.get(path) as response:
            await response.read()
            if response.status == 429 and self._is_refusable:
                self.refused += 1
            else:
                response.raise_for_status()


async def main() -> None:
    """Read as the first argument and the lines of standard input say."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    connector = aiohttp.TCPConnector(limit=job["connections"])
    headers = job.get("headers", {})
    async with aiohttp.ClientSession(job["url"], connector=connector, headers=headers) as session:
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            seconds, rate = map(float, line.split())
            reader = Reader(session, job)
            if rate:
                took_ms = np.array(await reader.at(seconds, rate))
            else:
                until = time.monotonic() + seconds
                readers = [reader.on(until) for _ in range(job["connections"])]
                took_ms = np.concatenate(await asyncio.gather(*readers))
            found = {"requests": len(took_ms), "requests_per_s": round(len(took_ms) / seconds)}
            found |= percentiles(took_ms) | {"refused": reader.refused}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
