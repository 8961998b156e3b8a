"""Bounds of what people say about breaks, and of what a break remembers."""

from __future__ import annotations

TEXT_CHARS_MAX = 2000
"""Of a comment, a reason or a reference."""
ASSIGNEE_CHARS_MAX = 256
ACTIONS_MAX = 256
"""The most actions on one break: their ids are remembered, so that a repeat has no effect."""
COMMENTS_MAX = 200
"""From so many actions on a break takes no comments, assignments and disputes: decisions have room."""
LEGS_MAX = 20
"""The most legs of a correction. The ledger takes more, but they wait in the row of the break."""
ITEMS_MAX = 100
"""The most lines, and the most postings, that a person confirms or rejects as one match."""
POSTINGS_MAX = 200
"""The most postings of corrections, and of their reversals, that a break counts; more are plain items."""
COUNTERPARTS_MAX = 20
"""The most lines, and the most postings, that a break names as what its item was held against."""
