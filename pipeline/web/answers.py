"""Answers a request from rows of this worker's partitions and of its peers', merged in key order.

    owner of each partition (from the assignor) -> scan here, or ask that worker once -> merge by key -> page

A peer is asked for named partitions and answers only from its own, so a request makes one hop at most. A list
is complete or refused: if one partition cannot be read now, the answer is 503.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from pipeline.domain.kernel.accounts import LEDGER_ACCOUNTS
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.views import Row, TableView
from pipeline.web.committed import Partition
from pipeline.web.host import WebHost
from pipeline.web.problems import Problem, unavailable
from pipeline.web.progress import Progress
from pipeline.web.scope import Scope

PARTITIONS_HEADER = "Ledgerflow-Partitions"
"""On a request of a worker to its peer: the partitions to answer from."""
PEER_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=2.0)
PEER_BYTES_MAX = 64 * 2**20
"""More is no page of a peer's rows."""
DETAIL_MAX = 1_000
"""Most characters of a peer's words that are passed on."""
PASSED_ON = (400, 404, 409)
"""What a peer says of the request itself: so says the worker that was asked."""
CHUNK_ROWS = 500
"""Rows that are scanned before the event loop may run something else."""
EXAMINED_MAX = 10_000
"""Most rows scanned per partition and request. So a page of a filtered view may be short, with a `next`."""


_Answer = TypeVar("_Answer")


class RowsPage(msgspec.Struct):
    """One page of rows in key order, and how far the scan went."""

    rows: list[tuple[str, Row]]
    """Key (its parts, NUL-separated) and row."""
    reached: str | None
    """The key up to which all rows were scanned; None: to the end."""
    progress: list[Progress]
    known: bool = True
    """False where a single key or account is not known."""


async def answer(app: WebHost, scope: Scope[TableView]) -> RowsPage:
    """Return the page of a scope, at most one row longer than its limit, from whichever workers have it.

    Raises `Problem`: 503 while a partition cannot be read or its owner reached, 504 where its owner hangs,
    502 for a peer's bad answer, and what a peer says of the request itself.
    """
    here = app.address
    asked = [
        collect(app, scope, partitions) if owner == here else ask(app, scope, owner, partitions, RowsPage)
        for owner, partitions in owners(app, scope).items()
    ]
    return merge(await asyncio.gather(*asked), scope.query.limit + 1)


async def collect(app: WebHost, scope: Scope[TableView], partitions: list[int]) -> RowsPage:
    """Return the page of a scope from partitions of this worker. Raises `Problem` 503 if it lacks one."""
    pages = []
    for number in partitions:
        partition = Partition(app, number)
        pages.append(_item(scope, partition) if scope.is_item else await _scan(scope, partition))
        await asyncio.sleep(0)
    return merge(pages, scope.query.limit + 1)


def merge(pages: list[RowsPage], count: int) -> RowsPage:
    """Return the first `count` rows of several pages, none after the first key where a scan stopped."""
    ends = [page.reached for page in pages if page.reached is not None]
    reached = min(ends) if ends else None
    rows = sorted((row for page in pages for row in page.rows), key=lambda row: row[0])
    if reached is not None:
        rows = [row for row in rows if row[0] <= reached]
    if len(rows) > count:
        rows = rows[:count]
        reached = rows[-1][0]
    progress = sorted((part for page in pages for part in page.progress), key=lambda part: part.partition)
    return RowsPage(rows, reached, progress, any(page.known for page in pages))


def _item(scope: Scope[TableView], partition: Partition) -> RowsPage:
    view = scope.view
    shown = [view.show(partition, scope.path, value) for value in _values(scope, partition.rows(view.table))]
    rows = [("\0".join(scope.path), row) for row in shown if row is not None]
    return RowsPage(rows, None, [partition.progress(view.table)], known=bool(rows))


def _values(scope: Scope[TableView], rows: Rows) -> Iterator[bytes]:
    """Yield the rows of one key, or of one id: those of its owner, or of several owners up to the limit."""
    keys = [scope.row_key]
    if scope.view.owner_in_key and scope.query.owner is not None:
        keys.append(scope.row_key + b"\0" + scope.query.owner.encode())
    elif scope.view.owner_in_key:
        keys += [key for key, _ in islice(rows.scan(scope.row_key + b"\0"), scope.query.limit)]
    for key in keys:
        value = rows.get(key)
        if value is not None:
            yield value


async def _scan(scope: Scope[TableView], partition: Partition) -> RowsPage:
    """Return one partition's page. `progress` is taken first: the rows are at least as new as it says."""
    view = scope.view
    page = RowsPage([], None, [partition.progress(view.table)])
    if scope.path:
        page.known = is_known(view, partition, *scope.path[:2])
    position, examined = scope.after, 0
    while True:
        # Fetched again in every turn: the partition may have moved while other coroutines ran.
        rows = partition.rows(view.table)
        before = examined
        for key, value in islice(rows.scan(scope.prefix, position), CHUNK_ROWS):
            position, examined = key, examined + 1
            parts = tuple(key.decode().split("\0", len(view.key))[1:])
            shown = view.show(partition, parts, value)
            if shown is not None and scope.query.state in (None, shown.get("state")):
                page.rows.append(("\0".join(parts), shown))
            page.known = page.known or bool(page.rows)
            if len(page.rows) > scope.query.limit:
                page.reached = _key_text(position)
                return page
        if examined - before < CHUNK_ROWS:
            return page
        if examined >= EXAMINED_MAX:
            page.reached = _key_text(position)
            return page
        await asyncio.sleep(0)


def is_known(view: TableView, partition: Partition, tenant_id: str, account_id: str) -> bool:
    """Return whether the view's stream or the ledger knows an account, so that its list may be empty."""
    marker = row_key(view.marker, tenant_id, account_id)
    if next(partition.rows(view.table).scan(marker), (b"",))[0].split(b"\0")[:3] == marker.split(b"\0"):
        return True
    table, family = LEDGER_ACCOUNTS
    ledger = partition.rows_or_none(table)
    return ledger is not None and ledger.get(row_key(family, tenant_id, account_id)) is not None


def _key_text(key: bytes) -> str:
    """Return the parts of a row key without its family."""
    return key.decode().partition("\0")[2]


def owners(app: WebHost, scope: Scope[Any]) -> dict[str, list[int]]:
    """Return the partitions of a scope by the address of the worker that owns them.

    Raises `Problem` 503 where no worker is known to have one.
    """
    owner_of = app.owners(scope.view.table)
    owners: dict[str, list[int]] = {}
    for partition in scope.partitions(app.partitions):
        if partition not in owner_of:
            raise unavailable(f"no worker is known to have partition {partition} of {scope.view.table}")
        owners.setdefault(owner_of[partition], []).append(partition)
    return owners


async def ask(
    app: WebHost, scope: Scope[Any], owner: str, partitions: list[int], kind: type[_Answer]
) -> _Answer:
    """Return a peer's answer. Raises `Problem`: the peer's own of the request, else 502, 503 or 504."""
    url = URL(owner + scope.link(scope.query.after), encoded=True)
    headers = {PARTITIONS_HEADER: ",".join(map(str, partitions))}
    try:
        async with app.http_client.get(
            url, headers=headers, timeout=PEER_TIMEOUT, allow_redirects=False
        ) as response:
            status, body = response.status, await _bounded(owner, response)
    except aiohttp.ConnectionTimeoutError:
        raise unavailable(f"the worker at {owner}, which has the rows, cannot be reached") from None
    except TimeoutError:
        raise Problem(
            504, f"the worker at {owner}, which has the rows, does not answer in time: ask again", retry=True
        ) from None
    except aiohttp.ClientError:
        raise unavailable(f"the worker at {owner}, which has the rows, does not answer") from None
    if status == 503:
        raise unavailable(_detail(body) or f"the worker at {owner} cannot answer now")
    if status in PASSED_ON and (detail := _detail(body)):
        raise Problem(status, detail)
    if status != 200:
        said = f": {detail}" if (detail := _detail(body)) else ""
        raise Problem(502, f"the worker at {owner} answered with status {status}{said}")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        raise Problem(502, f"the worker at {owner} gave an answer that cannot be read") from None


async def _bounded(owner: str, response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a peer's answer. Raises `Problem` 502 where it is longer than any."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > PEER_BYTES_MAX:
            raise Problem(502, f"the worker at {owner} gave an answer that is longer than any page")
    return bytes(body)


def _detail(body: bytes) -> str:
    """Return the detail of a problem; empty where the answer is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    detail = found.get("detail") if isinstance(found, dict) else None
    return detail[:DETAIL_MAX] if isinstance(detail, str) else ""
