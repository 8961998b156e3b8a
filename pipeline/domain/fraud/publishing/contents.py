"""Lists and models of their parts: whole, and what they are put together to."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.expressions.canonical import assembled, checked_part
from pipeline.domain.fraud.expressions.rule_sets import RuleSet, RuleSetError
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.domain.fraud.publishing import rows as at
from pipeline.domain.fraud.publishing.checks import check_rules
from pipeline.domain.fraud.publishing.rows import LIST_PART_ROW, MODEL_PART_ROW, Content, Index
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import Rows


def whole_list(index: Index, sha256: str, entries: int, rows: Rows) -> Content:
    """Return a list with the parts that have its entries. Raises Reject (part_missing)."""
    content = index.content(LIST_PART_ROW.family, sha256)
    if content is None:
        raise Reject("part_missing")
    parts = 0
    for part in at.read_parts(rows, LIST_PART_ROW, content):
        if entries > 0:
            entries, parts = entries - len(checked_part(part).entries), parts + 1
    if entries > 0:
        raise Reject("part_missing")
    return first(content, parts)


def first(content: Content, parts: int) -> Content:
    """Return a content with its first parts alone. Raises Reject (part_missing)."""
    first = content.numbers[:parts]
    if first != list(range(parts)):
        raise Reject("part_missing")
    return Content(content.family, content.sha256, first)


def cut(index: Index, whole: Content, rows: Rows) -> None:
    """Let a content have the parts that it is made of, and no more."""
    content = index.content(whole.family, whole.sha256)
    assert content is not None
    for number in content.numbers[len(whole.numbers) :]:
        rows.delete(at.part_key(whole.family, whole.sha256, number))
    content.numbers = whole.numbers


def rules_of(head: bytes, contents: Iterable[Content], rows: Rows) -> RuleSet:
    """Return a set. Raises Reject: wrong_hash of a list, invalid_rules."""
    parts = [part for one in contents for part in at.read_parts(rows, LIST_PART_ROW, one)]
    try:
        rules = assembled(head, parts)
    except RuleSetError:
        raise Reject("wrong_hash", "the entries of a list") from None
    check_rules(rules)
    return rules


def model_of(content: Content, rows: Rows) -> Fitted:
    """Return a model. Raises Reject: wrong_hash, invalid_model."""
    data = b"".join(at.read_parts(rows, MODEL_PART_ROW, content))
    try:
        model = Fitted(data)
    except ModelRefused as refused:
        raise Reject("invalid_model", str(refused)[:200]) from None
    if model.name != content.sha256:
        raise Reject("wrong_hash", "the bytes of a model")
    return model
