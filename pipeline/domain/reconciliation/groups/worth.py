"""What a set with the right sum is worth: how unlikely it is that some set has that sum by chance.

    sums that there could be / sets that were looked at, as milli-log-odds, and what else speaks for the set

Three amounts of 100.00 have few different sums, and amounts to the cent have many; of five items there are
few sets, and of sixty there are millions. So round amounts among many items are never sure, and all three
invoices of a customer are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, gcd

from pipeline.domain.reconciliation.groups.bounds import WINDOW_DAYS
from pipeline.domain.reconciliation.groups.fees import fee_limit
from pipeline.domain.reconciliation.groups.likeness import Likeness
from pipeline.domain.reconciliation.scoring.item import Item

BATCH = "BATCH"
REFERENCE, DETAILS, REVERSAL = "REFERENCE", "DETAILS", "REVERSAL"
COUNTERPARTY, PARTY, DAY, WINDOW = "COUNTERPARTY", "PARTY", "DAY", "WINDOW"

_LN_2_MILLI = 693
_EIGHTHS = 8

NOTHING_UNKNOWN = -1
"""All was searched; else what the most telling rule is worth that was not searched to its end."""
SAME_REFERENCE = 7_000
"""All of the set have a reference in common with what they add up to."""
SAME_PARTY = 2_500
"""All of the set are like what they add up to, by the other party or the words."""
SAME_DAY = 300
"""All of the set are of one day."""
DETAIL_UNSURE = -7_000
"""A detail of a batch could as well have had another posting."""
RULES_WORTH = {
    REFERENCE: SAME_REFERENCE,
    DETAILS: SAME_REFERENCE,
    REVERSAL: SAME_REFERENCE,
    COUNTERPARTY: SAME_PARTY,
    DAY: SAME_DAY,
    PARTY: 0,
    WINDOW: 0,
}
"""What each rule says for a group besides the amount: the more, the more telling it is."""
SAID_TO_BE_A_BATCH = 2_000
"""The statement says that the line is a batch booking."""
FEE_TAKEN = -2_000
"""The sum is right only less a fee."""
WANTED = -6_000
"""An item of the set has another counterpart of exactly its amount, or the sum itself has."""
SLIP = -12_000
"""An item of the set may be the whole sum, written wrongly: what it lacks is round, as others are."""
OTHER_PARTY = -1_500
"""An item of the set names another party than what they add up to, which is no batch."""
DAY_APART = -100
"""Of each day between the first and the last of the set ..."""
DAY_WAITED = -50
"""... and of each day from the last of the set to what they add up to."""


def log_milli(number: int) -> int:
    """Return the natural logarithm of a positive integer, in thousandths.

    The bits of its eighth power are eighths of its own: exact to 0.09.
    """
    return (_LN_2_MILLI * (int(number**_EIGHTHS).bit_length() - 1)) // _EIGHTHS


def amount_worth(total: Item, members: Sequence[Item], fee_minor: int) -> int:
    """Return how many sums there could have been instead of the right one, as milli-log-odds."""
    if fee_minor:
        return log_milli(max(abs(total.amount_minor) // fee_limit(total.amount_minor, total.currency), 1))
    return round_worth(total.amount_minor, members)


def round_worth(amount_minor: int, members: Sequence[Item]) -> int:
    """Return how many other amounts are as round as the members', up to the amount; as milli-log-odds."""
    unit = gcd(*(member.amount_minor for member in members))
    return log_milli(max(abs(amount_minor) // unit, 1))


def sets_worth(members: int, block: int, blocks: int) -> int:
    """Return how many sets were looked at that are as plain as this one, as negative milli-log-odds.

    A set is plain if it has few items or leaves few out; all of the block is the plainest.
    """
    few = sum(comb(block, size) for size in range(1, members + 1))
    rest = sum(comb(block, size) for size in range(block - members + 1))
    return -log_milli(min(few, rest) * blocks)


def days_worth(total: Item, members: Sequence[Item]) -> int:
    """Return what the days between the items cost."""
    days = [member.day for member in members]
    apart = min(max(days) - min(days), WINDOW_DAYS)
    waited = min(min(abs(total.day - days_at) for days_at in (min(days), max(days))), WINDOW_DAYS)
    return DAY_APART * apart + DAY_WAITED * waited


def party_worth(total: Item, members: Sequence[Item], alike: Likeness) -> int:
    """Return what names of other parties cost; a batch is of many parties."""
    if total.kind == BATCH:
        return SAID_TO_BE_A_BATCH
    return OTHER_PARTY if any(alike.of_others(total, member) for member in members) else 0
