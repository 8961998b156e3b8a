"""Planted malformed records: values that are no event, wrong keys, wrong topics, wrong partitions.

Each is made from a valid record whose account no other record uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import schemas
from pipeline.domain.kernel.partitions import partition_of
from pipeline.loadgen.emitter import HEAD_BYTES, Emitter
from pipeline.loadgen.payments import NEWEST, PaymentRecords
from pipeline.loadgen.plan import LoadPlan, Produce
from pipeline.loadgen.world import World
from pipeline.runtime.avro.check import Malformed, decode_strict
from schemas import remittance

UNKNOWN_SCHEMA_IDS = tuple(2_000_000_000 + number for number in range(3))
"""Schema ids that no registry has assigned. Few, because the codec asks the registry for each."""
TOPICS = ("payments", "accounts", "payments", "statements", "payments", "trades", "payments", "prices")
"""The topics of the malformed records, in turn: half of them are payments."""


class MalformedRecords:
    """Plants each kind of malformed record in turn."""

    def __init__(
        self, plan: LoadPlan, world: World, rng: Random, emitter: Emitter, payments: PaymentRecords
    ) -> None:
        self._plan = plan
        self._world = world
        self._rng = rng
        self._emitter = emitter
        self._payments = payments
        self._planted = 0
        kinds: tuple[Callable[[Produce], Produce | None], ...] = (
            self.truncated,
            self.bit_flip,
            self.wrong_magic,
            self.unknown_schema_id,
            self.trailing_bytes,
            self.empty_value,
            self.null_value,
            self.null_key,
            self.key_mismatch,
            self.foreign_event,
            self.false_creditor_reference,
        )
        self.kinds = (*kinds, self.wrong_partition) if plan.partitions > 1 else kinds

    def step(self, at: int) -> Iterator[Produce]:
        """Yield the next malformed record."""
        turn, place = divmod(self._planted, len(self.kinds))
        kind = self.kinds[place]
        topic = TOPICS[(turn + place) % len(TOPICS)]  # shifted by one each turn: every kind on every topic
        self._planted += 1
        name = kind.__name__
        tenant = self._plan.tenants[self._planted % len(self._plan.tenants)]
        if name == "false_creditor_reference":
            topic = "payments"  # the only topic with this field
        if name == "foreign_event" and topic == "payments":
            topic = "trades"
        if name == "wrong_partition" and topic == "prices":
            topic = "payments"  # prices go to every partition, so theirs does not matter
        good = self._good(topic, tenant, at)
        bad = kind(good)
        if bad is None:
            bad, name = self.truncated(good), "truncated"
        number = self._emitter.plant("malformed", name, tenant, {"dead_letter": True}, topic=bad.topic)
        yield bad._replace(planted=(number,))

    def _good(self, topic: str, tenant: str, at: int) -> Produce:
        """Return a good record for a topic, about an account (or instrument) of its own."""
        account = self._emitter.name("y")
        money = {"currency": "EUR", "account_id": account}
        if topic == "payments":
            community = next(one for one in self._world.communities if one.tenant == tenant)
            payment = self._payments.new(community, account, community.nostro, 33_00)
            return self._payments.initiated(payment, at, 1 + self._planted % NEWEST)
        if topic == "accounts":
            fields = {**money, "customer_id": account, "account_type": "checking", "initial_balance_minor": 0}
            return self._emitter.event(topic, "ledgerflow.AccountOpened", 1, tenant, account, at, fields)
        if topic == "trades":
            fields = {**money, "trade_id": f"d-{account}", "instrument_id": "ACME.EUR", "side": "BUY"}
            fields |= {"quantity_e8": 10**8, "price_e8": 10**10, "fee_minor": 100}
            return self._emitter.event(topic, "ledgerflow.TradeExecuted", 1, tenant, account, at, fields)
        if topic == "prices":
            fields = {"instrument_id": account, "price_e8": 10**10, "currency": "EUR"}
            return self._emitter.event(topic, "ledgerflow.PriceQuoted", 1, tenant, account, at, fields)
        fields = {**money, "statement_id": f"s-{account}"}
        fields |= {"opening_balance_minor": 0, "closing_balance_minor": 0, "line_count": 0, "closed_at": at}
        return self._emitter.event("statements", "ledgerflow.StatementClosed", 1, tenant, account, at, fields)

    # --- the kinds

    def truncated(self, good: Produce) -> Produce:
        """The end of the value is missing; no proper prefix of a value is a valid value."""
        value = good.value or b""
        return good._replace(value=value[: self._rng.randrange(HEAD_BYTES, len(value) - 1)])

    def bit_flip(self, good: Produce) -> Produce | None:
        """One bit is flipped so that decoding fails; None where every flip tried gives a valid value."""
        value = good.value or b""
        texts = [schema.text for schema in schemas.load() if schema.topic == good.topic]
        for _ in range(200):
            place = self._rng.randrange(HEAD_BYTES, len(value))
            flipped = bytearray(value)
            flipped[place] ^= 1 << self._rng.randrange(8)
            if not any(_is_event(bytes(flipped[HEAD_BYTES:]), text) for text in texts):
                return good._replace(value=bytes(flipped))
        return None

    def wrong_magic(self, good: Produce) -> Produce:
        """The first byte is not 0."""
        return good._replace(value=bytes([self._rng.randrange(2, 256)]) + (good.value or b"")[1:])

    def unknown_schema_id(self, good: Produce) -> Produce:
        """The schema id is one that the registry does not know."""
        unknown = self._rng.choice(UNKNOWN_SCHEMA_IDS)
        return good._replace(value=b"\0" + unknown.to_bytes(4, "big") + (good.value or b"")[HEAD_BYTES:])

    def trailing_bytes(self, good: Produce) -> Produce:
        """Bytes follow the value."""
        return good._replace(value=(good.value or b"") + self._rng.randbytes(self._rng.randrange(1, 20)))

    def empty_value(self, good: Produce) -> Produce:
        """The value has zero bytes."""
        return good._replace(value=b"")

    def null_value(self, good: Produce) -> Produce:
        """The value is null."""
        return good._replace(value=None)

    def null_key(self, good: Produce) -> Produce:
        """The key is null."""
        return good._replace(key=None, partition=self._rng.randrange(self._plan.partitions))

    def key_mismatch(self, good: Produce) -> Produce:
        """The key names another account than the value."""
        return good._replace(key=(good.key or b"") + b"x")

    def foreign_event(self, good: Produce) -> Produce:
        """An event of another topic."""
        tenant, _, account = (good.key or b"").decode().partition("/")
        community = next(one for one in self._world.communities if one.tenant == tenant)
        payment = self._payments.new(community, account, community.nostro, 33_00)
        return self._payments.initiated(payment, self._plan.start)._replace(topic=good.topic)

    def false_creditor_reference(self, good: Produce) -> Produce:
        """A payment, well formed, whose creditor reference has wrong check digits."""
        tenant, _, account = (good.key or b"").decode().partition("/")
        community = next(one for one in self._world.communities if one.tenant == tenant)
        payment = self._payments.new(community, account, community.nostro, 33_00)
        right = remittance.creditor_reference(f"{self._planted}")
        digits = (int(right[2:4]) + self._rng.randrange(1, 100)) % 100
        false = f"RF{digits:02}{right[4:]}"
        return self._payments.initiated(payment, self._plan.start, creditor_reference=false)

    def wrong_partition(self, good: Produce) -> Produce:
        """The record is on another partition than the one of its key."""
        partitions = self._plan.partitions
        right = partition_of((good.key or b"").decode(), partitions)
        return good._replace(partition=(right + self._rng.randrange(1, partitions)) % partitions)


def _is_event(body: bytes, text: str) -> bool:
    try:
        decode_strict(body, text, text)
    except Malformed:
        return False
    return True
