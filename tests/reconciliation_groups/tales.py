"""Tales of groups and breaks: the text files of this folder, read and played.

    tests/reconciliation_groups/*.txt -> read_tales -> Tale(name, steps) -> play

A tale puts items on a desk and asks what becomes of them. README.md of this folder has the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pipeline.domain.kernel.amounts import amount_text
from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.rates import UNIT_E8
from pipeline.domain.reconciliation.groups.around import Around
from pipeline.domain.reconciliation.groups.batches import find_batch
from pipeline.domain.reconciliation.groups.found import Found, Group
from pipeline.domain.reconciliation.groups.kinds import name_kind
from pipeline.domain.reconciliation.groups.partial import find_partial
from pipeline.domain.reconciliation.groups.reversals import find_reversal
from pipeline.domain.reconciliation.groups.search import find_group
from pipeline.domain.reconciliation.scoring.item import Item

FOLDER = Path(__file__).parent
BY_HAND = "worked out by hand"
_COMMENT = re.compile(r"(^|\s)#.*")
_TIMES = re.compile(r"(\d+)x\s+(.*)")
_OPTIONS = {"day", "booked", "ref", "own", "words", "party", "kind", "original"}


class TaleError(ValueError):
    """A tale that cannot be read: `file:line: why`."""


@dataclass(frozen=True)
class Step:
    """A line of a tale: what is put on the desk or asked, and what must be answered."""

    place: str
    text: str
    answer: str | None


@dataclass
class Tale:
    """One desk from nothing."""

    name: str
    place: str
    by_hand: bool = False
    """Whether its answers were worked out from the contract, by hand, before any program ran it."""
    steps: list[Step] = field(default_factory=list)


def read_tales(folder: Path = FOLDER) -> list[Tale]:
    """Return the tales of a folder. Raises TaleError for a line that is none."""
    return [tale for path in sorted(folder.glob("*.txt")) for tale in _read(path)]


def _read(path: Path) -> Iterable[Tale]:
    tales: list[Tale] = []
    for number, raw in enumerate(path.read_text("utf-8").splitlines(), 1):
        place, line = f"{path.name}:{number}", _COMMENT.sub("", raw).strip()
        if line.startswith("tale: "):
            tales.append(Tale(line.removeprefix("tale: "), place))
        elif line and not tales:
            raise TaleError(f"{place}: a tale begins with its name")
        elif line == BY_HAND:
            tales[-1].by_hand = True
        elif line:
            tales[-1].steps += _steps(place, line)
    return tales


def _steps(place: str, line: str) -> list[Step]:
    """Return the step of a line; of `3x posting P{n} ...` three, with 1 to 3 for {n}."""
    text, arrow, answer = line.partition("=>")
    times = _TIMES.fullmatch(text.strip())
    texts = [text.strip()]
    if times is not None:
        texts = [times[2].replace("{n}", str(one)) for one in range(1, int(times[1]) + 1)]
    return [Step(place, one, answer.strip() if arrow else None) for one in texts]


def minor(text: str, currency: str) -> int:
    """Return an amount, minor units, that has the currency's decimals."""
    if len(text.partition(".")[2]) != EXPONENTS[currency]:
        raise ValueError(f"{text} has not the decimals of {currency}")
    return int(text.replace(".", ""))


def item_of(words: list[str]) -> Item:
    """Return the item that `posting NAME AMOUNT [CURRENCY] [option=value ...]` describes."""
    what, name, amount, *rest = words
    currency = rest.pop(0) if rest and "=" not in rest[0] else "EUR"
    options = dict(one.split("=", 1) for one in rest)
    assert set(options) <= _OPTIONS, f"unknown: {set(options) - _OPTIONS}"
    day = int(options.get("day", 0))
    original = None
    if "original" in options:
        number, unit = options["original"].split(":")
        original = (minor(number, unit), unit)
    return Item(
        key=name.encode(),
        is_line=what != "posting",
        currency=currency,
        amount_minor=minor(amount, currency),
        day=day,
        booked_day=int(options.get("booked", day)),
        references=_texts(options.get("ref")),
        own_ids=int(options.get("own", 0)),
        words=tuple(sorted(_texts(options.get("words")))),
        counterparty=tuple(sorted(_texts(options.get("party")))),
        kind=options.get("kind", ""),
        original=original,
    )


def _texts(value: str | None) -> tuple[str, ...]:
    return tuple(value.split(",")) if value else ()


class Account:
    """What a tale's account knows (`scoring.known.Known`): a word says ten bits, a common one nothing."""

    def __init__(self) -> None:
        self.common: frozenset[str] = frozenset()
        self._rates: dict[tuple[str, str], int] = {}

    def quote(self, source: str, target: str, rate: Decimal) -> None:
        """Learn units of the target for one of the source."""
        minor_rate = rate * Decimal(10) ** (EXPONENTS[target] - EXPONENTS[source])
        self._rates[source, target] = round(minor_rate * UNIT_E8)
        self._rates[target, source] = round(UNIT_E8 / minor_rate)

    def rarity(self, word: str) -> int:
        """Return what a word says, tenths of a bit."""
        return 0 if word in self.common else 100

    def usual_lag(self, counterparty: tuple[str, ...]) -> int:
        """Return the usual lag, days."""
        return 0

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        """Return the rate from minor to minor units."""
        return self._rates.get((source, target))

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        """Return the currencies with a rate."""
        return tuple(sorted(target for source, target in self._rates if source == currency))


class Desk:
    """The items of a tale, and the answers to what it asks. `turned`: every list comes in the other order."""

    def __init__(self, turned: bool) -> None:
        self._turned = turned
        self._open: dict[str, Item] = {}
        self._settled: dict[str, Item] = {}
        self._details: dict[str, list[Item]] = {}
        self._known = Account()
        self._asked: dict[str, Callable[[str], str]] = {
            "group": lambda name: said(find_group(self._open[name], self._around(name))),
            "reverse": lambda name: said(find_reversal(self._open[name], self._around(name))),
            "batch": self._batch,
            "partial": self._partial,
            "kind": self._kind,
            "say": self._say,
        }

    def does(self, text: str) -> str | None:
        """Do a step and return the answer; None: it is no question."""
        word, *rest = text.split()
        if word in self._asked:
            return "; ".join(dict.fromkeys(self._asked[word](name) for name in rest))
        if word in ("posting", "line"):
            self._open[rest[0]] = item_of([word, *rest])
        elif word == "detail":
            line = self._open[rest[0]]
            dates = (f"day={line.day}", f"booked={line.booked_day}")
            self._details.setdefault(rest[0], []).append(item_of([word, *rest, *dates]))
        elif word == "matched":
            self._settled |= {name: self._open.pop(name) for name in rest}
        elif word == "common":
            self._known.common = frozenset(rest)
        elif word == "rate":
            self._known.quote(rest[0], rest[1], Decimal(rest[2]))
        else:
            raise ValueError(f"no such word: {word}")
        return None

    def _around(self, name: str) -> Around:
        due = self._open[name]
        items = [item for item in self._open.values() if item is not due]
        settled = list(self._settled.values())
        if self._turned:
            items, settled = items[::-1], settled[::-1]
        return Around(
            self._known,
            tuple(item for item in items if item.is_line == due.is_line),
            tuple(item for item in items if item.is_line != due.is_line),
            tuple(settled),
        )

    def _batch(self, name: str) -> str:
        around = self._around(name)
        batch = find_batch(self._open[name], self._details[name], around.other, self._known)
        named = " ".join("?" if key is None else key.decode() for key in batch.postings)
        return said(batch.found) + f" of {named}" + ("" if batch.sure else " unsure")

    def _partial(self, name: str) -> str:
        found = find_partial(self._open[name], self._around(name))
        if found is None:
            return "none"
        unit = self._open[name].currency
        paid, left = amount_text(found.paid_minor, unit), amount_text(found.left_minor, unit)
        return f"{found.total.decode()} by {names(found.parts)} paid {paid} left {left}"

    def _kind(self, name: str) -> str:
        named = name_kind(self._open[name], self._around(name))
        if named is None:
            return "none"
        others = "".join(f" {key.decode()}" for key in named.others)
        return f"{named.kind}{others} {amount_text(named.difference_minor, self._open[name].currency)}"

    def _say(self, name: str) -> str:
        named = name_kind(self._open[name], self._around(name))
        return "nothing" if named is None else named.text


def names(keys: Iterable[bytes]) -> str:
    """Return keys as a tale writes them."""
    return " + ".join(key.decode() for key in keys)


def said(found: Found) -> str:
    """Return what was found as a tale writes it."""
    return " ".join((found.outcome.lower(), ", ".join(_group(group) for group in found.groups))).strip()


def _group(group: Group) -> str:
    fee = f" fee {amount_text(group.fee_minor, 'EUR')}" if group.fee_minor else ""
    return f"{group.rule} {names(group.lines) or 0} = {names(group.postings) or 0}{fee}"


def play(tale: Tale, *, turned: bool = False) -> None:
    """Play a tale. Raises AssertionError with file and line where an answer is another one."""
    desk = Desk(turned)
    for step in tale.steps:
        try:
            answer = desk.does(step.text)
        except (ValueError, KeyError, AssertionError) as error:
            raise TaleError(f"{step.place}: {step.text}: {error}") from error
        assert answer == step.answer, f"{step.place}: {step.text}\n  says {answer}\n  must {step.answer}"
