"""A single-threaded model of one partition of the fraud stream: past payments, counted anew each time.

    records of one partition of payments, in order -> FraudBranch.apply -> dead-letter code, or what must
    come out: decisions, screenings, reviews and cancellations passed on, alerts, table rows

It holds the default settings, and their values give the version that every decision names. It knows what is
documented of the rules and of the layout of rows, and shares no code with the product: its agreement is
evidence. Times are event time: when it occurred, never later than the record. Amounts are minor units.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import isqrt
from typing import Any, ClassVar, NamedTuple

from tests.chaos.stream_model import StreamModel
from tests.chaos.tenants_model import Buckets
from tests.chaos.wire import (
    ALERTS,
    COMMANDS,
    DAY_US,
    LAYOUT,
    LONG_MAX,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
    TABLE,
    Dead,
    Expected,
    has_false_reference,
    has_impossible_id,
    msgpack,
    row_key,
)

FRAUD_TABLE = TABLE
"""Rows of: a debtor (`f`), a decision (`d`), an alert (`a`)."""

HOUR_S, DAY_S = 3_600, 86_400
WINDOWS = {
    "minute": ("60 s", 5, 12),
    "hour": ("1 h", 300, 12),
    "day": ("24 h", 3600, 24),
    "week": ("7 d", 21600, 28),
}
"""Name, seconds a bucket, number of buckets; the last bucket of a window is under way."""
PAYEES_KEPT, DEVICES_KEPT, COUNTRIES_KEPT = 32, 8, 8
COUNTRY_LENGTH_MAX = 8
AMOUNT_MAX, AMOUNTS_MAX = 10**15, 256
"""The statistics take no larger amount, and halve their sums at so many amounts."""
SCORE_MAX = 100

CONTENT = (
    *("payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency", "payment_type"),
    *("reference", "channel", "device_id", "counterparty_country", "merchant_category"),
    "hold_expires_at",
)
"""What a decision says of its payment."""

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


class Verdict(NamedTuple):
    """What is said of a payment; a reason is a rule and its detail."""

    outcome: str
    score: int
    reasons: tuple[tuple[str, str], ...]


class Payment(NamedTuple):
    """A payment as the rules see it; ids as `hash_of` makes them."""

    at_s: int
    amount: int
    payee: int
    device: int | None
    country: str | None

    @property
    def country_id(self) -> int | None:
        """Return the first eight bytes of the country as a number: how it is remembered."""
        return None if self.country is None else int.from_bytes(self.country.encode()[:8], "big")


@dataclass
class Seen:
    """A payee, device or country that payments have named."""

    key: int
    first_s: int
    last_s: int
    approved: bool = False


@dataclass
class Debtor:
    """What is known of a debtor: all payments asked for, and the habits of the approved ones."""

    clock_s: int = 0
    """The newest event time; starts in 1970."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    """Time and amount of each payment of the last seven days."""
    attempts: int = 0
    too_late: int = 0
    probe_s: int | None = None
    payees: list[Seen] = field(default_factory=list)
    devices: list[Seen] = field(default_factory=list)
    countries: list[Seen] = field(default_factory=list)

    approved: int = 0
    approved_s: int | None = None
    country: str | None = None
    country_s: int | None = None
    amounts: int = 0
    amounts_sum: int = 0
    squares: int = 0

    def start_s(self, window: str) -> int:
        """Return where a window begins; it ends with the bucket of the newest payment."""
        _, seconds, buckets = WINDOWS[window]
        return (self.clock_s // seconds - buckets + 1) * seconds

    def covers(self, window: str, at_s: int) -> bool:
        """Whether a time is in a window, or later."""
        return at_s >= self.start_s(window)

    def within(self, window: str) -> list[tuple[int, int]]:
        """Return the payments in a window."""
        start_s = self.start_s(window)
        return [one for one in self.asked if one[0] >= start_s]

    def remembered(self, payment: Payment) -> list[tuple[list[Seen], int, int]]:
        """Return where the payee, device and country of a payment are kept, their ids, and how many stay."""
        places = (
            (self.payees, payment.payee, PAYEES_KEPT),
            (self.devices, payment.device, DEVICES_KEPT),
            (self.countries, payment.country_id, COUNTRIES_KEPT),
        )
        return [(seen, key, kept) for seen, key, kept in places if key is not None]

    def ask(self, payment: Payment) -> None:
        """Count a payment that was asked for."""
        if not self.covers("week", payment.at_s):
            self.too_late += 1
            return
        self.attempts += 1
        self.asked = [*self.within("week"), (payment.at_s, payment.amount)]
        if payment.amount < SETTINGS["probe_amount_below_minor"]:
            self.probe_s = payment.at_s if self.probe_s is None else max(self.probe_s, payment.at_s)
        for seen, key, kept in self.remembered(payment):
            note(seen, key, payment.at_s, kept)

    def learn(self, payment: Payment) -> None:
        """Make an approved payment a habit."""
        at_s = payment.at_s
        self.approved += 1
        self.approved_s = at_s if self.approved_s is None else max(self.approved_s, at_s)
        for seen, key, _ in self.remembered(payment):
            for one in seen:
                one.approved |= one.key == key
        if payment.country is not None and (self.country_s is None or at_s >= self.country_s):
            self.country, self.country_s = payment.country, at_s
        amount = min(payment.amount, AMOUNT_MAX)
        sums = [self.amounts + 1, self.amounts_sum + amount, self.squares + amount**2]
        self.amounts, self.amounts_sum, self.squares = (
            sums if sums[0] < AMOUNTS_MAX else [each // 2 for each in sums]
        )

    def row(self) -> bytes:
        """Return the debtor's row."""
        near = [one for one in self.within("day") if near_threshold(one[1])]
        rings = [self._ring(window, self.within(window)) for window in WINDOWS]
        memories = [
            [[getattr(one, name) for one in seen] for name in ("key", "first_s", "last_s", "approved")]
            for seen in (self.payees, self.devices, self.countries)
        ]
        asked = [self.clock_s, self.attempts, self.too_late, self.probe_s]
        habits = [self.approved, self.approved_s, self.country, self.country_s]
        sums = [self.amounts, self.amounts_sum, self.squares >> 63, self.squares & LONG_MAX]
        return packed([rings, self._ring("day", near), *memories, *asked, *habits, *sums])

    def _ring(self, window: str, payments: Sequence[tuple[int, int]]) -> list[Any]:
        """Return counts and sums of a window's buckets, bucket b at b modulo their number; and the last b."""
        _, seconds, buckets = WINDOWS[window]
        counts, sums = [0] * buckets, [0] * buckets
        for at_s, amount in payments:
            counts[at_s // seconds % buckets] += 1
            sums[at_s // seconds % buckets] += amount
        return [counts, [min(one, LONG_MAX) for one in sums], self.clock_s // seconds]


def note(seen: list[Seen], key: int, at_s: int, kept: int) -> None:
    """Remember an id; of more than `kept` the one used longest ago goes, the smaller one of equals."""
    for one in seen:
        if one.key == key:
            one.first_s, one.last_s = min(one.first_s, at_s), max(one.last_s, at_s)
            return
    seen.append(Seen(key, at_s, at_s))
    if len(seen) > kept:
        oldest = min(range(len(seen)), key=lambda place: (seen[place].last_s, seen[place].key))
        seen[oldest] = seen[-1]  # the newcomer takes its place, unless it is the oldest itself
        seen.pop()


class Decision(NamedTuple):
    """What was decided on a payment id; `held` is the payment while a reviewer may approve it."""

    at_us: int
    content: tuple[str, ...]
    verdict: Verdict
    held: Payment | None

    def row(self) -> bytes:
        """Return the row of the payment id."""
        content = hash_of("\0".join(self.content))
        return packed([self.at_us, hash_of(self.content[0]), content, said(self.verdict), self.held])


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


def near_threshold(amount: int) -> bool:
    """Whether an amount is under the reporting threshold by at most the margin."""
    threshold = SETTINGS["structuring_threshold_minor"]
    return amount < threshold and amount * 100 >= threshold * (100 - SETTINGS["structuring_margin_percent"])


def hundredths(value: int) -> str:
    """Return hundredths as a decimal text."""
    return f"{value // 100}.{value % 100:02d}"


# --- texts and bytes


def in_words(verdict: Verdict) -> dict[str, Any]:
    """Return the fields by which events name a verdict."""
    reasons = [{"rule": rule, "detail": detail} for rule, detail in verdict.reasons]
    return {**verdict._asdict(), "reasons": reasons, "rules_version": VERSION}


def said(verdict: Verdict) -> list[Any]:
    """Return a verdict as rows keep it."""
    return [*verdict, VERSION]


@lru_cache(100_000)
def hash_of(text: str) -> int:
    """Return the 64 bits (BLAKE2b) by which rows keep an id."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def packed(content: Sequence[Any]) -> bytes:
    """Return a row: its layout, then its content as MessagePack."""
    return bytes([LAYOUT]) + pack(content)


def pack(value: Any) -> bytes:
    """Return lists, texts, integers, truth values and None as MessagePack."""
    if not isinstance(value, list | tuple):
        return msgpack(value)
    size = len(value)
    head = bytes([0x90 | size]) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
    # Most are the zeros of empty buckets, which would take most of the time.
    return head + b"".join([b"\0" if one == 0 and one is not False else pack(one) for one in value])


# --- the stream


def seen_by_rules(event: dict[str, Any], at_us: int) -> Payment:
    """Return a payment as the rules see it; an empty device or country is none."""
    device, country = event.get("device_id"), event.get("counterparty_country")
    return Payment(
        at_us // 1_000_000,
        event["amount_minor"],
        hash_of(event["creditor_account_id"]),
        hash_of(device) if device else None,
        country.upper()[:COUNTRY_LENGTH_MAX] if country else None,
    )


def again(earlier: Decision, content: tuple[str, ...]) -> Verdict:
    """Return the verdict on an id that comes again: the first one, but no approval for other content."""
    verdict = earlier.verdict
    if verdict.outcome != "APPROVE" or content == earlier.content:
        return verdict
    reason = ("payment_id_reused", f"this id came before with other content, scored {verdict.score}")
    return Verdict("REVIEW", max(verdict.score, SETTINGS["review_score_min"]), (*verdict.reasons, reason))


def decide(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Decide a payment; one that comes again gets its first verdict and counts nowhere."""
    debtor_id, creditor_id = event["debtor_account_id"], event["creditor_account_id"]
    recorded_us = branch.cause.timestamp_ms * 1000
    code = branch.buckets.refusal(branch.tenants, event["tenant_id"], event["occurred_at"], recorded_us)
    row = branch.buckets.row(event["tenant_id"])
    if row is not None and code != "tenant_closed":
        branch.row(row_key("q", event["tenant_id"]), row)
    if code is not None:
        return branch.refuse(code)
    at_us = min(event["occurred_at"], recorded_us)
    content = (debtor_id, creditor_id, str(event["amount_minor"]), event["currency"])
    earlier = branch.decisions.get((event["tenant_id"], event["payment_id"]))
    if earlier is not None and at_us - earlier.at_us <= SETTINGS["decisions_kept_days"] * DAY_US:
        verdict = again(earlier, content)
        branch.answer(verdict)
        if verdict.outcome != "APPROVE" and branch.alert_key not in branch.alerts:
            branch.alert(at_us, verdict)
        return
    if event["amount_minor"] <= 0 or debtor_id == creditor_id or "$" in (debtor_id[0], creditor_id[0]):
        return branch.answer(Verdict("APPROVE", 0, ()))  # the ledger refuses it; the id stays free
    payment, debtor = seen_by_rules(event, at_us), branch.debtor
    debtor.clock_s = max(debtor.clock_s, payment.at_s)
    late = not debtor.covers("week", payment.at_s)
    verdict = judge(debtor, payment)
    debtor.ask(payment)
    if verdict.outcome == "APPROVE" and not late:
        debtor.learn(payment)
    held = payment if verdict.outcome == "REVIEW" and not late else None
    branch.keep(Decision(at_us, content, verdict, held))
    branch.answer(verdict)
    if verdict.outcome != "APPROVE":
        branch.alert(at_us, verdict)


def review(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Pass a review on; an approval makes a held payment the debtor's habit, once."""
    known = branch.decisions.get((event["tenant_id"], event["payment_id"]))
    approved = known is not None and event["approved"] and known.content[0] == event["debtor_account_id"]
    if known is not None and known.held is not None and approved:
        branch.debtor.learn(known.held)
        branch.keep(known._replace(held=None))
    pass_on(branch, event)


def pass_on(branch: FraudBranch, event: dict[str, Any]) -> None:
    cause = branch.cause
    assert cause.event is not None
    for topic in (COMMANDS, PAYMENT_EVENTS) if cause.event == "PaymentReviewed" else (COMMANDS,):
        branch.out.append(Expected(topic, cause.key or b"", cause.event, event, cause.offset, cause.value))


@dataclass
class FraudBranch(StreamModel):
    """The fraud stream of one partition, as far as its log has been applied."""

    debtors: dict[tuple[str, str], Debtor] = field(default_factory=lambda: defaultdict(Debtor))
    """By tenant and account."""
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)
    """By tenant and payment id."""
    alerts: set[bytes] = field(default_factory=set)
    """Row keys."""
    buckets: Buckets = field(init=False)
    rules: ClassVar = {
        "PaymentInitiated": decide,
        **dict.fromkeys(PAYMENT_COMMANDS, pass_on),
        "PaymentReviewed": review,
    }

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.partitions)

    def check_ids(self, event: dict[str, Any]) -> None:
        if has_impossible_id(event):
            raise Dead("invalid_id")
        if has_false_reference(event):
            raise Dead("invalid_creditor_reference")

    @property
    def debtor(self) -> Debtor:
        return self.debtors[self.cause.fields["tenant_id"], self.cause.fields["debtor_account_id"]]

    @property
    def alert_key(self) -> bytes:
        names = ("tenant_id", "debtor_account_id", "payment_id")
        return row_key("a", *[self.cause.fields[name] for name in names])

    def keep(self, decision: Decision) -> None:
        """Remember a decision on the present payment; expect the rows of debtor and id."""
        tenant, payment_id = (self.cause.fields[name] for name in ("tenant_id", "payment_id"))
        self.decisions[tenant, payment_id] = decision
        self.row(row_key("f", tenant, self.cause.fields["debtor_account_id"]), self.debtor.row())
        self.row(row_key("d", tenant, payment_id), decision.row())

    def answer(self, verdict: Verdict) -> None:
        """Expect the decision on the present payment: what it says itself, and the verdict."""
        event = self.cause.fields
        # Older versions of a payment have no channel, device, country and category, and no end of a hold.
        payment = {name: event.get(name) for name in CONTENT}
        decided_id = self.id_of("payment_decided")
        account_id = event["debtor_account_id"]
        self.say(COMMANDS, account_id, "PaymentDecided", decided_id, **payment, **in_words(verdict))
        screened = {name: event[name] for name in CONTENT[:5]}
        screened |= {"outcome": verdict.outcome, "decision_id": decided_id}
        screened["hold_expires_at"] = event.get("hold_expires_at")
        screened_id = self.id_of("payment_screened")
        self.say(PAYMENT_EVENTS, account_id, "PaymentScreened", screened_id, **screened)

    def refuse(self, code: str) -> None:
        """Expect the answer to a payment that its tenant may not initiate."""
        event = self.cause.fields
        account_id = event["debtor_account_id"]
        about = {"account_id": account_id, "payment_id": event["payment_id"], "code": code}
        refused_id = self.id_of("refused:payment_initiated")
        said = {"command": "payment_initiated", **about}
        self.say(PAYMENT_EVENTS, account_id, "CommandRefused", refused_id, **said)

    def alert(self, at_us: int, verdict: Verdict) -> None:
        """Expect the alert on the present payment, and its row."""
        event = self.cause.fields
        payment = [event[name] for name in ("creditor_account_id", "amount_minor", "currency")]
        self.alerts.add(self.alert_key)
        self.row(self.alert_key, packed([at_us, said(verdict), *payment]))
        alert_id, account_id = self.id_of("fraud_alert_raised"), event["debtor_account_id"]
        about = {"alert_id": alert_id, "payment_id": event["payment_id"], "account_id": account_id}
        self.say(ALERTS, account_id, "FraudAlertRaised", alert_id, **about, **in_words(verdict))
