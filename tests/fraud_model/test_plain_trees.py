"""The plain trees of the judge and the product's evaluation say the same, and refuse the same."""

from __future__ import annotations

import hashlib
from random import Random

import pytest

from pipeline.domain.fraud.model.artefact import MISSING
from pipeline.domain.fraud.model.contributions import Explainer
from pipeline.domain.fraud.model.encoding import encode, parse
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.verify.model.fraud_trees import FalseModel, read
from tests.fraud_model.models import random_columns, random_model


@pytest.mark.parametrize("seed", range(30))
def test_plain_trees_say_what_the_product_says(seed: int) -> None:
    model = random_model(seed, trees=1 + seed % 7, depth=seed % 6, features=1 + seed % 4)
    data = encode(model)
    plain, evaluator = read(data), Evaluator(parse(data))
    explainer = Explainer(evaluator)
    for values in random_columns(seed, 40, features=1 + seed % 4).T.tolist():
        known = [None if value == MISSING else value for value in values]
        assert plain.margin(known) == evaluator.margin(values)
        assert plain.score(known) == evaluator.score(values)
        assert plain.added(known) == explainer.row(values)


@pytest.mark.parametrize("seed", range(40))
def test_both_refuse_what_is_no_model(seed: int) -> None:
    """Bytes of a model with some changed, and the digest of what came of it."""
    chance = Random(seed)
    data = bytearray(encode(random_model(seed % 5, trees=3, depth=3)))
    refused = 0
    for _ in range(40):
        body = bytearray(data[:-32])
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(len(body))] = chance.choice([0, 1, 2, 127, 255, chance.randrange(256)])
        changed = bytes(body) + hashlib.sha256(body).digest()
        try:
            parse(changed)
            is_model = True
        except ModelRefused:
            is_model = False
        try:
            read(changed)
            said = True
        except FalseModel:
            said = False
        assert said == is_model
        refused += not is_model
    assert refused
    with pytest.raises(FalseModel):
        read(bytes(data[:-1]))
