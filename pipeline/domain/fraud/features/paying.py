"""What an account's payments say: attempts by window, habits, the payee as it is known, money that passes.

Each rule is written once, over `f`, which is `by_row` (integers) or `by_column` (arrays). A state and every
value of a payment is then an integer, or an array of as many as there are payments.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.bounds import (
    LEAST_FROM,
    MISSING,
    RATIO_MAX,
    SQUARE_SHIFT,
)
from pipeline.domain.fraud.features.layout import DAY_S, HOUR_S

WEEK_S = 7 * DAY_S
PRIOR_PAYMENTS = 8
"""The population counts as so many payments of the debtor's own."""
PROBE_BELOW = 100
"""Amounts under 1 EUR may test whether payments go through."""
SUMS_SHARED_MAX = 10**14
"""Larger sums count as this one where shares are made of them."""
DELAY_DAYS = 7
"""The windows of confirmed fraud end so long before a payment: until then most labels have come."""
RISK_PRIOR_PAYMENTS, RISK_PRIOR_BP = 5, 50
TAG_KEPT_S = WEEK_S


class Paying(NamedTuple):
    """A payment of the debtor's side."""

    at_s: Any
    payee: Any
    """An id; `ids.id63`."""
    device: Any
    """An id; 0 where none is named."""
    country: Any
    """An id; 0 where none is named."""
    minor: Any
    """As it stands in the payment."""
    scale: Any
    """Minor units in one unit of its currency."""
    amount: Any
    """Comparable: minor units of EUR; 0 where there is no rate."""
    known: Any
    """Whether there is a rate."""
    near: Any
    """Whether the amount is just under the reporting threshold."""
    prior_mean: Any
    """Mean of the population's approved payments in this currency, and of their squares (>> SQUARE_SHIFT)."""
    prior_square: Any
    opened_s: Any
    """When the account was opened; 0 where it is not known."""
    device_accounts: Any
    """Accounts that used the device, 30 days; 0 where none is named."""
    debtor: Any
    """An id."""


def judged(f: Any, m: Any, r: Any, c: Any, g: Any, p: Paying) -> dict[str, Any]:
    """Return the features of a payment by name, and count it among the attempts of `m` and `g`.

    m: payer; r: receiver (its first FLOW_WIDTH places are read); c: the payee's card; g: pair.
    """
    found = _itself(f, m, p)
    found |= _novelty(f, m, g, p)
    found |= _habits(f, m, p)
    found |= _probe(f, m, p)
    _count(f, m, g, p)
    found |= _windows(f, m, p)
    found |= _flow(f, m, r, p)
    found |= _payee(f, c, p)
    return found


def _itself(f: Any, m: Any, p: Paying) -> dict[str, Any]:
    last = f.get(m, at.P_LAST_S)
    first = f.get(m, at.P_FIRST_S)
    first = f.where(first == 0, p.at_s, f.least(first, p.at_s))
    first = f.where(p.opened_s > 0, f.least(first, p.opened_s), first)
    m[at.P_FIRST_S] = first
    return {
        "amount": f.where(p.known, p.amount, MISSING),
        "trailing_zeros": f.trailing_zeros(p.minor, p.scale),
        "hour_of_day": p.at_s // HOUR_S % 24,
        "day_of_week": (p.at_s // DAY_S + 3) % 7,
        "is_near_threshold": f.where(p.near, 1, 0),
        "late_by": f.most(last - p.at_s, 0),
        "since_payment": f.where((last > 0) & (last <= p.at_s), p.at_s - last, MISSING),
        "account_age": p.at_s - first,
    }


def _novelty(f: Any, m: Any, g: Any, p: Paying) -> dict[str, Any]:
    pair_last, pair_count, pair_sum = f.get(g, at.G_LAST_S), f.get(g, at.G_COUNT), f.get(g, at.G_SUM)
    device_known = (p.device > 0) & (f.highest(m, at.DEVICES, at.APPROVED) > 0)
    country_known = (p.country > 0) & (f.highest(m, at.COUNTRIES, at.APPROVED) > 0)
    other = f.newest_other(m, at.COUNTRIES, p.country, p.at_s)
    new_device = f.where(f.find(m, at.DEVICES, p.device, at.APPROVED) == 0, 1, 0)
    new_country = f.where(f.find(m, at.COUNTRIES, p.country, at.APPROVED) == 0, 1, 0)
    return {
        "is_new_payee": f.where(f.get(g, at.G_APPROVED) == 0, 1, 0),
        "is_new_device": f.where(device_known, new_device, MISSING),
        "is_new_country": f.where(country_known, new_country, MISSING),
        "since_other_country": f.where((p.country > 0) & (other > 0), p.at_s - other, MISSING),
        "pair_payments": pair_count,
        "pair_amount": pair_sum,
        "since_pair": f.where((pair_last > 0) & (pair_last <= p.at_s), p.at_s - pair_last, MISSING),
        "device_accounts_30d": f.where(p.device > 0, p.device_accounts, MISSING),
    }


def _habits(f: Any, m: Any, p: Paying) -> dict[str, Any]:
    approved, approved_s = f.get(m, at.P_APPROVED), f.get(m, at.P_APPROVED_S)
    n = f.get(m, at.P_AMOUNTS) + PRIOR_PAYMENTS
    mean = (f.get(m, at.P_SUM) + PRIOR_PAYMENTS * p.prior_mean) // n
    square = (f.get(m, at.P_SQUARES) + PRIOR_PAYMENTS * p.prior_square) // n
    variance = f.most(square - (mean * mean >> SQUARE_SHIFT), 0)
    # The root of 2**8 is 2**4. Those who always pay the same have a quarter of the mean.
    spread = f.most(f.most(f.root(variance) << SQUARE_SHIFT // 2, mean // 4), 1)
    largest = f.get(m, at.P_LARGEST)
    bands = [f.get(m, at.P_BANDS + band) for band in range(4)]
    band = p.at_s // (6 * HOUR_S) % 4
    here = f.where(band < 2, f.where(band == 0, bands[0], bands[1]), f.where(band == 2, bands[2], bands[3]))
    habits = bands[0] + bands[1] + bands[2] + bands[3]
    has_largest = p.known & (largest > 0)
    return {
        "approved_payments": approved,
        "silence": f.where((approved_s > 0) & (approved_s <= p.at_s), p.at_s - approved_s, MISSING),
        "usual_amount": mean,
        "amount_deviations": f.where(p.known, (p.amount - mean) * 100 // spread, MISSING),
        "amount_ratio": f.where(
            p.known, f.least(p.amount * 10_000 // f.most(mean, 1), RATIO_MAX * 10_000), MISSING
        ),
        "largest_amount": f.where(largest > 0, largest, MISSING),
        "of_largest": f.where(
            has_largest, f.least(p.amount * 10_000 // f.most(largest, 1), RATIO_MAX * 10_000), MISSING
        ),
        "usual_hours": (here * 10_000 + 5_000) // (habits + 2),
        "round_amounts": (f.get(m, at.P_ROUND) * 10_000 + 2_000) // (habits + 2),
        "debtor_frauds": f.get(m, at.P_FRAUDS),
    }


def _probe(f: Any, m: Any, p: Paying) -> dict[str, Any]:
    inverse = f.ring_highest(m, at.HOUR, f.window(m, at.HOUR, p.at_s, 12), at.LEAST)
    some, smallest = inverse > 0, LEAST_FROM - inverse
    probe_s = f.get(m, at.P_PROBE_S)
    ratio = f.least(p.amount // f.most(smallest, 1), RATIO_MAX)
    is_probe = p.known & (p.amount < PROBE_BELOW)
    m[at.P_PROBE_S] = f.where(is_probe, f.most(probe_s, p.at_s), probe_s)
    return {
        "smallest_1h": f.where(some, smallest, MISSING),
        "times_smallest_1h": f.where(some & p.known, ratio, MISSING),
        "since_probe": f.where((probe_s > 0) & (probe_s <= p.at_s), p.at_s - probe_s, MISSING),
    }


def _count(f: Any, m: Any, g: Any, p: Paying) -> None:
    """Count a payment among the attempts."""
    for ring in (at.MINUTE, at.DAY, at.MONTH):
        f.ring_add(m, ring, p.at_s, (1, p.amount))
    bucket = f.ring_add(m, at.HOUR, p.at_s, (1, p.amount, 0))
    f.ring_most(m, at.HOUR, bucket, at.LEAST, LEAST_FROM - p.amount, p.known)
    f.ring_add(m, at.NEAR, p.at_s, (1, p.amount), p.near)
    first = f.get(g, at.G_FIRST_S)
    first = f.where(first == 0, p.at_s, f.least(first, p.at_s))
    f.see(m, at.PAYEES, p.payee, p.at_s, first)
    f.note(m, at.PAYEES_MORE, p.payee, p.at_s)
    f.see(m, at.DEVICES, p.device, p.at_s, p.at_s, p.device > 0)
    f.see(m, at.COUNTRIES, p.country, p.at_s, p.at_s, p.country > 0)
    m[at.P_LAST_S] = f.most(m[at.P_LAST_S], p.at_s)
    g[at.G_FIRST_S] = first
    g[at.G_LAST_S] = f.most(g[at.G_LAST_S], p.at_s)
    g[at.G_COUNT] = g[at.G_COUNT] + 1
    g[at.G_SUM] = f.least(g[at.G_SUM] + p.amount, SUMS_SHARED_MAX)


def _windows(f: Any, m: Any, p: Paying) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, ring, buckets in (
        ("1min", at.MINUTE, 12),
        ("1h", at.HOUR, 12),
        ("24h", at.DAY, 24),
        ("7d", at.MONTH, 7),
        ("30d", at.MONTH, 30),
    ):
        inside = f.window(m, ring, p.at_s, buckets)
        payments = f.ring_sum(m, ring, inside, at.COUNT)
        found[f"payments_{name}"] = payments
        found[f"amount_{name}"] = f.ring_sum(m, ring, inside, at.SUM)
        after = before_window(f, ring, p.at_s, buckets)
        # Of an id only the first and the last time are known: before a late payment it may be unused.
        payees = f.distinct(m, at.PAYEES, at.PAYEES_MORE, after, p.at_s)
        found[f"payees_{name}"] = f.least(payees, payments)
        found[f"devices_{name}"] = f.least(f.used(m, at.DEVICES, after, p.at_s), payments)
        if name in ("1h", "24h"):
            found[f"new_payees_{name}"] = f.began(m, at.PAYEES, after, p.at_s)
    for name, buckets in (("24h", 4), ("3d", 12), ("7d", 28)):
        inside = f.window(m, at.NEAR, p.at_s, buckets)
        found[f"near_threshold_{name}"] = f.ring_sum(m, at.NEAR, inside, at.COUNT)
        found[f"near_amount_{name}"] = f.ring_sum(m, at.NEAR, inside, at.SUM)
    return found


def before_window(f: Any, ring: at.Ring, at_s: Any, buckets: int) -> Any:
    """Return the last second before a window."""
    return f.most((at_s // ring.bucket_s - buckets + 1) * ring.bucket_s - 1, 0)


def _flow(f: Any, m: Any, r: Any, p: Paying) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for hours, suffix in ((6, "_6h"), (24, "")):
        inflow = f.ring_sum(r, at.INFLOW, f.window(r, at.INFLOW, p.at_s, hours), at.SUM)
        outflow = f.ring_sum(m, at.DAY, f.window(m, at.DAY, p.at_s, hours), at.SUM)
        some, of = inflow > 0, f.most(inflow, 1)
        passed = f.least(f.least(outflow, SUMS_SHARED_MAX) * 10_000 // of, RATIO_MAX * 10_000)
        leaving = f.least(p.amount * 10_000 // of, RATIO_MAX * 10_000)
        found[f"amount_in_{hours}h"] = inflow
        found[f"share_passed_on{suffix}"] = f.where(some, passed, MISSING)
        found[f"share_leaving_{hours}h"] = f.where(some & p.known, leaving, MISSING)
    for name, seconds in (("24h", DAY_S), ("7d", WEEK_S)):
        after = f.most(p.at_s - seconds, 0)
        found[f"payers_in_{name}"] = f.distinct(r, at.PAYERS, at.PAYERS_MORE, after, p.at_s)
    inflow_s, largest_s = f.get(r, at.R_INFLOW_S), f.get(r, at.R_LARGEST_S)
    largest, recent = f.get(r, at.R_LARGEST), p.at_s - WEEK_S
    there = (largest_s > f.most(recent, 0)) & (largest_s <= p.at_s)
    of_largest = f.least(p.amount * 10_000 // f.most(largest, 1), RATIO_MAX * 10_000)
    low, high = tag_bounds(p)
    hops = f.hops_to(r, at.TAGS, p.payee, f.most(p.at_s - TAG_KEPT_S, 0), p.at_s, low, high)
    found["since_inflow"] = f.where((inflow_s > 0) & (inflow_s <= p.at_s), p.at_s - inflow_s, MISSING)
    found["since_largest_inflow"] = f.where(there, p.at_s - largest_s, MISSING)
    found["of_largest_inflow"] = f.where(there & p.known, of_largest, MISSING)
    found["cycle_hops"] = f.where(hops > 0, hops + 1, MISSING)
    return found


def tag_bounds(p: Paying) -> tuple[Any, Any]:
    """Return between which amounts a tag is of the money that is paid on: half to double."""
    return p.amount // 2, p.amount * 2


def carried(f: Any, r: Any, p: Paying) -> list[tuple[Any, Any]]:
    """Return the origins (account, hops) that the payment tells its receiver; the debtor itself is first."""
    low, high = tag_bounds(p)
    after = f.most(p.at_s - TAG_KEPT_S, 0)
    further = f.tags_of(r, at.TAGS, after, p.at_s, low, high, at.HOPS_MAX, at.CARRIED - 1)
    return [
        (p.debtor, f.where(p.debtor > 0, 1, 0)),
        *((key, f.where(key > 0, hops + 1, 0)) for key, hops in further),
    ]


def _payee(f: Any, c: Any, p: Paying) -> dict[str, Any]:
    first, sent = f.get(c, at.C_FIRST_S), f.get(c, at.C_SENT_S)
    known = first > 0
    found: dict[str, Any] = {"payee_age": f.where(known & (first <= p.at_s), p.at_s - first, MISSING)}
    for place, name, seconds in (
        (at.C_PAYERS_1H, "1h", HOUR_S),
        (at.C_PAYERS_24H, "24h", DAY_S),
        (at.C_PAYERS_7D, "7d", WEEK_S),
    ):
        found[f"payee_payers_{name}"] = f.where(p.at_s - sent < 2 * seconds, f.get(c, place), 0)
    for days in (1, 7, 30):
        late = f.window(c, at.CARD_RISK, p.at_s, days, DELAY_DAYS)
        payments = f.ring_sum(c, at.CARD_RISK, late, at.COUNT)
        frauds = f.ring_sum(c, at.CARD_RISK, late, at.FRAUDS)
        found[f"payee_payments_{days}d"] = payments
        found[f"payee_fraud_risk_{days}d"] = f.where(known, _risk(payments, frauds), MISSING)
        now = f.window(c, at.CARD_RISK, p.at_s, days)
        found[f"payee_labels_{days}d"] = f.ring_sum(c, at.CARD_RISK, now, at.LABELS)
    found["payee_fraud_risk"] = f.where(known, _risk(f.get(c, at.C_COUNT), f.get(c, at.C_FRAUDS)), MISSING)
    found["payee_frauds"] = f.get(c, at.C_FRAUDS)
    return found


def _risk(payments: Any, frauds: Any) -> Any:
    """Return the share of frauds, smoothed, in hundredths of a percent."""
    return (frauds * 10_000 + RISK_PRIOR_PAYMENTS * RISK_PRIOR_BP) // (payments + RISK_PRIOR_PAYMENTS)
