"""The one form of a set of rules as bytes, and its name: the SHA-256 of them.

    head  the set with canonical expressions, each list by kind, feature, number of entries and SHA-256
    part  entries of one list, at most PART_ENTRIES of them and at most PART_BYTES_MAX

So spaces and brackets change no name, any other value does, and the entries of long lists travel in records
of their own. A head and its parts are put together by `assembled`, which believes nothing but the hashes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.rule_sets import (
    ALL_ENTRIES_MAX,
    ENTRIES_MAX,
    Entry,
    RuleList,
    RuleSet,
    RuleSetError,
)

FORM = 1
"""The number of this form. A change of it, or of what an expression means, is another number."""
PART_ENTRIES = 2_000
HEAD_BYTES_MAX = 640 * 1024
PART_BYTES_MAX = 512 * 1024
"""Head and parts travel in events, which have at most 768 KiB (`schemas/fraud-rules`)."""
PARTS_MAX = 512
"""Of one list; a list of the longest values has 300."""
SHA256 = re.compile("[0-9a-f]{64}")
_Read = TypeVar("_Read")


class ListReference(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A list as the head of a set names it."""

    name: str
    kind: str
    of: str
    entries: int
    sha256: str
    """Of the entries' bytes, all parts together."""


class Head(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A set without the entries of its lists."""

    form: int
    rules: RuleSet
    """Without lists."""
    lists: tuple[ListReference, ...]


class ListPart(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Entries of a list, in order."""

    sha256: str
    """Of all entries of the list: which list it is a part of."""
    number: int
    """0, 1, ..."""
    entries: tuple[Entry, ...]


def in_canonical_form(rules: RuleSet) -> RuleSet:
    """Return a set with the canonical text of each expression. Raises ExpressionError."""
    canonical = [
        msgspec.structs.replace(rule, expression=text_of(parse(rule.expression))) for rule in rules.rules
    ]
    return msgspec.structs.replace(rules, rules=tuple(canonical))


def head_bytes(rules: RuleSet) -> bytes:
    """Return the bytes of the head of a set. Raises ExpressionError, and RuleSetError for too many bytes."""
    canonical = msgspec.structs.replace(in_canonical_form(rules), lists=())
    lists = tuple(
        ListReference(one.name, one.kind, one.of, len(one.entries), _hash_of(one.entries))
        for one in rules.lists
    )
    found = msgspec.json.encode(Head(FORM, canonical, lists))
    if len(found) > HEAD_BYTES_MAX:
        raise RuleSetError(f"a set of {len(found)} bytes, at most {HEAD_BYTES_MAX}")
    return found


def name_of(rules: RuleSet) -> str:
    """Return the name of a set: the SHA-256 of its head, 64 hexadecimal digits."""
    return hashlib.sha256(head_bytes(rules)).hexdigest()


def parts_of(rules: RuleSet) -> list[bytes]:
    """Return the parts of all lists of a set; an empty list has none, one that stands twice has them once."""
    found: list[bytes] = []
    hashed = {_hash_of(one.entries): one.entries for one in rules.lists}
    for sha256, entries in hashed.items():
        number = start = 0
        while start < len(entries):
            stop = start + _fitting(entries[start : start + PART_ENTRIES])
            found.append(msgspec.json.encode(ListPart(sha256, number, entries[start:stop])))
            number, start = number + 1, stop
    return found


def _fitting(entries: tuple[Entry, ...]) -> int:
    """Return how many entries fit into a part, with 100 bytes for its hash and number."""
    room = PART_BYTES_MAX - 100
    for count, entry in enumerate(entries):
        room -= len(msgspec.json.encode(entry)) + 1
        if room < 0:
            return count
    return len(entries)


def checked_head(head: bytes) -> Head:
    """Return the head of a set, its lists without their entries.

    Raises RuleSetError for bytes that no set has: whatever its lists hold.
    """
    read = _read(head, Head, HEAD_BYTES_MAX)
    if read.form != FORM:
        raise RuleSetError(f"form {read.form} of a set of rules; this version knows {FORM}")
    for one in read.lists:
        if not 0 <= one.entries <= ENTRIES_MAX:
            raise RuleSetError(f"list {one.name}: {one.entries} entries, at most {ENTRIES_MAX}")
        if not SHA256.fullmatch(one.sha256):
            raise RuleSetError(f"list {one.name}: its hash is none")
    if sum(one.entries for one in read.lists) > ALL_ENTRIES_MAX:
        raise RuleSetError(f"more than {ALL_ENTRIES_MAX} entries of lists")
    lists = tuple(RuleList(name=one.name, kind=one.kind, of=one.of) for one in read.lists)
    rules = msgspec.structs.replace(read.rules, lists=lists)
    try:
        canonical = msgspec.structs.replace(in_canonical_form(rules), lists=())
    except ValueError as error:
        raise RuleSetError(f"a rule cannot be read: {str(error).splitlines()[0]}") from error
    if msgspec.json.encode(Head(FORM, canonical, read.lists)) != head:
        raise RuleSetError("the bytes of the set are not in their canonical form")
    return msgspec.structs.replace(read, rules=rules)


def begin_of(head: bytes) -> int:
    """Return from when on a set holds, microseconds UTC; of a head that was checked. Raises RuleSetError."""
    return _read(head, Head, HEAD_BYTES_MAX).rules.effective_from_us


def checked_part(part: bytes) -> ListPart:
    """Return a part of a list. Raises RuleSetError for bytes that are none, or too many."""
    read = _read(part, ListPart, PART_BYTES_MAX)
    if not 1 <= len(read.entries) <= PART_ENTRIES:
        raise RuleSetError(f"a part of {len(read.entries)} entries, not 1 to {PART_ENTRIES}")
    if not 0 <= read.number < PARTS_MAX:
        raise RuleSetError(f"the number {read.number} of a part")
    if not SHA256.fullmatch(read.sha256):
        raise RuleSetError("the hash of its list is none")
    if msgspec.json.encode(read) != part:
        raise RuleSetError("the bytes of the part are not in their canonical form")
    return read


def assembled(head: bytes, parts: Iterable[bytes]) -> RuleSet:
    """Return the set of a head and the parts of its lists, which may come in any order and more than once.

    Raises RuleSetError for bytes that are not canonical, and for a list whose parts are not all there.
    """
    read = _read(head, Head, HEAD_BYTES_MAX)
    if read.form != FORM:
        raise RuleSetError(f"form {read.form} of a set of rules; this version knows {FORM}")
    wanted = {one.sha256 for one in read.lists}
    found: dict[str, dict[int, tuple[Entry, ...]]] = {}
    for part in parts:
        one = _read(part, ListPart, PART_BYTES_MAX)
        if len(one.entries) > PART_ENTRIES:
            raise RuleSetError(f"a part of {len(one.entries)} entries, at most {PART_ENTRIES}")
        if one.sha256 in wanted and 0 <= one.number < PARTS_MAX:
            found.setdefault(one.sha256, {})[one.number] = one.entries
    lists = tuple(_list_of(one, found.get(one.sha256, {})) for one in read.lists)
    rules = msgspec.structs.replace(read.rules, lists=lists)
    try:
        is_canonical = head_bytes(rules) == head
    except ValueError as error:
        raise RuleSetError(f"a rule cannot be read: {str(error).splitlines()[0]}") from error
    if not is_canonical:
        raise RuleSetError("the bytes of the set are not in their canonical form")
    return rules


def _list_of(reference: ListReference, parts: Mapping[int, tuple[Entry, ...]]) -> RuleList:
    entries = tuple(entry for number in sorted(parts) for entry in parts[number])
    if len(entries) != reference.entries or _hash_of(entries) != reference.sha256:
        raise RuleSetError(
            f"list {reference.name}: {len(entries)} of {reference.entries} entries, or not those of its hash"
        )
    return RuleList(name=reference.name, kind=reference.kind, of=reference.of, entries=entries)


def _hash_of(entries: tuple[Entry, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode(entries)).hexdigest()


def _read(content: bytes, kind: type[_Read], bytes_max: int) -> _Read:
    if len(content) > bytes_max:
        raise RuleSetError(f"{len(content)} bytes, at most {bytes_max}")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RuleSetError(
            f"not the bytes of a set of rules: {' '.join(str(error).split())[:200]}"
        ) from error


def described(rules: RuleSet) -> dict[str, Any]:
    """Return a set as JSON can have it, for programs: names of fields, lists with their number of entries."""
    return {
        "set": rules.set_id,
        "version": rules.version,
        "tenant_id": rules.tenant_id,
        "effective_from_us": rules.effective_from_us,
        "rules": [
            {name: getattr(rule, name) for name in rule.__struct_fields__} | {"label": rule.label}
            for rule in rules.rules
        ],
        "lists": [
            {"name": one.name, "kind": one.kind, "of": one.of, "entries": len(one.entries)}
            for one in rules.lists
        ],
        "snoozes": len(rules.snoozes),
    }
