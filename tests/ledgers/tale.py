"""Tales: the text files of this folder, read into steps. A syntax error names its file and line.

    tests/ledgers/*.txt -> read_tales -> Tale(name, header, steps) -> `player.Player`

README.md of this folder has the format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import structs

from tests.ledgers.checks import CHECKS
from tests.ledgers.commands import COMMANDS, envelope_of
from tests.ledgers.words import Words, minor

FOLDER = Path(__file__).parent
BY_HAND = "worked out by hand"
_COMMENT = re.compile(r"(^|\s)#.*")
_TIMES = re.compile(r"(\d+)x\s+(.*)")
_TENANT = re.compile(
    r"tenant \S+ (closed|[A-Z]{3}( [A-Z]{3})*|two( corrections| limits| \d+\.\d\d [A-Z]{3})+)"
)


class TaleError(ValueError):
    """A tale that cannot be read: `file:line: why`."""


@dataclass(frozen=True)
class Step:
    """One line of a tale: what is done or looked at, and the answers that it must give."""

    place: str
    """`file:line`."""
    text: str
    act: Callable[[Any], list[tuple[str, ...]]]
    """Takes a player; returns each answer in all the forms in which a tale may write it."""
    answers: tuple[str, ...]


class Settings(NamedTuple):
    """The settings of the ledger that a tale's header asks for."""

    window_days: int
    holds_max: int
    ended_max: int
    tenants: str
    backdating: str


@dataclass
class Tale:
    """One ledger from nothing, its settings and its steps."""

    name: str
    place: str
    by_hand: bool = False
    """Whether its results were worked out from the contract, by hand, before any program ran it."""
    window_days: int = 90
    holds_max: int = 1000
    ended_max: int = 2000
    backdating: str = "book"
    tenants: list[str] = field(default_factory=list)
    """What tenants may do, such as `acme closed` or `acme EUR USD`."""
    steps: list[Step] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """Return the settings that the header asks for."""
        return Settings(
            self.window_days, self.holds_max, self.ended_max, self._tenants_toml(), self.backdating
        )

    def _tenants_toml(self) -> str:
        lines = []
        for told in self.tenants:
            tenant, *words = told.split()
            said = "closed = true" if words == ["closed"] else f"currencies = {words}".replace("'", '"')
            lines += [f"[tenants.{tenant}]", _four_eyes(words[1:]) if words[0] == "two" else said]
        return "\n".join(lines)


def _four_eyes(words: list[str]) -> str:
    """Return the setting of what needs two people: `corrections`, `limits`, reviews from `100.00 EUR` on."""
    said = [f"{word} = true" for word in words if word.islower()]
    least = [f"{code} = {minor(amount)}" for amount, code in pairwise(words) if code.isupper()]
    said.append(f"reviews = {{ {', '.join(least)} }}")
    return f"four_eyes = {{ {', '.join(said)} }}"


def read_tales(folder: Path = FOLDER) -> list[Tale]:
    """Return the tales of all files of a folder.

    Raises: TaleError for a file that is not written as README.md says, or two tales of one name.
    """
    tales = [tale for path in sorted(folder.glob("*.txt")) for tale in tales_of(path.read_text(), path.name)]
    places: dict[str, str] = {}
    for tale in tales:
        if tale.name in places:
            raise TaleError(f"{tale.place}: the name of this tale is taken by {places[tale.name]}")
        places[tale.name] = tale.place
    return tales


def tales_of(text: str, file: str) -> Iterator[Tale]:
    """Yield the tales of one file.

    Raises: TaleError.
    """
    tale = None
    for number, raw in enumerate(text.splitlines(), 1):
        line, place = _COMMENT.sub("", raw).strip(), f"{file}:{number}"
        if line.startswith("tale:"):
            if tale is not None:
                yield _finished(tale)
            tale = Tale(line.removeprefix("tale:").strip(), place)
        elif line and tale is None:
            raise TaleError(f"{place}: a file of tales begins with `tale: its name`")
        elif line and tale is not None:
            _add(tale, line, place)
    if tale is not None:
        yield _finished(tale)


def tale_of(text: str) -> Tale:
    """Return the one tale of a text without a header, for tests that look at more than a tale can say.

    Raises: TaleError.
    """
    (tale,) = tales_of(f"tale: of a test\n{text}", "text")
    return tale


def _finished(tale: Tale) -> Tale:
    if not tale.name or not tale.steps:
        raise TaleError(f"{tale.place}: a tale has a name and at least one step")
    return tale


def _add(tale: Tale, line: str, place: str) -> None:
    """Add a line to a tale: of its header, or a step."""
    if line.split()[0] in ("worked", "window", "holds", "ends", "tenant", "backdating"):
        if tale.steps:
            raise TaleError(f"{place}: `{line}` belongs before the first step")
        _add_header(tale, line, place)
        return
    times = _TIMES.fullmatch(line)
    for number in range(1, int(times[1]) + 1) if times else (0,):
        text = times[2].replace("{n}", str(number)) if times else line
        tale.steps.append(_step(text, place, len(tale.steps) + 1))


def _add_header(tale: Tale, line: str, place: str) -> None:
    if line == BY_HAND:
        tale.by_hand = True
    elif re.fullmatch(r"window \d+", line):
        tale.window_days = int(line.split()[1])
    elif re.fullmatch(r"holds \d+", line):
        tale.holds_max = int(line.split()[1])
    elif re.fullmatch(r"ends \d+", line):
        tale.ended_max = int(line.split()[1])
    elif re.fullmatch(r"backdating (book|refuse)", line):
        tale.backdating = line.split()[1]
    elif _TENANT.fullmatch(line):
        tale.tenants.append(line.removeprefix("tenant "))
    else:
        raise TaleError(f"{place}: `{line}` is no header")


def _step(line: str, place: str, number: int) -> Step:
    """Return the step that a line describes; `number` makes the id of its event."""
    command, arrow, expected = line.partition("=>")
    verb, *rest = command.split()
    answers = _expected(expected)
    if arrow and not all(answers):
        raise TaleError(f"{place}: an answer between two commas is empty")
    words = Words(rest)
    try:
        if verb in CHECKS:
            act = CHECKS[verb](words)
        elif verb in COMMANDS:
            about, recorded_at = envelope_of(words, number)
            event = COMMANDS[verb](words, about)
            act = _Put(event, recorded_at)
        else:
            raise ValueError(f"no command is called `{verb}`")
        words.end()
    except ValueError as error:
        raise TaleError(f"{place}: {error}: {line}") from error
    return Step(place, line, act, answers)


def _expected(text: str) -> tuple[str, ...]:
    """Return the answers of a line; `3x expired` are three."""
    answers: list[str] = []
    for answer in text.split(",") if text.strip() else ():
        times = _TIMES.fullmatch(answer.strip())
        answers += [times[2]] * int(times[1]) if times else [answer.strip()]
    return tuple(answers)


@dataclass(frozen=True)
class _Put:
    """Give a command to its branch."""

    event: Any
    recorded_at: int

    def __call__(self, player: Any) -> list[tuple[str, ...]]:
        event = self.event
        if hasattr(event, "content_hash"):
            event = structs.replace(event, content_hash=player.content_hash(event))
        answers: list[tuple[str, ...]] = player.tell(event, self.recorded_at)
        return answers


def codes_in(tales: Iterable[Tale]) -> set[str]:
    """Return every result code that the answers of tales name, of dead letters too."""
    answers = {answer for tale in tales for step in tale.steps for answer in step.answers}
    words = {word for answer in answers for word in answer.split()[1:]}
    return {word for word in words if re.fullmatch(r"[a-z_]+", word)} - {"leg"}
