"""What people say of matches: whom they name, whether it was done, and whether a refusal is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.verify.model.match_items import Account, Item, Say


@dataclass(frozen=True)
class Asked:
    """The items that a person names."""

    items: tuple[Item, ...] = ()
    unknown: tuple[str, ...] = ()
    was_matched: bool = False
    """Whether one of them was matched when it was asked."""


def asked_of(account: Account, name: str, event: dict[str, Any]) -> Asked:
    """Return what a decision on a match names; nothing for other events."""
    if name not in ("MatchConfirmed", "MatchRejected"):
        return Asked()
    items: list[Item] = []
    unknown: list[str] = []
    for ref in event["lines"]:
        line = account.line(ref)
        if line is None:
            unknown.append(f"line {ref['line_no']} of {ref['statement_id']}")
        else:
            items.append(line)
    for posting_id in event["posting_ids"]:
        posting = account.postings.get(posting_id)
        if posting is None:
            unknown.append(f"posting {posting_id}")
        else:
            items.append(posting)
    was_matched = any(item.match is not None for item in items)
    return Asked(tuple(items), tuple(unknown), was_matched)


def check_confirmed(asked: Asked, now_matched: Sequence[Item], say: Say) -> None:
    """Check that a match that a person has confirmed is there, with just these items."""
    if asked.unknown:
        say("person", f"{asked.unknown[0]} is not known, and it was not refused")
    if asked.was_matched:
        say("person", "an item was matched before, and it was not refused")
    if asked.items and not asked.was_matched:
        match = asked.items[0].match
        if match is None or match.tier != "PERSON" or set(match.items) != set(asked.items):
            say("person", "a person's match is not done as it was asked for")
    elif not now_matched and not asked.unknown:
        say("person", "a person's match is neither done nor refused")


def check_refusal(account: Account, name: str, asked: Asked, refused: dict[str, Any], say: Say) -> None:
    """Check the reason for which a decision on a match was refused."""
    if name not in ("MatchConfirmed", "MatchRejected"):
        return
    code = refused["code"]
    if code == "already_matched" and not asked.was_matched:
        say("refusal", "none of the items is matched")
    if code == "item_not_found" and not asked.unknown:
        say("refusal", "all of the items are known")
    if code == "match_not_found" and not asked.unknown:
        match = asked.items[0].match if asked.items else None
        is_one = match is not None and set(asked.items) <= set(match.items)
        if is_one and match is not None and match.tier != "CORRECTION":
            say("refusal", "the items are one match, and no correction explains it")
