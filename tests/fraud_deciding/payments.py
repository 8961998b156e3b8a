"""Random payments, rules and models for these tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.domain.fraud.deciding.facts import Facts
from pipeline.domain.fraud.deciding.models import Fitted
from pipeline.domain.fraud.expressions.units import BOOLEAN
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import COMPUTED, INPUTS, NAMES
from pipeline.domain.fraud.model.artefact import ISOLATION, Feature, Model
from pipeline.domain.fraud.model.encoding import encode
from tests.fraud_model.models import random_model

AT_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000
TENANTS, SEGMENTS = ("north", "south", "west"), ("payroll", "retail", "treasury")


def random_features(seed: int, count: int) -> np.ndarray:
    """Return features as the tables may say them: small, large, unknown where that is possible."""
    chance = np.random.default_rng(seed)
    found = np.exp(chance.uniform(0, 16, (len(NAMES), count))).astype(np.int64) - 1
    for row, one in enumerate(COMPUTED):
        if one.unit == BOOLEAN:
            found[row] %= 2
        found[row] = np.minimum(found[row], one.most)
        if one.nullable:
            found[row, chance.random(count) < 0.3] = MISSING
    return found


def random_facts(seed: int, count: int) -> Facts:
    """Return facts of payments of three tenants and segments within two hours."""
    chance = np.random.default_rng(seed + 1)
    at_us = AT_US + chance.integers(0, 2 * HOUR_US, count)
    words = {
        "debtor": [f"d{number}" for number in chance.integers(0, 5, count)],
        "payee": [f"p{number}" for number in chance.integers(0, 9, count)],
        "country": [None if number < 3 else "DE" for number in chance.integers(0, 9, count)],
        "segment": [SEGMENTS[number] for number in chance.integers(0, 3, count)],
    }
    facts = Facts.of(at_us, "", **words)
    of = chance.integers(0, 3, count)
    return facts._replace(tenant=facts.tenant._replace(values=of, words=TENANTS))


def model_bytes(seed: int, review_bp: int = 500, decline_bp: int = 9_000, **changes: object) -> bytes:
    """Return a model of random trees that asks for eight features of the catalogue."""
    model: Model = random_model(seed, features=8, reach=2_000)
    chosen = np.random.default_rng(seed).choice(len(INPUTS), 8, replace=False)
    features = tuple(
        Feature(*INPUTS[number], model.features[place].bins) for place, number in enumerate(chosen)
    )
    given = {"features": features, "review_from_bp": review_bp, "decline_from_bp": decline_bp}
    return encode(replace(model, **(given | changes)))


def fitted(seed: int, review_bp: int = 500, decline_bp: int = 9_000) -> Fitted:
    """Return such a model, ready."""
    return Fitted(model_bytes(seed, review_bp, decline_bp))


def strange(seed: int, review_bp: int = 3_000) -> Fitted:
    """Return such a model of the anomalies' kind."""
    return Fitted(model_bytes(seed, review_bp, 10_001, kind=ISOLATION))
