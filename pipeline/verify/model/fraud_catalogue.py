"""The features of fraud decisions and their units, as the README of the features has them in its table."""

from __future__ import annotations

_TABLE = """
EUR: amount amount_1min amount_1h amount_24h amount_7d amount_30d near_amount_24h near_amount_3d
    near_amount_7d smallest_1h usual_amount largest_amount pair_amount amount_in_6h amount_in_24h
count: trailing_zeros hour_of_day day_of_week payments_1min payees_1min devices_1min payments_1h payees_1h
    devices_1h payments_24h payees_24h devices_24h payments_7d payees_7d devices_7d payments_30d
    payees_30d devices_30d new_payees_1h new_payees_24h near_threshold_24h near_threshold_3d
    near_threshold_7d times_smallest_1h approved_payments debtor_frauds pair_payments
    device_accounts_30d payers_in_24h payers_in_7d cycle_hops payee_payers_1h payee_payers_24h
    payee_payers_7d payee_payments_1d payee_labels_1d payee_payments_7d payee_labels_7d
    payee_payments_30d payee_labels_30d payee_frauds
boolean: is_near_threshold is_new_payee is_new_device is_new_country
duration: late_by since_payment account_age since_probe silence since_other_country since_pair since_inflow
    since_largest_inflow payee_age
sd: amount_deviations
share: amount_ratio of_largest usual_hours round_amounts share_passed_on_6h share_leaving_6h
    share_passed_on share_leaving_24h of_largest_inflow payee_fraud_risk_1d payee_fraud_risk_7d
    payee_fraud_risk_30d payee_fraud_risk model_score anomaly_score
text: debtor payee device_id country channel segment
"""


def _read(table: str) -> dict[str, str]:
    found, unit = {}, ""
    for word in table.split():
        if word.endswith(":"):
            unit = word[:-1]
        else:
            found[word] = unit
    return found


UNITS = _read(_TABLE)
"""The unit of each feature that rules may ask about: `EUR`, `count`, `boolean`, ..."""
DECIMALS = {"EUR": 2, "share": 2, "sd": 2}
"""Of values as models take them; other units have none."""
ONLY_RULES = frozenset(
    {"debtor", "payee", "device_id", "country", "channel", "segment", "model_score", "anomaly_score"}
)
"""What no model may ask."""
