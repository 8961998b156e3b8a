"""Sets of fraud rules as an event carries them, and their bounds.

A set is of all tenants or of one, has a version, and holds from a time on. Its rules are judged one by one:

    active   counts: its score is added, or its outcome holds
    shadow   is noted beside the decision, and changes nothing
    paused   is not looked at

A list has a kind. `watch`: rules name it (`payee in list("watch")`). `block`: a payment whose feature is on
it is rejected. `allow`: for a payment whose feature is on it nothing counts but rejections. An entry is on a
list until it expires. A snooze is the same as `allow` for one debtor, until a time.
"""

from __future__ import annotations

import re
from itertools import pairwise

import msgspec

from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.money import INT64_MAX

RULES_MAX = 200
LISTS_MAX = 32
ENTRIES_MAX = 100_000
"""Most entries of one list."""
ALL_ENTRIES_MAX = 200_000
"""Most entries of all lists of a set."""
SNOOZES_MAX = 10_000
REASON_CHARS_MAX = 200
SCORE_MAX = 100
ACTIVE, SHADOW, PAUSED = "active", "shadow", "paused"
STATES = (ACTIVE, SHADOW, PAUSED)
REVIEW, REJECT = "REVIEW", "REJECT"
OUTCOMES = (REVIEW, REJECT)
PAYROLL, TREASURY, RETAIL = "payroll", "treasury", "retail"
SEGMENTS = (PAYROLL, TREASURY, RETAIL)
ALLOW, BLOCK, WATCH = "allow", "block", "watch"
LIST_KINDS = (ALLOW, BLOCK, WATCH)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff]"
)
"""What nobody sees, or what turns a line round. Fixed, unlike `str.isprintable`, which follows a version of
Unicode: every worker must take the same sets."""


class RuleSetError(ValueError):
    """A set of rules has a value that it cannot have; one line."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One rule."""

    rule_id: str
    version: int
    """Increased when the rule changes; reasons name it (`fan_out@3`)."""
    expression: str
    score: int | None = None
    """1..100, added to the score of the payment. A rule has either a score or an outcome."""
    outcome: str | None = None
    """REVIEW or REJECT, whatever the score is."""
    state: str = ACTIVE
    effective_from_us: int | None = None
    """Event time from which it holds; None: as long as its set."""
    segments: tuple[str, ...] = ()
    """Of which payments; none: of all."""
    reason: str
    """What people read, with the values of features: `{payments_1h} payments in an hour`."""

    def __post_init__(self) -> None:
        _check_name("rule", self.rule_id)
        _check_range(f"{self.rule_id}: version", self.version, 1, INT64_MAX)
        if (self.score is None) == (self.outcome is None):
            raise RuleSetError(f"{self.rule_id}: a rule has a score, or an outcome, and not both")
        if self.score is not None:
            _check_range(f"{self.rule_id}: score", self.score, 1, SCORE_MAX)
        if self.outcome is not None:
            _check_one_of(f"{self.rule_id}: outcome", self.outcome, OUTCOMES)
        _check_one_of(f"{self.rule_id}: state", self.state, STATES)
        for segment in self.segments:
            _check_one_of(f"{self.rule_id}: segments", segment, SEGMENTS)
        if list(self.segments) != sorted(set(self.segments)):
            raise RuleSetError(f"{self.rule_id}: segments must be sorted, each once")
        if not 1 <= len(self.reason) <= REASON_CHARS_MAX or _UNSEEN.search(self.reason):
            raise RuleSetError(f"{self.rule_id}: reason must be 1 to {REASON_CHARS_MAX} printable characters")
        if self.effective_from_us is not None:
            _check_range(f"{self.rule_id}: effective_from", self.effective_from_us, 0, INT64_MAX)

    @property
    def label(self) -> str:
        """How reasons name the rule and its version."""
        return f"{self.rule_id}@{self.version}"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A value that is on a list."""

    value: str
    expires_at_us: int | None = None
    """Event time at which it is no longer on it; None: it stays."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.value) <= ID_CHARS_MAX or "\0" in self.value:
            raise RuleSetError(f"an entry of a list must be 1 to {ID_CHARS_MAX} characters, without NUL")
        if self.expires_at_us is not None:
            _check_range("expires_at", self.expires_at_us, 0, INT64_MAX)


class RuleList(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A list of accounts, devices, countries or the like."""

    name: str
    kind: str
    of: str
    """The feature whose values it has, such as `payee`."""
    entries: tuple[Entry, ...] = ()
    """Sorted by value, each once."""

    def __post_init__(self) -> None:
        _check_name("list", self.name)
        _check_one_of(f"list {self.name}: kind", self.kind, LIST_KINDS)
        if len(self.entries) > ENTRIES_MAX:
            raise RuleSetError(f"list {self.name}: {len(self.entries)} entries, at most {ENTRIES_MAX}")
        values = [entry.value for entry in self.entries]
        for before, after in pairwise(values):
            if before >= after:
                said = "stands there twice" if before == after else "is not in order"
                raise RuleSetError(f"list {self.name}: {after!r} {said}")


class Snooze(msgspec.Struct, frozen=True, array_like=True):
    """A debtor of whom nothing counts but rejections, until a time."""

    tenant_id: str
    account_id: str
    until_us: int
    """Event time, exclusive."""

    def __post_init__(self) -> None:
        for name in ("tenant_id", "account_id"):
            value = getattr(self, name)
            if not 1 <= len(value) <= ID_CHARS_MAX or "\0" in value or "/" in value:
                raise RuleSetError(f"snooze: {value[:80]!r} cannot be a {name}")
        _check_range("snooze: until", self.until_us, 0, INT64_MAX)


class RuleSet(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A version of a set of rules."""

    set_id: str
    version: int
    tenant_id: str | None = None
    """None: of all tenants."""
    effective_from_us: int
    """Event time from which it takes the place of the version before."""
    rules: tuple[Rule, ...]
    """In the order in which reasons are given."""
    lists: tuple[RuleList, ...] = ()
    snoozes: tuple[Snooze, ...] = ()
    """Sorted by account, each once."""

    def __post_init__(self) -> None:
        _check_name("set", self.set_id)
        _check_range("version", self.version, 1, INT64_MAX)
        _check_range("effective_from", self.effective_from_us, 0, INT64_MAX)
        tenant = self.tenant_id
        if tenant is not None and (not 1 <= len(tenant) <= ID_CHARS_MAX or "\0" in tenant or "/" in tenant):
            raise RuleSetError(f"{tenant[:80]!r} cannot be a tenant's id")
        for what, count, most in (
            ("rules", len(self.rules), RULES_MAX),
            ("lists", len(self.lists), LISTS_MAX),
            ("snoozes", len(self.snoozes), SNOOZES_MAX),
            ("entries of lists", sum(len(one.entries) for one in self.lists), ALL_ENTRIES_MAX),
        ):
            if count > most:
                raise RuleSetError(f"{count} {what}, at most {most}")
        _check_once("rule", [rule.rule_id for rule in self.rules])
        _check_once("list", [one.name for one in self.lists])
        accounts = [(one.tenant_id, one.account_id) for one in self.snoozes]
        if accounts != sorted(set(accounts)):
            raise RuleSetError("snoozes must be sorted by account, each once")
        if tenant is not None and any(one.tenant_id != tenant for one in self.snoozes):
            raise RuleSetError(f"a snooze of another tenant in a set of {tenant}")


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RuleSetError(f"{name[:80]!r} cannot name a {what}: small letters, digits, _ and -, at most 64")


def _check_range(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise RuleSetError(f"{what} must be from {low} to {high}, not {value}")


def _check_one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise RuleSetError(f"{what}: {value[:80]!r} is none of {', '.join(known)}")


def _check_once(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RuleSetError(f"the {what} {name} stands there twice")
        seen.add(name)
