"""Evidence and weights: which bucket a pair falls into, what it counts, and that no list order decides."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.evidence import evidence
from pipeline.domain.reconciliation.scoring.features import FEATURES
from pipeline.domain.reconciliation.scoring.information import rarity, tenths_of_bits
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.weights import WEIGHT_MAX, from_json
from tests.reconciliation_matching.items import line, posting
from tests.reconciliation_matching.memory import Seen

_AMOUNTS = st.integers(-AMOUNT_LIMIT, AMOUNT_LIMIT) | st.integers(-2_000, 2_000)
_DAYS = st.integers(-40_000, 60_000) | st.integers(20_000, 20_040)
_WORDS = st.lists(st.sampled_from(["ACME", "RENT", "J", "B", "J+B", "MAY", "4711"]), unique=True).map(
    lambda words: tuple(sorted(words))
)


def bucket(name: str, ours: Item, theirs: Item, seen: Seen | None = None) -> str:
    found = evidence(ours, theirs, seen or Seen())
    place = [feature.name for feature in FEATURES].index(name)
    return FEATURES[place].buckets[found[place]]


@pytest.mark.parametrize(
    ("expected", "found", "is_said"),
    [
        (-10_000, -10_000, "equal, and round"),
        (-10_001, -10_001, "equal"),
        (-500, -500, "equal"),
        (-10_000, -10_350, "less by what looks like a fee"),
        (10_000, 9_650, "less by what looks like a fee"),
        (10_000, 10_350, "within 5 %"),
        (10_000, 9_651, "within 5 %"),
        (1_000_000, 999_001, "within 0.1 %"),
        (10_000, 10_001, "within 0.1 %"),
        (10_000, 10_011, "within 0.5 %"),
        (10_000, 8_501, "within 15 %"),
        (10_000, 8_499, "further away"),
        (10_000, -10_000, "equal with the sign turned"),
        (10_000, -9_999, "further away"),
        (0, 5, "further away"),
        (0, 0, "equal, and round"),
    ],
)
def test_amounts(expected: int, found: int, is_said: str) -> None:
    assert bucket("amount", posting("p", 1, expected), line("l", 1, found)) == is_said


def test_amounts_of_two_currencies_need_the_instructed_amount_or_a_rate() -> None:
    dollars = posting("p", 1, -10_000, currency="USD")
    assert bucket("amount", dollars, line("l", 1, -9_200)) == "in another currency"
    assert (
        bucket("amount", dollars, line("l", 1, -9_200, original=(10_000, "USD")))
        == "equal to the instructed amount"
    )
    seen = Seen()
    seen.rates["USD", "EUR"] = 92_000_000
    assert bucket("amount", dollars, line("l", 1, -9_200), seen) == "equal at the day's rate"
    assert bucket("amount", dollars, line("l", 1, -9_400), seen) == "within 5 % of the day's rate"
    assert bucket("amount", dollars, line("l", 1, -9_800), seen) == "in another currency"
    assert bucket("amount", dollars, line("l", 1, 9_200), seen) == "in another currency"


@pytest.mark.parametrize(
    ("posted", "booked", "value", "days", "before"),
    [
        (10, 10, 10, "booked on the usual day", "booked on the posting's day or later"),
        (10, 10, 6, "booked on the usual day", "booked on the posting's day or later"),
        (10, 12, 12, "booked 2 days after it", "booked on the posting's day or later"),
        (10, 9, 9, "booked a day before the usual day", "booked a day before the posting"),
        (
            10,
            5,
            12,
            "booked before the usual day, more than 3 days",
            "booked more than 3 days before the posting",
        ),
        (10, 60, 60, "booked later", "booked on the posting's day or later"),
    ],
)
def test_days_are_one_sided_and_go_by_the_booking(
    posted: int, booked: int, value: int, days: str, before: str
) -> None:
    pair = posting("p", posted, 5), line("l", booked, 5, value_day=value)
    assert (bucket("days", *pair), bucket("before", *pair)) == (days, before)


def test_the_usual_lag_of_an_account_moves_the_days() -> None:
    seen = Seen()
    for _ in range(30):
        seen.settled(5)
    assert bucket("days", posting("p", 10, 5), line("l", 15, 5), seen) == "booked on the usual day"
    assert (
        bucket("days", posting("p", 10, 5), line("l", 13, 5), seen)
        == "booked 2 or 3 days before the usual day"
    )
    assert (
        bucket("before", posting("p", 10, 5), line("l", 13, 5), seen)
        == "booked on the posting's day or later"
    )


def test_a_rare_common_word_says_more_than_a_common_one() -> None:
    seen = Seen()
    for number in range(1_000):
        seen.see(posting(f"p{number}", 1, 5, text=f"PAYMENT W{number}"))
    common = bucket(
        "common words", posting("p", 1, 5, text="payment"), line("l", 1, 5, text="payment abc"), seen
    )
    rare = bucket("common words", posting("p", 1, 5, text="W77"), line("l", 1, 5, text="W77 abc"), seen)
    assert (common, rare) == ("common words of under 2 bits", "common words of 8 to 10 bits")


def test_references() -> None:
    own = replace(posting("p", 1, 5), references=("E77", "R1"), own_ids=1)
    assert bucket("reference", own, line("l", 1, 5, "E-77")) == "the same id of the payment"
    assert bucket("reference", own, line("l", 1, 5, "R1")) == "the same reference"
    assert bucket("reference", own, line("l", 1, 5, text="thanks for r1")) == "a reference is in the text"
    assert bucket("reference", own, line("l", 1, 5, "R2")) == "different references"
    assert bucket("reference", own, line("l", 1, 5)) == "a side has none"
    only_own = replace(own, references=("E77",))
    assert bucket("reference", only_own, line("l", 1, 5, "R2")) == "a side has none"


def test_counterparties() -> None:
    ours = posting("p", 1, 5, party="Acme Tools Inc")
    assert bucket("counterparty", ours, line("l", 1, 5, party="ACME TOOLS")) == "the same"
    assert bucket("counterparty", ours, line("l", 1, 5, party="ACME BANK")) == "partly the same"
    assert bucket("counterparty", ours, line("l", 1, 5, party="SMITH")) == "different"
    assert bucket("counterparty", ours, line("l", 1, 5, text="to acme tools inc 7")) == "named in the text"
    assert bucket("counterparty", ours, line("l", 1, 5)) == "a side has none"


@given(_AMOUNTS, _AMOUNTS, _DAYS, _DAYS, _DAYS, _WORDS, _WORDS)
def test_every_pair_has_a_bucket_of_each_feature(
    ours: int,
    theirs: int,
    posted: int,
    booked: int,
    value: int,
    words: tuple[str, ...],
    others: tuple[str, ...],
) -> None:
    left = replace(posting("p", posted, ours), words=words, counterparty=words[:2])
    right = replace(line("l", booked, theirs, value_day=value), words=others, counterparty=others[:2])
    found = evidence(left, right, Seen())
    assert len(found) == len(FEATURES)
    assert all(0 <= number < len(feature.buckets) for number, feature in zip(found, FEATURES, strict=True))


@given(_WORDS, _WORDS, st.integers(0, 10**6))
def test_the_order_of_words_decides_nothing(
    words: tuple[str, ...], others: tuple[str, ...], seed: int
) -> None:
    seen = Seen()
    seen.words.update({"ACME": 3, "RENT": 9})
    seen.items = 20
    shuffled = Random(seed).sample(words, len(words))
    ours, theirs = posting("p", 1, 5), replace(line("l", 1, 5), words=others)
    assert evidence(replace(ours, words=words), theirs, seen) == evidence(
        replace(ours, words=tuple(shuffled)), theirs, seen
    )


@given(_WORDS, _WORDS)
def test_keyed_tokens_do_as_well_as_words(words: tuple[str, ...], others: tuple[str, ...]) -> None:
    plain, keyed = Seen(), Seen()
    plain.words.update({"ACME": 3, "RENT": 9})
    keyed.words.update({token("ACME"): 3, token("RENT"): 9})
    plain.items = keyed.items = 20
    ours, theirs = posting("p", 1, 5), line("l", 1, 5)
    assert evidence(replace(ours, words=words), replace(theirs, words=others), plain) == evidence(
        replace(ours, words=tuple(sorted(map(token, words)))),
        replace(theirs, words=tuple(sorted(map(token, others)))),
        keyed,
    )


def token(word: str) -> str:
    return sha256(b"key" + word.encode()).hexdigest()[:16]


def test_information_is_ten_times_the_binary_logarithm_in_whole_numbers() -> None:
    assert [tenths_of_bits(number) for number in (1, 2, 3, 4, 1_000, 2**40)] == [0, 10, 15, 20, 99, 400]
    assert [rarity(*counts) for counts in ((0, 0), (0, 8), (1, 8), (8, 8), (9, 8))] == [0, 30, 30, 0, 0]


def test_a_score_is_the_sum_of_its_parts() -> None:
    found = evidence(posting("p", 1, -500, "R1"), line("l", 3, -500, "R1"), Seen())
    parts = DEFAULT_WEIGHTS.parts(found)
    assert sum(weight for _, _, weight in parts) == DEFAULT_WEIGHTS.score(found)
    assert ("reference", "the same reference", 9_000) in parts


def test_weights_survive_their_canonical_form_and_are_known_by_its_hash() -> None:
    again = from_json(DEFAULT_WEIGHTS.canonical())
    assert again == DEFAULT_WEIGHTS
    assert again.hash() == DEFAULT_WEIGHTS.hash()
    assert again.canonical() == DEFAULT_WEIGHTS.canonical()
    assert replace(again, margin=again.margin + 1).hash() != again.hash()


def test_the_default_weights_change_only_on_purpose() -> None:
    assert DEFAULT_WEIGHTS.hash() == "acad38b2c7122e84940d50948a8c46fa6aa0e4d6102ce6664eeb2c17e46d8131"


def test_features_and_buckets_that_weights_do_not_name_count_for_nothing() -> None:
    text = (
        b'{"confirm_from":1,"early_margin":3,"margin":2,"suggest_from":0,"tables":{"amount":[5]},"version":1}'
    )
    weights = from_json(text)
    assert weights.tables[1][:3] == (5, 0, 0)
    assert all(
        len(table) == len(feature.buckets) for table, feature in zip(weights.tables, FEATURES, strict=True)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"margin": None},
        {"margin": 1.5},
        {"margin": WEIGHT_MAX + 1},
        {"more": 1},
        {"tables": []},
        {"tables": {"colour": [1]}},
        {"tables": {"amount": [0] * 99}},
        {"tables": {"amount": ["1"]}},
        {"tables": {"amount": [True]}},
    ],
)
def test_weights_that_are_none_are_refused(change: dict[str, object]) -> None:
    content = {**msgspec.json.decode(DEFAULT_WEIGHTS.canonical()), **change}
    with pytest.raises(ValueError, match=r"weight|version|feature|buckets"):
        from_json(msgspec.json.encode(content))


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{}"])
def test_bytes_that_are_no_weights_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="weights"):
        from_json(text)
