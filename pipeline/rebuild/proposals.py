"""What to propose after a change of rules: one correction an account whose posted balance differs.

    comparison -> the accounts that are uneven, what waits already, the accounts to book against (`Balances`)
    Balances   -> corrections, and the accounts that get none, each with the reason (`propose`)

Only posted balances are put right. What is held ends by itself or by a command, and states of payments are
what their upstreams were told: neither can be changed by a journal. Accounts of the ledger's own get no
correction: each branch sums to zero, so clearing is even when all other accounts are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import fits
from pipeline.domain.kernel.routing import INTERNAL_PREFIX
from pipeline.domain.ledger.journals import HELD, PREPARING, unpack_journal
from pipeline.domain.ledger.proposals import OPEN, unpack_proposal
from pipeline.domain.ledger.rows import (
    ACCOUNT_ROW,
    CLOSED,
    FROZEN_NAMES,
    JOURNAL_ROW,
    PROPOSAL_ROW,
    Account,
    unpack_account,
)
from pipeline.rebuild.corrections import PREFIX, Cause, Party, correction

PROPOSALS_MAX = 10_000
"""Corrections of one run; a later run has the next."""
_OPEN = (PREPARING, HELD)


class Uneven(NamedTuple):
    """An account whose posted balance is another one after a replay; amounts in minor units."""

    branch: int
    party: Party
    account: Account | None
    """The live one; None: it is not open."""
    currency: str
    live_minor: int
    rebuilt_minor: int

    @property
    def change_minor(self) -> int:
        """What the live balance has to change by."""
        return self.rebuilt_minor - self.live_minor

    @property
    def notes(self) -> str:
        """What may keep an approved correction from being booked, in words; empty: nothing."""
        account = self.account
        if account is None:
            return "not open"
        words = ["closed"] if account.status == CLOSED else []
        if account.frozen:
            words.append(f"frozen {FROZEN_NAMES[account.frozen]}")
        left = account.available_minor + self.change_minor
        if account.limit_minor is not None and self.change_minor < 0 and left < -account.limit_minor:
            words.append("insufficient funds")
        return ", ".join(words)


class Balances:
    """Collects from a comparison what proposals are made of."""

    def __init__(self, against: Collection[Party] = ()) -> None:
        """`against`: the accounts to book corrections against."""
        self.uneven: list[Uneven] = []
        self.more = 0
        """How many accounts are uneven besides."""
        self.held_differ = 0
        """How many accounts differ in what is held."""
        self.waiting: dict[Party, str] = {}
        """Accounts with a correction that is not decided yet, and its id."""
        self.correcting: dict[Party, Account] = {}
        """Those of `against` that are open."""
        self._against = frozenset(against)

    def look(self, branch: int, key: bytes, live: bytes | None, rebuilt: bytes | None) -> None:
        """Look at one row in both versions. Raises UnreadableRow."""
        family, *parts = key.decode(errors="replace").split("\0")
        if family == ACCOUNT_ROW.family:
            self._look_at_account(branch, Party(*parts), live, rebuilt)
        elif live is not None and family == JOURNAL_ROW.family and parts[1].startswith(PREFIX):
            journal = unpack_journal(live)
            if journal.state in _OPEN:
                self.waiting[Party(parts[0], journal.account_id)] = parts[1]
        elif live is not None and family == PROPOSAL_ROW.family and _waits(parts[2], live):
            self.waiting[Party(*parts[:2])] = parts[2]

    def _look_at_account(self, branch: int, party: Party, live: bytes | None, rebuilt: bytes | None) -> None:
        one, other = (None if row is None else unpack_account(row) for row in (live, rebuilt))
        if one is not None and party in self._against:
            self.correcting[party] = one
        known = one or other
        assert known is not None, "a row is in one version at least"
        if party.account_id.startswith(INTERNAL_PREFIX):
            return
        balances = [0 if account is None else account.balance_minor for account in (one, other)]
        held = [(0, 0) if account is None else (account.debits_pending, account.credits_pending)
                for account in (one, other)]  # fmt: skip
        self.held_differ += held[0] != held[1]
        if balances[0] == balances[1]:
            return
        if len(self.uneven) == PROPOSALS_MAX:
            self.more += 1
            return
        self.uneven.append(Uneven(branch, party, one, known.currency, *balances))


def _waits(proposal_id: str, row: bytes) -> bool:
    """Whether a proposal is a correction that is not decided."""
    return proposal_id.startswith(PREFIX) and unpack_proposal(row).state == OPEN


class Proposed(NamedTuple):
    """A correction to send, and what may keep it from being booked."""

    event: ev.JournalSubmitted
    uneven: Uneven


class Kept(NamedTuple):
    """An account that is uneven and gets no correction now, and why."""

    uneven: Uneven
    why: str


def propose(
    balances: Balances,
    causes: Mapping[int, Cause],
    at: int,
    booked_against: Collection[Party],
    sent: Mapping[Party, str],
    actor: ev.Actor,
) -> tuple[list[Proposed], list[Kept]]:
    """Return the corrections of uneven accounts, and the accounts that get none.

    `causes`: by branch; `at`: when they are proposed, microseconds UTC;
    `booked_against`: the accounts that earlier corrections were booked against; `sent`: the corrections that
    are in the logs after the snapshot.
    """
    proposed, kept = [], []
    chosen = {(party.tenant_id, account.currency): party for party, account in balances.correcting.items()}
    waiting = {**balances.waiting, **sent}
    closed_to = {*booked_against, *balances.correcting}
    for one in balances.uneven:
        against = chosen.get((one.party.tenant_id, one.currency))
        why = _why_not(one, against, waiting, closed_to)
        if why is not None:
            kept.append(Kept(one, why))
            continue
        assert against is not None
        about = (causes[one.branch], one.party, one.change_minor, one.currency, against.account_id, at)
        proposed.append(Proposed(correction(*about, actor), one))
    return proposed, kept


def _why_not(
    one: Uneven, against: Party | None, waiting: Mapping[Party, str], closed_to: Collection[Party]
) -> str | None:
    """Return why an account gets no correction now, or None."""
    if one.party in closed_to:
        return "it is the other side of corrections"
    if one.party in waiting:
        return f"{waiting[one.party]} waits to be decided"
    if one.account is None:
        return "it is not open in the live table"
    if against is None:
        return f"no account of {one.party.tenant_id} in {one.currency} to book against: --against"
    if not fits(one.change_minor) or not fits(-one.change_minor):
        return "the amount does not fit into 64 bits"
    return None
