"""What operators publish in the fraud town: rules with lists, models, and what must be dead letters.

    rules of the town, lists in parts -> a live model -> a shadow model -> another live one -> rules of all
    between them: rules that are none, parts that never come, other content of a version, a broken model

An act is given when the town begins and the event time of the act, microseconds UTC, and returns its events.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import structs

from pipeline.domain.fraud.expressions.rule_sets import PAUSED, SHADOW, RuleSet, Snooze
from pipeline.domain.kernel import events as ev
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import in_role, list_parts, model_parts, published
from tests.fraud_rules.sets import rule, rule_list, rule_set

TENANT = "guarded"
WATCHED, BLOCKED, TRUSTED, NOT_LONG = "watched-shop", "blocked-shop", "trusted-shop", "not-long-watched"
SNOOZED, PAYROLL = "snoozed", "payroll"
"""Debtors that rules treat in a way of their own."""
HOUR_US = 3_600_000_000
LONG_LIST = 2_100
"""Entries of a list: more than one part has."""
MUCH = "amount > 1 EUR"
Act = Callable[[int, int], list[Any]]


@cache
def models() -> tuple[bytes, bytes, bytes]:
    """Return two boosted models that find much, and an isolation forest."""
    boosted = model_bytes(1, 3_000, 9_500), model_bytes(2, 4_000, 9_900)
    return *boosted, model_bytes(4, 9_000, 10_001, kind=2)


def own_rules(begins: int, version: int = 1) -> RuleSet:
    """Return rules of the town, with lists of every kind."""
    others = [f"shop-{number:05}" for number in range(LONG_LIST)]
    lists = (
        rule_list("watched", "watch", WATCHED, (NOT_LONG, begins + 2 * HOUR_US), *others),
        rule_list("blocked", "block", BLOCKED),
        rule_list("trusted", "allow", TRUSTED),
    )
    weeks = "{payee_payments_1d}, {payee_payments_7d}, {payee_fraud_risk_7d}, {payee_labels_1d}"
    rules = (
        rule("watched", f'payee in list("watched") and {MUCH}', outcome="REVIEW", reason="{payee}: " + weeks),
        rule("often", "payments_1h > 3", score=55, reason="{payments_1h}, {amount_1h}, {new_payees_1h}"),
        rule("known_frauds", "payee_frauds > 0", score=5, reason="{payee_frauds}, {payee_fraud_risk}"),
        rule("known_too_soon", "payee_fraud_risk_7d > 3 %", score=50, reason=weeks),
        rule("strange", "model_score > 50 % or anomaly_score > 60 %", score=25, reason="{model_score}"),
        rule("salaries", "amount > 9_000 EUR", outcome="REJECT", segments=("payroll",)),
        rule("looked_at", MUCH, outcome="REVIEW", state=SHADOW),
        rule("asleep", MUCH, outcome="REJECT", state=PAUSED),
    )
    snoozes = (Snooze(TENANT, SNOOZED, begins + 20 * HOUR_US),)
    more: dict[str, Any] = {"tenant_id": TENANT, "lists": lists, "snoozes": snoozes}
    return rule_set(*rules, set_id="town", version=version, from_us=max(begins - HOUR_US, 0), **more)


def rules_of_all(begins: int) -> RuleSet:
    """Return rules of all tenants, about a payee of the town."""
    condition = f'payee == "{WATCHED}" and amount > 40 EUR'
    return rule_set(rule("of_all", condition, score=60, reason="{amount}"), set_id="all", from_us=begins)


def publish_rules(begins: int, at: int) -> list[Any]:
    rules = own_rules(begins)
    return [*list_parts(rules), published(rules)]


def publish_no_rules(begins: int, at: int) -> list[Any]:
    """A condition that nobody can read."""
    made = published(rule_set(rule("wrong", MUCH), set_id="wrong", tenant_id=TENANT))
    return [structs.replace(made, head=made.head.replace(MUCH, "amount >"))]


def in_use(role: str, number: int, tenant: str | None) -> Act:
    """Return what gives one of the models a role; it comes in two parts."""

    def act(begins: int, at: int) -> list[Any]:
        data = models()[number]
        made = model_parts(data, len(data) // 2 + 1, tenant)
        return [*made, in_role(data, len(made), role, tenant, at)]

    return act


def publish_without_parts(begins: int, at: int) -> list[Any]:
    """A list whose entries never come."""
    lists = (rule_list("lost", "watch", "nobody-knows"),)
    return [published(rule_set(rule("lost", MUCH), set_id="lost", tenant_id=TENANT, lists=lists))]


def publish_other_content(begins: int, at: int) -> list[Any]:
    """The version of the town's rules once more, and other rules under it."""
    rules = own_rules(begins)
    other = structs.replace(rules, rules=rules.rules[:1])
    return [*list_parts(rules), published(rules), published(other)]


def publish_broken_model(begins: int, at: int) -> list[Any]:
    """A model of which one byte is another one."""
    data = models()[1]
    broken = data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]
    part = structs.replace(model_parts(broken, len(broken), TENANT)[0], model_sha256="a" * 64)
    return [part, structs.replace(in_role(data, 1, "LIVE", TENANT, at), model_sha256="a" * 64)]


def publish_for_another(begins: int, at: int) -> list[Any]:
    """Rules of all tenants under the key of one."""
    return [structs.replace(published(rules_of_all(begins)), tenant_id=TENANT)]


def publish_for_all(begins: int, at: int) -> list[Any]:
    return [published(rules_of_all(begins))]


def publish_second_rules(begins: int, at: int) -> list[Any]:
    """The next version; its lists are known."""
    return [published(own_rules(begins, version=2))]


def withdraw(begins: int, at: int) -> list[Any]:
    """Rules alone from then on."""
    return [in_role(None, 0, "LIVE", TENANT, at)]


ACTS: tuple[Act, ...] = (
    publish_rules,
    in_use("LIVE", 0, TENANT),
    publish_no_rules,
    in_use("SHADOW", 1, None),
    in_use("LIVE", 1, TENANT),
    publish_without_parts,
    publish_for_all,
    publish_broken_model,
    in_use("ANOMALY", 2, TENANT),
    publish_for_another,
    publish_other_content,
    publish_second_rules,
    withdraw,
    in_use("LIVE", 1, TENANT),
)
"""In their order."""


def acted(number: int, begins: int, at: int) -> list[Any]:
    """Return the events of an act, at an event time."""
    found = ACTS[number](begins, at)
    names = [f"{TENANT} act {number} {place}" for place in range(len(found))]
    return [
        structs.replace(one, event_id=name, occurred_at=at) for one, name in zip(found, names, strict=True)
    ]


def is_publication(event: Any) -> bool:
    return isinstance(
        event,
        ev.FraudRulesPublished
        | ev.FraudListPartPublished
        | ev.FraudModelPartPublished
        | ev.FraudModelPublished,
    )
