"""What has been published on a partition: rules, lists and models, as they come in the log.

    a part            -> kept by the hash of the whole and its number
    rules, a model    -> all parts are there and have the hash: in use from now on; else a dead letter

From the contract: schemas/README.md, the codes of fraud-rules, and the rows that the stream keeps of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.fraud_rule_sets import FalseSet, RuleSet, read_head, read_part, read_set
from pipeline.verify.model.fraud_trees import FalseModel, Trees, read
from pipeline.verify.model.fraud_verdicts import Judge, check_features, check_role
from pipeline.verify.model.wire import LAYOUT, Dead, msgpack, row_key

ALL_TENANTS = "*"
MODEL_PART_BYTES, MODEL_PARTS_MAX = 512 * 1024, 8
VERSIONS_KEPT, KINDS_MAX, WAITING_MAX = 8, 256, 64
CATALOGUE_CHARS_MAX = 64
SHA256 = re.compile(r"[0-9a-f]{64}")
LIST, MODEL, HEAD, INDEX = "l", "m", "i", "b"
"""Families of rows."""
Content = tuple[str, str]
"""A family and a hash."""


@dataclass
class Publications:
    """What is known on one partition."""

    row: Callable[[bytes, bytes | None], None]
    """Expects a row; None: it is deleted."""
    contents: dict[Content, dict[int, bytes]] = field(default_factory=dict)
    """Parts by number, in the order in which their contents came."""
    sets: list[tuple[str | None, str, int, str, list[str]]] = field(default_factory=list)
    """Tenant, set, version, hash, and the hashes of its lists that have entries."""
    roles: list[tuple[str, str | None, int, str | None]] = field(default_factory=list)
    """Role, tenant, from when on, and which model."""
    read_sets: dict[str, RuleSet] = field(default_factory=dict)
    models: dict[str, Trees] = field(default_factory=dict)
    judge: Judge = field(default_factory=Judge)

    def publish(self, name: str, event: dict[str, Any]) -> None:
        """Apply an event of fraud-rules. Raises Dead."""
        check(name, event)
        if name == "FraudListPartPublished":
            self.keep(LIST, event["list_sha256"], event["number"], event["part"].encode())
        elif name == "FraudModelPartPublished":
            self.keep(MODEL, event["model_sha256"], event["number"], base64.b64decode(event["part"]))
        elif name == "FraudRulesPublished":
            self.publish_rules(event)
        else:
            self.publish_model(event)

    def in_use(self) -> set[Content]:
        lists = {(LIST, sha256) for *_, hashes in self.sets for sha256 in hashes}
        return lists | {(MODEL, one[3]) for one in self.roles if one[3] is not None}

    def keep(self, family: str, sha256: str, number: int, part: bytes) -> None:
        """Keep a part; the same again changes nothing."""
        known = self.contents.get((family, sha256), {})
        if known.get(number) == part:
            return
        if (family, sha256) in self.in_use():
            raise Dead("other_content")
        self.contents.setdefault((family, sha256), {})[number] = part
        self.row(part_key(family, sha256, number), bytes([LAYOUT]) + part)
        self.write(self.in_use(), set())

    def publish_rules(self, event: dict[str, Any]) -> None:
        """Put a version of a set into use."""
        whose, set_id, version = event["of_tenant"], event["set_id"], event["version"]
        versions = {one[2]: one for one in self.sets if one[:2] == (whose, set_id)}
        if version in versions:
            if versions[version][3] != event["sha256"]:
                raise Dead("other_content")
            return
        over = None
        if len(versions) >= VERSIONS_KEPT:
            begins = {one: self.read_sets[known[3]].effective_from_us for one, known in versions.items()}
            over = outdated_version({**begins, version: event["effective_from"]}, event["occurred_at"])
            if over == version:
                return
        if not versions and len({one[:2] for one in self.sets}) >= KINDS_MAX:
            raise Dead("too_many_publications")
        head = event["head"].encode()
        counts = {one.sha256: one.entries for one in read_head(head)[1] if one.entries}
        numbers = {sha256: self.parts_for(sha256, count) for sha256, count in counts.items()}
        if sum(numbers.values()) != event["parts"]:
            raise Dead("part_missing")
        entries = {
            (sha256, number): read_part(self.contents[LIST, sha256][number])[2]
            for sha256, parts in numbers.items()
            for number in range(parts)
        }
        try:
            found = read_set(head, entries)
        except FalseSet:
            raise Dead("wrong_hash") from None
        for sha256, parts in numbers.items():
            self.cut(LIST, sha256, parts)
        before, heads = self.in_use(), {one[3] for one in self.sets}
        self.row(row_key(HEAD, event["sha256"]), bytes([LAYOUT]) + head)
        if over is not None:
            self.sets.remove(versions[over])
        self.sets.append((whose, set_id, version, event["sha256"], list(counts)))
        self.read_sets[event["sha256"]] = found
        self.write(before, heads)
        self.renew()

    def parts_for(self, sha256: str, count: int) -> int:
        """Return how many parts have so many entries."""
        parts = self.contents.get((LIST, sha256), {})
        used = 0
        for number in sorted(parts):
            if count > 0:
                count, used = count - len(read_part(parts[number])[2]), used + 1
        if count > 0 or sorted(parts)[:used] != list(range(used)):
            raise Dead("part_missing")
        return used

    def cut(self, family: str, sha256: str, count: int) -> None:
        """Let a content have its first parts alone."""
        parts = self.contents[family, sha256]
        for number in [one for one in parts if one >= count]:
            del parts[number]
            self.row(part_key(family, sha256, number), None)

    def publish_model(self, event: dict[str, Any]) -> None:
        """Put a model into use, or take one out of it."""
        role, whose, from_us = event["role"], event["of_tenant"], event["effective_from"]
        sha256 = event["model_sha256"]
        given = {one[2]: one for one in self.roles if one[:2] == (role, whose)}
        if from_us in given and given[from_us][3] == sha256:
            return
        over = None
        if len(given) >= VERSIONS_KEPT and from_us not in given:
            begun = [one for one in (*given, from_us) if one <= event["occurred_at"]]
            if len(begun) < 2:
                raise Dead("too_many_publications")
            over = min(begun)
            if over == from_us:
                return
        if not given and len({one[:2] for one in self.roles}) >= KINDS_MAX:
            raise Dead("too_many_publications")
        before = self.in_use()
        if sha256 is not None:
            self.models[sha256] = self.whole(sha256, event["parts"], role)
            self.cut(MODEL, sha256, event["parts"])
        gone = given.get(from_us) if over is None else given[over]
        self.roles = [one for one in self.roles if one != gone] + [(role, whose, from_us, sha256)]
        self.write(before, {one[3] for one in self.sets})
        self.renew()

    def whole(self, sha256: str, count: int, role: str) -> Trees:
        """Return the model of the first so many parts."""
        parts = self.contents.get((MODEL, sha256), {})
        if any(number not in parts for number in range(count)):
            raise Dead("part_missing")
        data = b"".join(parts[number] for number in range(count))
        try:
            found = read(data)
            check_features(found)
            if found.sha256 != sha256:
                raise Dead("wrong_hash")
            check_role(role, found)
        except FalseModel:
            raise Dead("invalid_model") from None
        return found

    def write(self, before: set[Content], heads: set[str]) -> None:
        """Forget what is in use no more, or waits too long for its use; expect the index."""
        used = self.in_use()
        waiting = [one for one in self.contents if one not in used]
        gone = [one for one in waiting if one in before]
        waiting = [one for one in waiting if one not in gone]
        gone += waiting[: max(len(waiting) - WAITING_MAX, 0)]
        for one in gone:
            for number in self.contents.pop(one):
                self.row(part_key(*one, number), None)
        for sha256 in sorted(heads - {one[3] for one in self.sets}):
            self.row(row_key(HEAD, sha256), None)
        contents = [[*one, sorted(parts)] for one, parts in self.contents.items()]
        self.row(row_key(INDEX), bytes([LAYOUT]) + msgpack([contents, self.sets, self.roles]))

    def renew(self) -> None:
        """Let what is in use now decide, and keep nothing else as it was read."""
        named = {one[3] for one in self.sets}
        self.read_sets = {sha256: one for sha256, one in self.read_sets.items() if sha256 in named}
        given = {one[3] for one in self.roles}
        self.models = {sha256: one for sha256, one in self.models.items() if sha256 in given}
        self.judge = Judge(review_from=self.judge.review_from, decline_from=self.judge.decline_from)
        for *_, sha256, _ in self.sets:
            self.judge.published.add(self.read_sets[sha256])
        for role, whose, from_us, name in self.roles:
            self.judge.models.give(role, whose, from_us, None if name is None else self.models[name])


def outdated_version(begins: dict[int, int], now: int) -> int:
    """Return the lowest version that never holds from a time on. Raises Dead: each one does at some time."""

    def holds_at(time: int) -> int:
        return max((version for version, begin in begins.items() if begin <= time), default=0)

    holding = {holds_at(time) for time in (now, *(begin for begin in begins.values() if begin > now))}
    outdated = set(begins) - holding
    if not outdated:
        raise Dead("too_many_publications")
    return min(outdated)


def part_key(family: str, sha256: str, number: int) -> bytes:
    return row_key(family, sha256, f"{number:04}")


def check(name: str, event: dict[str, Any]) -> None:
    """Check an event of fraud-rules by itself. Raises Dead."""
    if name in ("FraudRulesPublished", "FraudModelPublished"):
        whose = ALL_TENANTS if event["of_tenant"] is None else event["of_tenant"]
        if event["tenant_id"] != whose or event["of_tenant"] == ALL_TENANTS:
            raise Dead("wrong_tenant")
    {
        "FraudRulesPublished": check_rules,
        "FraudListPartPublished": check_list_part,
        "FraudModelPartPublished": check_model_part,
        "FraudModelPublished": check_model,
    }[name](event)


def check_hash(text: str) -> None:
    if not SHA256.fullmatch(text):
        raise Dead("invalid_hash")


def check_rules(event: dict[str, Any]) -> None:
    check_hash(event["sha256"])
    head = event["head"].encode()
    if hashlib.sha256(head).hexdigest() != event["sha256"]:
        raise Dead("wrong_hash")
    try:
        found, _ = read_head(head)
    except FalseSet:
        raise Dead("invalid_rules") from None
    said = event["set_id"], event["version"], event["of_tenant"], event["effective_from"]
    if said != (found.set_id, found.version, found.tenant, found.effective_from_us):
        raise Dead("invalid_rules")


def check_list_part(event: dict[str, Any]) -> None:
    check_hash(event["list_sha256"])
    try:
        sha256, number, _ = read_part(event["part"].encode())
    except FalseSet:
        raise Dead("invalid_part") from None
    if (sha256, number) != (event["list_sha256"], event["number"]):
        raise Dead("invalid_part")


def check_model_part(event: dict[str, Any]) -> None:
    check_hash(event["model_sha256"])
    try:
        part = base64.b64decode(event["part"], validate=True)
    except (binascii.Error, ValueError):
        raise Dead("invalid_part") from None
    whole = base64.b64encode(part).decode() == event["part"] and 1 <= len(part) <= MODEL_PART_BYTES
    if not whole or not 0 <= event["number"] < MODEL_PARTS_MAX:
        raise Dead("invalid_part")


def check_model(event: dict[str, Any]) -> None:
    if event["model_sha256"] is not None:
        check_hash(event["model_sha256"])
    least, most = (0, 0) if event["model_sha256"] is None else (1, MODEL_PARTS_MAX)
    if not least <= event["parts"] <= most or len(event["catalogue_version"]) > CATALOGUE_CHARS_MAX:
        raise Dead("invalid_model")
