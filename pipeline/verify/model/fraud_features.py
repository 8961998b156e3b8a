"""The features of a payment, each from what is remembered of its debtor, its payee, and the two of them.

From the contract: the table of features and the words of their README. Ids are numbers of 63 bits, amounts
minor units of EUR, times whole seconds; what is not known is None.
"""

from __future__ import annotations

from pipeline.verify.model.fraud_payers import NOTHING, Pair, Payer, Payment
from pipeline.verify.model.fraud_receiving import Card, Receiver, risk
from pipeline.verify.model.fraud_windows import DAY_S, HOUR_S

WINDOWS = (("1min", 5, 12), ("1h", 300, 12), ("24h", HOUR_S, 24), ("7d", DAY_S, 7), ("30d", DAY_S, 30))
"""Name, seconds of a bucket, how many buckets it has."""
NEAR = (("24h", 4), ("3d", 12), ("7d", 28))
FAN_IN = (("1h", HOUR_S), ("24h", DAY_S), ("7d", 7 * DAY_S))
TIMES_MOST, SHARE_MOST = 10**6, 10**10
PART_MOST = 10**14
"""Larger sums count as this one where they are divided."""
PROBE_BELOW = 1_00
Features = dict[str, int | None]


def itself(payment: Payment, payer: Payer, threshold: int) -> Features:
    """What a payment says itself, and when it comes."""
    at_s, amount, newest_s = payment.at_s, payment.amount, payer.newest_s
    starts = (payer.began_s, payment.opened_s, at_s)
    payer.began_s = min(one for one in starts if one is not None)
    near = amount is not None and amount < threshold and amount * 100 >= threshold * 80
    whole, rest = divmod(abs(payment.minor), 10**payment.digits)
    zeros = 0 if rest else 9 if not whole else len(str(whole)) - len(str(whole).rstrip("0"))
    return {
        "amount": amount,
        "trailing_zeros": min(zeros, 9),
        "hour_of_day": at_s % DAY_S // HOUR_S,
        "day_of_week": (at_s // DAY_S + 3) % 7,
        "is_near_threshold": int(near),
        "late_by": 0 if newest_s is None else max(newest_s - at_s, 0),
        "since_payment": since(newest_s, at_s),
        "account_age": max(at_s - payer.began_s, 0),
    }


def since(then_s: int | None, at_s: int) -> int | None:
    """Return the time since a moment; unknown where there is none, or it is later."""
    return None if then_s is None or then_s > at_s else at_s - then_s


def over(part: int | None, whole: int | None, most: int = SHARE_MOST, times: int = 10_000) -> int | None:
    """Return a share in hundredths of a percent."""
    if part is None or not whole:
        return None
    return min(min(part, PART_MOST) * times // whole, most)


def probes(payment: Payment, payer: Payer) -> Features:
    """Small payments before this one."""
    at_s, amount = payment.at_s, payment.amount
    before = [one[2] for one in payer.rings[300].within(at_s, 12)]
    smallest = min((one for one in before if one != NOTHING), default=None)
    times = None
    if smallest is not None and amount is not None:
        times = min(amount // max(smallest, 1), TIMES_MOST)
    found: Features = {
        "smallest_1h": smallest,
        "times_smallest_1h": times,
        "since_probe": since(payer.probe_s, at_s),
    }
    if amount is not None and amount < PROBE_BELOW:
        payer.probe_s = max(at_s, payer.probe_s or 0)
    return found


def windows(payment: Payment, payer: Payer) -> Features:
    """Payments, sums, payees and devices of each window; the payment itself is among them."""
    at_s, found = payment.at_s, Features()
    for name, seconds, buckets in WINDOWS:
        inside = payer.rings[seconds].within(at_s, buckets)
        payments = sum(one[0] for one in inside)
        from_s, until_s = (at_s // seconds - buckets + 1) * seconds, at_s + 1
        found[f"payments_{name}"] = payments
        found[f"amount_{name}"] = sum(one[1] for one in inside)
        found[f"payees_{name}"] = min(payer.payees.different(from_s, until_s), payments)
        found[f"devices_{name}"] = min(payer.devices.between(from_s, until_s), payments)
        if name in ("1h", "24h"):
            firsts = payer.payees.first_s.values()
            found[f"new_payees_{name}"] = sum(from_s <= one < until_s for one in firsts)
    for name, buckets in NEAR:
        inside = payer.near.within(at_s, buckets)
        found[f"near_threshold_{name}"] = sum(one[0] for one in inside)
        found[f"near_amount_{name}"] = sum(one[1] for one in inside)
    return found


def habits(payment: Payment, payer: Payer, pair: Pair, usual: tuple[int, int]) -> Features:
    """What is usual for the debtor."""
    at_s, amount, own = payment.at_s, payment.amount, payer.habits
    mean, deviation = own.amounts(*usual)
    largest = (own.largest[0] if own.largest else 0) or None
    others = [last for key, last in payer.countries.last_s.items() if key != payment.country and last <= at_s]
    return {
        "approved_payments": own.approved,
        "silence": since(own.last_s, at_s),
        "usual_amount": mean,
        "amount_deviations": None if amount is None else (amount - mean) * 100 // deviation,
        "amount_ratio": over(amount, max(mean, 1)),
        "largest_amount": largest,
        "of_largest": None if largest is None else over(amount, max(largest, 1)),
        "usual_hours": own.share_of_hours(at_s),
        "round_amounts": own.share_of_round,
        "debtor_frauds": payer.frauds,
        "is_new_payee": int(not pair.approved),
        "is_new_device": is_new(payment.device, payer.devices.approved),
        "is_new_country": is_new(payment.country, payer.countries.approved),
        "since_other_country": since(max(others, default=None), at_s) if payment.country else None,
    }


def is_new(key: int, approved: dict[int, int]) -> int | None:
    """Whether none of the approved payments named an id; unknown where none is named, or was."""
    return int(key not in approved) if key and approved else None


def of_pair(payment: Payment, pair: Pair) -> Features:
    return {
        "pair_payments": pair.count,
        "pair_amount": pair.total,
        "since_pair": since(pair.last_s if pair.count else None, payment.at_s),
    }


def flow(payment: Payment, payer: Payer, receiver: Receiver | None) -> Features:
    """What the debtor received, and how much of it goes on."""
    at_s, amount, found = payment.at_s, payment.amount, Features()
    receiver = receiver or Receiver()
    for name, buckets, share in (("6h", 6, "share_passed_on_6h"), ("24h", 24, "share_passed_on")):
        received = sum(one[1] for one in receiver.hours.within(at_s, buckets))
        gone = sum(one[1] for one in payer.rings[HOUR_S].within(at_s, buckets))
        found[f"amount_in_{name}"] = received
        found[share] = over(gone, received)
        found[f"share_leaving_{name}"] = over(amount, received)
    found["payers_in_24h"] = receiver.payers_in(at_s, DAY_S)
    found["payers_in_7d"] = receiver.payers_in(at_s, 7 * DAY_S)
    found["since_inflow"] = since(receiver.inflow_s, at_s)
    largest, then_s = receiver.largest_at(at_s)
    found["since_largest_inflow"] = since(then_s, at_s)
    found["of_largest_inflow"] = None if largest is None else over(amount, max(largest, 1))
    found["cycle_hops"] = receiver.back_to(payment.payee, at_s, amount)
    return found


def of_payee(payment: Payment, card: Card | None) -> Features:
    """What was last told of the payee."""
    at_s, card = payment.at_s, card or Card()
    found: Features = {"payee_age": since(card.first_s, at_s)}
    for (name, seconds), payers in zip(FAN_IN, card.payers, strict=True):
        fresh = card.as_of_s is not None and at_s - card.as_of_s < 2 * seconds
        found[f"payee_payers_{name}"] = payers if fresh else 0
    for days in (1, 7, 30):
        then = card.days.within(at_s, days, ago=7)
        received, frauds = sum(one[0] for one in then), sum(one[1] for one in then)
        found[f"payee_payments_{days}d"] = received
        found[f"payee_fraud_risk_{days}d"] = risk(received, frauds) if card.received else None
        found[f"payee_labels_{days}d"] = sum(one[2] for one in card.days.within(at_s, days))
    found["payee_fraud_risk"] = risk(card.received, card.frauds) if card.received else None
    found["payee_frauds"] = card.frauds
    return found
