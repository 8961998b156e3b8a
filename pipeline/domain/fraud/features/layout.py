"""Where things stand in a state: a vector of int64 of fixed length for each key.

    payer      what an account paid, attempts and habits      (on the debtor's partition)
    receiver   what an account received                       (on its own partition, from the postings)
    card       what the debtor's partition knows of a payee   (broadcast as `payee_risk_changed`)
    pair       of a debtor and a payee                        (on the debtor's partition)
    device     accounts that pay with it                      (as far as the partition sees them)

A state of zeros is an empty one. Times are whole seconds UTC of event time, from 1 on.
"""

from __future__ import annotations

from typing import NamedTuple

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
TIME_MAX_S = 2**40


class Ring(NamedTuple):
    """Buckets of time: the last ones that payments came for, whatever their time is.

    A column of numbers (that of the interval since 1970, plus 1), a column for each field, and a hand: a new
    bucket takes the place of the one that began to be counted longest ago. So a late payment has a bucket as
    a live one has. A window is some buckets that end with the payment's own; it is exact to the bucket.
    """

    at: int
    slots: int
    bucket_s: int
    fields: int
    """Beside the number: each added up."""

    @property
    def hand(self) -> int:
        """Where the place of the next new bucket stands."""
        return self.at + self.slots * (1 + self.fields)

    @property
    def end(self) -> int:
        """The first place behind it."""
        return self.hand + 1


class Ids(NamedTuple):
    """The ids that were used last, exact: columns KEY, LAST (time), FIRST (time), and more."""

    at: int
    slots: int
    fields: int = 3

    @property
    def end(self) -> int:
        """The first place behind it."""
        return self.at + self.slots * self.fields


KEY, LAST, FIRST, APPROVED = 0, 1, 2, 3
"""Columns of `Ids`; a tag (of where money came from) has its hops for FIRST and its amount for APPROVED."""


class Sketch(NamedTuple):
    """For each of some places the last time that an id of it was used: counts ids beyond the exact ones.

    Behind the places of all ids come as many of one id in SAMPLED, for thousands.
    """

    at: int
    slots: int

    @property
    def end(self) -> int:
        """The first place behind it."""
        return self.at + 2 * self.slots


SAMPLED = 16


# Payer: attempts.
P_FIRST_S, P_LAST_S, P_PROBE_S = 0, 1, 2
# Payer: habits, of approved payments alone.
P_APPROVED, P_APPROVED_S, P_AMOUNTS, P_SUM, P_SQUARES, P_LARGEST, P_SECOND = range(3, 10)
P_BANDS = 10
"""Four counters: approved payments in hours 0 to 5, 6 to 11, 12 to 17, 18 to 23, UTC."""
P_ROUND, P_FRAUDS = 14, 15
MINUTE = Ring(16, 16, 5, 2)
HOUR = Ring(MINUTE.end, 16, 300, 3)
"""Count, sum, and the smallest amount (see LEAST)."""
DAY = Ring(HOUR.end, 32, HOUR_S, 2)
NEAR = Ring(DAY.end, 32, 6 * HOUR_S, 2)
"""Amounts just under the reporting threshold."""
MONTH = Ring(NEAR.end, 40, DAY_S, 2)
PAYEES = Ids(MONTH.end, 32)
PAYEES_MORE = Sketch(PAYEES.end, 64)
DEVICES = Ids(PAYEES_MORE.end, 8, 4)
COUNTRIES = Ids(DEVICES.end, 8, 4)
PAYER_WIDTH = COUNTRIES.end

COUNT, SUM, LEAST = 1, 2, 3
"""Fields of rings; LEAST is kept as LEAST_FROM minus the amount, so that an empty one is 0."""

# Receiver. What a payment of the account reads comes first (FLOW_WIDTH).
R_FIRST_S, R_COUNT, R_FRAUDS, R_LARGEST, R_LARGEST_S, R_INFLOW_S = range(6)
R_SENT_S, R_SENT_1H, R_SENT_24H, R_SENT_7D, R_FRAUD_DAY, R_LAST_S = range(6, 12)
"""R_LAST_S: the newest receipt or label."""
INFLOW = Ring(16, 32, HOUR_S, 2)
TAGS = Ids(INFLOW.end, 10, 4)
PAYERS = Ids(TAGS.end, 32)
PAYERS_MORE = Sketch(PAYERS.end, 64)
FLOW_WIDTH = PAYERS_MORE.end
RISK = Ring(FLOW_WIDTH, 48, DAY_S, 3)
"""Payments, frauds by the day of the payment, frauds by the day of the label."""
RECEIVER_WIDTH = RISK.end
FRAUDS, LABELS = 2, 3

# Card.
C_FIRST_S, C_COUNT, C_FRAUDS, C_SENT_S, C_PAYERS_1H, C_PAYERS_24H, C_PAYERS_7D = range(7)
CARD_RISK = RISK._replace(at=8)
CARD_WIDTH = CARD_RISK.end

# Pair.
G_FIRST_S, G_LAST_S, G_COUNT, G_SUM, G_APPROVED = range(5)
PAIR_WIDTH = 5

# Population: closed number, sum, squares; the same of the open day; the day.
N_CLOSED, N_OPEN, N_DAY = slice(0, 3), slice(3, 6), 6
POPULATION_WIDTH = 7

ACCOUNTS = Ids(0, 16)
DEVICE_WIDTH = ACCOUNTS.end

CARRIED = 5
"""Origins that a payment tells its receiver: the debtor, and where the debtor's own money came from."""
HOPS_MAX = 6
