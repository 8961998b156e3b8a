"""A debtor's habits: learned from approved payments, and unlearned where a payment proves to be fraud.

Written once over `f`, as `paying` is.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.bounds import HABITS_MAX, SQUARE_SHIFT, STATISTIC_MAX
from pipeline.domain.fraud.features.layout import HOUR_S
from pipeline.domain.fraud.features.paying import Paying


def learn(f: Any, m: Any, g: Any, p: Paying, approved: Any) -> None:
    """Add an approved payment to the debtor's habits."""
    one = f.where(approved, 1, 0)
    m[at.P_APPROVED] = m[at.P_APPROVED] + one
    m[at.P_APPROVED_S] = f.where(approved, f.most(m[at.P_APPROVED_S], p.at_s), m[at.P_APPROVED_S])
    g[at.G_APPROVED] = g[at.G_APPROVED] + one
    f.change(m, at.DEVICES, p.device, at.APPROVED, 1, approved & (p.device > 0))
    f.change(m, at.COUNTRIES, p.country, at.APPROVED, 1, approved & (p.country > 0))
    _learn_hours(f, m, p, approved, one)
    known = approved & p.known
    x = f.where(known, f.least(p.amount, STATISTIC_MAX), 0)
    n = m[at.P_AMOUNTS] + f.where(known, 1, 0)
    total, squares = m[at.P_SUM] + x, m[at.P_SQUARES] + (x * x >> SQUARE_SHIFT)
    half = f.where(n >= HABITS_MAX, 1, 0)
    m[at.P_AMOUNTS], m[at.P_SUM], m[at.P_SQUARES] = n >> half, total >> half, squares >> half
    largest, second = f.get(m, at.P_LARGEST), f.get(m, at.P_SECOND)
    paid = f.where(known, p.amount, 0)
    m[at.P_LARGEST] = f.most(largest, paid)
    m[at.P_SECOND] = f.most(second, f.least(largest, paid))


def _learn_hours(f: Any, m: Any, p: Paying, approved: Any, one: Any) -> None:
    band = p.at_s // (6 * HOUR_S) % 4
    bands = [m[at.P_BANDS + place] + f.where(approved & (band == place), 1, 0) for place in range(4)]
    half = f.where(bands[0] + bands[1] + bands[2] + bands[3] >= HABITS_MAX, 1, 0)
    for place, count in enumerate(bands):
        m[at.P_BANDS + place] = count >> half
    is_round = approved & (f.trailing_zeros(p.minor, p.scale) >= 1)
    m[at.P_ROUND] = (m[at.P_ROUND] + f.where(is_round, 1, 0)) >> half


def relearn(f: Any, m: Any, g: Any, p: Paying, approved: Any) -> None:
    """Take back `unlearn`: the payment is genuine after all."""
    m[at.P_FRAUDS] = f.most(m[at.P_FRAUDS] - 1, 0)
    learn(f, m, g, p, approved)


def unlearn(f: Any, m: Any, g: Any, p: Paying, approved: Any) -> None:
    """Take a payment that is labelled fraud out of the habits; `approved`: whether it was in them.

    What was halved since then is taken off in part; the largest amount falls to the second largest.
    """
    m[at.P_FRAUDS] = m[at.P_FRAUDS] + 1
    one = f.where(approved, 1, 0)
    m[at.P_APPROVED] = f.most(m[at.P_APPROVED] - one, 0)
    g[at.G_APPROVED] = f.most(g[at.G_APPROVED] - one, 0)
    f.change(m, at.DEVICES, p.device, at.APPROVED, -1, approved & (p.device > 0))
    f.change(m, at.COUNTRIES, p.country, at.APPROVED, -1, approved & (p.country > 0))
    band = p.at_s // (6 * HOUR_S) % 4
    for place in range(4):
        off = f.where(approved & (band == place), 1, 0)
        m[at.P_BANDS + place] = f.most(m[at.P_BANDS + place] - off, 0)
    is_round = approved & (f.trailing_zeros(p.minor, p.scale) >= 1)
    m[at.P_ROUND] = f.most(m[at.P_ROUND] - f.where(is_round, 1, 0), 0)
    known = approved & p.known & (m[at.P_AMOUNTS] > 0)
    x = f.where(known, f.least(p.amount, STATISTIC_MAX), 0)
    m[at.P_AMOUNTS] = m[at.P_AMOUNTS] - f.where(known, 1, 0)
    m[at.P_SUM] = f.most(m[at.P_SUM] - x, 0)
    m[at.P_SQUARES] = f.most(m[at.P_SQUARES] - (x * x >> SQUARE_SHIFT), 0)
    was = known & (m[at.P_LARGEST] == p.amount)
    largest, second = f.get(m, at.P_LARGEST), f.get(m, at.P_SECOND)
    m[at.P_LARGEST] = f.where(was, second, largest)
    m[at.P_SECOND] = f.where(was, 0, second)
