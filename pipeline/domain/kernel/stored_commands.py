"""Commands that wait in a table for their time: rows hold what they say, and none of what they leave out.

So a field that an event gets in a later version changes no row of a command that does not have it.
"""

from __future__ import annotations

from typing import Any

import msgspec


def as_stored(value: Any) -> Any:
    """Return a command as MessagePack takes it: its fields by name, but for what is null by default."""
    if isinstance(value, tuple):
        return [as_stored(one) for one in value]
    if not isinstance(value, msgspec.Struct):
        return value
    told = {field.name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
    silent = {field.name for field in msgspec.structs.fields(value) if field.default is None}
    return {name: as_stored(it) for name, it in told.items() if it is not None or name not in silent}
