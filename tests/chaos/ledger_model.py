"""A single-threaded model of one branch of the ledger: dicts, integers and the rules of the README.

    records of one partition of ledger-commands, in order -> Branch.apply -> dead-letter code, or what must
    come out: postings, payment-events, balances, legs for other branches, nostro postings, table rows

It knows the wire contract (event names, keys, ids derived as UUIDv5, the layout of rows) and shares no code
with the product: its agreement is evidence. What never changes: a command has all of its effects or none, and
one that has none says why.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from tests.chaos.log_reader import Record

DERIVED = uuid.UUID("6f2a1f0e-3d0b-5a86-9a3c-2f9b4c1d7e55")
LONG_MAX, LONG_MIN = 2**63 - 1, -(2**63)
DAY_US = 86_400_000_000

COMMANDS, POSTINGS, BALANCES, PAYMENT_EVENTS, ITEMS = (
    "ledger-commands",
    "postings",
    "balances",
    "payment-events",
    "reconciliation-items",
)

TABLE = "ledger"
"""Stands for the table where a topic is asked for: its rows, as the changelog has them."""

ACCOUNT_ROW = struct.Struct("<BBBB3sxqqqqqq")
"""Layout, status, type, without limit, currency, limit, the four counters, sequence."""
WATERMARK_ROW = struct.Struct("<Bq")
ACCOUNT_KINDS = ("checking", "savings", "investment", "merchant", "nostro", "internal")
LAYOUT = 1

ACCOUNT_EVENTS = ("AccountOpened", "AccountLimitSet", "AccountClosed")
STATEMENT_EVENTS = ("StatementLine", "StatementClosed")
TRADE_EVENTS = ("TradeExecuted", "TradeSettled")
KEY_FIELD = {
    **dict.fromkeys((*ACCOUNT_EVENTS, *STATEMENT_EVENTS, *TRADE_EVENTS), "account_id"),
    **dict.fromkeys(("LegRequested", "PostingRecorded"), "account_id"),
    **dict.fromkeys(("PaymentInitiated", "PaymentReviewed", "PaymentCancelled"), "debtor_account_id"),
    **dict.fromkeys(("PaymentDecided", "LegPosted", "LegRefused"), "debtor_account_id"),
    "PriceQuoted": "instrument_id",
}
"""The second half of each event's record key; the first is the tenant."""


class Expected(NamedTuple):
    """A record that must come out. `fields` are those that are known; `value`, if given, is the bytes."""

    topic: str
    key: bytes
    event: str
    fields: dict[str, Any]
    source: int
    """Offset of the record that causes it."""
    value: bytes | None = None


@cache
def home_of(key: str, partitions: int) -> int:
    """Return the partition of a key: Kafka's murmur2 (32 bit, seed 0x9747b28c), the sign bit off, modulo."""
    data, mask, factor = key.encode(), 0xFFFFFFFF, 0x5BD1E995
    state = (0x9747B28C ^ len(data)) & mask
    for start in range(0, len(data), 4):
        chunk = data[start : start + 4]
        word = int.from_bytes(chunk, "little")
        if len(chunk) == 4:
            word = word * factor & mask
            word = (word ^ (word >> 24)) * factor & mask
            state = (state * factor & mask) ^ word
        else:
            state = (state ^ word) * factor & mask
    state = (state ^ (state >> 13)) * factor & mask
    return ((state ^ (state >> 15)) & 0x7FFFFFFF) % partitions


def misplaced(record: Record, partitions: int) -> str | None:
    """Return why no stream may apply a record: it is no event, or it stands where it does not belong."""
    if record.event is None:
        return record.fault
    if record.key is None:
        return "no_key"
    if record.event not in KEY_FIELD:
        return "unexpected_event"
    key = f"{record.fields['tenant_id']}/{record.fields[KEY_FIELD[record.event]]}"
    if record.key != key.encode():
        return "wrong_key"
    if record.event != "PriceQuoted" and home_of(key, partitions) != record.partition:
        return "wrong_partition"
    return None


def derived(cause_id: str, name: str) -> str:
    """Return the id of an event that `cause_id` gives rise to."""
    return str(uuid.uuid5(DERIVED, f"{cause_id}\0{name}"))


def customer(account_id: str) -> bool:
    """Whether an id can be a customer's account."""
    return account_id != "" and account_id[0] != "$" and not set(account_id) & {"/", "\0"}


def row_key(family: str, *parts: str) -> bytes:
    """Return the key of a table row."""
    return "\0".join((family, *parts)).encode()


def msgpack(value: str | int | list[str | int]) -> bytes:
    """Return a short list of texts and integers as MessagePack, each in its shortest form."""
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(msgpack, value))
    if isinstance(value, str):
        raw = value.encode()
        if len(raw) < 32:
            return bytes([0xA0 | len(raw)]) + raw
        size, head = next(
            (size, head) for size, head in ((1, 0xD9), (2, 0xDA), (4, 0xDB)) if not len(raw) >> 8 * size
        )
        return bytes([head]) + len(raw).to_bytes(size, "big") + raw
    if -32 <= value < 128:
        return (value & 0xFF).to_bytes(1, "big")
    for power in range(4):
        bits = 8 << power
        if value < 0 and value >= -(1 << (bits - 1)):
            return bytes([0xD0 + power]) + value.to_bytes(bits // 8, "big", signed=True)
        if 0 <= value < 1 << bits:
            return bytes([0xCC + power]) + value.to_bytes(bits // 8, "big")
    raise ValueError("more than 64 bits")


class Dead(Exception):
    """The command is a dead letter; the argument is its code. Nothing has changed."""


@dataclass
class Account:
    """One account; amounts in minor units."""

    kind: str
    currency: str
    limit: int | None
    closed: bool = False
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    sequence: int = 0

    @property
    def balance(self) -> int:
        return self.credits_posted - self.debits_posted


@dataclass
class Payment:
    """A payment id and its fate: HELD, IN_FLIGHT; at the end SETTLED, REJECTED, FAILED, CANCELLED."""

    state: str
    code: str
    debtor: str
    creditor: str
    amount: int
    currency: str
    reference: str
    occurred_at: int


@dataclass
class Branch:
    """The ledger of one partition, as far as its log has been applied."""

    number: int
    partitions: int
    window_days: int = 90
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    payments: dict[tuple[str, str], Payment] = field(default_factory=dict)
    legs: set[tuple[str, str]] = field(default_factory=set)
    watermark: int | None = None
    out: list[Expected] = field(default_factory=list)
    cause: Record = field(init=False)

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Apply one record; return its dead-letter code or None, and what must come out of it."""
        self.cause, self.out = record, []
        try:
            code = misplaced(record, self.partitions)
            if code is not None:
                raise Dead(code)
            rule = RULES.get(record.event or "")
            if rule is None:
                raise Dead("unexpected_event")
            tenant = record.fields["tenant_id"]
            if not tenant or "\0" in tenant or "/" in tenant:
                raise Dead("invalid_tenant_id")
            rule(self, record.fields)
        except Dead as dead:
            return str(dead), []
        return None, self.out

    # --- saying

    def say(self, topic: str, account_id: str, event: str, event_id: str, /, **fields: Any) -> None:
        """Expect an event caused by the present command, with the envelope that follows from it."""
        cause = self.cause.fields
        envelope = {name: cause[name] for name in ("tenant_id", "occurred_at", "correlation_id")}
        said = {"event_id": event_id, **envelope, "causation_id": cause["event_id"], **fields}
        key = f"{cause['tenant_id']}/{account_id}".encode()
        self.out.append(Expected(topic, key, event, said, self.cause.offset))

    def outcome(self, event: str, name: str, payment: Payment, code: str) -> None:
        """Expect a payment event."""
        self.say(
            PAYMENT_EVENTS,
            payment.debtor,
            event,
            derived(self.cause.fields["event_id"], name),
            payment_id=self.cause.fields["payment_id"],
            **leg_content(payment),
            code=code,
        )

    def refuse(self, command: str, account_id: str, payment_id: str | None, code: str) -> None:
        """Expect the answer to a command that has no effect."""
        event_id = derived(self.cause.fields["event_id"], f"refused:{command}")
        answer = {"command": command, "account_id": account_id, "payment_id": payment_id, "code": code}
        self.say(PAYMENT_EVENTS, account_id, "CommandRefused", event_id, **answer)

    def show(self, *account_ids: str) -> None:
        """Expect the balances of accounts that the command has touched."""
        for account_id in account_ids:
            account = self.account(account_id)
            assert account is not None
            self.say(
                BALANCES,
                account_id,
                "BalanceUpdated",
                f"{self.cause.fields['event_id']}:{account_id}",
                account_id=account_id,
                account_type=account.kind,
                currency=account.currency,
                debits_pending=account.debits_pending,
                debits_posted=account.debits_posted,
                credits_pending=account.credits_pending,
                credits_posted=account.credits_posted,
                available_minor=account.balance - account.debits_pending,
                balance_minor=account.balance,
                account_sequence=account.sequence,
                overdraft_limit_minor=account.limit,
                status="CLOSED" if account.closed else "OPEN",
            )

            row = ACCOUNT_ROW.pack(
                LAYOUT,
                account.closed,
                ACCOUNT_KINDS.index(account.kind),
                account.limit is None,
                account.currency.encode(),
                account.limit or 0,
                account.debits_pending,
                account.debits_posted,
                account.credits_pending,
                account.credits_posted,
                account.sequence,
            )
            self.row(row_key("a", self.cause.fields["tenant_id"], account_id), row)

    def row(self, key: bytes, value: bytes) -> None:
        """Expect a row of the table."""
        self.out.append(Expected(TABLE, key, "row", {}, self.cause.offset, value))

    def end(self, payment: Payment, state: str, code: str) -> None:
        """Write what is remembered of the command's payment after it."""
        payment.state, payment.code = state, code
        fields = self.cause.fields
        raw = msgpack([getattr(payment, name) for name in Payment.__dataclass_fields__])
        self.row(row_key("p", fields["tenant_id"], fields["payment_id"]), bytes([LAYOUT]) + raw)

    # --- the books

    def account(self, account_id: str) -> Account | None:
        return self.accounts.get((self.cause.fields["tenant_id"], account_id))

    def own(self, purpose: str, currency: str) -> str:
        """Return the id of the branch's own account for a purpose; it exists from its first use."""
        account_id = f"${purpose}:{currency}:{self.number}"
        key = (self.cause.fields["tenant_id"], account_id)
        self.accounts.setdefault(key, Account("internal", currency, None))
        return account_id

    def here(self, account_id: str) -> bool:
        return home_of(f"{self.cause.fields['tenant_id']}/{account_id}", self.partitions) == self.number

    def counterpart(self, payment: Payment) -> str:
        """Return what stands against a hold: the creditor, or clearing where the creditor is elsewhere."""
        return payment.creditor if self.here(payment.creditor) else self.own("clearing", payment.currency)

    def creditor_code(self, account_id: str, currency: str) -> str | None:
        """Return why an account of this branch cannot be credited."""
        creditor = self.account(account_id)
        if creditor is None or account_id.startswith("$"):
            return "creditor_not_found"
        if creditor.closed:
            return "creditor_closed"
        return None if creditor.currency == currency else "currency_mismatch"

    def hold(self, payment: Payment, sign: int) -> None:
        """Take a hold (+1) or give it back (-1)."""
        debtor, other = self.account(payment.debtor), self.account(self.counterpart(payment))
        assert debtor is not None and other is not None
        debtor.debits_pending += sign * payment.amount
        other.credits_pending += sign * payment.amount

    def enter(self, name: str, debit: str, credit: str, amount: int, **about: str | None) -> None:
        """Post one entry of two postings and expect both, and the balances."""
        entry_id = derived(self.cause.fields["event_id"], name)
        for side, account_id in (("DEBIT", debit), ("CREDIT", credit)):
            account = self.account(account_id)
            assert account is not None
            if side == "DEBIT":
                account.debits_posted += amount
            else:
                account.credits_posted += amount
            account.sequence += 1
            posting = {
                "posting_id": f"{entry_id}:{side[0]}",
                "entry_id": entry_id,
                "account_id": account_id,
                "account_type": account.kind,
                "side": side,
                "amount_minor": amount,
                "currency": account.currency,
                "account_sequence": account.sequence,
                "balance_minor_after": account.balance,
                "branch": self.number,
                **about,
            }
            for topic in (POSTINGS, ITEMS) if account.kind == "nostro" else (POSTINGS,):
                self.say(topic, account_id, "PostingRecorded", f"{entry_id}:{side[0]}", **posting)
        self.show(debit, credit)


def leg_content(payment: Payment) -> dict[str, Any]:
    """Return the fields by which every event names a payment's parties and money."""
    return {
        "debtor_account_id": payment.debtor,
        "creditor_account_id": payment.creditor,
        "amount_minor": payment.amount,
        "currency": payment.currency,
    }


def room(account: Account | None, side: str, amount: int) -> bool:
    """Whether one side of an account, posted and pending together, can grow by `amount` in 64 bits."""
    if account is None:
        return amount <= LONG_MAX
    taken: int = getattr(account, f"{side}_posted") + getattr(account, f"{side}_pending")
    return taken + amount <= LONG_MAX


# --- the rules, one a command


def open_account(branch: Branch, event: dict[str, Any]) -> None:
    account_id, currency, kind = event["account_id"], event["currency"], event["account_type"]
    limit = event.get("overdraft_limit_minor", 0)  # version 1 of the event knows no overdraft
    if not customer(account_id):
        raise Dead("invalid_account_id")
    if len(currency) != 3 or not all("A" <= letter <= "Z" for letter in currency):
        raise Dead("invalid_currency")
    if limit is not None and limit < 0:
        raise Dead("invalid_limit")
    known = branch.account(account_id)
    if known is not None:
        same = "exists" if known.kind == kind else "exists_with_different_content"
        code = same if known.currency == currency else "exists_with_different_currency"
        return branch.refuse("account_opened", account_id, None, code)
    amount = event["initial_balance_minor"]
    opening = branch.accounts.get((event["tenant_id"], f"$opening:{currency}:{branch.number}"))
    other_side = "debits" if amount > 0 else "credits"
    if amount == LONG_MIN or (amount and not room(opening, other_side, abs(amount))):
        raise Dead("overflow")
    branch.accounts[event["tenant_id"], account_id] = Account(kind, currency, limit)
    if amount == 0:
        return branch.show(account_id)
    own = branch.own("opening", currency)
    debit, credit = (own, account_id) if amount > 0 else (account_id, own)
    branch.enter("opening", debit, credit, abs(amount), payment_id=None, reference=None)


def standing(branch: Branch, event: dict[str, Any], command: str) -> Account | None:
    """Return an account that a command may change; otherwise answer why not."""
    account = branch.account(event["account_id"])
    if account is None or account.closed:
        code = "account_not_found" if account is None else "account_closed"
        branch.refuse(command, event["account_id"], None, code)
        return None
    return account


def set_limit(branch: Branch, event: dict[str, Any]) -> None:
    if not customer(event["account_id"]):
        raise Dead("invalid_account_id")
    limit = event["overdraft_limit_minor"]
    if limit is not None and limit < 0:
        raise Dead("invalid_limit")
    account = standing(branch, event, "account_limit_set")
    if account is not None:
        account.limit = limit
        branch.show(event["account_id"])


def close_account(branch: Branch, event: dict[str, Any]) -> None:
    if not customer(event["account_id"]):
        raise Dead("invalid_account_id")
    account = standing(branch, event, "account_closed")
    if account is None:
        return
    if account.balance or account.debits_pending or account.credits_pending:
        return branch.refuse("account_closed", event["account_id"], None, "account_not_empty")
    account.closed = True
    branch.show(event["account_id"])


def decide(branch: Branch, event: dict[str, Any]) -> None:
    key = (event["tenant_id"], event["payment_id"])
    payment = Payment(
        "",
        "",
        event["debtor_account_id"],
        event["creditor_account_id"],
        event["amount_minor"],
        event["currency"],
        event["reference"],
        event["occurred_at"],
    )
    known = branch.payments.get(key)
    if known is not None:
        code = "exists"
        for part in ("debtor", "creditor", "amount", "currency"):
            if getattr(known, part) != getattr(payment, part):
                code = f"exists_with_different_{part}"
                break
        return branch.refuse("payment_initiated", payment.debtor, event["payment_id"], code)
    seen = min(event["occurred_at"], branch.cause.timestamp_ms * 1000)
    if branch.watermark is None or seen > branch.watermark:
        branch.watermark = seen
        branch.row(b"w", WATERMARK_ROW.pack(LAYOUT, seen))
    if branch.watermark - event["occurred_at"] > branch.window_days * DAY_US:
        return branch.outcome("PaymentRejected", "payment_rejected", payment, "too_old")  # and is forgotten
    branch.payments[key] = payment
    refusal = why_not(branch, event, payment)
    if refusal is not None:
        branch.end(payment, "REJECTED", refusal)
        return branch.outcome("PaymentRejected", "payment_rejected", payment, refusal)
    branch.hold(payment, +1)
    branch.outcome("PaymentReserved", "payment_reserved", payment, "ok")
    if event["outcome"] == "REVIEW":
        branch.end(payment, "HELD", "ok")
        return branch.show(payment.debtor, branch.counterpart(payment))
    proceed(branch, payment)
    if payment.state == "IN_FLIGHT":
        branch.show(payment.debtor, branch.counterpart(payment))


def why_not(branch: Branch, event: dict[str, Any], payment: Payment) -> str | None:
    """Return the first reason for which a payment cannot be reserved."""
    if event["outcome"] == "DECLINE":
        return "declined"
    if payment.amount <= 0:
        return "amount_must_be_positive"
    if payment.debtor == payment.creditor:
        return "accounts_must_differ"
    debtor = branch.account(payment.debtor)
    if debtor is None or not customer(payment.debtor):
        return "debtor_not_found"
    if debtor.closed:
        return "debtor_closed"
    if debtor.currency != payment.currency:
        return "currency_mismatch"
    if not customer(payment.creditor):
        return "creditor_not_found"
    other = branch.account(payment.creditor)
    if branch.here(payment.creditor):
        code = branch.creditor_code(payment.creditor, payment.currency)
        if code is not None:
            return code
    else:
        other = branch.account(f"$clearing:{payment.currency}:{branch.number}")
    left = debtor.balance - debtor.debits_pending - payment.amount
    if debtor.limit is not None and left < -debtor.limit:
        return "insufficient_funds"
    fits = room(debtor, "debits", payment.amount) and room(other, "credits", payment.amount)
    return None if fits else "overflow"


def proceed(branch: Branch, payment: Payment) -> None:
    """Settle a reserved payment here, or ask the creditor's branch for its leg."""
    event = branch.cause.fields
    if branch.here(payment.creditor):
        return settle(branch, payment, payment.creditor)
    branch.end(payment, "IN_FLIGHT", "ok")
    branch.say(
        COMMANDS,
        payment.creditor,
        "LegRequested",
        derived(event["event_id"], "leg_requested"),
        leg_id=derived(payment.debtor, f"leg:{event['payment_id']}"),
        payment_id=event["payment_id"],
        account_id=payment.creditor,
        **leg_content(payment),
        origin_branch=branch.number,
        reference=payment.reference,
    )


def settle(branch: Branch, payment: Payment, credit: str) -> None:
    branch.hold(payment, -1)
    branch.end(payment, "SETTLED", "ok")
    about = {"payment_id": branch.cause.fields["payment_id"], "reference": payment.reference}
    branch.enter("settle", payment.debtor, credit, payment.amount, **about)
    branch.outcome("PaymentSettled", "payment_settled", payment, "ok")


def release(branch: Branch, payment: Payment, event: str, code: str) -> None:
    """Give back a hold; the payment ends as `event` says."""
    branch.hold(payment, -1)
    state = event.rpartition("Payment")[2].upper()
    branch.end(payment, state, code)
    name = f"payment_{state.lower()}"
    branch.show(payment.debtor, branch.counterpart(payment))
    branch.outcome(event, name, payment, code)


def held(branch: Branch, event: dict[str, Any], command: str) -> Payment | None:
    """Return the payment if it waits for a review; otherwise answer why not."""
    payment = branch.payments.get((event["tenant_id"], event["payment_id"]))
    if payment is None or payment.debtor != event["debtor_account_id"]:
        code = "payment_not_found"
    elif payment.state == "HELD":
        return payment
    else:
        ends = {"IN_FLIGHT": "payment_in_flight", "SETTLED": "already_settled"}
        code = ends.get(payment.state, "already_failed")
    branch.refuse(command, event["debtor_account_id"], event["payment_id"], code)
    return None


def review(branch: Branch, event: dict[str, Any]) -> None:
    payment = held(branch, event, "payment_reviewed")
    if payment is None:
        return
    if not event["approved"]:
        return release(branch, payment, "PaymentRejected", "declined")
    local = branch.here(payment.creditor)
    code = branch.creditor_code(payment.creditor, payment.currency) if local else None
    if code is not None:
        return release(branch, payment, "PaymentFailed", code)
    proceed(branch, payment)


def cancel(branch: Branch, event: dict[str, Any]) -> None:
    payment = held(branch, event, "payment_cancelled")
    if payment is not None:
        release(branch, payment, "outcomes.PaymentCancelled", "cancelled")


def post_leg(branch: Branch, event: dict[str, Any]) -> None:
    key = (event["tenant_id"], event["leg_id"])
    if key in branch.legs:
        raise Dead("leg_exists")
    branch.legs.add(key)
    branch.row(row_key("l", *key), bytes([LAYOUT]))
    creditor, currency, amount = event["creditor_account_id"], event["currency"], event["amount_minor"]
    code = branch.creditor_code(creditor, currency)
    clearing = branch.account(f"$clearing:{currency}:{branch.number}")
    if code is None and not (
        room(clearing, "debits", amount) and room(branch.account(creditor), "credits", amount)
    ):
        code = "overflow"
    shared = ("leg_id", "payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency")
    answer = {name: event[name] for name in shared}
    answer_id = derived(event["event_id"], "leg_answer")
    if code is not None:
        return branch.say(COMMANDS, event["debtor_account_id"], "LegRefused", answer_id, **answer, code=code)
    about = {"payment_id": event["payment_id"], "reference": event["reference"]}
    branch.enter("leg", branch.own("clearing", currency), creditor, amount, **about)
    branch.say(COMMANDS, event["debtor_account_id"], "LegPosted", answer_id, **answer)


def in_flight(branch: Branch, event: dict[str, Any]) -> Payment:
    payment = branch.payments.get((event["tenant_id"], event["payment_id"]))
    if payment is None or payment.state != "IN_FLIGHT":
        raise Dead("leg_not_expected")
    return payment


def leg_posted(branch: Branch, event: dict[str, Any]) -> None:
    payment = in_flight(branch, event)
    settle(branch, payment, branch.own("clearing", payment.currency))


def leg_refused(branch: Branch, event: dict[str, Any]) -> None:
    release(branch, in_flight(branch, event), "PaymentFailed", event["code"])


RULES = {
    "AccountOpened": open_account,
    "AccountLimitSet": set_limit,
    "AccountClosed": close_account,
    "PaymentDecided": decide,
    "PaymentReviewed": review,
    "PaymentCancelled": cancel,
    "LegRequested": post_leg,
    "LegPosted": leg_posted,
    "LegRefused": leg_refused,
}
