"""What a worker says of the past, held against a plain walk over the lines of the model.

lines of every account -> questions: the busiest accounts and some others, times by chance within the run
                       -> GET /balances/{tenant}/{account}?as_of=&known_at= | a walk -> the first difference
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from pipeline.verify.findings import Problem
from pipeline.verify.model.history import Line
from tests.chaos.log_reader import TIMEOUT_S

Account = tuple[str, str]
Lines = Mapping[Account, Sequence[Line]]
"""Of every account, in the order of booking."""

BUSIEST, OTHERS, QUESTIONS = 4, 6, 8
TIME_MAX = 10**16
"""What a view takes as a time, microseconds; an input may have been absurd."""
ID_MAX = 1_000
NOT_FOUND = 404


class Question(NamedTuple):
    """What was an account, of what had happened by `as_of` and was booked by `known_at`? Microseconds."""

    account: Account
    as_of: int | None
    known_at: int | None

    @property
    def path(self) -> str:
        """The question as a worker is asked it."""
        times = {"as_of": self.as_of, "known_at": self.known_at}
        given = urllib.parse.urlencode({name: time for name, time in times.items() if time is not None})
        return f"/balances/{'/'.join(urllib.parse.quote(part, safe='') for part in self.account)}?{given}"


Ask = Callable[[Question], Mapping[str, Any] | None]
"""Returns what is said of the account; None where there is nothing that early."""


def walk(lines: Sequence[Line], as_of: int | None, known_at: int | None) -> tuple[int, int, int] | None:
    """Return (balance, held, lines booked by then); None where no line counts."""
    known = [line for line in lines if known_at is None or line.booked_at <= known_at]
    if as_of is None:
        return (known[-1].balance, known[-1].held_after, len(known)) if known else None
    counted = [line for line in known if line.effective_at <= as_of]
    if not counted:
        return None
    return sum(line.posted for line in counted), sum(line.held for line in counted), len(known)


def questions(lines: Lines, chance: Random) -> Iterator[Question]:
    """Yield questions about some accounts; each has one time at least, often that of a line."""
    accounts = sorted(account for account in lines if all(len(part) <= ID_MAX for part in account))
    accounts.sort(key=lambda account: -len(lines[account]))
    others = accounts[BUSIEST:]
    for account in [*accounts[:BUSIEST], *chance.sample(others, min(OTHERS, len(others)))]:
        value_times = sorted(line.effective_at for line in lines[account])
        booking_times = [line.booked_at for line in lines[account]]
        for number in range(QUESTIONS):
            as_of = None if number % 4 == 0 else _time(value_times, chance)
            known_at = None if number % 4 == 1 else _time(booking_times, chance)
            yield Question(account, as_of, known_at)


def _time(times: Sequence[int], chance: Random) -> int:
    """Return the time of a line, or just before or after it, or any from the first to the last."""
    near = chance.choice(times) + chance.choice((-1, 0, 0, 1))
    found = chance.choice((near, near, chance.randint(times[0], times[-1])))
    return max(-TIME_MAX, min(TIME_MAX, found))


def compare_past(where: str, lines: Lines, chance: Random, ask: Ask) -> list[Problem]:
    """Ask, and return the first answer that a walk over the lines does not find."""
    for question in questions(lines, chance):
        expected, answer = walk(lines[question.account], question.as_of, question.known_at), ask(question)
        said = None
        if answer is not None:
            said = tuple(answer[name] for name in ("balance_minor", "held_minor", "lines"))
            if answer["available_minor"] != said[0] - said[1]:
                text = f"{question} has {answer['available_minor']} available of {said}"
                return [Problem("past", where, -1, -1, text)]
        if said != expected:
            return [Problem("past", where, -1, -1, f"{question} is {said}, not {expected}")]
    return []


def asking(url: str) -> Ask:
    """Return how a worker is asked."""

    def ask(question: Question) -> Mapping[str, Any] | None:
        try:
            with urllib.request.urlopen(url.rstrip("/") + question.path, timeout=TIMEOUT_S) as answer:
                about: dict[str, Any] = json.load(answer)["data"]
                return about
        except urllib.error.HTTPError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    return ask
