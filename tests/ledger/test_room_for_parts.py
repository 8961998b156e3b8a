"""Near 2^63, on two branches: whatever fills up between two halves of an entry, both are posted, or none.

The accounts that fill clearing up have no limit, so that clearing is what has no room left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.ledger.clearing_room import room_of
from pipeline.domain.ledger.journal_parts import posted_legs, split
from pipeline.domain.ledger.journals import unpack_journal
from pipeline.domain.ledger.pairs import Leg, pairs_of
from tests.examples import examples
from tests.ledger.branches import clearing_total
from tests.ledgers.engines import first_difference_of
from tests.ledgers.player import Player
from tests.ledgers.tale import tale_of
from tests.ledgers.words import account_id

PLACES = ("A", "B", "C", "D.1", "E.1", "F.1")
FULL = ("X->Z.2", "W.2->Y", "X.1->Z.2", "W.2->Y.1")
"""Who pays whom to fill one side of clearing on one of the two branches; the third only serves for that."""
OPEN = "\n".join(f"open {place} limit=none" for place in (*PLACES, "X", "Y", "X.1", "Y.1", "W.2", "Z.2"))
_legs = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(["DEBIT", "CREDIT"]), st.integers(1, 50), st.integers(0, 50)
    ),
    min_size=1,
    max_size=8,
)


@examples(200)
@given(_legs)
def test_with_its_room_clearing_holds_as_much_for_a_part_and_its_rest_as_for_both(
    drawn: list[tuple[int, str, int, int]],
) -> None:
    legs = [
        Leg(no, entry, f"a{no}", side, amount, "EUR") for no, (entry, side, amount, _) in enumerate(drawn)
    ]
    now, rest = split(legs, {no: min(part, amount) for no, (_, _, amount, part) in enumerate(drawn)})
    whole = _held_by_clearing(legs)
    assert whole == _held_by_clearing(now) + _held_by_clearing(rest)
    sums = {side: sum(leg.amount_minor for leg in legs if leg.side == side) for side in ("DEBIT", "CREDIT")}
    assert (whole["debits"], whole["credits"]) == (sums["CREDIT"], sums["DEBIT"])


def _held_by_clearing(legs: list[Leg]) -> Counter[str]:
    room = room_of(legs, (0, 1)).get("EUR", 0)
    found = Counter(debits=room, credits=room)
    for pair in pairs_of(legs, 0):
        found["debits"] += pair.amount if pair.debit_leg is None else 0
        found["credits"] += pair.amount if pair.credit_leg is None else 0
    return found


class Held(NamedTuple):
    """A journal as a story has submitted it: its home, and the amounts of its legs, debits negative."""

    name: str
    home: str
    amounts: list[int]


def _text(amount: int) -> str:
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02}"


_little = st.integers(1, 60)
_amounts = st.one_of(*[_little] * 9, st.sampled_from([INT64_MAX, INT64_MAX - 30, 2**62]))
_filled = st.integers(0, 40).map(lambda left: INT64_MAX - left)


@st.composite
def _stories(draw: st.DrawFn) -> str:
    """Return lines of a tale: clearing is filled, then commands and what branches send come mixed."""
    full = draw(st.lists(st.sampled_from(FULL), min_size=1, max_size=2, unique=True))
    fills = [f"pay F{number} {who} {_text(draw(_filled))}" for number, who in enumerate(full)]
    lines = [OPEN, *fills, "deliver"]
    homes = [place for place in PLACES if ("." in place) != (".1" in full[0])]
    journals: list[Held] = []
    payments: list[tuple[str, str]] = []
    for number in range(draw(st.integers(4, 25))):
        lines += draw(_lines(number, homes, journals, payments))
        lines += draw(st.sampled_from([[], [], ["deliver"], ["deliver 0"], ["deliver 1"]]))
    return "\n".join([*lines, "deliver", "tick 9", "deliver"])


@st.composite
def _lines(
    draw: st.DrawFn, number: int, homes: list[str], journals: list[Held], payments: list[tuple[str, str]]
) -> list[str]:
    """Return a command, and perhaps a delivery; `homes`: the accounts of the branch that is less full."""
    what = draw(st.sampled_from(["pay", "journal", "journal", *["part"] * 4, "end", "about", "link"]))
    first, second, third, fourth = draw(st.permutations(PLACES))[:4]
    if what == "pay":
        payments.append((f"P{number}", first))
        how = draw(st.sampled_from(["", "", " until=9", " REVIEW"]))
        return [f"pay P{number} {first}->{second} {_text(draw(_amounts))}{how}"]
    if what == "link":
        pays = " ".join(f"Q{number}{to[0]}->{to} {_text(draw(_amounts))}" for to in (second, third))
        return [f"link L{number} {first} {pays}"]
    if what == "journal":
        if draw(st.sampled_from([True, True, False])):  # both sides of the entry on both branches
            first = draw(st.sampled_from(homes))
            second, third, fourth = draw(_both_sides(first))
        debit, other, taken = draw(_amounts), draw(_little), draw(st.integers(0, 60))
        total = min(debit + other, INT64_MAX)
        credit = 1 + taken % (total - 1)
        amounts = [-(total - other), -other, credit, total - credit]
        journals.append(Held(f"J{number}", first, amounts))
        legs = zip((first, second, third, fourth), amounts, strict=True)
        how = draw(st.sampled_from(["hold=9"] * 4 + [""]))
        line = f"journal J{number} {' '.join(f'{one} {_text(amount)}' for one, amount in legs)} {how}"
        return [line, *draw(st.sampled_from([["deliver"]] * 3 + [[]]))]
    if what in ("part", "end") and journals:
        name, home, amounts = draw(st.sampled_from(journals[-2:]))
        if what == "end":
            word = draw(st.sampled_from(["confirm {}", "void {}", "undo {} R" + str(number)]))
            verb, _, rest = word.format(f"{name} {home}").partition(" ")
            return [f"{verb} {rest}"]
        debit, credit = draw(st.sampled_from([0, 1])), draw(st.sampled_from([2, 3]))
        most = min(-amounts[debit], amounts[credit])
        part = _text(draw(st.sampled_from([most, most, 1, (most + 1) // 2])))
        keep = draw(st.sampled_from([" keep", " keep", ""]))
        return [f"confirm {name} {home} K{number} {debit + 1}:{part} {credit + 1}:{part}{keep}"]
    if payments:
        name, debtor = draw(st.sampled_from(payments))
        word = draw(st.sampled_from(["capture", "unpay", "approve", "cancel"]))
        more = {"capture": f" C{number} {_text(draw(_little))}", "unpay": f" R{number}"}.get(word, "")
        return [f"{word} {name} {debtor}{more}"]
    return []


def _both_sides(home: str) -> st.SearchStrategy[tuple[str, str, str]]:
    """Return another debtor and two creditors: one on the branch of `home`, two on the other."""
    here = [place for place in PLACES if place != home and ("." in place) == ("." in home)]
    there = [place for place in PLACES if ("." in place) != ("." in home)]
    return st.tuples(st.sampled_from(here), st.permutations(there), st.booleans()).map(
        lambda found: (
            (found[1][0], found[1][1], found[0]) if found[2] else (found[1][0], found[0], found[1][1])
        )
    )


def _told(story: str) -> Player:
    """Play a story, whatever its lines are answered."""
    player = Player(tale_of(story))
    for step in player.tale.steps:
        step.act(player)
    return player


def _journals(player: Player) -> Iterator[tuple[str, dict[tuple[str, str], int]]]:
    """Yield what is posted of each journal as its home knows it, by account and side, minor units."""
    for branch in player.ledger.branches:
        for key, row in branch.rows.scan(b"j\0"):
            posted = Counter[tuple[str, str]]()
            for leg in posted_legs(unpack_journal(row)):
                posted[leg.account_id, leg.side] += leg.amount_minor
            yield key.decode().split("\0")[2], dict(posted)


@examples(60)
@given(_stories())
def test_near_the_bound_both_halves_of_an_entry_are_posted_or_none(story: str) -> None:
    player = _told(story)
    ledger = player.ledger
    assert ledger.dead() == [], "nothing that a branch says is refused by another as no command"
    assert clearing_total(ledger) == 0
    posted: dict[str | None, Counter[tuple[str, str]]] = {}
    for one in ledger.said(ev.PostingRecorded):
        if not one.account_id.startswith("$"):
            posted.setdefault(one.journal_id, Counter())[one.account_id, one.side] += one.amount_minor
    for journal_id, expected in _journals(player):
        assert posted.get(journal_id, {}) == expected, "what the home calls posted is on both branches"
    for place in PLACES:
        account = ledger.account(account_id(place))
        assert account is not None
        assert max(account.debits_posted + account.debits_pending, account.credits_posted) <= INT64_MAX
    assert first_difference_of(ledger, player.tale.settings) is None
    for one in ledger.said(ev.JournalUpdated):
        note(f"{one.state} {one.code}")
