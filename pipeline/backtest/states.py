"""The features' tables in bounded memory: states that are not in use are kept as the bytes of their rows.

A state of a payer has 5.9 kB in the tables and some hundred bytes as a row. When there are more states in the
tables than is meant, all of them become bytes, and come back when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from pipeline.domain.fraud import state_rows as rows
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.columns import (
    Card,
    Decide,
    Integers,
    Judged,
    Keys,
    Payments,
    Receipts,
    all_approved,
    keys_of,
    list_of,
)
from pipeline.domain.fraud.features.states import States
from pipeline.domain.fraud.features.tables import FeatureTables

STATES_MAX = 60_000
"""States of a kind in the tables: 350 MB of payers."""
PACKED_AT_ONCE = 4_096


class _Resting:
    """States of one kind, in the tables or as bytes."""

    def __init__(self, kind: rows.Kept, states: States, most: int) -> None:
        self._form, self._states, self._most = kind.form, states, most
        self._packed: dict[Hashable, bytes] = {}

    def wake(self, keys: Iterable[Hashable]) -> None:
        """Let states be in the tables."""
        if not self._packed:
            return
        asked = list(dict.fromkeys(keys))
        there = self._states.known(asked) > 0
        missing = [key for key, known in zip(asked, there.tolist(), strict=True) if not known]
        found = [key for key in missing if key in self._packed]
        if found:
            self._form.unpack([self._packed[key] for key in found], self._states.fresh(found))

    def rest(self) -> None:
        """Turn all states into bytes, where there are too many."""
        if len(self._states) <= self._most:
            return
        keys, numbers = self._states.changed()
        for begin in range(0, len(keys), PACKED_AT_ONCE):
            part = slice(begin, begin + PACKED_AT_ONCE)
            packed = self._form.pack(self._states.states(numbers[part]))
            self._packed.update(zip(keys[part], packed, strict=True))
        self._states.clear()


class BoundedTables(FeatureTables):
    """Says the same as `FeatureTables`."""

    def __init__(self, rates: Rates, states_max: int = STATES_MAX) -> None:
        super().__init__(rates)
        self._resting_payers = _Resting(rows.PAYER, self.payers, states_max)
        self._resting_receivers = _Resting(rows.RECEIVER, self.receivers, states_max)
        self._resting_cards = _Resting(rows.CARD, self.cards, states_max)
        self._resting_pairs = _Resting(rows.PAIR, self.pairs, 10 * states_max)
        self._resting_devices = _Resting(rows.DEVICE, self.devices, 10 * states_max)

    def _rest(self) -> None:
        for one in (
            self._resting_payers,
            self._resting_receivers,
            self._resting_cards,
            self._resting_pairs,
            self._resting_devices,
        ):
            one.rest()

    def pay(self, payments: Payments, decide: Decide = all_approved, keys: Keys | None = None) -> Judged:
        """Return the features of payments, and count and learn from them."""
        self._rest()
        keys = keys or keys_of(payments)
        self._resting_payers.wake(keys.payer)
        self._resting_receivers.wake(keys.receiver)
        self._resting_cards.wake(keys.card)
        self._resting_pairs.wake(keys.pair)
        self._resting_devices.wake(keys.device)
        return super().pay(payments, decide, keys)

    def receive(
        self,
        receipts: Receipts,
        keys: Sequence[Hashable] | None = None,
        written: Callable[[Integers], list[Any]] = list_of,
    ) -> list[Card]:
        """Count receipts; return the cards that are due, in the order of the receipts."""
        self._resting_receivers.wake(receipts.account.tolist() if keys is None else keys)
        return super().receive(receipts, keys, written)

    def unlearn(self, payments: Payments, approved: Integers, keys: Keys | None = None) -> None:
        """Take payments that are labelled fraud out of their debtors' habits."""
        self._wake_habits(payments, keys)
        super().unlearn(payments, approved, keys)

    def relearn(self, payments: Payments, approved: Integers, keys: Keys | None = None) -> None:
        """Take back `unlearn` of payments that are genuine after all."""
        self._wake_habits(payments, keys)
        super().relearn(payments, approved, keys)

    def _wake_habits(self, payments: Payments, keys: Keys | None) -> None:
        keys = keys or keys_of(payments)
        self._resting_payers.wake(keys.payer)
        self._resting_pairs.wake(keys.pair)

    def confirm(
        self, payments: Payments, labelled_s: Integers, keys: Sequence[Hashable] | None = None
    ) -> list[Card]:
        """Count payments that are labelled fraud with their payees; return cards."""
        self._resting_receivers.wake(payments.payee.tolist() if keys is None else keys)
        return super().confirm(payments, labelled_s, keys)

    def withdraw(
        self,
        payments: Payments,
        labelled_s: Integers,
        at_s: Integers,
        keys: Sequence[Hashable] | None = None,
    ) -> list[Card]:
        """Take back `confirm`."""
        self._resting_receivers.wake(payments.payee.tolist() if keys is None else keys)
        return super().withdraw(payments, labelled_s, at_s, keys)
