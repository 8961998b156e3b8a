"""Decides a whole history: features, then what is in force, and new models as time goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.backtest.features import facts_of, features_of
from pipeline.backtest.history import History, Labels
from pipeline.domain.fraud.deciding.deciding import Decider, Decisions
from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.deciding.models import ANOMALY, LIVE, Fitted
from pipeline.domain.fraud.deciding.reasons import Explained
from pipeline.domain.fraud.expressions.rule_sets import RuleSet
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import INPUTS, NAMES
from pipeline.domain.fraud.model.artefact import ISOLATION, Model
from pipeline.domain.fraud.model.encoding import encode
from pipeline.domain.kernel.times import LONG_AGO, MICROSECONDS_PER_DAY
from pipeline.training.data import Input
from pipeline.training.data import Payments as Learned
from pipeline.training.walk_forward import Walk, WalkForward

Integers = np.ndarray
AMOUNT = NAMES.index("amount")
LEARNED_OF = tuple(Input(*one) for one in INPUTS)
"""What models are made of."""
Progress = Callable[[int], None]
"""Is told how many payments are decided."""


class Setup(NamedTuple):
    """What decides."""

    rates: Rates
    rules: RuleSet | None = None
    """Beside the default set, or in its place if it has its id, at all times. None: the default set alone."""
    model: Fitted | None = None
    train: WalkForward | None = None
    """How models are made as time goes on; not together with a live `model`."""


@dataclass(slots=True)
class Outcome:
    """What was decided about a history, in its order."""

    ranks: Integers
    scores_bp: Integers
    live_bp: Integers
    """MISSING without a model."""
    models: Integers
    """Number of the model, in `names`; -1 for none."""
    before: Integers
    """Ranks by the default set alone."""
    value: Integers
    """Comparable amounts, minor units of EUR; MISSING without a rate."""
    by_model: Integers
    """Which are alerts of the live model: bool."""
    by_anomaly: Integers
    names: list[str] = field(default_factory=list)
    """Of the models that decided: SHA-256."""
    sets: set[str] = field(default_factory=set)
    """Names of the sets of rules that decided."""
    made: list[Model] = field(default_factory=list)
    """Models that were trained on the way."""
    explained: dict[int, Explained] = field(default_factory=dict)
    """Of alerts, and of payments about which shadow rules said something."""


def run(history: History, labels: Labels, setup: Setup, progress: Progress = lambda done: None) -> Outcome:
    """Decide a history. Raises XgboostMissing, and RuleSetError and ModelRefused as `Deciders` do."""
    count = len(history)
    ranks, before = np.zeros((2, count), np.int8)
    found = Outcome(
        ranks,
        np.zeros(count, np.int16),
        np.full(count, MISSING, np.int64),
        np.full(count, -1, np.int32),
        before,
        np.zeros(count, np.int64),
        *np.zeros((2, count), bool),
    )
    ours, default = _deciders(setup), Decider(Deciders())
    is_default = setup.rules is None and setup.model is None
    walk = None if setup.train is None else Walk(LEARNED_OF, setup.train)
    known = labels.known_us(count)
    for places, features in features_of(history, labels, setup.rates):
        if walk is not None:
            _train(walk, int(history.at_us[places.start]), ours.deciders, found)
        facts = facts_of(history, places)
        decisions = ours.many(facts, features)
        _keep(decisions, places, features, found)
        if is_default and not found.made:
            found.before[places] = decisions.ranks
        else:
            found.before[places] = default.many(facts, features).ranks
        if walk is not None:
            walk.learn(learned(history, places, features, known))
        progress(places.stop)
    return found


def learned(history: History, places: slice, features: Integers, known: tuple[Integers, Integers]) -> Learned:
    """Return payments as models learn from them; `known`: as `Labels.known_us` says of the whole history."""
    known_us, cleared_us = known
    amounts = features[AMOUNT].clip(min=0)
    return Learned(LEARNED_OF, features, history.at_us[places], amounts, known_us[places], cleared_us[places])


def _deciders(setup: Setup) -> Decider:
    deciders = Deciders()
    if setup.rules is not None:
        deciders.publish(setup.rules)
    if setup.model is not None:
        role = ANOMALY if setup.model.model.kind == ISOLATION else LIVE
        deciders.give(role, None, LONG_AGO, setup.model)
    return Decider(deciders)


def _train(walk: Walk, at_us: int, deciders: Deciders, found: Outcome) -> None:
    """Let the model of a day be the live one."""
    model = walk.model_at(at_us)
    if model is None or (found.made and found.made[-1] is model):
        return
    found.made.append(model)
    deciders.give(LIVE, None, at_us - at_us % MICROSECONDS_PER_DAY, Fitted(encode(model)))


def _keep(decisions: Decisions, places: slice, features: Integers, found: Outcome) -> None:
    found.ranks[places] = decisions.ranks
    found.scores_bp[places] = decisions.scores_bp
    found.live_bp[places] = decisions.live_bp
    found.value[places] = features[AMOUNT]
    numbers: dict[str, int] = {name: number for number, name in enumerate(found.names)}
    for force, here in decisions.groups():
        found.sets.add(force.sets)
        model = force.live or force.anomaly
        if model is not None:
            if model.name not in numbers:
                numbers[model.name] = len(found.names)
                found.names.append(model.name)
            found.models[places][here] = numbers[model.name]
        for one, said, alerts in (
            (force.live, decisions.live_bp, found.by_model),
            (force.anomaly, decisions.anomaly_bp, found.by_anomaly),
        ):
            if one is not None:
                reached = said[here] >= one.model.review_from_bp
                alerts[places][here] = reached & (decisions.ranks[here] > 0)
    for place in np.flatnonzero((decisions.ranks > 0) | decisions.noted).tolist():
        found.explained[places.start + place] = decisions.explain(place, features[:, place])
