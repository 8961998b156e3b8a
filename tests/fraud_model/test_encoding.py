"""A model's bytes: one encoding for one model; all else is refused, cheaply, with where and what."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.model.artefact import (
    LEAF,
    MODEL_BYTES_MAX,
    NODES_MAX,
    TREES_MAX,
    Bins,
    Calibration,
    Model,
    Window,
)
from pipeline.domain.fraud.model.encoding import encode, name_of, parse
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.domain.fraud.model.refusals import ModelRefused
from tests.fraud_model.models import random_columns, random_model

SECONDS_MAX = 5.0
"""Of processor time, for what takes some hundredths of a second."""
MEMORY_MAX = 32 * 1024 * 1024


def signed(content: bytes) -> bytes:
    """Return a content with its right digest, as whoever forges one would."""
    return content + sha256(content).digest()


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 8))
def test_a_model_comes_back_and_has_one_encoding(seed: int, trees: int, depth: int) -> None:
    model = random_model(seed, trees=trees, depth=depth)
    data = encode(model)
    again = parse(data, name_of(data))
    assert encode(again) == data
    assert name_of(data) == sha256(data[:-32]).hexdigest()
    columns = random_columns(seed, 10)
    assert (Evaluator(again).margins(columns) == Evaluator(model).margins(columns)).all()
    for part in (
        "kind",
        "features",
        "base",
        "units_per_one",
        "calibration",
        "score_bins",
        "window",
        "figures",
    ):
        assert getattr(again, part) == getattr(model, part)


def test_every_flipped_bit_is_refused() -> None:
    data = encode(random_model(7, trees=2, depth=2))
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ModelRefused):
            parse(bytes(flipped))


def test_every_shorter_and_longer_form_is_refused_even_if_signed() -> None:
    content = encode(random_model(7, trees=2, depth=2))[:-32]
    for length in range(len(content)):
        with pytest.raises(ModelRefused):
            parse(signed(content[:length]))
        with pytest.raises(ModelRefused):
            parse(content[:length])
    with pytest.raises(ModelRefused, match="end: 1 bytes too many"):
        parse(signed(content + b"\0"))


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_bytes_that_were_changed_and_signed_again_are_a_model_or_refused(seed: int, changes: int) -> None:
    """A signature can be forged: what passes is a whole model then, with this one encoding."""
    chance = random.Random(seed)
    content = bytearray(encode(random_model(seed % 50, trees=3, depth=3))[:-32])
    for _ in range(changes):
        at = chance.randrange(len(content))
        content[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, content[at] ^ 1 << chance.randrange(8)])
    data = signed(bytes(content))
    try:
        model = parse(data)
    except ModelRefused as refused:
        assert refused.where and refused.what
    else:
        assert encode(model) == data
        columns = random_columns(seed, 6)
        margins = Evaluator(model).margins(columns)
        assert np.abs(margins).max() < 2**43
        assert set(Evaluator(model).scores(margins).tolist()) <= set(range(10_001))


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_refused(data: bytes, with_magic: bool) -> None:
    with pytest.raises(ModelRefused):
        parse(signed((b"LFMODEL\0\1\0" if with_magic else b"") + data))


@pytest.mark.parametrize("at", range(10, 10 + 75))
def test_huge_counts_cost_nothing(at: int) -> None:
    """Every byte of the head is set to its highest number, also where the rest is as long as it may be."""
    content = bytearray(encode(random_model(7, trees=2, depth=2))[:-32])
    content[at : at + 4] = b"\xff" * 4
    for data in (signed(bytes(content)), signed(bytes(content) + bytes(MODEL_BYTES_MAX - len(content) - 32))):
        tracemalloc.start()
        started = time.process_time()
        try:
            parse(data)
        except ModelRefused:
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert time.process_time() - started < SECONDS_MAX
        assert peak < MEMORY_MAX


def test_the_largest_model_is_read_in_bounded_time_and_memory() -> None:
    # 128 full trees of 511 nodes, and the rest of the nodes in leaves alone.
    model = random_model(1, trees=128, depth=8, features=256, full=True)
    assert len(model.trees.value) == 128 * 511 <= NODES_MAX
    data = encode(model)
    assert len(data) < MODEL_BYTES_MAX
    tracemalloc.start()
    started = time.process_time()
    evaluator = Evaluator(parse(data))
    took = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < SECONDS_MAX and peak < MEMORY_MAX
    assert len(evaluator.roots) == 128


def test_the_name_is_checked() -> None:
    data, other = encode(random_model(1)), encode(random_model(2))
    assert parse(data, name_of(data)).base
    with pytest.raises(ModelRefused, match=r"^name: "):
        parse(data, name_of(other))


def test_a_later_form_is_told_as_such() -> None:
    content = bytearray(encode(random_model(1))[:-32])
    content[8] = 2
    with pytest.raises(ModelRefused, match="version: 2; this release reads up to 1"):
        parse(signed(bytes(content)))


def test_more_than_the_bound_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(ModelRefused, match="bytes: 4194305 are more than 4194304"):
        parse(bytes(MODEL_BYTES_MAX + 1))


def nodes(model: Model, **columns: object) -> Model:
    """Return a model with other columns of its nodes."""
    return replace(model, trees=model.trees._replace(**columns))


def with_node(model: Model, column: str, at: int, number: int) -> Model:
    """Return a model with another number in a column."""
    changed = getattr(model.trees, column).copy()
    changed[at] = number
    return nodes(model, **{column: changed})


def of_bins(model: Model, bins: Bins) -> Model:
    """Return a model whose first feature has other bins."""
    return replace(model, features=(model.features[0]._replace(bins=bins), *model.features[1:]))


def of_name(model: Model, name: str) -> Model:
    """Return a model whose first feature has another name."""
    return replace(model, features=(model.features[0]._replace(name=name), *model.features[1:]))


BROKEN: dict[str, Callable[[Model], Model]] = {
    "kind: 9 is none": lambda model: replace(model, kind=9),
    "features: 0 are not": lambda model: replace(model, features=()),
    "trees: 513 are not": lambda model: nodes(model, sizes=np.ones(TREES_MAX + 1, np.int64)),
    "nodes: 1 are not": lambda model: nodes(model, value=model.trees.value[:1]),
    "trees: one has no node": lambda model: nodes(model, sizes=np.array([0, 14])),
    "trees: their sizes": lambda model: nodes(model, sizes=np.array([7, 8])),
    "tree 0: questions and leaves": lambda model: nodes(model, sizes=np.array([6, 8])),
    "node 0, feature: asks about none": lambda model: with_node(model, "feature", 0, 3),
    "node 3, cut: a leaf has one": lambda model: with_node(model, "cut", 3, 1),
    "node 3, missing_right: a leaf": lambda model: with_node(model, "missing_right", 3, 1),
    "node 0, cut: nothing is below": lambda model: with_node(model, "cut", 0, -(2**63)),
    "node 2, value: out of bounds": lambda model: with_node(model, "value", 2, 2**31),
    "features: a name stands twice": lambda model: of_name(model, "amount_1h"),
    "feature 0, name": lambda model: of_name(model, "Amount"),
    "feature 0, bins: edges do not": lambda model: of_bins(model, Bins((2, 2), (10, 10, 10, 10))),
    "feature 0, bins: shares are not 1000000": lambda model: of_bins(model, Bins((), (1, 2))),
    "feature 0, bins: shares are not two": lambda model: of_bins(model, Bins((), (1,))),
    "base: ": lambda model: replace(model, base=2**41 + 1),
    "units_per_one: 0": lambda model: replace(model, units_per_one=0),
    "calibration: margins": lambda model: replace(model, calibration=Calibration((3, 3), (1, 2))),
    "calibration: scores fall": lambda model: replace(model, calibration=Calibration((3, 4), (2, 1))),
    "calibration: a score is": lambda model: replace(model, calibration=Calibration((3,), (10_001,))),
    "calibration: 0 knots": lambda model: replace(model, calibration=Calibration((), ())),
    "review_from_bp: 0": lambda model: replace(model, review_from_bp=0),
    "decline_from_bp: 10002": lambda model: replace(model, decline_from_bp=10_002),
    "decline_from_bp: below": lambda model: replace(model, decline_from_bp=499),
    "window: more frauds": lambda model: replace(model, window=Window(0, 1, 2, 3, 5, 6)),
    "window: training ends": lambda model: replace(model, window=Window(1, 0, 2, 3, 5, 5)),
    "figures: not by name": lambda model: replace(model, figures=(("auc", 1), ("ap", 2))),
}


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_no_model_is_not_written_either(said: str) -> None:
    model = random_model(5, trees=2, depth=2, full=True)
    assert len(model.trees.value) == 14
    with pytest.raises(ModelRefused, match=f"^{said}"):
        encode(BROKEN[said](model))


def test_a_tree_that_is_too_deep_or_falls_apart_is_refused() -> None:
    deep = random_model(5, trees=1, depth=9, full=True)
    with pytest.raises(ModelRefused, match="tree 0: deeper than 8"):
        encode(deep)
    model = random_model(5, trees=1, depth=1, full=True)
    # A leaf as root, and a question below it that nothing leads to.
    feature = np.array([LEAF, 0, LEAF])
    cut = np.zeros(3, np.int64)
    none = np.zeros(3, np.bool_)
    with pytest.raises(ModelRefused, match="tree 0: nodes that nothing leads to"):
        encode(nodes(model, feature=feature, cut=cut, missing_right=none))
