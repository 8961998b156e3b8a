"""Preselection of the fraud rules that may find something about a payment, by cheap conditions.

Most payments are ordinary, and running all rules costs several times more. Invariant: a rule that finds
something is always selected; a property test checks it.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.fraud import rules as rule
from pipeline.domain.fraud.profile import Attempt, Profile, country_id
from pipeline.domain.fraud.rings import WEEK, WEEK_BUCKET_S
from pipeline.domain.fraud.rules import DAY_S, HOUR_S, Rule, is_near_threshold
from pipeline.domain.fraud.settings import FraudRules

Preselect = Callable[[Profile, Attempt], list[Rule]]


def preselect_by(rules: FraudRules) -> Preselect:
    """Return a function that selects the rules which may find something about a payment, in order of RULES.

    The profile's windows must have been moved to the payment's time, as for the rules themselves.
    """
    # Each payment in a shorter window is in the week, too, so the week and the smallest limit are enough.
    count_max = min(
        rules.payments_per_minute_max,
        rules.payments_per_hour_max,
        rules.payments_per_day_max,
        rules.payments_per_week_max,
    )
    sum_max = min(
        rules.amount_per_minute_max_minor,
        rules.amount_per_hour_max_minor,
        rules.amount_per_day_max_minor,
        rules.amount_per_week_max_minor,
    )
    payees_max, devices_max = rules.payees_per_day_max, rules.devices_per_day_max
    new_payees_max, history_min = rules.new_payees_per_hour_max, rules.history_payments_min
    outlier_history_min, outlier_min = rules.outlier_history_payments_min, rules.outlier_amount_min_minor
    drain_max, round_min = rules.drain_amount_above_minor, rules.round_amount_min_minor
    dormant_min = rules.dormant_amount_min_minor
    near_min = rules.structuring_threshold_minor * (100 - rules.structuring_margin_percent) // 100
    nights = [rule.is_night(hour, rules) for hour in range(24)]

    def preselect(profile: Profile, attempt: Attempt) -> list[Rule]:
        found: list[Rule] = []
        at_s, amount, payee, device, country = (
            attempt.at_s, attempt.amount_minor, attempt.payee, attempt.device, attempt.country,
        )  # fmt: skip
        week, payees, has_history = profile.rings[WEEK], profile.payees, profile.approved >= history_min
        if sum(week.counts) >= count_max:
            found.append(rule.velocity_count)
        if sum(week.sums) + amount > sum_max:
            found.append(rule.velocity_sum)
        if len(payees.ids) >= payees_max:
            found.append(rule.payees_per_day)
        if device is not None and len(profile.devices.ids) >= devices_max:
            found.append(rule.devices_per_day)
        if len(payees.ids) >= new_payees_max:
            found.append(rule.fan_out)
        if has_history:
            if not payees.knows(payee):
                found.append(rule.new_payee)
            if device is not None and not profile.devices.knows(device):
                found.append(rule.new_device)
            if country is not None and not profile.countries.knows(country_id(country)):
                found.append(rule.new_country)
        if country is not None and profile.country_s is not None and country != profile.country:
            found.append(rule.geo_velocity)
        if amount >= outlier_min and profile.amounts >= outlier_history_min:
            found.append(rule.amount_outlier)
        if amount > drain_max and profile.probe_s is not None:
            found.append(rule.probe_then_drain)
        if amount >= near_min and is_near_threshold(amount, rules):
            found.append(rule.structuring)
        if amount >= round_min:
            found.append(rule.round_amount)
        if amount >= dormant_min and profile.approved_s is not None:
            found.append(rule.dormant_then_active)
        if nights[at_s % DAY_S // HOUR_S]:
            found.append(rule.night)
        if at_s // WEEK_BUCKET_S < week.newest:
            found.append(rule.too_late)
        return found

    return preselect
