"""What an open item is: the kind of its break, and the evidence that decides.

    due, what is around it -> repeated? -> part? -> fee? -> another item of the same business? -> missing

An item is named once it is due and has neither a counterpart nor a group. What is known for sure comes before
what is likely, and MISSING is what is left. README.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.domain.reconciliation.groups import sayings
from pipeline.domain.reconciliation.groups.around import Around, counts, distance, likeness_of, pair_in_time
from pipeline.domain.reconciliation.groups.bounds import CANDIDATES_MAX
from pipeline.domain.reconciliation.groups.differences import (
    AMOUNT,
    CURRENCY,
    DATE,
    FEE,
    FX,
    INSTRUCTED,
    PARTIAL,
    REFERENCE,
    SIGN,
    Difference,
    difference,
    slip_of,
)
from pipeline.domain.reconciliation.groups.duplicates import DUPLICATE, twin_of
from pipeline.domain.reconciliation.groups.fees import KIND, fee_limit, is_charge
from pipeline.domain.reconciliation.groups.likeness import Likeness, share_reference
from pipeline.domain.reconciliation.groups.partial import Partial, find_partial
from pipeline.domain.reconciliation.scoring.item import Item

MISSING_INTERNAL, MISSING_EXTERNAL = "MISSING_INTERNAL", "MISSING_EXTERNAL"
KINDS = (
    FEE,
    FX,
    SIGN,
    DATE,
    PARTIAL,
    DUPLICATE,
    REFERENCE,
    AMOUNT,
    CURRENCY,
    MISSING_INTERNAL,
    MISSING_EXTERNAL,
)
"""All kinds of an open item; those of statements are the chain's."""

_ORDER = (FX, SIGN, FEE, REFERENCE, DATE, CURRENCY, AMOUNT, PARTIAL)
"""Of several candidates that are as like the item, the one whose difference explains most."""


class Named(msgspec.Struct, frozen=True, gc=False):
    """The kind of an open item."""

    kind: str
    others: tuple[bytes, ...]
    """The items that it has to do with, by key, in order; empty: none."""
    difference_minor: int
    """What is between bank and books, minor units: line less posting, or all of an item that is alone."""
    why: str
    """The evidence that decided, in a word or two."""
    text: str
    """What happened, for the people who clear it."""


def name_kind(due: Item, around: Around) -> Named | None:
    """Return what a due item is; None if it moves no money, so that nothing is open.

    `around.other` may have items of other currencies and days here: they are what some kinds are about.
    """
    if not counts(due):
        return None
    return (
        _said_to_be_a_fee(due, around)
        or name_partial(due, around)
        or _duplicate(due, around)
        or _fee_of_a_payment(due, around)
        or _charged(due, around)
        or _differing(due, around)
        or _missing(due, around)
    )


def alone(due: Item) -> int:
    """Return what is between bank and books of an item that only one of them has; minor units."""
    return due.amount_minor if due.is_line else -due.amount_minor


def _said_to_be_a_fee(due: Item, around: Around) -> Named | None:
    return _fee(due, _payment_of(due, around), "the statement says so") if due.kind == KIND else None


def _fee_of_a_payment(due: Item, around: Around) -> Named | None:
    """A small debit with the reference of a payment that is matched: what the bank took for it."""
    payment = _payment_of(due, around) if due.amount_minor < 0 else None
    return None if payment is None else _fee(due, payment, "small, and of a payment")


def _charged(due: Item, around: Around) -> Named | None:
    return _fee(due, _payment_of(due, around), "its text says so") if is_charge(due) else None


def _fee(due: Item, payment: Item | None, why: str) -> Named:
    others = () if payment is None else (payment.key,)
    return Named(FEE, others, alone(due), why, sayings.of_fee(due, payment))


def _payment_of(due: Item, around: Around) -> Item | None:
    """Return the payment, matched or open, whose reference a fee has."""
    payments = [
        item
        for item in (*around.settled, *around.same, *around.other)
        if item.currency == due.currency
        and abs(due.amount_minor) <= fee_limit(item.amount_minor, item.currency)
        and share_reference(item, due)
    ]
    return min(
        payments, key=lambda item: (-abs(item.amount_minor), distance(due, item), item.key), default=None
    )


def name_partial(due: Item, around: Around) -> Named | None:
    """Return the partial payment that a due item is of, by reference; None: it is of none."""
    found = find_partial(due, around)
    if found is None or _is_a_slip(found):
        return None
    others = tuple(key for key in (found.total, *found.parts) if key != due.key)
    # What the bank still has to bring is missing there; parts of a line are missing in the books.
    of_lines = due.is_line == (due.key != found.total)
    left = -found.left_minor if of_lines else found.left_minor
    return Named(PARTIAL, others, left, "parts by reference", sayings.of_partial(found, due.currency))


def _is_a_slip(found: Partial) -> bool:
    """Whether the only part is the whole amount, written wrongly."""
    return len(found.parts) == 1 and slip_of(found.paid_minor, found.paid_minor + found.left_minor) != ""


def _duplicate(due: Item, around: Around) -> Named | None:
    twin = twin_of(due, around)
    if twin is None:
        return None
    shared = sorted(set(due.references[due.own_ids :]) & set(twin.references))
    why = "same reference and amount" if shared else "same amount, day and text"
    return Named(DUPLICATE, (twin.key,), alone(due), why, sayings.of_duplicate(due, twin, shared))


def _differing(due: Item, around: Around) -> Named | None:
    """Return how a due item differs from the other side's item that is most like it."""
    ranked = []
    alike = likeness_of(around)
    near = sorted(
        filter(counts, around.other),
        key=lambda item: (
            not share_reference(due, item),
            abs(item.amount_minor) != abs(due.amount_minor),
            distance(due, item),
            item.key,
        ),
    )
    for other in near[:CANDIDATES_MAX]:
        line, posting = (due, other) if due.is_line else (other, due)
        found = difference(line, posting, around.known)
        if found is None:
            continue
        link = _link(due, other, found, around, alike)
        if link:
            ranked.append(((-link, _ORDER.index(found.kind), distance(due, other), other.key), found, other))
    if not ranked:
        return None
    _, found, other = min(ranked, key=lambda one: one[0])
    line, posting = (due, other) if due.is_line else (other, due)
    return named_pair(found, line, posting, due.key)


def named_pair(found: Difference, line: Item, posting: Item, due: bytes) -> Named:
    """Return what a line and a posting that differ are; `due`: the key of the one that has the break."""
    other = posting if due == line.key else line
    return Named(found.kind, (other.key,), found.minor, found.why, sayings.of_pair(found, line, posting))


def _link(due: Item, other: Item, found: Difference, around: Around, alike: Likeness) -> int:
    """Return what binds two items that differ.

    4 a reference, 3 rare words, 2 the party or words, and amounts that say something, 1 only the amount, 0
    too little: two payments of one party in a month are not yet one business.
    """
    if share_reference(due, other):
        return 4
    # What comes every month has its own date; it is no wrong one.
    if found.kind == DATE:
        like = alike.are_like(due, other) and not _comes_again(due, other, around, alike)
        return (3 if alike.are_close(due, other) else 2) if like else 0
    if not pair_in_time(due, other):
        return 0
    if alike.are_close(due, other):
        return 3
    if found.telling and alike.are_like(due, other):
        return 2
    alone = found.kind in (SIGN, REFERENCE) or (found.kind, found.why) == (FX, INSTRUCTED)
    return 1 if alone and not alike.of_others(due, other) and _only_one(due, other, around) else 0


def _comes_again(due: Item, other: Item, around: Around, alike: Likeness) -> bool:
    everything = (*around.same, *around.other, *around.settled)
    return any(
        item.key not in (due.key, other.key)
        and item.amount_minor == due.amount_minor
        and alike.are_like(due, item)
        for item in everything
    )


def _only_one(due: Item, other: Item, around: Around) -> bool:
    """Whether no other item of either side has the amount, with any sign."""
    return not any(_of_size(around.same, due)) and not any(
        item.key != other.key for item in _of_size(around.other, other)
    )


def _of_size(items: Iterable[Item], like: Item) -> Iterable[Item]:
    size = abs(like.amount_minor)
    return (item for item in items if abs(item.amount_minor) == size and item.currency == like.currency)


def _missing(due: Item, around: Around) -> Named:
    reversed_items = [
        item
        for item in around.settled
        if item.amount_minor == -due.amount_minor
        and item.currency == due.currency
        and share_reference(item, due)
        and item.is_line == due.is_line
    ]
    back = min(reversed_items, key=lambda item: (distance(due, item), item.key), default=None)
    kind = MISSING_INTERNAL if due.is_line else MISSING_EXTERNAL
    others = () if back is None else (back.key,)
    why = "nothing like it" if back is None else "takes a matched one back"
    return Named(kind, others, alone(due), why, sayings.of_missing(due, back))
