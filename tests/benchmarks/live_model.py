"""A live model for jobs: as large as a trained one, asks for all features, and never makes an alert itself.

So outcomes follow from the rules by hand, and every payment is scored, explained and counted for drift as
with a model of one's own: what `ledgerflow train` makes has as many trees, and as deep ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from pipeline.domain.fraud.features.catalogue import INPUTS
from pipeline.domain.fraud.model.artefact import NEVER_BP, Bins, Calibration, Feature
from pipeline.domain.fraud.model.encoding import encode, name_of
from pipeline.domain.kernel.routing import record_key
from tests.fraud_model.models import random_model
from tests.fraud_publishing.publishing import in_role, model_parts

TREES, DEPTH = 50, 3
CUTS_WITHIN = 5_000
BINS = Bins((*range(1, 10), 100, 1_000, 10_000), (80_000,) * 10 + (50_000,) * 4)
"""Of every feature: about as many as a trained model has."""
SCORES = Calibration((-5_000_000, 0, 3_000_001), (1, 50, 4_999))
"""Below what a default rule would hold a payment for."""


@cache
def model_bytes() -> bytes:
    """Return the model as an artefact."""
    model = random_model(1, trees=TREES, depth=DEPTH, features=len(INPUTS), reach=CUTS_WITHIN, full=True)
    features = tuple(Feature(*one, BINS) for one in INPUTS)
    never = {"review_from_bp": NEVER_BP, "decline_from_bp": NEVER_BP}
    return encode(replace(model, features=features, calibration=SCORES, **never))


def model_name() -> str:
    """Return what decisions call the model."""
    return name_of(model_bytes())


def published(at_us: int) -> list[tuple[str, Any]]:
    """Return (key, event) of what makes it the live model of all tenants, from an event time on."""
    data = model_bytes()
    parts = model_parts(data, len(data))
    return [(record_key(one), one) for one in (*parts, in_role(data, len(parts), from_us=at_us))]
