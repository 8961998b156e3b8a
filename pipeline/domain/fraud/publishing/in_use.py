"""What decides on a partition, made of the rows of what was published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.expressions.rule_sets import RuleSet, RuleSetError
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.domain.fraud.publishing import rows as at
from pipeline.domain.fraud.publishing.contents import model_of, rules_of
from pipeline.domain.fraud.publishing.rows import (
    HEAD_ROW,
    INDEX_KEY,
    INDEX_ROW,
    LIST_PART_ROW,
    MODEL_PART_ROW,
    Index,
    PublishedSet,
)
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import Rows

KEPT_MAX = 8
"""Indexes whose deciders are kept: partitions of a worker are not equally far."""


class Publications:
    """Says what decides, by the rows of a partition; what is compiled is kept while the index is the same.

    Nothing here is a state of its own: the same rows give the same answer.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes | None, Deciders] = {}
        self._used: dict[bytes, tuple[Deciders, tuple[str, ...]]] = {}
        """By what is in use alone: parts come one by one, and change nothing of it."""
        self._models: dict[str, Fitted] = {}
        self._sets: dict[str, RuleSet] = {}
        self.left_out: dict[bytes | None, tuple[str, ...]] = {}
        """By index: hashes of sets and models that this release cannot use, though an earlier one could."""

    def deciders(self, rows: Rows) -> Deciders:
        """Return what decides on a partition. Raises UnreadableRow."""
        row = rows.get(INDEX_KEY)
        found = self._kept.get(row)
        if found is None:
            if len(self._kept) >= KEPT_MAX:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self.left_out.pop(oldest, None)
            found = self._kept[row] = self._loaded(row, rows)
        return found

    def _loaded(self, row: bytes | None, rows: Rows) -> Deciders:
        index = at.read_index(row)
        used = msgspec.msgpack.encode((index.sets, index.roles))
        found, left_out = self._used.get(used) or self._made(index, rows)
        if used not in self._used and len(self._used) >= KEPT_MAX:
            del self._used[next(iter(self._used))]
        self._used[used] = found, left_out
        self.left_out[row] = left_out
        return found

    def _made(self, index: Index, rows: Rows) -> tuple[Deciders, tuple[str, ...]]:
        deciders = Deciders()
        left_out = []
        for one in index.sets:
            try:  # a set is checked when it is put together, and kept as long as it is in use
                deciders.publish(self._set(one, index, rows), is_checked=True)
            except (Reject, RuleSetError):
                left_out.append(one.sha256)
        for role in index.roles:
            try:
                model = None if role.sha256 is None else self._model(role.sha256, index, rows)
                deciders.give(role.role, role.tenant_id, role.from_us, model)
            except (Reject, ModelRefused):
                left_out.append(role.sha256 or "")
        self._sets = dict(_only(self._sets, (one.sha256 for one in index.sets)))
        self._models = dict(_only(self._models, (one.sha256 for one in index.roles if one.sha256)))
        return deciders, tuple(left_out)

    def _set(self, one: PublishedSet, index: Index, rows: Rows) -> RuleSet:
        found = self._sets.get(one.sha256)
        if found is None:
            head = rows.get(at.head_key(one.sha256))
            contents = [index.content(LIST_PART_ROW.family, sha256) for sha256 in one.lists]
            if head is None or None in contents:
                raise HEAD_ROW.unreadable(head or b"", LookupError("a set that the index names is not there"))
            kept = [content for content in contents if content is not None]
            found = self._sets[one.sha256] = rules_of(at.read_bytes(HEAD_ROW, head), kept, rows)
        return found

    def _model(self, sha256: str, index: Index, rows: Rows) -> Fitted:
        found = self._models.get(sha256)
        if found is None:
            content = index.content(MODEL_PART_ROW.family, sha256)
            if content is None:
                raise INDEX_ROW.unreadable(b"", LookupError("a model that the index names is not there"))
            found = self._models[sha256] = model_of(content, rows)
        return found


def _only(kept: dict[str, Any], names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    wanted = set(names)
    return ((name, value) for name, value in kept.items() if name in wanted)
