"""Blocking: what an item is found by, and how much is read at most."""

from __future__ import annotations

from pipeline.domain.reconciliation.assigning import blocking
from pipeline.domain.reconciliation.assigning.blocking import by_reference, candidates, index_keys
from pipeline.domain.reconciliation.scoring.item import Item
from tests.reconciliation_matching.items import line, posting
from tests.reconciliation_matching.memory import Index, Seen


class Counting(Index):
    """An index that counts the entries that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def up(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        found = super().up(low, high, limit)
        self.read += len(found)
        return found

    def down(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        found = super().down(low, high, limit)
        self.read += len(found)
        return found


def holding(*items: Item) -> tuple[Counting, Seen]:
    index, seen = Counting(), Seen()
    for item in items:
        seen.see(item)
        index.add(index_keys(item, seen))
    return index, seen


def test_an_item_is_found_by_reference_by_its_amount_by_a_near_one_and_by_a_word() -> None:
    index, seen = holding(
        posting("far", 1, -99_999),
        posting("near", 1, -10_100),
        posting("reference", 1, -70, "INV-4711"),
        posting("amount", 1, -10_000),
        posting("turned", 1, 10_000),
        line("line", 1, -10_000),
        posting("too far for a word", 1, -16_000, text="ACME"),
    )
    found = candidates(line("l", 3, -10_000, text="acme inv-4711"), index, seen)
    assert found == [b"reference", b"amount", b"turned", b"near"]
    assert by_reference(line("l", 3, -10_000, text="acme inv-4711"), index) == [b"reference"]


def test_rare_words_come_before_common_ones() -> None:
    index, seen = holding(
        *(posting(f"p{number:03}", 1, -10_000 - number, text="payment") for number in range(1, 40)),
        posting("rare", 1, -11_400, text="payment bellini"),
    )
    assert candidates(line("l", 3, -10_000, text="bellini payment"), index, seen)[0] == b"rare"


def test_of_many_equal_amounts_the_nearest_days_are_read() -> None:
    index, seen = holding(*(posting(f"p{day:03}", day, -500) for day in range(200)))
    found = candidates(line("l", 150, -500), index, seen)
    assert b"p150" in found and b"p149" in found
    assert b"p001" not in found and b"p199" not in found


def test_reads_are_bounded_however_much_is_open() -> None:
    index, seen = holding(
        *(
            posting(f"p{number:05}", number % 30, -500 - number % 7, "REF1", "acme rent may flat")
            for number in range(3_000)
        )
    )
    index.read = 0
    found = candidates(line("l", 15, -503, "REF1", "acme rent may flat"), index, seen)
    assert len(found) == blocking.ITEMS_READ
    assert index.read <= (
        blocking.READ_REFERENCE
        + 2 * blocking.READ_DAYS
        + blocking.READ_TURNED
        + 2 * blocking.READ_AMOUNTS
        + 2 * blocking.WORDS_LOOKED_UP * blocking.READ_WORD
    )


def test_a_line_abroad_is_found_by_its_instructed_amount_from_either_side() -> None:
    ours, theirs = posting("p", 1, -10_000, currency="USD"), line("l", 2, -9_200, original=(10_000, "USD"))
    assert candidates(theirs, *holding(ours)) == [b"p"]
    assert candidates(ours, *holding(theirs)) == [b"l"]


def test_a_posting_in_another_currency_is_found_by_the_days_rate() -> None:
    index, seen = holding(posting("p", 1, -10_000, currency="USD"))
    seen.rates["EUR", "USD"] = 108_000_000
    assert candidates(line("l", 2, -9_200), index, seen) == [b"p"]


def test_what_is_taken_out_again_is_not_found() -> None:
    item = posting("p", 1, -500, "R1", "acme")
    index, seen = holding(item)
    index.remove(index_keys(item, seen))
    assert candidates(line("l", 1, -500, "R1", "acme"), index, seen) == []
