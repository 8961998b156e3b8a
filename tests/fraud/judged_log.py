"""Logs for the judge with all that changes decisions: rules, lists, models, rates, segments, two tenants."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from msgspec import structs

from pipeline.domain.fraud.expressions.rule_sets import SHADOW, RuleSet, Snooze
from pipeline.domain.kernel import events as ev
from tests.fraud.log_traffic import labelled, quoted, whole_log
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import in_role, list_parts, model_parts, published
from tests.fraud_rules.sets import rule, rule_list, rule_set
from tests.kernel.side_by_side import Log

TENANTS = ("acme", "beta")


@cache
def models() -> tuple[bytes, ...]:
    """Return two boosted models that find much, and an isolation forest."""
    return model_bytes(1, 3_000, 9_500), model_bytes(2, 4_000, 9_900), model_bytes(4, 9_990, 10_001, kind=2)


def rules_of(random: Random, now: int, version: int) -> RuleSet:
    """Return a set that names a list, scores, notes and rejects; of all tenants or of one."""
    tenant = random.choice([None, None, "acme"])
    names = [f"shop-{random.choice([1, 2, random.randrange(99)])}" for _ in range(3)]
    lists = (
        rule_list("seen", "watch", *dict.fromkeys(names[:2])),
        rule_list("no", random.choice(["block", "allow"]), (names[2], now + random.randrange(10**13))),
    )
    rules = (
        rule("seen", 'payee in list("seen") and amount > 1 EUR', score=55, reason="{payee} got {amount}"),
        rule("often", "payments_24h > 2", score=30, reason="{payments_24h}, {silence}"),
        rule("strange", "model_score > 50 % or anomaly_score > 30 %", score=25, reason="{model_score}"),
        rule("noted", "amount > 1 EUR", outcome="REVIEW", state=SHADOW),
        rule("tried", "amount > 1 EUR", score=30, state=SHADOW),
        rule("much", "amount > 9_000 EUR and is_new_payee", outcome="REJECT", segments=("payroll",)),
    )
    snoozes = (Snooze("acme", "A2", now + random.randrange(10**13)),)
    changes: dict[str, Any] = {"lists": lists, "snoozes": snoozes, "tenant_id": tenant}
    set_id = random.choice(["default", "mine"])
    from_us = now + random.choice([-(10**10), 0, 10**10])
    return rule_set(*rules, set_id=set_id, version=version, from_us=max(from_us, 0), **changes)


def publications(random: Random, now: int, version: int) -> list[Any]:
    """Return the events of a set or of a model in a role; now and then a part is lost."""
    if random.random() < 0.5:
        rules = rules_of(random, now, version)
        made = [*list_parts(rules), published(rules)]
    else:
        tenant, role = (
            random.choice([None, None, "beta"]),
            random.choice(["LIVE", "LIVE", "SHADOW", "ANOMALY"]),
        )
        data = models()[2] if role == "ANOMALY" else random.choice(models()[:2])
        parts = model_parts(data, len(data) // 2 + 1, tenant)
        from_us = now + random.choice([-(10**10), 0, 10**10])
        made = [*parts, in_role(data, len(parts), role, tenant, from_us)]
        if random.random() < 0.2:
            made = [in_role(None, 0, role, tenant, from_us)]
    return made[1:] if random.random() < 0.1 else made


def judged_log(random: Random, length: int, **kinds: float) -> Log:
    """Return the log of one partition."""
    log: Log = []
    paid: list[ev.PaymentInitiated] = []
    for number, (event, now) in enumerate(whole_log(random, length, **kinds)):
        if hasattr(event, "tenant_id") and random.random() < 0.15:
            event = structs.replace(event, tenant_id="beta")
        if type(event) is ev.PaymentInitiated:
            event = unusual(random, event)
            paid.append(event)
        log.append((event, now))
        if random.random() < 0.04:
            log += [(one, now) for one in publications(random, now, 1 + number)]
        if random.random() < 0.05:
            known = [("USD", 90_000_000), ("VND", 3_700), ("JPY", 600_000), ("USD", 1)]
            base, rate_e8 = random.choice(known)
            made = quoted(base, rate_e8 + random.randrange(99), now - random.choice([0, 10**10, 10**12]))
            made = structs.replace(made, tenant_id=random.choice(TENANTS))
            log.append((made if random.random() < 0.8 else turned(made), now))
        if paid and random.random() < 0.05:
            log.append((labelled(random.choice(paid), random.choice(["FRAUD", "GENUINE"]), now), now))
    return log


def turned(rate: ev.RateQuoted) -> ev.RateQuoted:
    """Return a rate of EUR in the currency, or of two others."""
    quote = rate.base_currency if rate.base_currency != "JPY" else "GBP"
    return structs.replace(rate, base_currency="EUR", quote_currency=quote, rate_e8=10**16 // rate.rate_e8)


def unusual(random: Random, event: ev.PaymentInitiated) -> ev.PaymentInitiated:
    """Return a payment, a few of them in other currencies, of other amounts and times."""
    what = random.random()
    if what < 0.2:
        return structs.replace(event, currency=random.choice(["USD", "VND", "JPY", "GBP", "XXX"]))
    if what < 0.25:
        return structs.replace(event, amount_minor=random.choice([0, -5, 1, 99, 10**13, 2**63 - 1]))
    if what < 0.27:
        return structs.replace(event, occurred_at=random.choice([-(2**63), -1, 0, 2**63 - 1]))
    if what < 0.3:
        return structs.replace(event, creditor_account_id=random.choice(["A1", "$opening:EUR:0", "A2"]))
    if what < 0.32:
        return structs.replace(event, device_id=random.choice(["x" * 300, "x" * 400, "\U0001f600" * 257]))
    return event
