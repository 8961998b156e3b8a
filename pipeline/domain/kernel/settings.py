"""The settings of a concept (`pipeline/domain/<concept>/settings.py`): default, bounds and meaning, once.

    class LedgerSettings(ConceptSettings, frozen=True, rename={...}):
        dedupe_window_days: Annotated[int, Meta(ge=1, le=3650, description="...")] = 90

    SETTINGS = LedgerSettings

The runtime finds `SETTINGS` of every concept and reads its fields from the environment: LEDGERFLOW_ and the
name in capitals, or the name that `rename` gives. Bounds are checked whenever an object is created. A setting
that an earlier version had goes into `gone`: nobody runs on without what it set, and knows nothing of it.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import Meta


class Parameter(NamedTuple):
    """One setting of a concept."""

    field: str
    """Its name in the class."""
    variable: str
    """Its name in the environment, in small letters and without the prefix."""
    kind: Any
    """Its type, such as int."""
    default: Any
    low: float | None
    high: float | None
    about: str


class ConceptSettings(msgspec.Struct, frozen=True):
    """The base of every concept's settings. Making one raises ValueError for a value out of bounds."""

    gone: ClassVar[dict[str, str]] = {}
    """Settings of earlier versions, by variable as `Parameter` has it, and what takes their place."""

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of bounds."""
        for parameter in parameters(type(self)):
            value = getattr(self, parameter.field)
            low, high = parameter.low, parameter.high
            if (low is not None and value < low) or (high is not None and value > high):
                raise ValueError(f"{parameter.field} must be from {low} to {high}, not {value}")


@cache
def parameters(kind: type[ConceptSettings]) -> tuple[Parameter, ...]:
    """Return the settings of a class in their order: its fields that are annotated with a `Meta`."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in msgspec.structs.fields(kind):
        bare, *extras = get_args(hints[field.name]) or (hints[field.name],)
        for meta in extras:
            if isinstance(meta, Meta):
                about = meta.description or ""
                found.append(
                    Parameter(field.name, field.encode_name, bare, field.default, meta.ge, meta.le, about)
                )
    return tuple(found)


class RetentionSettings(ConceptSettings, frozen=True):
    """How long the streams keep the rows of what has ended."""

    reversal_window_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3650,
            description="Event time the rows of what has ended are kept, for reversals and chargebacks;"
            " a day longer than LEDGERFLOW_DEDUPE_WINDOW_DAYS where that is more.",
        ),
    ] = 400


SETTINGS = RetentionSettings
