"""Rules of a file as a backtest takes them."""

from __future__ import annotations

import msgspec

from pipeline.domain.fraud.expressions.rule_sets import RuleSet


def in_force_at_all_times(rules: RuleSet) -> RuleSet:
    """Return a set that holds at all times and for the payments of any tenant.

    Its own times are those from which it is to hold in the stream, mostly after the payments of a backtest.
    Entries of lists and snoozes keep their ends.
    """
    return msgspec.structs.replace(
        rules,
        tenant_id=None,
        effective_from_us=0,
        rules=tuple(msgspec.structs.replace(one, effective_from_us=None) for one in rules.rules),
    )
