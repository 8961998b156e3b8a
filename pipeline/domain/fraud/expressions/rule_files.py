"""The file in which people write a set of rules: TOML.

set = "default"
version = 1
effective_from = 2026-12-01T00:00:00Z

[[rules]]
id = "fan_out"
version = 1
when = "new_payees_1h > 6 and segment != \\"payroll\\""
score = 50                                  # or: outcome = "REVIEW", "REJECT"
reason = "{new_payees_1h} new payees in an hour"

[[lists]]
name = "watch"
kind = "watch"
of = "payee"
entries = ["acc-1", { value = "acc-2", expires = 2027-01-01T00:00:00Z }]

[[snoozes]]
tenant = "north"
account = "alice"
until = 2026-12-24T00:00:00Z
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.file_bounds import size_flaw, tenant_flaw, us_of
from pipeline.domain.fraud.expressions.linting import Finding, lint
from pipeline.domain.fraud.expressions.problems import ERROR, WARNING, caret, did_you_mean, line_and_column
from pipeline.domain.fraud.expressions.rule_sets import ACTIVE, Entry, Rule, RuleList, RuleSet, Snooze
from pipeline.domain.fraud.expressions.toml_places import Place, characters_of, places_of

FILE_CHARS_MAX = 16 * 1024 * 1024
_DOTTED = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){64}""")
"""A key of many parts, for which `tomllib` takes time by the square of them."""
Time = Annotated[datetime, Meta(tz=True)]


class _FileRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: str
    version: int
    when: str
    score: int | None = None
    outcome: str | None = None
    state: str = ACTIVE
    effective_from: Time | None = None
    segments: list[str] = []
    reason: str


class _FileEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    value: str
    expires: Time | None = None


class _FileList(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    kind: str
    of: str
    entries: list[str | _FileEntry] = []


class _FileSnooze(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    tenant: str
    account: str
    until: Time


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    set: str
    version: int
    effective_from: Time
    tenant: str | None = None
    rules: list[_FileRule] = []
    lists: list[_FileList] = []
    snoozes: list[_FileSnooze] = []


class FileProblem(NamedTuple):
    """Something wrong in a file of rules; line and column count from 1."""

    severity: str
    line: int
    column: int
    message: str
    excerpt: str
    """The line with carets under it; empty where only the place is known."""


class ReadFile(NamedTuple):
    """What a file of rules says, and what is wrong with it."""

    rules: RuleSet | None
    """None: it cannot be read."""
    problems: list[FileProblem]

    @property
    def is_usable(self) -> bool:
        """Whether there is a set, and no error in it; warnings do not matter."""
        return self.rules is not None and all(one.severity == WARNING for one in self.problems)


def read_file(text: str, catalogue: Catalogue) -> ReadFile:
    """Return the set of a file and all its problems, by line. Never raises for what the file says."""
    text = text.replace("\r\n", "\n")
    if len(text) > FILE_CHARS_MAX:
        return _refused(f"{len(text)} characters, at most {FILE_CHARS_MAX}")
    if dotted := _DOTTED.search(text):
        return ReadFile(None, [_at(text, dotted.start(), "a name of 64 parts and more")])
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _refused_toml(text, str(error))
    except ValueError:
        return _refused("not TOML: a number has thousands of digits")
    except RecursionError:
        return _refused("tables and arrays are nested too deeply")
    places = places_of(text)
    try:
        file = msgspec.convert(content, _File)
    except ValueError as error:
        return _refused_field(text, places, str(error))
    rules, problems = _set_of(file, text, places)
    if rules is not None:
        problems += [_placed(finding, rules, text, places) for finding in lint(rules, catalogue)]
        usable = all(one.severity == WARNING for one in problems)
        if usable and (flaw := size_flaw(rules)) is not None:
            problems.append(_at(text, None, flaw))
    return ReadFile(rules, sorted(problems, key=lambda one: (one.line, one.column)))


def _set_of(file: _File, text: str, places: dict[Place, int]) -> tuple[RuleSet | None, list[FileProblem]]:
    """Return the set of a file, and what it cannot say; one problem of each rule and list."""
    problems: list[FileProblem] = []
    parts: dict[str, list[Any]] = {"rules": [], "lists": [], "snoozes": []}
    makers: tuple[tuple[str, list[Any], Any], ...] = (
        ("rules", file.rules, _rule_of),
        ("lists", file.lists, _list_of),
        ("snoozes", file.snoozes, lambda one: Snooze(one.tenant, one.account, us_of(one.until))),
    )
    for table, given, make in makers:
        for number, one in enumerate(given):
            try:
                parts[table].append(make(one))
            except ValueError as error:
                problems.append(_at(text, _place_of(str(error), table, number, places), str(error)))
    if (flaw := tenant_flaw(file.tenant)) is not None:
        problems.append(_at(text, places.get(Place("", 0, "tenant")), flaw))
    if problems:
        return None, problems
    snoozes = sorted(parts["snoozes"], key=lambda one: (one.tenant_id, one.account_id))
    try:
        rules = RuleSet(
            set_id=file.set,
            version=file.version,
            tenant_id=file.tenant,
            effective_from_us=us_of(file.effective_from),
            rules=tuple(parts["rules"]),
            lists=tuple(parts["lists"]),
            snoozes=tuple(snoozes),
        )
    except ValueError as error:
        return None, [_at(text, _place_of_twice(str(error), file, places), str(error))]
    return rules, []


def _rule_of(one: _FileRule) -> Rule:
    return Rule(
        rule_id=one.id,
        version=one.version,
        expression=one.when,
        score=one.score,
        outcome=one.outcome,
        state=one.state,
        effective_from_us=None if one.effective_from is None else us_of(one.effective_from),
        segments=tuple(sorted(one.segments)),
        reason=one.reason,
    )


def _list_of(one: _FileList) -> RuleList:
    entries = [
        Entry(entry)
        if isinstance(entry, str)
        else Entry(entry.value, None if entry.expires is None else us_of(entry.expires))
        for entry in one.entries
    ]
    in_order = sorted(entries, key=lambda entry: entry.value)
    return RuleList(name=one.name, kind=one.kind, of=one.of, entries=tuple(in_order))


def _place_of_twice(message: str, file: _File, places: dict[Place, int]) -> int | None:
    """Return the place of the second rule or list of a name, where a message says that there are two."""
    found = re.fullmatch(r"the (rule|list) (\S+) stands there twice", message)
    if found is None:
        return _place_of(message, "", 0, places)
    names = [one.id for one in file.rules] if found.group(1) == "rule" else [one.name for one in file.lists]
    number = len(names) - 1 - names[::-1].index(found.group(2))
    return places.get(Place(f"{found.group(1)}s", number, ""))


def _place_of(message: str, table: str, number: int, places: dict[Place, int]) -> int | None:
    """Return the place of the key that a message begins with, perhaps after an id; else of the table."""
    named = re.match(r"(?:[^:]*: )?(\w+)(?: must|:)", message)
    header = places.get(Place(table, number, ""))
    return header if named is None else places.get(Place(table, number, named.group(1)), header)


def _placed(finding: Finding, rules: RuleSet, text: str, places: dict[Place, int]) -> FileProblem:
    """Return a finding at its place in the file: in the expression itself where it can be found."""
    table = "lists" if finding.part == "list" else "rules"
    names = [one.name for one in rules.lists] if table == "lists" else [one.rule_id for one in rules.rules]
    number = names.index(finding.subject)
    message = f"{finding.subject}: {finding.message}"
    key = {"expression": "when", "reason": "reason", "list": "of"}.get(finding.part, "")
    start = places.get(Place(table, number, key))
    said = rules.rules[number].expression if key == "when" else None
    if key == "reason":
        said = rules.rules[number].reason
    if start is None or said is None:
        return _at(
            text, places.get(Place(table, number, "")) if start is None else start, message, finding.severity
        )
    found, characters = characters_of(text, start)
    if found != said:
        return _at(text, start, message, finding.severity)
    last = len(characters) - 1
    at, until = characters[min(finding.at, last)], characters[min(finding.until, last)]
    return _at(text, at, message, finding.severity, until)


def _at(
    text: str, at: int | None, message: str, severity: str = ERROR, until: int | None = None
) -> FileProblem:
    if at is None:
        return FileProblem(severity, 1, 1, message, "")
    line, column = line_and_column(text, at)
    end = _end_of_line(text, at) if until is None else until
    return FileProblem(severity, line, column, message, caret(text, at, max(end, at + 1)))


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _refused(message: str) -> ReadFile:
    return ReadFile(None, [FileProblem(ERROR, 1, 1, message, "")])


def _refused_toml(text: str, message: str) -> ReadFile:
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    if found is None or found.group(2) is None:
        at = len(text.rstrip())
        return ReadFile(
            None, [_at(text, max(0, at - 1), f"not TOML: {message.partition(' (at ')[0]}", ERROR, at)]
        )
    lines = text.split("\n")
    line, column = int(found.group(2)), int(found.group(3))
    at = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
    return ReadFile(None, [_at(text, at, f"not TOML: {found.group(1)}", ERROR, at + 1)])


def _refused_field(text: str, places: dict[Place, int], message: str) -> ReadFile:
    """Return the problem of a field that is missing, unknown, or of another type, at its place."""
    said, _, path = message.partition(" - at `$")
    at: int | None = None
    fields: tuple[str, ...] = _File.__struct_fields__
    found = re.match(r"\.(rules|lists|snoozes)\[(\d+)\](?:\.(\w+))?", path)
    if found is not None:
        table, number, key = found.group(1), int(found.group(2)), found.group(3) or ""
        at = places.get(Place(table, number, key), places.get(Place(table, number, "")))
        fields = {"rules": _FileRule, "lists": _FileList, "snoozes": _FileSnooze}[table].__struct_fields__
        if key == "entries" and ".entries[" in path:
            fields = _FileEntry.__struct_fields__
    elif (top := re.match(r"\.(\w+)", path)) is not None:
        at = places.get(Place("", 0, top.group(1)))
    unknown = re.search(r"unknown field `(.+?)`", said)
    if unknown is not None:
        near = did_you_mean(unknown.group(1), fields)
        if found is not None:
            at = places.get(Place(found.group(1), int(found.group(2)), unknown.group(1)), at)
        else:
            at = places.get(Place("", 0, unknown.group(1)), at)
        said = f"unknown key `{unknown.group(1)[:64]}`{near or '; known: ' + ', '.join(fields)}"
    said = said.replace("Object missing required field", "missing key")
    return ReadFile(None, [_at(text, at, said)])
