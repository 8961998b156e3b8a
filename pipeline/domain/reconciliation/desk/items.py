"""Postings and lines of events as rows have them, and rows as matching sees them.

Words are worked out when they are needed: most items find their reference first. Until then their `Texts` are
in memory, and an item that is still open when its row is written gets its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.assigning.blocking import REFERENCES_MAX, first_keys, keys_of_words
from pipeline.domain.reconciliation.assigning.surroundings import settled_names
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    EARLIER,
    INFORMATION,
    NEWEST,
    REFERENCE,
    Entry,
    Line,
    Posting,
)
from pipeline.domain.reconciliation.groups.bounds import DETAILS_MAX
from pipeline.domain.reconciliation.scoring.item import CHARGE, Item
from pipeline.domain.reconciliation.texts.charges import says_charge
from pipeline.domain.reconciliation.texts.inside import references_inside
from pipeline.domain.reconciliation.texts.instructed import instructed_amount
from pipeline.domain.reconciliation.texts.references import strong_reference
from pipeline.domain.reconciliation.texts.words import word_tokens

DESCRIPTION, COUNTERPARTY = "description", "counterparty"
"""Entries of a posting's metadata that say what it is for and whom it is from or to."""
KINDS = frozenset({"FEE", "REVERSAL", "BATCH", "INFORMATION"})
"""What a statement may say of a line; another text counts as nothing."""


_NOTHING: dict[str, str] = {}
_ONE_WORD = re.compile(r"[A-Za-z0-9._/-]*")


class Texts(msgspec.Struct, frozen=True, gc=False):
    """What an item's words are worked out from."""

    free: tuple[str, ...] = ()
    party: tuple[str, ...] = ()


NO_TEXTS = Texts()


def posting_of(event: ev.PostingRecorded) -> tuple[Posting, Texts]:
    """Return a posting, not due yet, and its texts."""
    said = event.metadata or _NOTHING
    description, party = said.get(DESCRIPTION, ""), said.get(COUNTERPARTY, "")
    reference = event.reference or ""
    found: dict[str, None] = {}
    _add_strong(found, (event.payment_id, event.entry_id))
    own = len(found)
    _add_strong(found, (reference,))
    _add_inside(found, (_with_others(reference), description))
    posting = Posting(
        event.tenant_id,
        event.account_id,
        event.posting_id,
        event.currency,
        event.amount_minor if event.side == "CREDIT" else -event.amount_minor,
        event.occurred_at // MICROSECONDS_PER_DAY,
        event.account_sequence,
        0,
        (),
        tuple(found)[:REFERENCES_MAX],
        own_ids=own,
    )
    free = [text for text in (reference, event.purpose, description, party) if text]
    return posting, Texts(tuple(free), (party,) if party else ())


def line_of(event: ev.StatementLine, line_id: str, content: bytes, twin: bytes) -> tuple[Line, Texts]:
    """Return a line, not due yet, and its texts. `line_id`, `content`, `twin`: as the chain says."""
    description, name, account = event.description, event.counterparty_name, event.counterparty_account
    reference = event.external_reference or ""
    found: dict[str, None] = {}
    _add_strong(found, (reference, event.end_to_end_id, event.bank_reference))
    _add_inside(found, (description, _with_others(reference)))
    original = instructed_amount(description, event.currency)
    if event.original_amount_minor is not None and event.original_currency:
        original = abs(event.original_amount_minor), event.original_currency
    line = Line(
        event.tenant_id,
        event.account_id,
        event.statement_id,
        event.line_no,
        event.currency,
        event.amount_minor,
        event.value_date,
        0,
        "",
        content,
        False,
        line_id=line_id,
        references=tuple(found)[:REFERENCES_MAX],
        booked_day=event.booked_at // MICROSECONDS_PER_DAY,
        kind=_kind_of(event),
        original=original,
        fee_minor=event.fee_minor or 0,
        details=_details(event) if event.details else (),
        twin=twin,
    )
    free = [text for text in (description, name, reference) if text]
    return line, Texts(tuple(free), (name,) if name else (account,) if account else ())


def _kind_of(event: ev.StatementLine) -> str:
    if event.entry_kind in KINDS:
        return event.entry_kind
    if event.is_reversal:
        return "REVERSAL"
    if event.details is not None and len(event.details) > 1:
        return "BATCH"
    return CHARGE if event.amount_minor < 0 and says_charge(event.description) else ""


def _details(
    event: ev.StatementLine,
) -> tuple[tuple[int, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]:
    """Return the payments of a batch booking; none where one has no amount, or there are too many."""
    details = event.details or ()
    if len(details) < 2 or len(details) > DETAILS_MAX:
        return ()
    sign, found = -1 if event.amount_minor < 0 else 1, []
    for one in details:
        if one.amount_minor is None or (one.currency or event.currency) != event.currency:
            return ()
        texts = [text for text in (one.reference, one.description) if text]
        found_in: dict[str, None] = {}
        _add_strong(found_in, (one.reference,))
        _add_inside(found_in, texts)
        references = tuple(found_in)
        party = word_tokens((one.counterparty,)) if one.counterparty else ()
        words = word_tokens([*texts, one.counterparty or ""])
        amount = sign * abs(one.amount_minor)
        found.append((amount, event.currency, references[:REFERENCES_MAX], words, party))
    return tuple(found)


def _strong(texts: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    _add_strong(found, texts)
    return tuple(found)


def _add_strong(found: dict[str, None], texts: Iterable[str | None]) -> None:
    """Add texts that are references as a whole."""
    for text in texts:
        if text and "\0" not in text:
            form = strong_reference(text)
            if form:
                found[form] = None


def _add_inside(found: dict[str, None], texts: Iterable[str]) -> None:
    """Add the references inside texts."""
    for text in texts:
        if text:
            for one in references_inside(text):
                found[one] = None


def _with_others(reference: str) -> str:
    """Return a reference if others may be inside it; nothing of a single word: it is all that is inside."""
    return "" if _ONE_WORD.fullmatch(reference) else reference


def with_words(entry: Entry, texts: Texts) -> Entry:
    """Return an item with the words of its texts."""
    return msgspec.structs.replace(
        entry, words=word_tokens(texts.free), counterparty=word_tokens(texts.party)
    )


def taken_over(entry: Entry) -> Entry:
    """Return an item of an earlier row in the newest form."""
    if entry.form != EARLIER:
        return entry
    if isinstance(entry, Posting):
        own = _strong(entry.ids)
        references = tuple(dict.fromkeys((*own, *_strong(entry.references))))[:REFERENCES_MAX]
        return msgspec.structs.replace(entry, form=NEWEST, ids=(), references=references, own_ids=len(own))
    return msgspec.structs.replace(
        entry, form=NEWEST, references=_strong((entry.reference,)), reference="", ripe=False
    )


def booked_day_of(entry: Entry) -> int:
    """Return the day of an item's booking, days since 1970-01-01."""
    booked = None if isinstance(entry, Posting) else entry.booked_day
    return entry.day if booked is None else booked


def as_item(entry: Entry) -> Item:
    """Return an item as matching sees it; its words are those that its row has."""
    if isinstance(entry, Posting):
        return Item(
            entry.key,
            False,
            entry.currency,
            entry.amount_minor,
            entry.day,
            entry.day,
            entry.references,
            entry.own_ids,
            entry.words,
            entry.counterparty,
        )
    return Item(
        entry.key,
        True,
        entry.currency,
        entry.amount_minor,
        entry.day,
        booked_day_of(entry),
        entry.references,
        0,
        entry.words,
        entry.counterparty,
        entry.kind,
        entry.original,
    )


def details_of(line: Line) -> list[Item]:
    """Return the payments of a batch booking as items of the line's dates."""
    booked = booked_day_of(line)
    return [
        Item(b"", True, currency, amount, line.day, booked, references, 0, words, party)
        for amount, currency, references, words, party in line.details
    ]


def index_keys(entry: Entry) -> list[bytes]:
    """Return the keys that an item has in the index of its account, in its state."""
    if entry.status in (CLAIMED, INFORMATION) or entry.form == EARLIER:
        return []
    item = as_item(entry)
    return first_keys(item) + keys_of_words(item, entry.sought) if entry.sought else first_keys(item)


def settled_keys(entry: Entry) -> list[bytes]:
    """Return the keys by which a matched item is found by what has its references: a repeat, or a fee.

    A posting that was matched by reference has none: its line has one in common with it, and is found.
    """
    if entry.status != CLAIMED or entry.form == EARLIER:
        return []
    if isinstance(entry, Posting) and entry.tier == REFERENCE:
        return []
    names = entry.references or settled_names(as_item(entry))
    end = b"\0" + entry.key
    return [b"s" + one.encode() + end for one in names]
