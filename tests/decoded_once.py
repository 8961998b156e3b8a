"""The verifier's decoder with a memory, for tests that read the same logs again and again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pipeline.verify.decode import Decoder, SchemaOf

VALUES_KEPT = 20_000
"""Values that are not decoded again: those of a few loads."""


class DecodedOnce(Decoder):
    """Decodes a value once. What is nested in fields is not to be changed."""

    def __init__(self, schema_of: SchemaOf) -> None:
        super().__init__(schema_of)
        self._read_once = lru_cache(VALUES_KEPT)(super().read)

    def read(self, value: bytes | None, ours: bool = True) -> tuple[str | None, dict[str, Any], str | None]:
        """Return what `Decoder.read` does."""
        name, fields, code = self._read_once(value, ours)
        return name, dict(fields), code
