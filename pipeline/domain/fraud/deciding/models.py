"""Models in their roles: which one holds at an event time, for a tenant.

LIVE        its score ranks payments, and its threshold makes alerts
SHADOW      is noted beside the decision, and changes nothing
ANOMALY     says what is strange; its threshold makes alerts beside the live one
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.domain.fraud.deciding.facts import ROW, Integers
from pipeline.domain.fraud.expressions.units import BOOLEAN, told
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import CATALOGUE, INPUTS, Input
from pipeline.domain.fraud.model.artefact import BOOSTED, ISOLATION, KINDS, Feature, Model
from pipeline.domain.fraud.model.contributions import Contribution, Explainer
from pipeline.domain.fraud.model.drift import Spread
from pipeline.domain.fraud.model.encoding import name_of, parse
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.domain.fraud.model.refusals import require
from pipeline.domain.kernel.times import LONG_AGO

LIVE, SHADOW, ANOMALY = "LIVE", "SHADOW", "ANOMALY"
ROLES = (LIVE, SHADOW, ANOMALY)
KIND_OF = {LIVE: BOOSTED, SHADOW: BOOSTED, ANOMALY: ISOLATION}
CONTRIBUTIONS = 3
"""So many of a model's contributions are reasons."""
_KNOWN = {one.name: one for one in INPUTS}


class Fitted:
    """A model that was made for this catalogue, ready to judge the features that the tables compute."""

    def __init__(self, data: bytes, name: str | None = None) -> None:
        """`name`: what the sender calls it. Raises ModelRefused: no model, or one of other features."""
        model = parse(data, name)
        check_features(model)
        self.data, self.name, self.model = data, name_of(data), model
        self._row_list = [ROW[one.name] for one in model.features]
        self._rows = np.array(self._row_list, np.int64)
        self._evaluator = Evaluator(model)
        self._explainer = Explainer(self._evaluator, value_in_words)
        self.spread = Spread(model)
        """How its features and its score were spread in training: what drift is measured against."""

    def scores(self, features: Integers) -> Integers:
        """Return the score of each payment, basis points."""
        return self._evaluator.scores(self._evaluator.margins(self.columns(features)))

    def score(self, features: Sequence[int]) -> int:
        """Return the score of one payment, basis points."""
        return self._evaluator.score([features[row] for row in self._row_list])

    def columns(self, features: Integers) -> Integers:
        """Return the features that the model asks for, in its order."""
        chosen: Integers = features[self._rows]
        return chosen

    def contributions(self, features: Sequence[int], count: int = CONTRIBUTIONS) -> list[Contribution]:
        """Return what moved the score of one payment most."""
        values = [features[row] for row in self._row_list]
        return self._explainer.top(values, self._explainer.row(values), count)


def check_features(model: Model) -> None:
    """Check that a model asks for features of the catalogue, in their units. Raises ModelRefused."""
    for number, one in enumerate(model.features):
        known = _KNOWN.get(one.name)
        require(known is not None, f"feature {number}", f"{one.name} is none of this release")
        said = Input(one.name, one.unit, one.decimals)
        require(said == known, f"feature {number}", f"{said} is {known} in this release")


def value_in_words(feature: Feature, value: int) -> str:
    """Return a feature's value as reasons have it."""
    known = CATALOGUE.get(feature.name)
    if value == MISSING or known is None:
        return "unknown"
    if known.unit == BOOLEAN:
        return "yes" if value else "no"
    return told(value, known.unit)


class Models:
    """All models that were given a role; of a tenant's own ones and those of all, its own hold."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str | None], dict[int, Fitted | None]] = {}

    def give(self, role: str, tenant_id: str | None, from_us: int, model: Fitted | None) -> None:
        """Give a role to a model from an event time on; None: nobody has it from then on.

        `tenant_id` None: for all tenants. What was given for the same time before is replaced. Raises
        ModelRefused for a role or a model that is not of its kind.
        """
        require(role in ROLES, "role", f"{role[:40]!r} is none of {', '.join(ROLES)}")
        if model is not None:
            kind = KIND_OF[role]
            said = f"a model of kind {KINDS[model.model.kind]} cannot be {role}, one of {KINDS[kind]} can"
            require(model.model.kind == kind, "kind", said)
        self._given.setdefault((role, tenant_id), {})[from_us] = model

    @property
    def has_any(self) -> bool:
        """Whether a model was ever live or beside a live one."""
        return any(role != ANOMALY for role, _ in self._given)

    def tenants(self) -> frozenset[str]:
        """Return the tenants who have models of their own."""
        return frozenset(tenant for _, tenant in self._given if tenant is not None)

    def at(self, role: str, tenant_id: str, at_us: int) -> Fitted | None:
        """Return which model has a role at an event time; None: none."""
        for whose in (tenant_id, None):
            given = self._given.get((role, whose), {})
            begun = max((from_us for from_us in given if from_us <= at_us), default=None)
            if begun is not None:
                return given[begun]
        return None

    def between(self, tenant_id: str, at_us: int) -> tuple[int, int | None]:
        """Return from when until when the same models hold as at an event time; None: there is no end."""
        times = [
            from_us
            for (_, tenant), given in self._given.items()
            if tenant in (None, tenant_id)
            for from_us in given
        ]
        since = max((one for one in times if one <= at_us), default=LONG_AGO)
        return since, min((one for one in times if one > at_us), default=None)
