"""The fraud rules; the debtor's clock has moved on to the payment, which does not count yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import isqrt
from typing import NamedTuple

from pipeline.verify.model.fraud_debtors import Debtor, Payment, near_threshold
from pipeline.verify.model.fraud_settings import DAY_S, HOUR_S, SCORE_MAX, SETTINGS, VERSION, WINDOWS
from pipeline.verify.model.wire import (
    LONG_MAX,
)


class Verdict(NamedTuple):
    """What is said of a payment; a reason is a rule and its detail."""

    outcome: str
    score: int
    reasons: tuple[tuple[str, str], ...]
    rules_version: str = VERSION


# --- the rules; the debtor's clock has moved on to the payment, which does not count yet


def judge(debtor: Debtor, payment: Payment) -> Verdict:
    """Return the verdict of all rules; reasons stand in the order of the rules."""
    groups = (velocity, who_and_where, amounts, when)
    reasons = tuple(found for rules in groups for found in rules(debtor, payment))
    score = min(SCORE_MAX, sum(SETTINGS[f"weight_{rule}"] for rule, _ in reasons))
    outcome = "REVIEW" if score >= SETTINGS["review_score_min"] else "APPROVE"
    return Verdict("DECLINE" if score >= SETTINGS["decline_score_min"] else outcome, score, reasons)


def velocity(debtor: Debtor, payment: Payment) -> Iterator[tuple[str, str]]:
    """Too many payments; too much money in more than one. The shortest window speaks."""
    windows = [window for window in WINDOWS if debtor.covers(window, payment.at_s)]
    for window in windows:
        count, limit = len(debtor.within(window)) + 1, SETTINGS[f"payments_per_{window}_max"]
        if count > limit:
            yield f"payments_per_{window}", f"{count} payments in {WINDOWS[window][0]}, limit {limit}"
            break
    for window in windows:
        by_bucket: Counter[int] = Counter()
        for at_s, amount in debtor.within(window):
            by_bucket[at_s // WINDOWS[window][1]] += amount
        earlier = sum(min(amount, LONG_MAX) for amount in by_bucket.values())
        total, limit = earlier + payment.amount, SETTINGS[f"amount_per_{window}_max_minor"]
        if earlier and total > limit:
            yield f"amount_per_{window}", f"sum {total} in {WINDOWS[window][0]}, limit {limit}"
            break


def who_and_where(debtor: Debtor, payment: Payment) -> Iterator[tuple[str, str]]:
    """Payees, devices and countries: too many, or not those of the approved payments."""
    days = (("payees", debtor.payees, payment.payee), ("devices", debtor.devices, payment.device))
    for name, seen, key in days:
        of_today = {one.key for one in seen if one.last_s > debtor.clock_s - DAY_S} | {key}
        limit = SETTINGS[f"{name}_per_day_max"]
        if key is not None and payment.at_s > debtor.clock_s - DAY_S and len(of_today) > limit:
            yield f"{name}_per_day", f"{len(of_today)} {name} in 24 h, limit {limit}"
    hour = debtor.clock_s - HOUR_S
    count, limit = sum(one.first_s > hour for one in debtor.payees) + 1, SETTINGS["new_payees_per_hour_max"]
    never_paid = all(one.key != payment.payee for one in debtor.payees)
    if never_paid and payment.at_s > hour and count > limit:
        yield "fan_out", f"{count} new payees in 1 h, limit {limit}"
    history = f"after {debtor.approved} approved payments"
    known = [
        {one.key for one in seen if one.approved}
        for seen in (debtor.payees, debtor.devices, debtor.countries)
    ]
    if debtor.approved >= SETTINGS["history_payments_min"]:
        if payment.payee not in known[0]:
            yield "new_payee", f"unknown payee {history}"
        if payment.device is not None and known[1] and payment.device not in known[1]:
            yield "new_device", f"unknown device {history}"
        if payment.country is not None and known[2] and payment.country_id not in known[2]:
            yield "new_country", f"{payment.country} is new {history}"
    if payment.country is not None and debtor.country_s is not None and payment.country != debtor.country:
        apart_s, limit = abs(payment.at_s - debtor.country_s), SETTINGS["country_change_minutes_max"]
        if apart_s <= limit * 60:
            way = f"{debtor.country} to {payment.country}"
            yield "geo_velocity", f"{way} in {apart_s} s, limit {limit} min"


def amounts(debtor: Debtor, payment: Payment) -> Iterator[tuple[str, str]]:
    """Amounts far above the usual, after a probe, just under the reporting threshold, or round."""
    amount, count = payment.amount, debtor.amounts
    enough = (
        count >= SETTINGS["outlier_history_payments_min"] and amount >= SETTINGS["outlier_amount_min_minor"]
    )
    above = count * amount - debtor.amounts_sum
    if enough and above > 0:
        # All times the number of amounts, and squared: above the mean, the variance, the least deviation.
        least = debtor.amounts_sum * SETTINGS["outlier_deviation_floor_percent"]
        spread = max(10_000 * (count * debtor.squares - debtor.amounts_sum**2), least**2)
        limit, squared = SETTINGS["outlier_deviations_max_percent"], (10_000 * above) ** 2
        if squared > spread * limit**2:
            far = f"{amount} is {hundredths(isqrt(squared // spread))} deviations above the mean"
            usual = f"{debtor.amounts_sum // count} of {count} payments"
            yield "amount_outlier", f"{far} {usual}, limit {hundredths(limit)}"
    limit = SETTINGS["probe_to_drain_seconds_max"]
    if debtor.probe_s is not None and amount > SETTINGS["drain_amount_above_minor"]:
        apart_s, probe = abs(payment.at_s - debtor.probe_s), SETTINGS["probe_amount_below_minor"]
        if apart_s <= limit:
            detail = f"{amount} within {apart_s} s of an amount under {probe}, limit {limit} s"
            yield "probe_then_drain", detail
    if near_threshold(amount) and debtor.covers("day", payment.at_s):
        near = sum(near_threshold(other) for _, other in debtor.within("day")) + 1
        limit, threshold = (
            SETTINGS["structuring_payments_per_day_max"],
            SETTINGS["structuring_threshold_minor"],
        )
        if near > limit:
            margin = f"{SETTINGS['structuring_margin_percent']}% under {threshold}"
            yield "structuring", f"{near} amounts within {margin} in 24 h, limit {limit}"
    unit = SETTINGS["round_amount_unit_minor"]
    if amount >= SETTINGS["round_amount_min_minor"] and amount % unit == 0:
        yield "round_amount", f"{amount} is a multiple of {unit}"


def when(debtor: Debtor, payment: Payment) -> Iterator[tuple[str, str]]:
    """A considerable amount after a long silence; the night; a time from before the memory."""
    if debtor.approved_s is not None and payment.amount >= SETTINGS["dormant_amount_min_minor"]:
        silent_s, limit = payment.at_s - debtor.approved_s, SETTINGS["dormant_days_min"]
        if silent_s >= limit * DAY_S:
            detail = f"{payment.amount} after {silent_s // DAY_S} days of silence, limit {limit} days"
            yield "dormant_then_active", detail
    hour, start, end = (
        payment.at_s % DAY_S // HOUR_S,
        SETTINGS["night_from_hour_utc"],
        SETTINGS["night_to_hour_utc"],
    )
    if start <= hour < end:
        yield "night", f"hour {hour} UTC, night is from {start} to {end}"
    if not debtor.covers("week", payment.at_s):
        behind_h = (debtor.clock_s - payment.at_s) // HOUR_S
        yield "too_late", f"{behind_h} h before the newest payment, memory is 7 d"


def hundredths(value: int) -> str:
    """Return hundredths as a decimal text."""
    return f"{value // 100}.{value % 100:02d}"
