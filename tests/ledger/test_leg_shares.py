"""Shares of legs: whatever they are, they add up to what there is, to the last unit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.leg_shares import WHOLE_PPM, with_amounts
from pipeline.domain.ledger.pairs import Leg, Refusal
from pipeline.verify.model import ledger_pairs
from pipeline.verify.model.ledger_portions import worked_out
from tests.examples import examples

_PPM = st.integers(1, WHOLE_PPM) | st.integers(1, 20).map(lambda part: part * 50_000)


def _legs(whole: int, fixed: list[int], shared: int) -> list[Leg]:
    amounts = [*fixed, *[0] * shared]
    return [
        Leg(1, 0, "a", "DEBIT", whole, "EUR"),
        *(Leg(no, 0, f"b{no}", "CREDIT", amount, "EUR") for no, amount in enumerate(amounts, 2)),
    ]


@examples(300)
@given(st.integers(10**7, 10**9) | st.integers(10**7, 2**62), st.lists(_PPM, min_size=1, max_size=9))
def test_parts_of_the_whole_and_the_rest_are_the_whole(whole: int, drawn: list[int]) -> None:
    parts = [max(1, part * WHOLE_PPM // (sum(drawn) + max(drawn) + 1)) for part in drawn]
    shares = [ev.LegShare(no, part) for no, part in enumerate([*parts, None], 2)]
    found = with_amounts(_legs(whole, [], len(shares)), shares)
    assert not isinstance(found, Refusal)
    *credits, _ = amounts = [leg.amount_minor for leg in found if leg.side == "CREDIT"]
    assert sum(amounts) == whole and min(amounts) > 0
    assert sum(credits) == whole * sum(parts) // WHOLE_PPM
    for part, amount in zip(parts, credits, strict=True):
        assert abs(amount * WHOLE_PPM - whole * part) < WHOLE_PPM, "less than a unit from its part"


@examples(300)
@given(
    st.integers(0, 400),
    st.lists(st.integers(1, 50), max_size=2),
    st.lists(st.none() | _PPM | st.sampled_from([0, -1, WHOLE_PPM + 1, 333_333]), min_size=1, max_size=5),
)
def test_rules_and_model_work_shares_out_alike(whole: int, fixed: list[int], asked: list[int | None]) -> None:
    legs = _legs(whole, fixed, len(asked))
    shares = [ev.LegShare(no, part) for no, part in enumerate(asked, 2 + len(fixed))]
    found = with_amounts(legs, shares)
    plain = [ledger_pairs.Leg(*[getattr(leg, name) for name in ledger_pairs.Leg._fields]) for leg in legs]
    portions = [{"leg_no": one.leg_no, "share_ppm": one.share_ppm} for one in shares]
    expected, flaw = worked_out(plain, portions)
    if isinstance(found, Refusal):
        assert flaw == found
    else:
        assert flaw is None
        assert [leg.amount_minor for leg in found] == [leg.amount_minor for leg in expected]
