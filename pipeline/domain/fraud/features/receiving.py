"""What an account's receipts say, and what of it the other partitions are told: written once, as `paying`."""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.forms import CARD_AGAIN_S
from pipeline.domain.fraud.features.layout import DAY_S, HOUR_S

WEEK_S = 7 * DAY_S
INFLOW_FROM = 500_00
"""An inflow that time is counted from, minor units of EUR."""
RISK_WINDOW_S = 38 * DAY_S
"""The longest window, and the days before the payment that it ends."""
RISK_KEPT_DAYS = 60
"""So long after its newest fraud a payee's counts are sent each day that it is paid."""


class Receiving(NamedTuple):
    """A payment of the receiver's side, as the ledger has posted it."""

    at_s: Any
    account: Any
    payer: Any
    """Ids; no payer is 0: what a journal books counts as money that came in, and nobody paid it."""
    amount: Any
    """Comparable; 0 where there is no rate."""
    origins: Any
    """CARRIED times (origin, hops): arrays or integers."""


def receive(f: Any, m: Any, p: Receiving) -> Any:
    """Count what an account received; return whether the payee's card is due."""
    count, first = f.get(m, at.R_COUNT), f.get(m, at.R_FIRST_S)
    m[at.R_FIRST_S] = f.where(count == 0, p.at_s, f.least(first, p.at_s))
    m[at.R_LAST_S] = f.most(m[at.R_LAST_S], p.at_s)
    m[at.R_COUNT] = count + 1
    f.ring_add(m, at.INFLOW, p.at_s, (1, p.amount))
    f.ring_add(m, at.RISK, p.at_s, (1, 0, 0))
    f.see(m, at.PAYERS, p.payer, p.at_s, p.at_s, p.payer > 0)
    f.note(m, at.PAYERS_MORE, p.payer, p.at_s, p.payer > 0)
    for origin, hops in p.origins:
        f.put_tag(m, at.TAGS, origin, p.at_s, hops, p.amount, (origin > 0) & (origin != p.account))
    large = p.amount >= INFLOW_FROM
    m[at.R_INFLOW_S] = f.where(large, f.most(m[at.R_INFLOW_S], p.at_s), m[at.R_INFLOW_S])
    largest, largest_s = f.get(m, at.R_LARGEST), f.get(m, at.R_LARGEST_S)
    takes = (p.amount >= largest) | (p.at_s - largest_s > WEEK_S)
    m[at.R_LARGEST] = f.where(takes, p.amount, largest)
    m[at.R_LARGEST_S] = f.where(takes, p.at_s, largest_s)
    return (count == 0) | _level_crossed(f, m, p) | _risk_due(f, m, p)


def fan_in(f: Any, m: Any, at_s: Any) -> list[Any]:
    """Return the different payers of 1 h, 24 h, 7 d."""
    return [
        f.distinct(m, at.PAYERS, at.PAYERS_MORE, f.most(at_s - seconds, 0), at_s)
        for seconds in (HOUR_S, DAY_S, WEEK_S)
    ]


def _level_crossed(f: Any, m: Any, p: Receiving) -> Any:
    hour, day, week = (f.level(count) for count in fan_in(f, m, p.at_s))
    since = p.at_s - f.get(m, at.R_SENT_S)
    above = (hour > m[at.R_SENT_1H]) | (day > m[at.R_SENT_24H]) | (week > m[at.R_SENT_7D])
    return (
        above
        | ((hour > 0) & (since >= HOUR_S))
        | ((day > 0) & (since >= DAY_S))
        | ((week > 0) & (since >= WEEK_S))
        | (since >= CARD_AGAIN_S)
    )


def _risk_due(f: Any, m: Any, p: Receiving) -> Any:
    """Return whether a payee with frauds is paid for the first time in a day."""
    day = p.at_s // DAY_S
    recent = (m[at.R_FRAUDS] > 0) & (day - m[at.R_FRAUD_DAY] <= RISK_KEPT_DAYS)
    return recent & (day > m[at.R_SENT_S] // DAY_S)


def label_fraud(f: Any, m: Any, at_s: Any, labelled_s: Any) -> None:
    """Count a payment that is labelled fraud, at the time of its label; its card is due."""
    m[at.R_LAST_S] = f.most(m[at.R_LAST_S], labelled_s)
    m[at.R_FRAUDS] = m[at.R_FRAUDS] + 1
    m[at.R_FRAUD_DAY] = f.most(m[at.R_FRAUD_DAY], labelled_s // DAY_S)
    # A payment that is older than all windows would take the place of a day that is in one.
    f.ring_add(m, at.RISK, at_s, (0, 1, 0), labelled_s - at_s < RISK_WINDOW_S)
    f.ring_add(m, at.RISK, labelled_s, (0, 0, 1))


def withdraw_fraud(f: Any, m: Any, at_s: Any, labelled_s: Any) -> None:
    """Take back `label_fraud`, whose times these are; its card is due."""
    m[at.R_FRAUDS] = f.most(m[at.R_FRAUDS] - 1, 0)
    f.ring_less(m, at.RISK, at_s, at.FRAUDS)
    f.ring_less(m, at.RISK, labelled_s, at.LABELS)


def card(f: Any, m: Any, card: Any, at_s: Any) -> None:
    """Write what the other partitions are told of a payee into `card`, which is empty."""
    hour, day, week = fan_in(f, m, at_s)
    m[at.R_SENT_S] = f.most(m[at.R_SENT_S], at_s)
    m[at.R_SENT_1H], m[at.R_SENT_24H], m[at.R_SENT_7D] = f.level(hour), f.level(day), f.level(week)
    card[at.C_FIRST_S], card[at.C_COUNT] = m[at.R_FIRST_S], m[at.R_COUNT]
    card[at.C_FRAUDS], card[at.C_SENT_S] = m[at.R_FRAUDS], m[at.R_SENT_S]
    card[at.C_PAYERS_1H], card[at.C_PAYERS_24H], card[at.C_PAYERS_7D] = hour, day, week
    card[at.CARD_RISK.at : at.CARD_RISK.end] = m[at.RISK.at : at.RISK.end]
