"""The fraud rules: each checks one payment against the debtor's profile, and returns a finding or None.

A rule is pure: it sees the profile as it was before the payment (windows moved to the payment's time) and
includes the payment itself where it says "n payments". Its detail states the values that it compared. Amounts
in details are minor units. All arithmetic is on integers, so that every replay gives the same result.

Not covered: fan-in and the pass-through ratio of a money mule need the creditor's payments, and this log has
the debtor's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import NamedTuple

from pipeline.domain.fraud.profile import Attempt, Memory, Profile
from pipeline.domain.fraud.rings import BUCKETS, DAY, Ring
from pipeline.domain.fraud.settings import FraudRules

HOUR_S = 3600
DAY_S = 86400
WINDOW_NAMES = ("60 s", "1 h", "24 h", "7 d")
RULE_SUFFIXES = ("minute", "hour", "day", "week")


class Finding(NamedTuple):
    """The finding of a rule."""

    weight: int
    """Added to the score, 1..100. A finding of weight 0 is ignored: its rule is switched off."""
    rule: str
    detail: str


Rule = Callable[[Profile, Attempt, FraudRules], Finding | None]


def _holds(ring: Ring, window: int, attempt: Attempt) -> bool:
    seconds, size = BUCKETS[window]
    return ring.holds(attempt.at_s // seconds, size)


def velocity_count(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Too many payments; only the shortest exceeded window is reported, so that one burst counts once."""
    limits = (
        (rules.payments_per_minute_max, rules.weight_payments_per_minute),
        (rules.payments_per_hour_max, rules.weight_payments_per_hour),
        (rules.payments_per_day_max, rules.weight_payments_per_day),
        (rules.payments_per_week_max, rules.weight_payments_per_week),
    )
    for window, (limit, weight) in enumerate(limits):
        ring = profile.rings[window]
        count = sum(ring.counts) + 1
        if count > limit and weight and _holds(ring, window, attempt):
            detail = f"{count} payments in {WINDOW_NAMES[window]}, limit {limit}"
            return Finding(weight, f"payments_per_{RULE_SUFFIXES[window]}", detail)
    return None


def velocity_sum(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Too large a sum of two or more payments (`amount_outlier` checks single ones); shortest window only."""
    limits = (
        (rules.amount_per_minute_max_minor, rules.weight_amount_per_minute),
        (rules.amount_per_hour_max_minor, rules.weight_amount_per_hour),
        (rules.amount_per_day_max_minor, rules.weight_amount_per_day),
        (rules.amount_per_week_max_minor, rules.weight_amount_per_week),
    )
    for window, (limit, weight) in enumerate(limits):
        ring = profile.rings[window]
        earlier = sum(ring.sums)
        total = earlier + attempt.amount_minor
        if earlier and total > limit and weight and _holds(ring, window, attempt):
            detail = f"sum {total} in {WINDOW_NAMES[window]}, limit {limit}"
            return Finding(weight, f"amount_per_{RULE_SUFFIXES[window]}", detail)
    return None


def _distinct(
    profile: Profile, attempt: Attempt, memory: Memory, key: int, times_s: list[int], window_s: int
) -> int:
    """Return the distinct ids in the window that ends at the newest payment; 0 if this one is before it."""
    after_s = max(profile.newest_s, attempt.at_s) - window_s
    return memory.distinct(key, times_s, after_s) if attempt.at_s > after_s else 0


def payees_per_day(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Too many different payees."""
    memory = profile.payees
    if len(memory.ids) < rules.payees_per_day_max:
        return None
    count = _distinct(profile, attempt, memory, attempt.payee, memory.last_s, DAY_S)
    if count <= rules.payees_per_day_max:
        return None
    detail = f"{count} payees in 24 h, limit {rules.payees_per_day_max}"
    return Finding(rules.weight_payees_per_day, "payees_per_day", detail)


def devices_per_day(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Too many different devices."""
    memory = profile.devices
    if attempt.device is None or len(memory.ids) < rules.devices_per_day_max:
        return None
    count = _distinct(profile, attempt, memory, attempt.device, memory.last_s, DAY_S)
    if count <= rules.devices_per_day_max:
        return None
    detail = f"{count} devices in 24 h, limit {rules.devices_per_day_max}"
    return Finding(rules.weight_devices_per_day, "devices_per_day", detail)


def fan_out(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Too many payees within an hour that were never paid before."""
    memory = profile.payees
    if len(memory.ids) < rules.new_payees_per_hour_max or attempt.payee in memory.ids:
        return None
    count = _distinct(profile, attempt, memory, attempt.payee, memory.first_s, HOUR_S)
    if count <= rules.new_payees_per_hour_max:
        return None
    detail = f"{count} new payees in 1 h, limit {rules.new_payees_per_hour_max}"
    return Finding(rules.weight_fan_out, "fan_out", detail)


def new_payee(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A payee that no approved payment went to."""
    if profile.approved < rules.history_payments_min or profile.payees.knows(attempt.payee):
        return None
    detail = f"unknown payee after {profile.approved} approved payments"
    return Finding(rules.weight_new_payee, "new_payee", detail)


def new_device(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A device that no approved payment came from; a debtor without any known device has no new one."""
    memory = profile.devices
    if attempt.device is None or profile.approved < rules.history_payments_min or True not in memory.known:
        return None
    if memory.knows(attempt.device):
        return None
    detail = f"unknown device after {profile.approved} approved payments"
    return Finding(rules.weight_new_device, "new_device", detail)


def new_country(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A country that no approved payment named; a debtor without any known country has no new one."""
    memory = profile.countries
    country = attempt.country_id
    if country is None or profile.approved < rules.history_payments_min or True not in memory.known:
        return None
    if memory.knows(country):
        return None
    detail = f"{attempt.country} is new after {profile.approved} approved payments"
    return Finding(rules.weight_new_country, "new_country", detail)


def geo_velocity(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Another country than that of the last approved payment, sooner than a traveller could get there."""
    if attempt.country is None or profile.country_s is None or attempt.country == profile.country:
        return None
    apart_s, limit = abs(attempt.at_s - profile.country_s), rules.country_change_minutes_max
    if apart_s > limit * 60:
        return None
    detail = f"{profile.country} to {attempt.country} in {apart_s} s, limit {limit} min"
    return Finding(rules.weight_geo_velocity, "geo_velocity", detail)


def amount_outlier(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """An amount far above the debtor's own.

    With n amounts of sum s and sum of squares q, n * sd = sqrt(n q - s^2) and n * (amount - mean) =
    n amount - s: both sides of "amount - mean > k sd" are compared squared and times n, exact in integers.
    """
    n, amount = profile.amounts, attempt.amount_minor
    if n < rules.outlier_history_payments_min or amount < rules.outlier_amount_min_minor:
        return None
    total = profile.amounts_sum
    above = n * amount - total
    limit = rules.outlier_deviations_max_percent
    floor = total * rules.outlier_deviation_floor_percent
    # Times 100^2, for the floor is in percent. Halving truncates, so the difference may be just below 0.
    spread = max((n * profile.squares - total * total) * 10_000, floor * floor, 1)
    if above <= 0 or above * above * 100_000_000 <= spread * limit * limit:
        return None
    deviations = isqrt(above * above * 100_000_000 // spread)
    detail = (
        f"{amount} is {_hundredths(deviations)} deviations above the mean {total // n} of {n} payments,"
        f" limit {_hundredths(limit)}"
    )
    return Finding(rules.weight_amount_outlier, "amount_outlier", detail)


def _hundredths(value: int) -> str:
    return f"{value // 100}.{value % 100:02d}"


def is_probe(amount_minor: int, rules: FraudRules) -> bool:
    """Whether an amount is so small that it may test whether payments go through."""
    return amount_minor < rules.probe_amount_below_minor


def probe_then_drain(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A large amount right after a very small one."""
    if profile.probe_s is None or attempt.amount_minor <= rules.drain_amount_above_minor:
        return None
    apart_s = abs(attempt.at_s - profile.probe_s)
    if apart_s > rules.probe_to_drain_seconds_max:
        return None
    detail = (
        f"{attempt.amount_minor} within {apart_s} s of an amount under {rules.probe_amount_below_minor},"
        f" limit {rules.probe_to_drain_seconds_max} s"
    )
    return Finding(rules.weight_probe_then_drain, "probe_then_drain", detail)


def is_near_threshold(amount_minor: int, rules: FraudRules) -> bool:
    """Whether an amount is just under the reporting threshold."""
    threshold = rules.structuring_threshold_minor
    return threshold * (100 - rules.structuring_margin_percent) <= amount_minor * 100 < threshold * 100


def structuring(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """Several amounts just under the reporting threshold in a day."""
    if not is_near_threshold(attempt.amount_minor, rules):
        return None
    ring = profile.near_threshold
    count = sum(ring.counts) + 1
    limit = rules.structuring_payments_per_day_max
    if count <= limit or not _holds(ring, DAY, attempt):
        return None
    detail = (
        f"{count} amounts within {rules.structuring_margin_percent}% under"
        f" {rules.structuring_threshold_minor} in {WINDOW_NAMES[DAY]}, limit {limit}"
    )
    return Finding(rules.weight_structuring, "structuring", detail)


def round_amount(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A large round amount."""
    amount, unit = attempt.amount_minor, rules.round_amount_unit_minor
    if amount < rules.round_amount_min_minor or amount % unit:
        return None
    return Finding(rules.weight_round_amount, "round_amount", f"{amount} is a multiple of {unit}")


def dormant_then_active(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A considerable amount after a long silence."""
    if profile.approved_s is None or attempt.amount_minor < rules.dormant_amount_min_minor:
        return None
    silent_s, limit = attempt.at_s - profile.approved_s, rules.dormant_days_min
    if silent_s < limit * DAY_S:
        return None
    detail = f"{attempt.amount_minor} after {silent_s // DAY_S} days of silence, limit {limit} days"
    return Finding(rules.weight_dormant_then_active, "dormant_then_active", detail)


def is_night(hour: int, rules: FraudRules) -> bool:
    """Whether an hour of the day (0..23, UTC) belongs to the night."""
    start, end = rules.night_from_hour_utc, rules.night_to_hour_utc
    return start <= hour < end if start <= end else hour >= start or hour < end


def night(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A payment at night, by UTC."""
    hour = attempt.at_s % DAY_S // HOUR_S
    if not is_night(hour, rules):
        return None
    start, end = rules.night_from_hour_utc, rules.night_to_hour_utc
    return Finding(rules.weight_night, "night", f"hour {hour} UTC, night is from {start} to {end}")


def too_late(profile: Profile, attempt: Attempt, rules: FraudRules) -> Finding | None:
    """A payment older than the longest window of the profile."""
    if not profile.is_too_late(attempt.at_s):
        return None
    behind_h = (profile.newest_s - attempt.at_s) // HOUR_S
    detail = f"{behind_h} h before the newest payment, memory is 7 d"
    return Finding(rules.weight_too_late, "too_late", detail)


RULES: tuple[Rule, ...] = (
    velocity_count,
    velocity_sum,
    payees_per_day,
    devices_per_day,
    fan_out,
    new_payee,
    new_device,
    new_country,
    geo_velocity,
    amount_outlier,
    probe_then_drain,
    structuring,
    round_amount,
    dormant_then_active,
    night,
    too_late,
)
"""In the order in which reasons are given."""
