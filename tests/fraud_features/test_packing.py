"""States as bytes: one form, read back as they were; anything else is refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pipeline.domain.fraud.features.layout import CARD_WIDTH, PAYER_WIDTH, RECEIVER_WIDTH
from pipeline.domain.fraud.features.packing import pack, unpack
from tests.fraud_features.histories import START_S, fresh, last, payments, random_payments, settle

GOLDEN = bytes.fromhex("0902" + "0500000000000000" + "ffffffffffffffff" + "0000000000000080")


def test_golden_bytes() -> None:
    state = np.array([[5, 0, 0, -1, 0, 0, 0, 0, 0, -(2**63)]], np.int64)
    assert pack(state) == [GOLDEN]
    assert np.array_equal(unpack([GOLDEN], 10), state)


def test_states_of_a_history_are_read_back() -> None:
    tables = fresh()
    of = random_payments(3, 200)
    settle(tables, of, tables.pay(of))
    for states, width in (
        (tables.payers, PAYER_WIDTH),
        (tables.receivers, RECEIVER_WIDTH),
        (tables.cards, CARD_WIDTH),
    ):
        rows = np.array([*states.all().values(), [0] * width], np.int64)
        packed = pack(rows)
        assert np.array_equal(unpack(packed, width), rows)
        assert pack(unpack(packed, width)) == packed
    assert unpack([], 10).shape == (0, 10)


def test_an_account_that_pays_once_is_small() -> None:
    tables = fresh()
    last(tables, {"device": 7, "country": 3})
    (packed,) = pack(tables.payers.state(1)[None])
    assert len(packed) < 500


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
            found.update(pack(np.array([row], np.int64))[0])
    assert found.hexdigest()[:16] == "95575c1beb03af59"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"", "at least 2 bytes"),
        (GOLDEN[:-1], "another length"),
        (GOLDEN + b"\0", "another length"),
        (GOLDEN[:-8], "another length"),
        (b"\x01\x00" + bytes(8), "word that is 0"),
        (b"\x00\x04" + b"\1" * 8, "beyond its 10"),
    ],
)
def test_other_bytes_are_refused(wrong: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unpack([GOLDEN, wrong], 10)
