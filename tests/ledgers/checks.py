"""What a tale looks at, and what moves between branches: everything that is no command.

Each reader takes a line's words and returns what is done with a player. Raises ValueError for words that it
does not know; what is done raises AssertionError where the ledger is not as the tale says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import ticked
from tests.ledgers.words import BRANCHES, CURRENCY, MILLISECOND, Words, account_id, minor, when

Answers = list[tuple[str, ...]]
Act = Callable[[Any], Answers]


def _looks(look: Callable[[Any], None]) -> Act:
    """Return an act that answers nothing."""

    def act(player: Any) -> Answers:
        look(player)
        return []

    return act


def _same(found: Any, wanted: Any) -> None:
    assert found == wanted, f"the ledger has {found}, the tale {wanted}"


def _expect(words: Words) -> Act:
    key, balance = f"{words.tenant_id}/{words.account()}", words.amount()
    held = incoming = 0
    status, frozen = "OPEN", "NONE"
    while words.rest:
        match words.next("a word"):
            case "held":
                held = words.amount()
            case "incoming":
                incoming = words.amount()
            case "frozen":
                frozen = words.next("a side")
            case "closed":
                status = "CLOSED"
            case word:
                raise ValueError(f"`{word}` is not understood")

    def look(player: Any) -> None:
        said = player.balance(key)
        found = said.balance_minor, said.debits_pending, said.credits_pending, said.status, said.frozen
        _same(found, (balance, held, incoming, status, frozen))
        _same(said.available_minor, balance - held)

    return _looks(look)


def _counters(words: Words) -> Act:
    key, wanted = f"{words.tenant_id}/{words.account()}", []
    for side in ("debits", "credits"):
        if words.next(side) != side:
            raise ValueError(f"`{side} PENDING POSTED` is missing")
        wanted += [words.amount(), words.amount()]

    def look(player: Any) -> None:
        said = player.balance(key)
        found = [said.debits_pending, said.debits_posted, said.credits_pending, said.credits_posted]
        _same(found, wanted)

    return _looks(look)


def _clearing(words: Words) -> Act:
    wanted, currency = words.amount(), words.next_if(CURRENCY.fullmatch) or "EUR"
    return _looks(lambda player: _same(player.clearing(currency), wanted))


def _entries(words: Words) -> Act:
    wanted = []
    while words.rest:
        debit, _, credit = words.next("DEBIT->CREDIT").partition("->")
        wanted.append((account_id(debit), account_id(credit), words.amount()))
    return _looks(lambda player: _same(player.new_entries(), wanted))


def _days(words: Words) -> Act:
    account, wanted = words.account(), []
    while words.rest:
        day, _, asked = words.next("a day").removesuffix(")").partition("(")
        wanted.append((when(day), when(asked) if asked else None))
    return _looks(lambda player: _same(player.value_times(account), wanted))


def _past(words: Words) -> Act:
    account, wanted = words.account(), []
    while words.rest:
        word = words.next("BALANCE(DAY) or `unchecked`")
        balance, _, day = word.removesuffix(")").partition("(")
        wanted.append((None, None) if word == "unchecked" else (minor(balance), when(day)))
    return _looks(lambda player: _same(player.warnings(account), wanted))


def _said_of(field: Callable[[Any], str]) -> Callable[[Words], Act]:
    """Return the reader of `WORD ACCOUNT value value ...`: what an account's postings say, in order."""

    def read(words: Words) -> Act:
        account, wanted = words.account(), []
        while words.rest:
            wanted.append(words.next("a word"))
        return _looks(lambda player: _same(list(map(field, player.postings(account))), wanted))

    return read


def _subject(posting: Any) -> str:
    return posting.actor.subject if posting.actor is not None else "nobody"


def _approver(posting: Any) -> str:
    return posting.approved_by.split()[-1] if posting.approved_by is not None else "nobody"


def _entry(posting: Any) -> str:
    return ",".join(":".join(pair) for pair in (posting.metadata or {}).items()) or "none"


def _exchange(posting: Any) -> str:
    """Return both amounts, minor units, and the rate: `1000EUR/1080USD@1.08EUR`; `!`: it was named."""
    by = posting.exchange
    if by is None:
        return "none"
    amounts = f"{by.debtor_amount_minor}{by.debtor_currency}/{by.creditor_amount_minor}{by.creditor_currency}"
    named = "!" if by.rate_event_id is None else ""
    return f"{amounts}@{by.rate_e8 / 10**8:.10g}{by.rate_currency}{named}"


def _deliver(words: Words) -> Act:
    branch = words.next_if(str.isdigit)
    return lambda player: player.deliver(None if branch is None else int(branch))


def _repeat(words: Words) -> Act:
    name = words.next("a command between branches")
    kind = getattr(ev, "".join(part.title() for part in name.split("_")), None)
    if kind is None:
        raise ValueError(f"no event is called `{name}`")
    happened = words.option("on", when)
    changes: dict[str, Any] = {**words.options}
    words.options.clear()
    if happened is not None:
        changes["occurred_at"] = happened

    def act(player: Any) -> Answers:
        last = player.ledger.said(kind)[-1]
        answers: Answers = player.tell(structs.replace(last, **changes), last.occurred_at)
        return answers

    return act


def _tick(words: Words) -> Act:
    time = when(words.next("a day"))
    seen, branch = words.option("seen", when), words.option("branch", int)
    recorded_at = -(-(time if seen is None else seen) // MILLISECOND) * MILLISECOND

    def act(player: Any) -> Answers:
        answers: Answers = []
        for number in range(BRANCHES) if branch is None else (branch,):
            answers += player.tell(ticked(f"tick {number} {time}", number, time), recorded_at)
        return answers

    return act


CHECKS: dict[str, Callable[[Words], Act]] = {
    "expect": _expect,
    "counters": _counters,
    "clearing": _clearing,
    "entries": _entries,
    "days": _days,
    "past": _past,
    "actors": _said_of(_subject),
    "approvers": _said_of(_approver),
    "labels": _said_of(_entry),
    "exchanges": _said_of(_exchange),
    "deliver": _deliver,
    "tick": _tick,
    "repeat": _repeat,
}
