"""The parameters of routes that are made from declarations: a signature, as FastAPI reads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pipeline.domain.kernel.ids import ID_CHARS_MAX

ID: dict[str, Any] = {"min_length": 1, "max_length": ID_CHARS_MAX, "pattern": r"^[^$/\x00][^/\x00]*$"}
"""Bounds of an id that a client may name; the ledger's own accounts begin with `$`."""
SHOWN_ID: dict[str, Any] = {**ID, "pattern": r"^[^/\x00]+$"}
"""Of an id that a client may look at: the ledger's own accounts, too."""


class Parameter(NamedTuple):
    """One parameter of a handler."""

    name: str
    kind: Any
    default: Any = inspect.Parameter.empty


def take(handler: Callable[..., Any], parameters: Iterable[Parameter]) -> Callable[..., Any]:
    """Give a handler of named arguments its signature; return it."""
    named = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.kind)
        for one in parameters
    ]
    handler.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    return handler
