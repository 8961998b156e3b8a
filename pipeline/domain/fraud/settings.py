"""The thresholds and weights of the fraud rules: read from a TOML or JSON text.

Conventions: a name that ends in `_max` is the largest value that is still normal (a rule fires above it); one
that ends in `_min` is the smallest value that counts (a rule fires at it and above). Amounts are minor units
as they stand in the payment, of whatever currency. A weight is what the rule adds to the score, 0 switches
the rule off; a score of `review_score_min` holds a payment, one of `decline_score_min` declines it.

Every decision names the `version` of the rules that made it: a hash of the values, so that a comment or the
order of a file changes nothing, and any other value does.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.domain.kernel.settings import ConceptSettings

PAYEES_KEPT = 32
DEVICES_KEPT = 8
"""How many ids a profile remembers; thresholds of rules that count them must be lower."""
FORMULA_REVISION = 1
"""Increased when the meaning of a rule changes without a change of its settings."""


class FraudSettings(ConceptSettings, frozen=True, rename={"rules_file": "fraud_rules_file"}):
    """The path of the operator's file of thresholds."""

    rules_file: Annotated[
        PurePath | None, Meta(description="Thresholds of the fraud rules, TOML or JSON.")
    ] = None


SETTINGS = FraudSettings


class FraudRulesError(ValueError):
    """The text is not a valid set of fraud rules; the message names the setting and the error."""


class FraudRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Thresholds and weights of all rules; the defaults suit customers with a few payments a day."""

    review_score_min: int = 50
    decline_score_min: int = 80
    decisions_kept_days: int = 90
    """How long a payment id is known as a retry. Not longer than the ledger's window for payment ids: an id
    that the ledger has forgotten must be scored anew."""

    # Velocity. The newest bucket of a window is not full yet, so a window is at most as long as it is named.
    payments_per_minute_max: int = 10
    payments_per_hour_max: int = 30
    payments_per_day_max: int = 100
    payments_per_week_max: int = 400
    weight_payments_per_minute: int = 60
    weight_payments_per_hour: int = 50
    weight_payments_per_day: int = 30
    weight_payments_per_week: int = 20
    amount_per_minute_max_minor: int = 20_000_00
    amount_per_hour_max_minor: int = 30_000_00
    amount_per_day_max_minor: int = 50_000_00
    amount_per_week_max_minor: int = 150_000_00
    weight_amount_per_minute: int = 30
    weight_amount_per_hour: int = 30
    weight_amount_per_day: int = 20
    weight_amount_per_week: int = 10

    # Who and where. Something can be "new" only after so many approved payments.
    history_payments_min: int = 5
    weight_new_payee: int = 10
    weight_new_device: int = 20
    weight_new_country: int = 15
    payees_per_day_max: int = 15
    weight_payees_per_day: int = 30
    devices_per_day_max: int = 3
    weight_devices_per_day: int = 30
    new_payees_per_hour_max: int = 6
    weight_fan_out: int = 50
    country_change_minutes_max: int = 30
    """Another country than that of the last approved payment, at most so many minutes apart."""
    weight_geo_velocity: int = 50

    # Amounts.
    outlier_history_payments_min: int = 10
    outlier_amount_min_minor: int = 500_00
    outlier_deviations_max_percent: int = 600
    """Standard deviations above the mean of the approved payments, in hundredths (600 = 6.00)."""
    outlier_deviation_floor_percent: int = 25
    """The standard deviation counts as at least this share of the mean, for those who always pay the same."""
    weight_amount_outlier: int = 35
    probe_amount_below_minor: int = 1_00
    drain_amount_above_minor: int = 500_00
    probe_to_drain_seconds_max: int = 60
    weight_probe_then_drain: int = 70
    structuring_threshold_minor: int = 10_000_00
    structuring_margin_percent: int = 10
    """Amounts that are under the threshold by at most this share of it are close to it."""
    structuring_payments_per_day_max: int = 2
    weight_structuring: int = 60
    round_amount_min_minor: int = 1_000_00
    round_amount_unit_minor: int = 1_000_00
    weight_round_amount: int = 5

    # When.
    dormant_days_min: int = 60
    dormant_amount_min_minor: int = 500_00
    weight_dormant_then_active: int = 50
    night_from_hour_utc: int = 0
    night_to_hour_utc: int = 5
    """The first hour that is no longer night; before `night_from_hour_utc` the night crosses midnight."""
    weight_night: int = 5
    weight_too_late: int = 50
    """A payment older than the longest window cannot be judged by the profile; by default it is reviewed."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check_range(name, getattr(self, name))
        if self.review_score_min > self.decline_score_min:
            raise ValueError("review_score_min must not be above decline_score_min")
        for name, kept in (
            ("payees_per_day_max", PAYEES_KEPT),
            ("new_payees_per_hour_max", PAYEES_KEPT),
            ("devices_per_day_max", DEVICES_KEPT),
        ):
            if getattr(self, name) >= kept:
                raise ValueError(f"{name} must be below {kept}, as many as a profile remembers")

    @property
    def version(self) -> str:
        """A short name of these values, the same wherever they were read from."""
        content = msgspec.json.encode(self, order="deterministic")
        return f"{FORMULA_REVISION}-{hashlib.sha256(content).hexdigest()[:12]}"


def _check_range(name: str, value: object) -> None:
    """Raise ValueError unless `value` is an integer that its unit, the end of `name`, allows."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be an integer")
    low, high = 0, 2**63 - 1
    if name.startswith("weight_"):
        high = 100
    elif name.endswith("_score_min"):
        low, high = 1, 100
    elif name.endswith("_hour_utc"):
        high = 24
    elif name == "structuring_margin_percent":
        high = 100
    elif name in ("round_amount_unit_minor", "decisions_kept_days", "outlier_history_payments_min"):
        low = 1
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")


def parse_rules(text: str, file_format: Literal["toml", "json"] = "toml") -> FraudRules:
    """Return the rules that `text` states; settings left out have their defaults. Raises FraudRulesError."""
    try:
        content = msgspec.toml.decode(text) if file_format == "toml" else msgspec.json.decode(text)
        return msgspec.convert(content, FraudRules)
    except (msgspec.DecodeError, ValueError) as error:
        raise FraudRulesError(f"fraud rules: {_explain(str(error))}") from error


def rules_parser(path: PurePath) -> Callable[[str], FraudRules]:
    """Return what parses a file of rules, by its name: JSON or TOML."""
    return partial(parse_rules, file_format="json" if path.suffix == ".json" else "toml")


def _explain(message: str) -> str:
    """Return the message, with the nearest known name where a setting is unknown."""
    unknown = re.search(r"unknown field `(.+?)`", message)
    if unknown is None:
        return message
    name = unknown.group(1)
    near = difflib.get_close_matches(name, FraudRules.__struct_fields__, n=1)
    return f"unknown setting `{name}`" + (f", did you mean `{near[0]}`?" if near else "")
