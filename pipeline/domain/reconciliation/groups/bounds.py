"""The bounds of the search for groups, and what a set must be worth. README.md says why each is as it is."""

from __future__ import annotations

CANDIDATES_MAX = 64
"""Open items of a side that one search looks at: those like the due item, then the nearest in days."""
SMALL_MAX = 20
"""A block of at most so many items is searched over all its sets."""
FEW_MAX = 4
"""Of a larger block: sets of at most so many items, and sets that leave out at most so many."""
VISITS_MAX = 30_000
"""Sums that one search looks at; what is found when they are used up is suggested at most."""
SETS_MAX = 64
"""Sets that are kept of one block; where there are more, none is the only one."""
TOTALS_MAX = 4
"""Items of the other side whose parts an item may be one of: the likeliest."""
SUGGESTIONS_MAX = 3
"""Groups that are suggested for one item."""
DETAILS_MAX = 1_000
"""Details of a batch booking."""

WINDOW_DAYS = 31
"""A line comes at most so many days after its posting."""
EARLY_DAYS = 1
"""A line is dated at most so many days before its posting."""
REVERSAL_DAYS = 60
"""A reversal comes at most so many days after what it reverses; direct debits go back for eight weeks."""
REPEAT_TEXT_DAYS = 4
"""A line that repeats amount and text without any reference within so many days is a duplicate: the next
working day, a holiday included; later it may be next week's."""
REPEAT_DAYS = 7
"""A line that repeats a reference and an amount within so many days is a duplicate; later, next month's."""

CONFIRM_FROM = 5_000
"""What a group must be worth to be confirmed, milli-log-odds: about 150 to 1."""
MARGIN = 2_000
"""How much less every other set with one of its items must be worth, milli-log-odds."""
SUGGEST_FROM = -2_000
"""What a group must be worth to be suggested: one of eight such sets is meant."""
PART_PER_MILLE = 900
"""One item of at most so much of another's amount is a part of it; nearer it is a wrong amount."""
LIKE_FROM = 500
"""Two items with so much of the shorter text in common, per mille, are like each other."""
WORDS_FROM = 40
"""What common words must say together, tenths of a bit: one item of sixteen has them."""
CLOSE_FROM = 100
"""What common words say, tenths of a bit, of two items that are surely of one business: one of a thousand."""
