"""The settings of the fraud rules: the defaults, as documented, and the version that follows from them."""

from __future__ import annotations

import hashlib
import json

HOUR_S, DAY_S = 3_600, 86_400
WINDOWS = {
    "minute": ("60 s", 5, 12),
    "hour": ("1 h", 300, 12),
    "day": ("24 h", 3600, 24),
    "week": ("7 d", 21600, 28),
}
"""Name, seconds a bucket, number of buckets; the last bucket of a window is under way."""
SCORE_MAX = 100

DEFAULTS = """
review_score_min=50 decline_score_min=80 decisions_kept_days=90
payments_per_minute_max=10 payments_per_hour_max=30 payments_per_day_max=100 payments_per_week_max=400
weight_payments_per_minute=60 weight_payments_per_hour=50
weight_payments_per_day=30 weight_payments_per_week=20
amount_per_minute_max_minor=20_000_00 amount_per_hour_max_minor=30_000_00
amount_per_day_max_minor=50_000_00 amount_per_week_max_minor=150_000_00
weight_amount_per_minute=30 weight_amount_per_hour=30 weight_amount_per_day=20 weight_amount_per_week=10
history_payments_min=5 weight_new_payee=10 weight_new_device=20 weight_new_country=15
payees_per_day_max=15 weight_payees_per_day=30 devices_per_day_max=3 weight_devices_per_day=30
new_payees_per_hour_max=6 weight_fan_out=50 country_change_minutes_max=30 weight_geo_velocity=50
outlier_history_payments_min=10 outlier_amount_min_minor=500_00 outlier_deviations_max_percent=600
outlier_deviation_floor_percent=25 weight_amount_outlier=35
probe_amount_below_minor=1_00 drain_amount_above_minor=500_00
probe_to_drain_seconds_max=60 weight_probe_then_drain=70
structuring_threshold_minor=10_000_00 structuring_margin_percent=10
structuring_payments_per_day_max=2 weight_structuring=60
round_amount_min_minor=1_000_00 round_amount_unit_minor=1_000_00 weight_round_amount=5
dormant_days_min=60 dormant_amount_min_minor=500_00 weight_dormant_then_active=50
night_from_hour_utc=0 night_to_hour_utc=5 weight_night=5 weight_too_late=50
"""
SETTINGS = {name: int(value) for name, _, value in (pair.partition("=") for pair in DEFAULTS.split())}
"""`_max`: the largest value that is still normal. `_min`: the smallest that counts. Their order is hashed."""
VERSION = "1-" + hashlib.sha256(json.dumps(SETTINGS, separators=(",", ":")).encode()).hexdigest()[:12]
