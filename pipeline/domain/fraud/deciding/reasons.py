"""Why a payment is decided as it is: rules with their values, contributions of models in words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.fraud.deciding.in_force import InForce
from pipeline.domain.fraud.expressions.compiled import Ruling


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One reason."""

    label: str
    """The rule and its version (`fan_out@3`), `list:block`, `model:amount` or `anomaly:amount`."""
    text: str
    """For people, with values."""


class Explained(msgspec.Struct, frozen=True, gc=False):
    """Why."""

    reasons: tuple[Reason, ...]
    """What counts: rules in their order, then what moved the live model's score most, then the anomaly's."""
    shadow: tuple[str, ...]
    """Labels of rules that fired and do not count."""


def explained(force: InForce, ruling: Ruling, features: Sequence[int], is_strange: bool) -> Explained:
    """Return why; `is_strange`: whether the anomaly model's threshold was reached."""
    found = [Reason(label, text) for label, text in ruling.reasons]
    for prefix, model in (("model", force.live), ("anomaly", force.anomaly if is_strange else None)):
        if model is not None:
            found += [Reason(f"{prefix}:{one.feature}", one.text) for one in model.contributions(features)]
    return Explained(tuple(found), ruling.shadow)
