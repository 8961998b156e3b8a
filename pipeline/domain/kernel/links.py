"""Links: several payments of one debtor that are booked together, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PAYMENTS_MAX = 100
"""The most payments of one link."""


def is_no_link(payments: Sequence[Any]) -> bool:
    """Whether these payments can be no link: none, too many, or one payment id twice."""
    return not 1 <= len(payments) <= PAYMENTS_MAX or len({one.payment_id for one in payments}) < len(payments)
