"""Asks the workers' views, which stand behind the door: any of them answers for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from pipeline.gateway.door import Door
from pipeline.gateway.problems import Problem

ANSWER_WITHIN_S = 12.0
ANSWER_BYTES_MAX = 32 * 2**20
PASSED_ON = ("Ledgerflow-As-Of", "Retry-After")


def worker_path(view: str, *parts: str) -> str:
    """Return the path of a view at a worker."""
    return "/".join((view, *(quote(part, safe="") for part in parts)))


async def fetch(door: Door, path: str, asked: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a worker answers, and the headers that go on. Raises Problem."""
    problem = Problem(503, "views_unavailable", "no worker answers now", {"Retry-After": "1"})
    for url in door.view_urls:
        try:
            within = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
            async with door.views.get(f"{url}/{path}", params=asked, timeout=within) as response:
                body = await _read(response.content)
                headers = {name: response.headers[name] for name in PASSED_ON if name in response.headers}
                status = response.status
        except (aiohttp.ClientError, TimeoutError):
            continue
        if body is None:
            raise Problem(502, "answer_too_large", "ask for fewer rows: limit")
        try:
            answer = msgspec.json.decode(body)
        except msgspec.DecodeError:
            continue
        if status == 200:
            return answer, headers
        problem = Problem(status, _code(status), str(answer.get("detail", "")), headers)
        if status not in (502, 503, 504):
            raise problem
    raise problem


def _code(status: int) -> str:
    return {400: "bad_question", 404: "not_found", 409: "ambiguous", 503: "views_unavailable"}.get(
        status, "views_failed"
    )


async def _read(content: aiohttp.StreamReader) -> bytes | None:
    """Return all of an answer, None where it is too large."""
    parts, read = [], 0
    async for part in content.iter_chunked(2**16):
        parts.append(part)
        read += len(part)
        if read > ANSWER_BYTES_MAX:
            return None
    return b"".join(parts)
