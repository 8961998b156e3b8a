"""The checked parameters of a request. A bad one is answered with 400 and its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from multidict import MultiMapping

from pipeline.domain.kernel.rows import row_key
from pipeline.domain.kernel.times import EPOCH
from pipeline.domain.kernel.views import AccountView, View
from pipeline.web.problems import Problem

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
TEXT_MAX = 1024
"""Longest parameter and longest part of a path, characters."""


NAME_SHOWN_MAX = 40
"""Most characters of an unknown parameter that an answer repeats."""


class Allowed(NamedTuple):
    """The parameters that a page accepts."""

    names: frozenset[str]
    owner: str | None = None
    """The parameter that names the account of a row whose key is an id only."""
    states: tuple[str, ...] = ()
    """The allowed values of `state`."""
    times: tuple[str, ...] = ()
    """The parameters that are times."""


_LINES = frozenset({"format", "limit", "after"})
ITEM = Allowed(frozenset({"format"}))
ACCOUNT_LIST = Allowed(_LINES)
LIST = Allowed(_LINES | {"tenant"})


class Query(NamedTuple):
    """The parameters of a request."""

    tenant: str | None
    """The tenant of a list; None where the path names it."""
    after: str | None
    """The key, as text, after which the page starts."""
    limit: int
    csv: bool
    times: Mapping[str, int] = {}
    """The given ones of as_of, known_at, from, to; microseconds UTC."""
    owner: str | None = None
    """The account of a row whose key is an id: a payment's debtor, a journal's account."""
    state: str | None = None
    """Only rows in this state; None: all."""


def parameters_of(view: View, path: tuple[str, ...]) -> Allowed:
    """Return the parameters of a view's page: its list of a tenant, an account's rows, or one row."""
    if isinstance(view, AccountView):
        lines = _LINES if view.paged else ITEM.names
        return Allowed(lines | frozenset(view.times), times=view.times)
    if not path:
        return Allowed(LIST.names | ({"state"} if view.states else set()), states=view.states)
    if len(path) < view.item_parts:
        return ACCOUNT_LIST
    owner = None if view.owner is None else view.owner.parameter
    return Allowed(ITEM.names | ({owner} if owner else set()), owner)


def refuse_unknown(parameters: Iterable[str], views: Iterable[View], path: tuple[str, ...]) -> None:
    """Refuse parameters that no view of a path has. Raises `Problem` 400 with the nearest one."""
    known = frozenset(name for view in views for name in parameters_of(view, path).names)
    for name in parameters:
        if name not in known:
            raise Problem(400, unknown(name, known))


def unknown(name: str, known: frozenset[str]) -> str:
    """Return what is wrong with a parameter that is not `known`: its name, cut, and the nearest one."""
    plain = {one.replace("_", ""): one for one in sorted(known)}
    given = name[:NAME_SHOWN_MAX].lower().replace("_", "").replace("-", "")
    near = difflib.get_close_matches(given, plain, n=1)
    hint = f"; did you mean {plain[near[0]]}?" if near else ";"
    return f"unknown parameter {name[:NAME_SHOWN_MAX]!a}{hint} known here: {', '.join(sorted(known))}"


def parse(parameters: MultiMapping[str], accept: str, allowed: Allowed) -> Query:
    """Return the query of a request. Raises `Problem` 400 for a parameter that is bad or not allowed."""
    given: dict[str, str] = {}
    for name, value in parameters.items():
        if name not in allowed.names:
            raise Problem(400, unknown(name, allowed.names))
        if name in given:
            raise Problem(400, f"{name}: given twice")
        given[name] = _text(name, value)
    shape = given.get("format", "csv" if _prefers_csv(accept) else "json")
    if shape not in ("json", "csv"):
        raise Problem(400, "format: must be json or csv")
    tenant = given.get("tenant")
    if tenant is not None and "/" in tenant:
        raise Problem(400, "tenant: must not contain a slash")
    if tenant is None and "tenant" in allowed.names:
        raise Problem(400, "tenant: must be given, as in ?tenant=north; a list is of one tenant")
    state = given.get("state")
    if state is not None and state not in allowed.states:
        raise Problem(400, f"state: must be one of {', '.join(allowed.states)}")
    times = {name: _time(name, given[name]) for name in allowed.times if name in given}
    owner = None if allowed.owner is None else given.get(allowed.owner)
    return Query(tenant, given.get("after"), _limit(given), shape == "csv", times, owner, state)


def path_parts(match: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts of the key in a path. Raises `Problem` 400 for a part that no key can have."""
    return tuple(_text(name, value) for name, value in match.items())


def row_key_of(family: str, key: str, parts: int) -> bytes:
    """Return the row key of a key as text, `tenant/account/...`; its last part may have slashes."""
    return row_key(family, *key.split("/", parts - 1))


def _text(name: str, value: str) -> str:
    """Return the text if it can be a part of a row key. Raises `Problem` 400."""
    if not value or "\0" in value or len(value) > TEXT_MAX:
        raise Problem(400, f"{name}: must have 1 to {TEXT_MAX} characters, and no NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Problem(400, f"{name}: must be UTF-8") from None
    return value


def _time(name: str, value: str) -> int:
    """Return a time as microseconds UTC; takes that, or ISO 8601 with a zone. Raises `Problem` 400."""
    if value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 18:
        return int(value)
    time = None
    with suppress(ValueError):
        # In a URL query a plus sign means a space, unless it is written as %2B.
        time = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
    if time is None or time.tzinfo is None:
        raise Problem(400, f"{name}: must be a time with its zone, such as 2026-11-21T15:00:00Z")
    return (time - EPOCH) // timedelta(microseconds=1)


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(LIMIT_DEFAULT))
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= LIMIT_MAX:
        return int(text)
    raise Problem(400, f"limit: must be a whole number from 1 to {LIMIT_MAX}")


def _prefers_csv(accept: str) -> bool:
    """Return whether an Accept header names CSV before JSON."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    wanted = [kind for kind in kinds if kind in ("text/csv", "application/json")]
    return wanted[:1] == ["text/csv"]
