"""How the states of each kind are written as bytes, and how long one is known after its newest time.

A state that is older than that is empty again for whoever comes next: so its row can be deleted without any
answer being another. It is the payment's own time that counts, so a late payment may know more.
"""

from __future__ import annotations

from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.layout import DAY_S
from pipeline.domain.fraud.features.packing import form

PAYER = form(
    at.PAYER_WIDTH,
    (at.P_FIRST_S, at.P_LAST_S, at.P_PROBE_S, at.P_APPROVED_S),
    (at.MINUTE, at.HOUR, at.DAY, at.NEAR, at.MONTH, at.PAYEES, at.PAYEES_MORE, at.DEVICES, at.COUNTRIES),
    at.HOUR,
)
RECEIVER = form(
    at.RECEIVER_WIDTH,
    (
        *(at.R_FIRST_S, at.R_LARGEST_S, at.R_INFLOW_S, at.R_SENT_S, at.R_LAST_S),
        slice(at.TAGS.at + at.TAGS.slots, at.TAGS.at + 2 * at.TAGS.slots),
    ),
    (at.INFLOW, at.PAYERS, at.PAYERS_MORE, at.RISK),
)
CARD = form(at.CARD_WIDTH, (at.C_FIRST_S, at.C_SENT_S), (at.CARD_RISK,))
PAIR = form(at.PAIR_WIDTH, (at.G_FIRST_S, at.G_LAST_S))
DEVICE = form(at.DEVICE_WIDTH, (), (at.ACCOUNTS,))
POPULATION = form(at.POPULATION_WIDTH)

ACCOUNT_KEPT_S = 400 * DAY_S
"""Payers, receivers and cards: after the newest payment, the newest receipt or label, the newest card."""
PAIR_KEPT_S = 400 * DAY_S
"""So that a payee that is paid once a year stays known."""
DEVICE_KEPT_S = 30 * DAY_S
"""As long as its window."""
CARD_AGAIN_S = 180 * DAY_S
"""A payee that is paid is told again after so long, so that its card is never over while it is in use."""
