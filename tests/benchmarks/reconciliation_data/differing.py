"""Kinds of one payment whose amount, currency or sign differs between books and bank."""

from __future__ import annotations

from tests.benchmarks.reconciliation_data import texts, words
from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.days import SECOND_US
from tests.benchmarks.reconciliation_data.items import Instance, Link
from tests.benchmarks.reconciliation_data.plain import usual_line
from tests.benchmarks.reconciliation_data.world import EUROS, RATE_ONE, World, amount_of, pair

FLAT_MINOR = (1_50, 3_00, 5_00, 7_50, 10_00, 12_50, 15_00, 25_00)
PERCENT_E4 = (10, 15, 25, 50, 100, 150, 290)
"""A fee's part of the amount, in ten-thousandths."""
SPREAD_E4 = 30, 250
"""What a bank's rate is worse than the books', in ten-thousandths."""


def _with_fee(world: World, chance: Chance, kind: str, flat: bool) -> Instance:
    paid = world.payment(chance, at_least=150_00)
    part = abs(paid.amount_minor) * chance.one_of(PERCENT_E4) // 10_000
    fee = chance.one_of(FLAT_MINOR) if flat else max(part, 1)
    text = f"{chance.one_of(words.FEE_TEXTS)} {texts.money(fee)}" if chance.happens(400) else ""
    line = usual_line(chance, paid, text)
    line.amount_minor -= fee  # of a debit it is added, of a credit it is taken off
    return pair(kind, line, paid.posting())


def fee_flat(world: World, chance: Chance) -> Instance:
    """The bank has taken a flat fee."""
    return _with_fee(world, chance, "fee_flat", True)


def fee_percent(world: World, chance: Chance) -> Instance:
    """The bank has taken a part of the amount."""
    return _with_fee(world, chance, "fee_percent", False)


def fee_line(world: World, chance: Chance) -> Instance:
    """The fee is a line of its own, before or after the payment's; nobody has posted it."""
    paid = world.payment(chance, at_least=150_00)
    line = usual_line(chance, paid)
    said = f"{chance.one_of(words.FEE_TEXTS)} {paid.name if chance.happens(500) else ''}".strip()
    apart = chance.between(1, 20) * SECOND_US * (1 if chance.happens(500) else -1)
    fee = paid.line(
        said,
        amount_minor=-chance.one_of(FLAT_MINOR),
        booked_at=max(paid.booked_at + apart, paid.at + SECOND_US),
        reference=paid.reference if chance.happens(600) else None,
    )
    return Instance("fee_line", [Link(line, (paid.posting(),)), Link(fee, ())])


def fx(world: World, chance: Chance) -> Instance:
    """Converted by both sides, each at its rate."""
    paid = world.payment(chance, EUROS)
    currency = chance.one_of(sorted(world.rates))
    foreign = amount_of(chance, paid.account, 50_00)
    sign = 1 if paid.amount_minor > 0 else -1
    paid.said = f"{paid.said} {currency} {texts.money(foreign)}" if chance.happens(700) else paid.said
    ours = sign * world.in_euros(currency, foreign, paid.day)
    line = usual_line(chance, paid, _original(world, chance, currency, foreign, paid.booked_day))
    line.amount_minor = _at_the_bank(world, chance, currency, foreign, paid.booked_day, sign)
    return pair("fx", line, paid.posting(amount_minor=ours))


def fx_foreign(world: World, chance: Chance) -> Instance:
    """The books have the foreign amount in its currency, the bank what it has converted it to."""
    paid = world.payment(chance, EUROS)
    currency = chance.one_of(sorted(world.rates))
    foreign = amount_of(chance, paid.account, 50_00)
    sign = 1 if paid.amount_minor > 0 else -1
    line = usual_line(chance, paid, _original(world, chance, currency, foreign, paid.booked_day))
    line.amount_minor = _at_the_bank(world, chance, currency, foreign, paid.booked_day, sign)
    return pair("fx_foreign", line, paid.posting(amount_minor=sign * foreign, currency=currency))


def _at_the_bank(world: World, chance: Chance, currency: str, foreign: int, day: int, sign: int) -> int:
    """Return the signed amount by the bank's rate: worse than the books' for the account's holder."""
    spread = chance.between(*SPREAD_E4)
    return sign * world.in_euros(currency, foreign, day) * (10_000 - sign * spread) // 10_000


def _original(world: World, chance: Chance, currency: str, foreign: int, day: int) -> str:
    """Return what the bank says of the conversion; three in ten say nothing."""
    if not chance.happens(700):
        return ""
    rate = world.rates[currency][day]
    return f"ORIG {currency} {texts.money(foreign)} KURS {rate // RATE_ONE},{rate % RATE_ONE // 10:05d}"


def wrong_sign(world: World, chance: Chance) -> Instance:
    """A debit for a credit, or a credit for a debit."""
    paid = world.payment(chance)
    line = usual_line(chance, paid)
    line.amount_minor = -line.amount_minor
    return pair("wrong_sign", line, paid.posting())


def typed_wrong(world: World, chance: Chance) -> Instance:
    """Two neighbouring digits of the amount are exchanged in the books."""
    paid = world.payment(chance, at_least=13_57)
    amount = paid.amount_minor
    while (typed := _exchanged(chance, amount)) == amount:
        amount = paid.amount_minor = amount + chance.between(1, 999) * (1 if amount > 0 else -1)
    return pair("typed_wrong", usual_line(chance, paid), paid.posting(amount_minor=typed))


def _exchanged(chance: Chance, amount: int) -> int:
    """Return an amount with two neighbouring digits exchanged; itself where they are the same."""
    digits = list(str(abs(amount)))
    place = chance.below(len(digits) - 1)
    digits[place], digits[place + 1] = digits[place + 1], digits[place]
    typed = int("".join(digits))
    return typed if amount > 0 else -typed
