"""The routes of queries: every page of the workers' views, below `/v1/{tenant}`, for who may see it.

    GET /v1/north/balances/alice -> may they? -> any worker -> masked -> answer with its age

`Ledgerflow-After: <request_id>` makes a read wait for the own command: until it is decided, and the account's
row has what it has booked. Two seconds, then 412: ask again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Header, Path, Query, Request, Response

from pipeline.domain.kernel.views import AccountView, TableView, View
from pipeline.gateway.door import Door, Entry
from pipeline.gateway.parameters import SHOWN_ID, Parameter, take
from pipeline.gateway.problems import Problem, responses, shown
from pipeline.gateway.views_client import fetch, worker_path

AFTER_HEADER = "Ledgerflow-After"
AFTER_WITHIN_S = 2.0
LOOK_EVERY_S = 0.02
_RESPONSES = responses(400, 401, 403, 404, 409, 412, 422, 429, 502, 503, 504)


def router(door: Door, views: Sequence[View]) -> APIRouter:
    """Return the routes of all views."""
    made = APIRouter()
    for path, ours in _pages(views).items():
        first = ours[0]
        made.add_api_route(
            path,
            _endpoint(door, path, ours),
            methods=["GET"],
            name=path,
            operation_id=_operation(path),
            summary=next(page.about for page in first.pages if _path(first, page.path) == path),
            tags=[first.name],
            responses=_RESPONSES,
        )
    made.add_api_route(
        "/v1/{tenant}/requests/{request}",
        _status(door),
        methods=["GET"],
        operation_id="get_request_status",
        summary="One request: which commands, whether they are in the log, what is decided",
        tags=["requests"],
        responses=_RESPONSES,
    )
    return made


def _operation(path: str) -> str:
    return "_".join(("get", *(part.strip("{}") for part in path.split("/")[3:]))).replace("-", "_")


def _pages(views: Sequence[View]) -> dict[str, list[View]]:
    found: dict[str, list[View]] = {}
    for view in views:
        for page in view.pages:
            path = _path(view, page.path)
            if view.name != "requests":  # their list is nobody's; one of them is `_status`
                found.setdefault(path, []).append(view)
    return found


def _path(view: View, page: str) -> str:
    """Return the path of a page: the tenant comes first."""
    return f"/v1/{{tenant}}/{view.name}{page.removeprefix('/{tenant}')}"


def _endpoint(door: Door, path: str, views: Sequence[View]) -> Callable[..., Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    given = _parameters(views, is_list=names[1:] == [])
    view = views[0]

    async def handle(**parts: Any) -> Response:
        request, tenant = parts["request"], parts["in_tenant"]
        async with door.entered(request, tenant, f"query:{view.name}") as entry:
            entry.require_account(_account_of(views, names, parts))
            unknown = set(request.query_params) - set(given)
            if unknown:
                raise Problem(400, "unknown_parameter", shown(f"there is no parameter {min(unknown)}"))
            if parts["after_request"] is not None:
                await _after(door, entry, parts["after_request"])
            asked = {name: str(parts[given[name]]) for name in given if parts[given[name]] is not None}
            where = [parts[f"in_{name}"] for name in names] if names[1:] else []
            if not where:
                asked["tenant"] = tenant
            return await _answered(door, entry, view, where, asked, request.url.path)

    parameters = [
        Parameter("request", Request),
        *(Parameter(f"in_{name}", Annotated[str, Path(alias=name, **SHOWN_ID)]) for name in names),
        *(Parameter(python, kind, None) for python, kind in _typed(given)),
        Parameter("after_request", Annotated[str | None, Header(alias=AFTER_HEADER)], None),
    ]
    return take(handle, parameters)


def _parameters(views: Sequence[View], is_list: bool) -> dict[str, str]:
    """Return the parameters of a page, with their names in Python."""
    names = ["limit", "after"]
    for view in views:
        if isinstance(view, AccountView):
            names += view.times
        elif view.states and is_list:
            names.append("state")
        if isinstance(view, TableView) and view.owner is not None:
            names.append(view.owner.parameter)
    return {name: f"{name}_parameter" for name in dict.fromkeys(names)}


def _typed(given: Mapping[str, str]) -> list[tuple[str, Any]]:
    typed = []
    for name, python in given.items():
        if name == "limit":
            typed.append((python, Annotated[int | None, Query(alias=name, ge=1, le=1_000)]))
        else:
            typed.append((python, Annotated[str | None, Query(alias=name, max_length=2_000)]))
    return typed


def _account_of(views: Sequence[View], names: Sequence[str], parts: Mapping[str, Any]) -> str | None:
    """Return the account that a page is about, None where it is about a tenant."""
    if "account" in names:
        return str(parts["in_account"])
    for view in views:
        if isinstance(view, TableView) and view.owner is not None:
            owner: str | None = parts.get(f"{view.owner.parameter}_parameter")
            return owner
    return None


async def _answered(
    door: Door, entry: Entry, view: View, where: Sequence[str], asked: Mapping[str, str], path: str
) -> Response:
    answer, headers = await fetch(door, worker_path(view.name, *where), asked)
    data = answer["data"]
    masked = (
        [entry.masked(view.name, row) for row in data]
        if isinstance(data, list)
        else entry.masked(view.name, data)
    )
    meta = {**_without_worker(answer.get("meta", {})), "answered_at": time.time_ns() // 1_000}
    content: dict[str, Any] = {"data": masked, "meta": meta}
    if answer.get("next") is not None:
        content["next"] = next_page(path, answer["next"])
        headers["Link"] = f'<{content["next"]}>; rel="next"'
    return entry.json(content, headers=headers)


def next_page(path: str, of_worker: str) -> str:
    """Return where the next page is at the gateway, from where it is at a worker."""
    asked = parse_qsl(urlsplit(of_worker).query, keep_blank_values=True)
    return f"{path}?{urlencode([(name, value) for name, value in asked if name != 'tenant'])}"


def _without_worker(meta: dict[str, Any]) -> dict[str, Any]:
    """Return how old an answer is, without the addresses behind the door."""
    kept = {name: value for name, value in meta.items() if name != "worker"}
    if isinstance(kept.get("partitions"), list):
        kept["partitions"] = [_without_worker(one) for one in kept["partitions"]]
    return kept


def _status(door: Door) -> Callable[..., Any]:
    async def handle(
        request: Request,
        tenant: Annotated[str, Path(**SHOWN_ID)],
        request_id: Annotated[str, Path(alias="request", **SHOWN_ID)],
    ) -> Response:
        async with door.entered(request, tenant, "query:requests") as entry:
            entry.request_id = request_id
            answer, headers = await fetch(door, worker_path("requests", tenant, request_id), {})
            row = answer["data"]
            decision = door.decisions.get(request_id)
            if decision is not None:
                row |= {"decision": decision._asdict()}
            for one in row["commands"]:
                entry.require_account(one["key"].partition("/")[2])
            meta = _without_worker(answer.get("meta", {}))
            return entry.json({"data": row, "meta": meta}, headers=headers)

    return handle


async def _after(door: Door, entry: Entry, request: str) -> None:
    """Wait until a command of the tenant is decided, and its account's row has what it has booked.

    Raises Problem 412 where that is not so in time.
    """
    until = time.monotonic() + AFTER_WITHIN_S
    decision = await door.decisions.within(request, AFTER_WITHIN_S)
    if decision is None:
        raise _not_yet("not_decided_yet", "the command is not decided yet")
    tenant, _, account = (door.decisions.key_of(request) or "").partition("/")
    if tenant != entry.tenant:
        raise _not_yet("not_decided_yet", "no such command of this tenant is known here")
    path = worker_path("balances", tenant, account)
    while decision.account_sequence is not None:
        answer, _ = await fetch(door, path, {})
        if answer["data"]["account_sequence"] >= decision.account_sequence:
            return
        if time.monotonic() >= until:
            raise _not_yet("not_applied_yet", "the account does not show it yet")
        await asyncio.sleep(LOOK_EVERY_S)


def _not_yet(code: str, detail: str) -> Problem:
    return Problem(412, code, f"{detail}; ask again", {"Retry-After": "1"})
