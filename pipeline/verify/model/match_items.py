"""What the judge of matching knows of one account: postings and lines, and what has become of them.

    PostingRecorded, StatementLine -> arrive -> Item -> found again by what results name it

Written from the contract of reconciliation (its READMEs and schemas). Amounts are minor units, a credit is
positive; days count from 1970-01-01; times are microseconds UTC.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.match_protected import references_said
from pipeline.verify.model.match_references import Counted, references_of, squeezed
from pipeline.verify.model.match_texts import currencies_said
from pipeline.verify.model.wire import DAY_US

Say = Callable[[str, str], None]
"""Takes the name of a problem and what is wrong."""
Place = tuple[str, int]
"""A statement and a number in it."""
REJECTED_MAX = 16
"""How many rejections an item keeps."""
SPARE_MAX = 64
"""How many lines that came again an account keeps: the bank may adopt one."""


@dataclass(eq=False)
class Match:
    """Items that are one thing."""

    items: tuple[Item, ...]
    tier: str


@dataclass(eq=False)
class Item:
    """A posting of the books, or a line of a statement."""

    name: str
    is_line: bool
    currency: str
    amount: int
    day: int
    """A posting's date; a line's value date."""
    booked_day: int
    came_at: int
    """The account's event time when it came."""
    number: int = 0
    """The number of its event in the account."""
    ids: frozenset[str] = frozenset()
    """Of a posting: what names no other payment."""
    references: frozenset[str] = frozenset()
    """All other references."""
    constants: frozenset[str] = frozenset()
    """Those of its references that too many items had when it came."""
    texts: tuple[str, ...] = ()
    """All free texts as they are written."""
    kind: str = ""
    originals: frozenset[str] = frozenset()
    """The other currencies in which something may have been instructed: as the bank says, or in its text."""
    place: Place | None = None
    content: tuple[Any, ...] = ()
    line_id: str | None = None
    match: Match | None = None
    break_id: str | None = None
    """Its break that is open."""
    has_ended: bool = False
    """Whether it has had a break, or was matched: it is not forgotten."""
    ended_at: int = 0
    """When it was matched last."""
    rejected: deque[frozenset[Item]] = field(default_factory=lambda: deque(maxlen=REJECTED_MAX))

    @property
    def text(self) -> str:
        """All its texts without blanks and punctuation."""
        return squeezed(" ".join(map(references_said, self.texts)))

    def is_twin_of(self, other: Item) -> bool:
        """Whether nothing but the name tells two items of one side apart."""
        return (
            self is not other
            and (self.is_line, self.currency, self.amount, self.day, self.booked_day)
            == (other.is_line, other.currency, other.amount, other.day, other.booked_day)
            and self.says_as_much_as(other)
        )

    def says_as_much_as(self, other: Item) -> bool:
        """Whether both have the same texts and no references."""
        return self.is_plain and other.is_plain and self.texts == other.texts

    @property
    def is_plain(self) -> bool:
        """Whether only its amount, days and texts say something."""
        return not self.references and not self.kind and not self.originals

    @property
    def names(self) -> frozenset[str]:
        """All references."""
        return self.ids | self.references


@dataclass
class Account:
    """One account."""

    tenant: str
    name: str
    time: int = 0
    """Its event time."""
    before: int = 0
    """Its event time before its last event."""
    clock: int = 0
    """The clock of the branch at its last event."""
    events: int = 0
    """How many events it has had."""
    postings: dict[str, Item] = field(default_factory=dict)
    places: dict[Place, list[Item]] = field(default_factory=dict)
    lines: dict[str, Item] = field(default_factory=dict)
    """By the key that results have named them by."""
    spare: dict[Place, Item] = field(default_factory=dict)
    """The last of the lines that came again, at each place."""
    alike: dict[tuple[str, int], set[Item]] = field(default_factory=dict)
    """The items that are not matched, by currency and amount."""
    pairs: int = 0
    """How many confirmed pairs it has had."""
    longest_lag: int = 0
    """The most days from a posting to its line, of confirmed pairs."""
    counted: dict[bool, Counted] = field(default_factory=lambda: {True: Counted(), False: Counted()})
    """How often references came: of lines, and of postings."""

    def arrive(self, item: Item) -> None:
        """Let an item be open from now on."""
        item.constants = self.counted[item.is_line].see(item.names)
        item.number = self.events
        self.open(item)

    def open(self, item: Item) -> None:
        item.match = None
        self.alike.setdefault((item.currency, item.amount), set()).add(item)

    def claim(self, match: Match) -> None:
        """Let items be one match."""
        for item in match.items:
            item.match, item.has_ended = match, True
            found = self.alike.get((item.currency, item.amount), set())
            found.discard(item)
            if not found:
                self.alike.pop((item.currency, item.amount), None)
        lines = [item for item in match.items if item.is_line]
        if len(lines) == 1 and len(match.items) == 2:
            posting = next((item for item in match.items if not item.is_line), None)
            if posting is not None:
                self.pairs += 1
                self.longest_lag = max(self.longest_lag, lines[0].booked_day - posting.day)

    def line(self, ref: dict[str, Any], amount: int | None = None) -> Item | None:
        """Return the line that a result or a person names.

        Where several lines had the place, a new key is given to the first of this amount that is not matched.
        """
        place, key = (ref["statement_id"], ref["line_no"]), ref.get("line_id")
        if key is not None and key in self.lines:
            known = self.lines[key]
            return known if known.place == place else None
        here = self.places.get(place, [])
        if key is None:
            return here[-1] if here else None
        nameless = [one for one in here if one.line_id is None]
        if not nameless and place in self.spare:
            nameless = [self.spare.pop(place)]
            self.places.setdefault(place, []).append(nameless[0])
            self.arrive(nameless[0])
        fitting = [one for one in nameless if amount is None or one.amount == amount] or nameless
        found = next((one for one in fitting if one.match is None), fitting[0] if fitting else None)
        if found is not None:
            found.line_id = key
            self.lines[key] = found
        return found

    def come(self, item: Item) -> bool:
        """Take in a line; return whether it is a new item. The same content at its place is none."""
        assert item.place is not None
        here = self.places.get(item.place, [])
        if any(one.content == item.content for one in here):
            self.spare[item.place] = item
            if len(self.spare) > SPARE_MAX:
                del self.spare[next(iter(self.spare))]
            return False
        self.places.setdefault(item.place, []).append(item)
        self.arrive(item)
        return True

    def forget(self, item: Item) -> None:
        """Let an item that has ended go."""
        if item.is_line:
            assert item.place is not None
            here = self.places.get(item.place, [])
            if item in here:
                here.remove(item)
            if not here:
                self.places.pop(item.place, None)
            self.lines.pop(item.line_id or "", None)
        else:
            self.postings.pop(item.name.removeprefix("posting "), None)


def posting_of(event: dict[str, Any], time: int) -> Item:
    """Return the posting of an event."""
    sign = 1 if event["side"] == "CREDIT" else -1
    day = event["occurred_at"] // DAY_US
    metadata = event.get("metadata") or {}
    ids = (event.get("payment_id"), event.get("entry_id"), event.get("journal_id"), event.get("reverses"))
    return Item(
        f"posting {event['posting_id']}",
        False,
        event["currency"],
        sign * event["amount_minor"],
        day,
        day,
        time,
        ids=references_of(ids),
        references=references_of((event.get("reference"),)) - references_of(ids),
        texts=tuple(text for text in (event.get("reference"), *metadata.values()) if text),
    )


def line_of(event: dict[str, Any], time: int) -> Item:
    """Return the line of an event."""
    names = ("external_reference", "end_to_end_id", "bank_reference")
    texts = ("external_reference", "description", "counterparty_name", "counterparty_account")
    kind = event.get("entry_kind") or ""
    if event.get("is_reversal"):
        kind = "REVERSAL"
    place = (event["statement_id"], event["line_no"])
    content = ("external_reference", "amount_minor", "currency", "booked_at", "value_date", "description")
    details = event.get("details") or ()
    return Item(
        f"line {place[0]}/{place[1]}",
        True,
        event["currency"],
        event["amount_minor"],
        event["value_date"],
        event["booked_at"] // DAY_US,
        time,
        references=references_of(
            [*(event.get(name) for name in names), *(one["reference"] for one in details)]
        ),
        texts=tuple(text for name in texts if (text := event.get(name))),
        kind=kind if kind in ("FEE", "REVERSAL", "BATCH", "INFORMATION") else "",
        originals=originals_of(event),
        place=place,
        content=tuple(event[name] for name in content),
    )


def originals_of(event: dict[str, Any]) -> frozenset[str]:
    """Return the other currencies in which a line may have been instructed."""
    if event.get("original_currency"):
        return frozenset((event["original_currency"],))
    return currencies_said(event["description"] or "", event["currency"])
