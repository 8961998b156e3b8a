"""Permissions by name: `command:payment_initiated`, `query:balances`, `live:payment-events`, `manage:keys`.

A pattern covers several: `command:payments.*` all commands of a topic, `query:reconciliation/*` all views
below a path, `query:*` all of a kind. What no pattern covers is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import schemas
from pipeline.domain.fraud.expressions.problems import did_you_mean
from schemas.topics import topics

COMMAND, QUERY, LIVE, MANAGE = "command", "query", "live", "manage"
KINDS = (COMMAND, QUERY, LIVE, MANAGE)
MANAGED = frozenset({"roles", "keys", "sessions", "signing-keys"})
"""What an administrator manages."""
ALL = "*"


def permission(kind: str, name: str) -> str:
    """Return the permission of one thing, or the pattern of several."""
    return f"{kind}:{name}"


@cache
def commands() -> dict[str, str]:
    """Return the topic of every event that a person or program may send, by the event's name."""
    written = {
        topic.name
        for topic in topics()
        if (topic.stage == "input" and topic.written_by != "gateway") or topic.written_by == "operators"
    }
    return {schema.event: schema.topic for schema in schemas.load() if schema.topic in written}


@cache
def live_topics() -> frozenset[str]:
    """Return the topics that can be followed."""
    return frozenset(topic.name for topic in topics() if topic.stage == "output")


def covers(pattern: str, asked: str) -> bool:
    """Return whether a pattern covers a permission, which is none itself."""
    if pattern == asked:
        return not asked.endswith(ALL)
    kind, _, name = pattern.partition(":")
    asked_kind, _, asked_name = asked.partition(":")
    if kind != asked_kind or not asked_name or not name.endswith(ALL):
        return False
    if name == ALL:
        return asked_name in commands() if kind == COMMAND else True
    if kind == COMMAND:
        return commands().get(asked_name) == name.removesuffix(".*")
    return name.endswith("/*") and asked_name.startswith(name.removesuffix(ALL))


def flaw_of(pattern: str, views: Collection[str] | None = None) -> str | None:
    """Return what is wrong with a pattern, None where it covers something.

    `views`: names of all views; None where they are not known, and names of views are not checked.
    """
    kind, _, name = pattern.partition(":")
    if kind not in KINDS:
        return f"`{kind}` is no kind of permission: {', '.join(KINDS)}{did_you_mean(kind, KINDS)}"
    if name == ALL:
        return None
    known = _names_of(kind, views)
    if known is None or name in known:
        return None
    return f"there is no {_NOUNS[kind]} `{name}`{did_you_mean(name, known)}"


_NOUNS = {COMMAND: "command", QUERY: "view", LIVE: "topic to follow", MANAGE: "thing to manage"}


def _names_of(kind: str, views: Collection[str] | None) -> frozenset[str] | None:
    """Return what can stand in a pattern of a kind, None if that is not known."""
    if kind == COMMAND:
        return frozenset(commands()) | {f"{topic}.*" for topic in commands().values()}
    if kind == QUERY:
        paths = {view.rpartition("/")[0] + "/*" for view in views or () if "/" in view}
        return None if views is None else frozenset(views) | paths
    return live_topics() if kind == LIVE else MANAGED
