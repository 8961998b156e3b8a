"""The policy file, TOML: read whole into a `Policy`, or refused with line, key and the nearest name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from pipeline.domain.fraud.expressions.problems import did_you_mean, line_and_column
from pipeline.domain.fraud.expressions.toml_places import Place, places_of
from pipeline.gateway.policy.permissions import COMMAND, LIVE, MANAGE, QUERY, flaw_of, permission
from pipeline.gateway.policy.policy import Mask, Policy, Role

DEFAULT_FILE = "default_policy.toml"
FILE_CHARS_MAX = 262_144
ROLES_MAX = 100
STEP_UP_S_MAX = 3_600
GRANT_DAYS_MAX = 400
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_MASKS = ("hidden", "last_four")


class PolicyError(ValueError):
    """The text is no policy. One line: where in the file, which key, what is wrong."""


class _Role(msgspec.Struct, kw_only=True):
    about: str
    commands: list[str] = []
    queries: list[str] = []
    live: list[str] = []
    manage: list[str] = []
    never: list[str] = []
    own_accounts: bool = False
    grant_days_max: int | None = None
    masks: dict[str, str] = {}


class _File(msgspec.Struct, kw_only=True):
    roles: dict[str, Any]
    step_up: list[str] = []
    step_up_within_s: int = 300


class _Flaw(Exception):
    """Something wrong at a key of a table."""

    def __init__(self, table: str, key: str, said: str) -> None:
        super().__init__(said)
        self.table, self.key, self.said = table, key, said


@cache
def default_policy() -> Policy:
    """Return the policy that is in force where no file is given. Raises PolicyError."""
    return parse_policy(files("pipeline.gateway.policy").joinpath(DEFAULT_FILE).read_text("utf-8"))


def parse_policy(text: str, views: Mapping[str, Collection[str]] | None = None) -> Policy:
    """Return the policy of a text.

    `views`: the fields of each view by its name, to check what the file names; None: not checked. Raises
    PolicyError.
    """
    if len(text) > FILE_CHARS_MAX:
        raise PolicyError(f"the file has more than {FILE_CHARS_MAX:,} characters")
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"no TOML: {error}") from None
    try:
        return _policy(_typed("", given, _File), views)
    except _Flaw as flaw:
        raise PolicyError(_placed(text, flaw)) from None


_Table = TypeVar("_Table", bound=msgspec.Struct)


def _typed(table: str, given: Any, kind: type[_Table]) -> _Table:
    """Return the values of a table. Raises _Flaw for a key that is unknown or has another type."""
    known = [field.name for field in msgspec.structs.fields(kind)]
    for key in given if isinstance(given, dict) else ():
        if key not in known:
            raise _Flaw(table, key, f"there is no such key{did_you_mean(key, known)}")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$.")
        raise _Flaw(table, re.split(r"[.\[`]", path)[0], said) from None


def _policy(file: _File, views: Mapping[str, Collection[str]] | None) -> Policy:
    if not 1 <= len(file.roles) <= ROLES_MAX:
        raise _Flaw("", "", f"there must be 1 to {ROLES_MAX} roles, not {len(file.roles)}")
    if not 1 <= file.step_up_within_s <= STEP_UP_S_MAX:
        raise _Flaw("", "step_up_within_s", f"must be from 1 to {STEP_UP_S_MAX}")
    for pattern in file.step_up:
        _require_usable("", "step_up", pattern, views)
    return Policy(
        roles={
            name: _role(name, _typed(f"roles.{name}", role, _Role), views)
            for name, role in file.roles.items()
        },
        step_up=frozenset(file.step_up),
        step_up_within_us=file.step_up_within_s * 1_000_000,
    )


def _role(name: str, role: _Role, views: Mapping[str, Collection[str]] | None) -> Role:
    table = f"roles.{name}"
    if not _NAME.fullmatch(name):
        raise _Flaw(table, "", "a role's name has 1 to 64 of a-z, 0-9, _ and -, and begins with a letter")
    if role.grant_days_max is not None and not 1 <= role.grant_days_max <= GRANT_DAYS_MAX:
        raise _Flaw(table, "grant_days_max", f"must be from 1 to {GRANT_DAYS_MAX}")
    for key, pattern in _patterns(role):
        _require_usable(table, key, pattern, views)
    for pattern in role.never:
        _require_usable(table, "never", pattern, views)
    return Role(
        about=role.about,
        permissions=frozenset(pattern for _, pattern in _patterns(role)),
        never=frozenset(role.never),
        own_accounts=role.own_accounts,
        grant_days_max=role.grant_days_max,
        masks={place: _mask(table, place, mask, views) for place, mask in role.masks.items()},
    )


def _patterns(role: _Role) -> Iterator[tuple[str, str]]:
    """Yield key and pattern of all that a role may do."""
    for key, kind in (("commands", COMMAND), ("queries", QUERY), ("live", LIVE), ("manage", MANAGE)):
        for name in getattr(role, key):
            yield key, permission(kind, name)


def _require_usable(table: str, key: str, pattern: str, views: Mapping[str, Collection[str]] | None) -> None:
    if flaw := flaw_of(pattern, views):
        raise _Flaw(table, key, flaw)


def _mask(table: str, place: str, mask: str, views: Mapping[str, Collection[str]] | None) -> Mask:
    view, _, field = place.rpartition(".")
    where = f"{table}.masks"
    if not view or not field:
        raise _Flaw(where, place, "a mask's key is `view.field`, or `*.field` for every view")
    if mask not in _MASKS:
        raise _Flaw(where, place, f"`{mask}` is no mask: {', '.join(_MASKS)}{did_you_mean(mask, _MASKS)}")
    if views is not None:
        if view != "*" and view not in views:
            raise _Flaw(where, place, f"there is no view `{view}`{did_you_mean(view, views)}")
        fields = {one for name, of_view in views.items() if view in ("*", name) for one in of_view}
        if field not in fields:
            raise _Flaw(where, place, f"`{view}` has no field `{field}`{did_you_mean(field, fields)}")
    return "hidden" if mask == "hidden" else "last_four"


def _placed(text: str, flaw: _Flaw) -> str:
    """Return a flaw in one line: the line of the file if it is found, table and key."""
    places = places_of(text)
    at = places.get(Place(flaw.table, 0, flaw.key), places.get(Place(flaw.table, 0, "")))
    line = "" if at is None else f"line {line_and_column(text, at)[0]}: "
    named = ": ".join(part for part in (flaw.table, flaw.key) if part)
    return f"{line}{named}: {flaw.said}" if named else f"{line}{flaw.said}"
