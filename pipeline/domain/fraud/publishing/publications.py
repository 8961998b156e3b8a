"""What has been published, by the rows of a partition: rules, lists and models, as they come in the log.

    part        kept by hash and number; the same again changes nothing; other bytes take its place as long as
                nothing uses the content, since only the hash of the whole says which are right
    rules,      all parts are there and have the hash: in use from now on, and their parts never change again
    model       else a dead letter, and what was in use stays

Everything of a tenant comes in one order to every partition (`fraud-rules` has the tenant for key), so every
partition says the same. Bounds: VERSIONS_KEPT of a set and of a role (a further one takes the place of
one that is over at its event's time, and of no other: what holds is never dropped by accident), KINDS_MAX
sets and roles, WAITING_MAX contents that nothing uses; rows of what is dropped are deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.domain.fraud.deciding.models import KIND_OF
from pipeline.domain.fraud.expressions.canonical import begin_of
from pipeline.domain.fraud.publishing import rows as at
from pipeline.domain.fraud.publishing.checks import check_publication, head_of, model_part_of
from pipeline.domain.fraud.publishing.contents import cut, first, model_of, rules_of, whole_list
from pipeline.domain.fraud.publishing.rows import (
    HEAD_ROW,
    INDEX_KEY,
    INDEX_ROW,
    LIST_PART_ROW,
    MODEL_PART_ROW,
    Content,
    Index,
    PublishedSet,
    Role,
)
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import RowKind
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import Rows

PUBLICATIONS = (
    *(ev.FraudRulesPublished, ev.FraudListPartPublished),
    *(ev.FraudModelPublished, ev.FraudModelPartPublished),
)
"""The events of fraud-rules."""
VERSIONS_KEPT = 8
KINDS_MAX = 256
WAITING_MAX = 64


def publish(event: Any, rows: Rows) -> None:
    """Apply an event of fraud-rules to the rows of a partition.

    Raises Reject: as `check_publication`; part_missing, wrong_hash, other_content, too_many_publications,
    invalid_rules and invalid_model, of what only all parts together tell. Then nothing has changed.
    """
    check_publication(event)
    index = at.read_index(rows.get(INDEX_KEY))
    match event:
        case ev.FraudListPartPublished():
            _keep_part(index, LIST_PART_ROW, event.list_sha256, event.number, event.part.encode(), rows)
        case ev.FraudModelPartPublished():
            part = model_part_of(event)
            _keep_part(index, MODEL_PART_ROW, event.model_sha256, event.number, part, rows)
        case ev.FraudRulesPublished():
            _publish_rules(event, index, rows)
        case ev.FraudModelPublished():
            _publish_model(event, index, rows)


def keys(event: Any) -> Iterable[bytes]:
    """Return the keys of the rows that applying an event reads first."""
    yield INDEX_KEY
    if isinstance(event, ev.FraudListPartPublished):
        yield at.part_key(LIST_PART_ROW.family, event.list_sha256, event.number)
    if isinstance(event, ev.FraudModelPartPublished):
        yield at.part_key(MODEL_PART_ROW.family, event.model_sha256, event.number)


def _keep_part(index: Index, kind: RowKind, sha256: str, number: int, part: bytes, rows: Rows) -> None:
    key, row = at.part_key(kind.family, sha256, number), at.pack_bytes(kind, part)
    content = index.content(kind.family, sha256)
    if content is not None and number in content.numbers and rows.get(key) == row:
        return
    if (kind.family, sha256) in index.in_use():
        raise Reject("other_content", "a part of what is in use")
    if content is None:
        content = Content(kind.family, sha256, [])
        index.contents.append(content)
    content.numbers = sorted({*content.numbers, number})
    rows.put(key, row)
    _write(index, rows)


def _publish_rules(event: ev.FraudRulesPublished, index: Index, rows: Rows) -> None:
    name = event.of_tenant, event.set_id
    versions = {one.version: one for one in index.sets if (one.tenant_id, one.set_id) == name}
    known = versions.get(event.version)
    if known is not None:
        if known.sha256 != event.sha256:
            raise Reject("other_content", "a version of a set of rules")
        return
    over = None
    if len(versions) >= VERSIONS_KEPT:
        begins = {version: _begin_of(one, rows) for version, one in versions.items()}
        over = _version_over(begins | {event.version: event.effective_from}, event.occurred_at)
        if over == event.version:
            return  # it would be the first to go
    if not versions:
        _check_room({(one.tenant_id, one.set_id) for one in index.sets})
    head = event.head.encode()
    entries = {one.sha256: one.entries for one in head_of(event).lists if one.entries}
    whole = [whole_list(index, sha256, count, rows) for sha256, count in entries.items()]
    if sum(len(one.numbers) for one in whole) != event.parts:
        raise Reject("part_missing")
    rules_of(head, whole, rows)
    for content in whole:
        cut(index, content, rows)
    rows.put(at.head_key(event.sha256), at.pack_bytes(HEAD_ROW, head))
    if over is not None:
        index.sets.remove(versions[over])
    index.sets.append(PublishedSet(*name, event.version, event.sha256, list(entries)))
    _write(index, rows)


def _publish_model(event: ev.FraudModelPublished, index: Index, rows: Rows) -> None:
    name = event.role, event.of_tenant
    given = {one.from_us: one for one in index.roles if (one.role, one.tenant_id) == name}
    known = given.get(event.effective_from)
    if known is not None and known.sha256 == event.model_sha256:
        return
    over = None
    if len(given) >= VERSIONS_KEPT and known is None:
        over = _time_over({*given, event.effective_from}, event.occurred_at)
        if over == event.effective_from:
            return  # it would be the first to go
    if not given:
        _check_room({(one.role, one.tenant_id) for one in index.roles})
    if event.model_sha256 is not None:
        content = index.content(MODEL_PART_ROW.family, event.model_sha256)
        if content is None:
            raise Reject("part_missing")
        whole = first(content, event.parts)
        model = model_of(whole, rows)
        if model.model.kind != KIND_OF[event.role]:
            raise Reject("invalid_model", "its kind is not that of the role")
        cut(index, whole, rows)
    gone = known if over is None else given[over]  # of two for one time the later one counts
    index.roles = [one for one in index.roles if one is not gone]
    index.roles.append(Role(*name, event.effective_from, event.model_sha256))
    _write(index, rows)


def _begin_of(one: PublishedSet, rows: Rows) -> int:
    row = rows.get(at.head_key(one.sha256))
    if row is None:
        raise HEAD_ROW.unreadable(b"", LookupError("a set that the index names is not there"))
    return begin_of(at.read_bytes(HEAD_ROW, row))


def _version_over(begins: Mapping[int, int], at_us: int) -> int:
    """Return the lowest version that holds at a time no more, nor later. Raises Reject: none is.

    `begins`: event time from which each version holds. A higher one that has begun takes its place.
    """
    for version in sorted(begins):
        latest_us = max(at_us, begins[version])
        if any(other > version and begin <= latest_us for other, begin in begins.items()):
            return version
    raise Reject("too_many_publications", "each version of the set still has a time to hold")


def _time_over(times_us: set[int], at_us: int) -> int:
    """Return the earliest time of a role after which another one has come. Raises Reject: none is."""
    begun = sorted(time_us for time_us in times_us if time_us <= at_us)
    if len(begun) < 2:
        raise Reject("too_many_publications", "each model of the role still has a time to hold")
    return begun[0]


def _check_room(known: set[Any]) -> None:
    if len(known) >= KINDS_MAX:
        raise Reject("too_many_publications")


def _write(index: Index, rows: Rows) -> None:
    """Write the index, and delete the rows of what nothing names any more."""
    before = at.read_index(rows.get(INDEX_KEY))
    used = index.in_use()
    waiting = [one for one in index.contents if (one.family, one.sha256) not in used]
    outdated = before.in_use() - used  # was in use, and is not
    gone = [one for one in waiting if (one.family, one.sha256) in outdated]
    waiting = [one for one in waiting if one not in gone]
    gone += waiting[: max(len(waiting) - WAITING_MAX, 0)]
    for one in gone:
        for number in one.numbers:
            rows.delete(at.part_key(one.family, one.sha256, number))
    heads = {one.sha256 for one in index.sets}
    for sha256 in sorted({one.sha256 for one in before.sets} - heads):
        rows.delete(at.head_key(sha256))
    index.contents = [one for one in index.contents if one not in gone]
    rows.put(INDEX_KEY, INDEX_ROW.pack(index))
