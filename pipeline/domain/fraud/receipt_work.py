"""The payee's side of a run: receipts, labels of payments to it, and what is told of payees."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.features.amounts import number_of
from pipeline.domain.fraud.features.columns import Card, Payments, Receipts
from pipeline.domain.fraud.features.ids import id63
from pipeline.domain.fraud.features.layout import C_SENT_S, CARRIED, TIME_MAX_S
from pipeline.domain.fraud.run_results import Told
from pipeline.domain.fraud.state_rows import FeatureRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What an account received."""

    place: int
    """Of the event in the run."""
    key: bytes
    account_id: str
    payer_id: str | None
    """None: a journal booked it."""
    amount_minor: int
    currency: str
    at_us: int
    origins: Sequence[int]
    """Where the payer's money was before: account and hops, account and hops."""
    tenant: int
    """The number of the tenant in the run."""


class Confirmation(msgspec.Struct, frozen=True, gc=False):
    """A label of a payment, on its payee's partition."""

    place: int
    key: bytes
    account_id: str
    paid_us: int
    is_fraud: bool
    labelled_us: int
    """When it was labelled FRAUD."""
    at_us: int


class Known(msgspec.Struct, frozen=True, gc=False):
    """A card of a payee."""

    place: int
    key: bytes
    values: Sequence[int] | np.ndarray


class ReceiptWork:
    """The payee's side of a run."""

    def __init__(self) -> None:
        self._told: list[tuple[int, str, int, bytes]] = []
        """Place of the event, payee, time and the row of the card."""

    def receive(self, works: Sequence[Receipt | Known], features: FeatureRows) -> None:
        """Count receipts, and keep cards that came."""
        known = [work for work in works if type(work) is Known]
        receipts = [work for work in works if type(work) is Receipt]
        if known:
            keys, cards = [one.key for one in known], [one.values for one in known]
            features.cards.touch(keys, [one.place for one in known], [int(card[C_SENT_S]) for card in cards])
            features.tables.know(keys, cards)
        if receipts:
            keys, columns = [receipt.key for receipt in receipts], _receipts_of(receipts)
            times = [seconds_of(receipt.at_us) for receipt in receipts]
            features.receivers.touch(keys, [receipt.place for receipt in receipts], times)
            for card in features.tables.receive(columns, keys, _card_rows):
                receipt = receipts[card.place]
                self._told.append((receipt.place, receipt.account_id, receipt.at_us, card.values))

    def confirm(self, what: Confirmation, features: FeatureRows) -> None:
        """Count a label with the payee, or take it back."""
        known_s = seconds_of(what.labelled_us) if what.is_fraud else 0
        features.receivers.touch([what.key], [what.place], [known_s])
        payment = one_payment(what.paid_us, 0, id63(what.account_id))
        labelled_s, now_s = (
            np.array([of // MICROSECONDS_PER_SECOND]) for of in (what.labelled_us, what.at_us)
        )
        keys, cards = [what.key], list[Card]()
        if what.is_fraud:
            cards = features.tables.confirm(payment, labelled_s, keys)
        elif features.receivers.knows(what.key):
            cards = features.tables.withdraw(payment, labelled_s, now_s, keys)
        rows = _card_rows(np.array([card.values for card in cards], np.int64)) if cards else ()
        self._told += [(what.place, what.account_id, what.at_us, row) for row in rows]

    def told(self) -> list[tuple[int, Told]]:
        """Return the cards that are due, with the places of their events, in this order."""
        self._told.sort(key=lambda one: one[0])
        return [(place, Told(account_id, at_us, card)) for place, account_id, at_us, card in self._told]


def _card_rows(cards: np.ndarray) -> list[bytes]:
    """Return the rows of cards, a row each."""
    return at.CARD.form.pack(cards, at.CARD_ROW.head)


def one_payment(
    at_us: int, debtor: int, payee: int, device: int = 0, country: int = 0, currency: int = 0, minor: int = 0
) -> Payments:
    """Return a payment as columns."""
    values = at_us // MICROSECONDS_PER_SECOND, debtor, payee, device, country, currency, minor, 0
    return Payments(*np.array(values, np.int64)[:, None])


def seconds_of(at_us: int) -> int:
    """Return a time as states have it."""
    return min(max(at_us // MICROSECONDS_PER_SECOND, 1), TIME_MAX_S)


def _receipts_of(receipts: Sequence[Receipt]) -> Receipts:
    origins = np.zeros((CARRIED, 2, len(receipts)), np.int64)
    payers = [0 if one.payer_id is None else id63(one.payer_id) for one in receipts]
    origins[0, 0] = payers
    origins[0, 1] = origins[0, 0] > 0
    for place, one in enumerate(receipts):
        if one.origins and payers[place]:
            further = np.array(one.origins[: 2 * (CARRIED - 1)], np.int64).reshape(-1, 2)
            origins[1 : 1 + len(further), :, place] = further
    return Receipts(
        np.array([one.at_us for one in receipts], np.int64) // MICROSECONDS_PER_SECOND,
        np.array([id63(one.account_id) for one in receipts], np.int64),
        origins[0, 0],
        np.array([number_of(one.tenant, one.currency) for one in receipts], np.int64),
        np.array([one.amount_minor for one in receipts], np.int64),
        origins,
    )
