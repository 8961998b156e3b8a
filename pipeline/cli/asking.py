"""Requests to the workers' table views."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import START, VIEWS, settings_for, worker_urls

ANSWER_WITHIN_S = 10.0

Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="Address of a worker's table views; any worker answers for any account."
    ),
]


class NotFound(Failed):
    """A worker answers that there is nothing of that name, or that several things have it."""


def account_path(view: str, account: str) -> str:
    """Return the path of an account's view. Raises BadInput unless `account` is TENANT/ACCOUNT."""
    return _path(view, account, "account", "north/c1-7")


def payment_path(payment: str) -> str:
    """Return the path of a payment. Raises BadInput unless `payment` is TENANT/PAYMENT."""
    return _path("payments", payment, "payment", "north/p7-1")


def _path(view: str, name: str, kind: str, example: str) -> str:
    tenant_id, slash, rest = name.partition("/")
    if not (tenant_id and slash and rest):
        raise BadInput(f"{name!r} is no {kind}: write TENANT/{kind.upper()}, such as {example}")
    return f"/{view}/{quote(tenant_id, safe='')}/{quote(rest, safe='')}"


def urls_of(url: str | None, data: Path | None) -> list[str]:
    """Return the URLs of the workers to ask, in order."""
    return worker_urls(settings_for(data, needs=VIEWS)) if url is None else [url.rstrip("/")]


def ask(
    urls: list[str],
    path: str,
    parameters: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    within_s: float = ANSWER_WITHIN_S,
) -> dict[str, Any]:
    """Return the JSON answer of the first worker that answers. `within_s`: timeout in seconds.

    Raises Failed where none answers, NotFound where nothing is found, BadInput where a parameter is wrong.
    """
    sent = {"Accept": "application/json", **(headers or {})}
    reason = "no worker"
    address = f"{path}?{urlencode(parameters)}" if parameters else path
    for url in urls:
        try:
            request = urllib.request.Request(f"{url}{address}", headers=sent, method=method)
            with urllib.request.urlopen(request, timeout=within_s) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            detail = _detail(error)
            if error.code == 400:
                raise BadInput(detail) from None
            if error.code in (404, 409):
                raise NotFound(detail) from None
            reason = f"{url} answers {error.code}: {detail}"
            if error.code == 503:
                reason += "; try again in a moment"
        except (OSError, http.client.HTTPException, ValueError):
            reason = f"{url} does not answer: {START}, or give the address of a worker (--data, --url)"
    raise Failed(reason)


def _detail(error: urllib.error.HTTPError) -> str:
    """Return the detail of a problem+json answer."""
    with suppress(ValueError, KeyError, TypeError, OSError):
        return str(json.load(error)["detail"])
    return error.reason
