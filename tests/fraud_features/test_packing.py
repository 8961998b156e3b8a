"""States as bytes: one form, read back as they were; anything else is refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, tuples

from pipeline.domain.fraud.features import forms
from pipeline.domain.fraud.features.layout import Ring
from pipeline.domain.fraud.features.packing import Form
from pipeline.domain.fraud.features.packing_one import pack_one, unpack_one
from tests.fraud_features.histories import START_S, fresh, last, payments, random_payments, settle

SMALL = Form(6, (slice(0, 2),), (Ring(2, 1, 10, 0),))
"""Two times, the number of a bucket and its hand, and two other words."""
STATE = np.array([[100, 0, 9, 0, 300, 2**62]], np.int64)
GOLDEN = bytes.fromhex("6b" + "40" + "03" + "6401032c00" + "0100" + "00" + "0000000040")


def test_golden_bytes() -> None:
    """Base 100, its time 0 before it, the bucket of 80 two before that of 100, 300 and a large one."""
    assert [one.hex() for one in SMALL.pack(STATE)] == [GOLDEN.hex()]
    assert np.array_equal(SMALL.unpack([GOLDEN]), STATE)


def test_states_of_a_history_are_read_back() -> None:
    tables = fresh()
    of = random_payments(3, 200)
    settle(tables, of, tables.pay(of))
    for states, form in (
        (tables.payers, forms.PAYER),
        (tables.receivers, forms.RECEIVER),
        (tables.cards, forms.CARD),
        (tables.pairs, forms.PAIR),
        (tables.devices, forms.DEVICE),
        (tables.population, forms.POPULATION),
    ):
        rows = np.array([*states.all().values(), [0] * form.width], np.int64)
        packed = form.pack(rows)
        assert [pack_one(form, row) for row in rows.tolist()] == packed
        assert [unpack_one(form, one) for one in packed] == rows.tolist()
        assert np.array_equal(form.unpack(packed), rows)
        assert form.pack(form.unpack(packed)) == packed
    assert forms.PAIR.unpack([]).shape == (0, 5)


WORDS = integers(0, 2**63 - 2) | integers(0, 300)
TIMES = integers(0, 2**40)


@given(lists(tuples(TIMES, TIMES, TIMES, WORDS, WORDS, WORDS), max_size=9))
def test_any_words_are_read_back(given_words: list[tuple[int, ...]]) -> None:
    """Words of every size, as far as times and buckets are in the order that states have."""
    states = np.array(given_words, np.int64).reshape(len(given_words), 6)
    packed = SMALL.pack(states)
    assert np.array_equal(SMALL.unpack(packed), states)
    assert [pack_one(SMALL, state) for state in states.tolist()] == packed
    assert [unpack_one(SMALL, one) for one in packed] == states.tolist()


def test_an_account_that_pays_once_is_small() -> None:
    tables = fresh()
    last(tables, {"device": 7, "country": 3})
    (packed,) = forms.PAYER.pack(tables.payers.state(1)[None])
    assert len(packed) < 220


def test_the_states_of_a_history_are_what_they_were() -> None:
    """Whoever changes what a state holds must give it a new layout: rows of the stream will be read again."""
    tables = fresh()
    of = payments(
        *(
            {
                "at_s": START_S + n * 7_919 % 900_000,
                "debtor": 1 + n * n % 7,
                "payee": 1 + n % 11,
                "device": n % 3,
                "country": n % 4,
                "minor": 1 + n**4 % 1_000_003,
            }
            for n in range(150)
        )
    )
    settle(tables, of, tables.pay(of))
    found = hashlib.sha256()
    for states in (tables.payers, tables.receivers, tables.cards, tables.pairs, tables.devices):
        for row in states.all().values():
            found.update(np.array(row, "<i8").tobytes())
    assert found.hexdigest()[:16] == "4053dcef052f2fff"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"", "at least 1 bytes"),
        (GOLDEN[:-1], "another length"),
        (GOLDEN + b"\0", "another length"),
        (GOLDEN[:3], "another length"),
        (b"\xeb" + GOLDEN[1:], "beyond its 7"),
        (GOLDEN[:3] + b"\0" + GOLDEN[4:], "word that is 0"),
        (GOLDEN[:1] + b"\x40\x0f" + GOLDEN[3:], "another length"),
        (b"\x20\x03" + b"\xff" * 8, "negative"),
    ],
)
def test_other_bytes_are_refused(wrong: bytes, why: str) -> None:
    for many in ([wrong], [GOLDEN] * 3 + [wrong]):
        with pytest.raises(ValueError, match=why):
            SMALL.unpack(many)
