"""Values of events that are no scalars, of what Arrow and decoders have for them: records, lists, maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from msgspec import inspect

Maker = Callable[[Any], Any]


@cache
def makers_of(event: type) -> dict[str, Maker]:
    """Return how the fields of an event class that are no scalars are made, by name."""
    fields = inspect.type_info(event).fields  # type: ignore[attr-defined]
    return {field.name: make for field in fields if (make := _maker(field.type)) is not None}


def _maker(kind: inspect.Type) -> Maker | None:
    """Return what makes a Struct of a dict, a tuple of a list, a dict of a map; None for a scalar."""
    if isinstance(kind, inspect.UnionType):
        makers = [make for one in kind.types if (make := _maker(one)) is not None]
        return partial(_unless_none, makers[0]) if makers else None
    if isinstance(kind, inspect.VarTupleType):
        item = _maker(kind.item_type)
        return tuple if item is None else partial(_tuple_of, item)
    if isinstance(kind, inspect.StructType):
        inner = {field.name: make for field in kind.fields if (make := _maker(field.type)) is not None}
        return partial(_struct_of, kind.cls, inner)
    return dict if isinstance(kind, inspect.DictType) else None


def _unless_none(make: Maker, cell: Any) -> Any:
    return None if cell is None else make(cell)


def _tuple_of(make: Maker, cell: list[Any]) -> tuple[Any, ...]:
    return tuple(map(make, cell)) if cell else ()


def _struct_of(cls: type, inner: dict[str, Maker], cell: dict[str, Any]) -> Any:
    made = {name: make(cell[name]) for name, make in inner.items()}
    return cls(**{**cell, **made})
