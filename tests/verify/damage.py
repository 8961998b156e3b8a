"""Damage to a sound log: each function does one thing wrong that a stream must never do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import schemas
from pipeline.domain.kernel.partitions import partition_of
from pipeline.verify.log import Record
from tests.simulated_cluster import ENCODE, SimulatedCluster, decoder

DECODE = decoder().decode


def value_of(name: str, fields: dict[str, Any]) -> bytes:
    return ENCODE(schemas.newest(f"ledgerflow.{name}"), fields)


class Damage:
    """A copy of a sound cluster, to be damaged in one place."""

    def __init__(self, sound: SimulatedCluster) -> None:
        self.log = copy.copy(sound)
        self.log.records = copy.copy(sound.records)
        for place, records in sound.records.items():
            self.log.records[place] = list(records)

    def find(self, topic: str, name: str, **wanted: Any) -> tuple[Record, dict[str, Any]]:
        """Return the last such event: one in the middle of a life might hide behind a later one."""
        for partition in range(self.log.count):
            for record in reversed(self.log.records[topic, partition]):
                event = DECODE(record.value)
                if event and event.name == name and all(event.fields[key] == wanted[key] for key in wanted):
                    return record, dict(event.fields)
        raise AssertionError(f"no {name} {wanted} in {topic}")

    def all(self, topic: str, partition: int, name: str) -> list[tuple[Record, dict[str, Any]]]:
        """Return the events of a name in one partition, in order."""
        read = ((record, DECODE(record.value)) for record in self.log.records[topic, partition])
        return [(record, dict(event.fields)) for record, event in read if event and event.name == name]

    def remove(self, record: Record) -> None:
        self.log.records[record.topic, record.partition].remove(record)

    def replace(self, record: Record, value: bytes, key: bytes | None = None) -> None:
        records = self.log.records[record.topic, record.partition]
        records[records.index(record)] = record._replace(value=value, key=key or record.key)

    def change(self, topic: str, name: str, wanted: dict[str, Any], **changes: Any) -> None:
        record, fields = self.find(topic, name, **wanted)
        new = {
            field: change(fields[field]) if callable(change) else change for field, change in changes.items()
        }
        self.replace(record, value_of(name, {**fields, **new}))

    def again(self, record: Record, value: bytes | None = None) -> None:
        self.log.append(record.topic, record.partition, record.key, value or record.value)

    def beside(self, record: Record, value: bytes | None = None) -> None:
        """Let a record stand there once more, right behind itself."""
        records = self.log.records[record.topic, record.partition]
        records.insert(records.index(record), record._replace(value=value or record.value))

    def bury(self, record: Record) -> None:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        headers = {f"__ledgerflow.errors.{name}": str(said).encode() for name, said in where.items()}
        self.log.append("dead-letters", record.partition, record.key, record.value, headers)


def lose_a_posting(log: Damage) -> None:
    log.remove(log.find("postings", "PostingRecorded", account_type="checking")[0])


def repeat_a_posting(log: Damage) -> None:
    log.again(log.find("postings", "PostingRecorded")[0])


def post_one_side_more(log: Damage) -> None:
    wanted = {"side": "DEBIT", "journal_id": None}
    log.change("postings", "PostingRecorded", wanted, amount_minor=lambda amount: amount + 1)


def misstate_a_running_balance(log: Damage) -> None:
    log.change("postings", "PostingRecorded", {}, balance_minor_after=lambda balance: balance + 1)


def skip_a_sequence_number(log: Damage) -> None:
    log.change("postings", "PostingRecorded", {}, account_sequence=lambda number: number + 1)


def claim_another_branch(log: Damage) -> None:
    log.change("postings", "PostingRecorded", {}, branch=lambda branch: branch + 1)


def lose_a_hold(log: Damage) -> None:
    _, leg = log.find("ledger-commands", "LegRequested")
    log.remove(log.find("postings", "HoldRecorded", change="PLACED", hold_id=leg["payment_id"])[0])


def misstate_what_is_held(log: Damage) -> None:
    log.change("postings", "PostingRecorded", {"side": "CREDIT"}, held_minor_after=lambda held: held + 1)


def misstate_the_balance(log: Damage) -> None:
    log.change("balances", "BalanceUpdated", {"account_type": "checking"}, credits_posted=lambda it: it + 1)


def forget_a_balance(log: Damage) -> None:
    record, _ = log.find("balances", "BalanceUpdated", account_type="merchant")
    for other in [one for one in log.log.records["balances", record.partition] if one.key == record.key]:
        log.remove(other)


def leave_a_hold(log: Damage) -> None:
    log.change(
        "balances",
        "BalanceUpdated",
        {"account_type": "checking", "status": "OPEN"},
        debits_pending=lambda held: held + 5,
        available_minor=lambda available: available - 5,
    )


def close_an_account_silently(log: Damage) -> None:
    log.change("balances", "BalanceUpdated", {"status": "OPEN", "account_type": "checking"}, status="CLOSED")


def leave_money_in_clearing(log: Damage) -> None:
    """A leg is credited a second time, well-formed in itself."""
    for partition in range(log.log.count):
        last: dict[str, dict[str, Any]] = {}
        for record in log.log.records["postings", partition]:
            fields = DECODE(record.value).fields  # type: ignore[union-attr]
            last[fields["account_id"]] = fields
        clearing = last.get(f"$clearing:EUR:{partition}")
        other = [
            one for one in last.values() if one["account_type"] == "merchant" and one["currency"] == "EUR"
        ]
        if clearing is None:
            continue
        credited = next(one for one in other if one["tenant_id"] == clearing["tenant_id"])
        for fields, sign, side in ((clearing, -1, "DEBIT"), (credited, 1, "CREDIT")):
            posting = {
                **fields,
                "side": side,
                "entry_id": "entry",
                "posting_id": f"entry:{side}",
                "amount_minor": 3,
            }
            posting |= {"account_sequence": fields["account_sequence"] + 1, "payment_id": None}
            posting["balance_minor_after"] = fields["balance_minor_after"] + 3 * sign
            key = f"{fields['tenant_id']}/{fields['account_id']}".encode()
            log.log.append("postings", partition, key, value_of("PostingRecorded", posting))
        return


def lose_a_payment(log: Damage) -> None:
    """An input that nothing ever happened to."""
    record, fields = log.find("payments", "PaymentInitiated")
    log.again(record, value_of("PaymentInitiated", {**fields, "event_id": "lost", "payment_id": "lost"}))


def apply_and_bury_a_payment(log: Damage) -> None:
    log.bury(log.find("payments", "PaymentInitiated")[0])


def decide_twice(log: Damage) -> None:
    log.again(log.find("ledger-commands", "PaymentDecided", outcome="APPROVE")[0])


def change_a_payment_on_the_way(log: Damage) -> None:
    log.change("ledger-commands", "PaymentDecided", {"outcome": "APPROVE"}, amount_minor=lambda it: it + 1)


def lose_an_account_event(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "AccountOpened")[0])


def swap_two_account_events(log: Damage) -> None:
    records = log.log.records["ledger-commands", 0]
    first, second = [place for place, one in enumerate(records) if DECODE(one.value).name == "AccountOpened"][
        :2
    ]  # type: ignore[union-attr]
    one, other = records[first], records[second]
    records[first] = one._replace(key=other.key, value=other.value)
    records[second] = other._replace(key=one.key, value=one.value)


def lose_an_answer(log: Damage) -> None:
    log.remove(log.find("payment-events", "PaymentRejected", code="insufficient_funds")[0])


def lose_a_leg(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "LegPosted")[0])


def settle_twice(log: Damage) -> None:
    log.again(log.find("payment-events", "PaymentSettled")[0])


def settle_another_amount(log: Damage) -> None:
    log.change("payment-events", "PaymentSettled", {}, amount_minor=lambda amount: amount + 1)


def lose_a_settlement(log: Damage) -> None:
    log.remove(log.find("payment-events", "PaymentSettled")[0])


def lose_a_screening(log: Damage) -> None:
    log.remove(log.find("payment-events", "PaymentScreened")[0])


def screen_twice(log: Damage) -> None:
    log.again(log.find("payment-events", "PaymentScreened")[0])


def screen_another_amount(log: Damage) -> None:
    log.change("payment-events", "PaymentScreened", {}, amount_minor=lambda amount: amount + 1)


def lose_a_review_on_the_way(log: Damage) -> None:
    log.remove(log.find("payment-events", "PaymentReviewed")[0])


def say_that_a_payment_is_stuck_twice(log: Damage) -> None:
    log.again(log.find("payment-alerts", "PaymentStuck")[0])


def leave_a_payment_stuck(log: Damage) -> None:
    log.remove(log.find("payment-alerts", "PaymentResumed")[0])


def answer_a_request_that_nobody_made(log: Damage) -> None:
    record, posting = log.find("postings", "PostingRecorded")
    envelope = ("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id")
    said = {name: posting[name] for name in envelope} | {
        "request_id": posting["account_id"],
        "answer": "ACCEPTED",
        "content_hash": "a" * 64,
        "claimed_at": posting["occurred_at"],
        "sent": False,
        "commands": [],
        "actor": None,
    }
    log.log.append("request-results", record.partition, record.key, value_of("RequestAnswered", said))


def lose_a_trade(log: Damage) -> None:
    trade, _ = log.find("position-commands", "TradeExecuted")
    for again in [one for one in log.log.records[trade.topic, trade.partition] if one.value == trade.value]:
        log.remove(again)  # a retry would hide it


def lose_a_price_on_one_partition(log: Damage) -> None:
    log.remove(log.find("position-commands", "PriceQuoted")[0])


def misstate_a_position(log: Damage) -> None:
    log.change("positions", "PositionUpdated", {}, quantity_e8=lambda quantity: quantity + 1)


def lose_a_statement_line(log: Damage) -> None:
    log.remove(log.find("reconciliation-items", "StatementLine")[0])


def hand_over_a_posting_twice(log: Damage) -> None:
    log.again(log.find("reconciliation-items", "PostingRecorded")[0])


def claim_twice(log: Damage) -> None:
    record, fields = log.find("reconciliation-results", "ItemMatched")
    log.beside(record, value_of("ItemMatched", fields))


def open_a_break_twice(log: Damage) -> None:
    log.beside(log.find("reconciliation-results", "BreakOpened")[0])


def resolve_what_is_not_open(log: Damage) -> None:
    log.beside(log.find("reconciliation-results", "BreakResolved")[0])


def match_another_amount(log: Damage) -> None:
    log.change(
        "reconciliation-results", "ItemMatched", {"tier": "REFERENCE"}, amount_minor=lambda amount: amount + 1
    )


def misstate_what_a_break_is(log: Damage) -> None:
    log.change("reconciliation-results", "BreakChanged", {}, status="OPEN")


def keep_a_break_quiet(log: Damage) -> None:
    log.remove(log.find("reconciliation-results", "BreakOpened", type="CLOSING_BALANCE")[0])


def lose_an_alert(log: Damage) -> None:
    log.remove(log.find("fraud-alerts", "FraudAlertRaised")[0])


def lose_the_alerts_of_a_scenario(log: Damage) -> None:
    _, fields = log.find("fraud-alerts", "FraudAlertRaised")
    for partition in range(log.log.count):
        for record in list(log.log.records["fraud-alerts", partition]):
            if DECODE(record.value).fields["account_id"] == fields["account_id"]:  # type: ignore[union-attr]
                log.remove(record)


def alert_without_a_reason(log: Damage) -> None:
    _, approved = log.find("ledger-commands", "PaymentDecided", outcome="APPROVE")
    log.change("fraud-alerts", "FraudAlertRaised", {}, payment_id=approved["payment_id"])


def lose_a_dead_letter(log: Damage) -> None:
    for partition in range(log.log.count):
        for record in list(log.log.records["dead-letters", partition]):
            log.remove(record)
            return


def alter_a_dead_letter(log: Damage) -> None:
    record = log.log.records["dead-letters", 1][0]
    log.replace(record, (record.value or b"") + b"x")


def bury_a_record_that_is_not_there(log: Damage) -> None:
    record, _ = log.find("payments", "PaymentInitiated")
    log.bury(record._replace(offset=10**9))


def give_another_answer(log: Damage) -> None:
    log.change("payment-events", "CommandRefused", {"code": "exists_with_different_amount"}, code="exists")


def put_a_record_on_a_wrong_partition(log: Damage) -> None:
    record, _ = log.find("balances", "BalanceUpdated", account_type="checking")
    log.remove(record)
    log.log.append("balances", (record.partition + 1) % log.log.count, record.key, record.value)


def write_bytes_that_are_no_event(log: Damage) -> None:
    record, _ = log.find("balances", "BalanceUpdated")
    log.replace(record, (record.value or b"") + b"\0")


def find_an_invariant_broken(log: Damage) -> None:
    alert = {
        "event_id": "alert", "tenant_id": "north", "occurred_at": 0, "correlation_id": "c",
        "causation_id": None, "invariant": "balance", "account_id": "alice", "currency": "EUR",
        "entry_id": None, "expected": "1", "found": "2", "topic": "postings", "partition": 1, "offset": 7,
    }  # fmt: skip
    log.log.append("invariant-alerts", 1, b"north/alice", value_of("InvariantBroken", alert))


def count_a_leg_less(log: Damage) -> None:
    log.change("clearing-totals", "ClearingCounted", {}, debits=lambda count: count - 1)


def count_nothing(log: Damage) -> None:
    for partition in range(log.log.count):
        log.log.records["clearing-totals", partition] = []


# --- holds to be captured


def lose_a_capture(log: Damage) -> None:
    log.remove(log.find("payment-events", "outcomes.PaymentCaptured")[0])


def say_a_capture_twice(log: Damage) -> None:
    log.again(log.find("payment-events", "outcomes.PaymentCaptured")[0])


def post_a_capture_twice(log: Damage) -> None:
    """Well-formed in itself: sequences and balances go on."""
    _, posting = next(
        log.find("postings", "PostingRecorded", side="DEBIT", payment_id=fields["payment_id"])
        for fields in captures_here(log)
    )
    capture = posting["payment_id"], posting["amount_minor"]
    partition = posting["branch"]
    entry = [
        dict(fields)
        for name, fields in (DECODE(record.value) for record in log.log.records["postings", partition])  # type: ignore[misc]
        if name == "PostingRecorded" and fields["entry_id"] == posting["entry_id"]
    ]
    for again in entry:
        last = again
        for name, fields in (DECODE(record.value) for record in log.log.records["postings", partition]):  # type: ignore[misc]
            if name == "PostingRecorded" and fields["account_id"] == again["account_id"]:
                last = fields
        amount = capture[1] if again["side"] == "CREDIT" else -capture[1]
        new = {
            **again,
            "entry_id": "again",
            "posting_id": f"again:{again['side']}",
            "account_sequence": last["account_sequence"] + 1,
            "balance_minor_after": last["balance_minor_after"] + amount,
            "held_minor_after": last["held_minor_after"],
        }
        key = f"{again['tenant_id']}/{again['account_id']}".encode()
        log.log.append("postings", partition, key, value_of("PostingRecorded", new))


def captures_here(log: Damage) -> Iterator[dict[str, Any]]:
    """Yield the captures whose creditor is on the debtor's branch."""
    for partition in range(log.log.count):
        for record in log.log.records["payment-events", partition]:
            event = DECODE(record.value)
            if event and event.name == "outcomes.PaymentCaptured":
                key = f"{event.fields['tenant_id']}/{event.fields['creditor_account_id']}"
                if partition_of(key, log.log.count) == partition:
                    yield event.fields


def never_release_an_expired_hold(log: Damage) -> None:
    """Nothing was said when its time came, and nothing was released."""
    record, expired = log.find("payment-events", "PaymentExpired")
    log.remove(record)
    debtor = expired["debtor_account_id"]
    log.remove(log.find("postings", "HoldRecorded", account_id=debtor, change="RELEASED")[0])
    amount = expired["amount_minor"]
    log.change(
        "balances",
        "BalanceUpdated",
        {"account_id": debtor},
        debits_pending=lambda held: held + amount,
        available_minor=lambda available: available - amount,
    )


def end_a_hold_before_its_time(log: Damage) -> None:
    """It says that its time came; it was cancelled."""
    record, fields = log.find("payment-events", "outcomes.PaymentCancelled")
    _, decided = log.find("ledger-commands", "PaymentDecided", payment_id=fields["payment_id"])
    log.remove(record)
    about = {"code": "expired", "causation_id": decided["event_id"]}
    log.again(record, value_of("PaymentExpired", {**fields, **about}))


def lose_an_extension(log: Damage) -> None:
    log.remove(log.find("payment-events", "outcomes.PaymentExtended")[0])


def lose_the_leg_of_a_capture(log: Damage) -> None:
    for partition in range(log.log.count):
        for record in log.log.records["ledger-commands", partition]:
            event = DECODE(record.value)
            if event and event.name == "PaymentCaptured":
                legs = [("ledger-commands", "LegRequested", {"causation_id": event.fields["event_id"]})]
                for topic, name, wanted in legs:
                    try:
                        found, _ = log.find(topic, name, **wanted)
                    except AssertionError:
                        continue
                    return log.remove(found)
    raise AssertionError("no capture elsewhere")


# --- journals of many legs


def journal_over_branches(log: Damage, state: str = "POSTED") -> dict[str, Any]:
    """Return the last state of a journal that has legs on several branches."""
    _, asked = log.find("ledger-commands", "JournalLegsRequested")
    while True:
        try:
            return log.find("journal-events", "JournalUpdated", journal_id=asked["journal_id"], state=state)[
                1
            ]
        except AssertionError:
            log_without = Damage(log.log)
            for partition in range(log.log.count):
                for record in list(log_without.log.records["ledger-commands", partition]):
                    event = DECODE(record.value)
                    if event and event.fields.get("journal_id") == asked["journal_id"]:
                        log_without.remove(record)
            log = log_without
            _, asked = log.find("ledger-commands", "JournalLegsRequested")


def postings_of(log: Damage, journal_id: str) -> dict[int, list[Record]]:
    """Return the postings of a journal, by branch."""
    found: dict[int, list[Record]] = {}
    for partition in range(log.log.count):
        for record in log.log.records["postings", partition]:
            if DECODE(record.value).fields.get("journal_id") == journal_id:  # type: ignore[union-attr]
                found.setdefault(partition, []).append(record)
    return found


def lose_a_posting_of_a_journal(log: Damage) -> None:
    postings = postings_of(log, journal_over_branches(log)["journal_id"])
    log.remove(next(iter(postings.values()))[0])


def post_a_journal_on_one_branch_only(log: Damage) -> None:
    postings = postings_of(log, journal_over_branches(log)["journal_id"])
    for record in next(iter(postings.values())):
        log.remove(record)


def post_a_leg_for_another_purpose(log: Damage) -> None:
    log.change("postings", "PostingRecorded", {"purpose": "fee"}, purpose="gift")


def post_a_journal_that_is_refused(log: Damage) -> None:
    refused = journal_over_branches(log, "REFUSED")
    log.change(
        "journal-events", "JournalUpdated", {"event_id": refused["event_id"]}, state="POSTED", code="ok"
    )


def lose_the_end_of_a_journal(log: Damage) -> None:
    posted = journal_over_branches(log)
    log.remove(log.find("journal-events", "JournalUpdated", event_id=posted["event_id"])[0])


def hold_a_journal_for_ever(log: Damage) -> None:
    log.remove(log.find("journal-events", "JournalUpdated", state="EXPIRED")[0])


def forget_to_ask_a_branch(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "JournalLegsRequested")[0])


def ask_a_branch_for_other_legs(log: Damage) -> None:
    def changed(legs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**leg, "amount_minor": leg["amount_minor"] + 1} for leg in legs]

    log.change("ledger-commands", "JournalLegsRequested", {}, legs=changed)


def lose_the_answer_of_a_branch(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "JournalLegsAnswered")[0])


def forget_to_tell_a_branch(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "JournalLegsEnded")[0])


def tell_a_branch_otherwise(log: Damage) -> None:
    log.change("ledger-commands", "JournalLegsEnded", {}, posted=lambda posted: not posted)


def take_back_more_than_was_posted(log: Damage) -> None:
    """A reversal of a part that takes more than there is, from the command to the postings."""
    reversal_id = next(
        DECODE(record.value).fields["reversal_id"]  # type: ignore[union-attr]
        for partition in range(log.log.count)
        for record in log.log.records["ledger-commands", partition]
        if DECODE(record.value).name == "JournalReversed" and DECODE(record.value).fields["legs"]  # type: ignore[union-attr]
    )

    def tenfold(legs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**leg, "amount_minor": leg["amount_minor"] * 10} for leg in legs]

    for topic in ("journals", "ledger-commands"):
        log.change(topic, "JournalReversed", {"reversal_id": reversal_id}, legs=tenfold)


def lose_a_journal(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "JournalSubmitted")[0])


def lose_the_answer_to_a_journal(log: Damage) -> None:
    log.remove(log.find("payment-events", "CommandRefused", command="journal_submitted")[0])


# --- limits, what is frozen, periods


def raise_a_limit_silently(log: Damage) -> None:
    log.change("balances", "BalanceUpdated", {"maximum_balance_minor": 20_00}, maximum_balance_minor=30_00)


def forget_a_limit_that_has_begun(log: Damage) -> None:
    log.change("balances", "BalanceUpdated", {"minimum_balance_minor": 90_00}, minimum_balance_minor=None)


def free_an_account_silently(log: Damage) -> None:
    log.change("balances", "BalanceUpdated", {"frozen": "DEBIT"}, frozen="NONE")


def lose_a_period_on_one_partition(log: Damage) -> None:
    log.remove(log.find("ledger-commands", "PeriodClosed")[0])


def count_an_entry_in_a_closed_period(log: Damage) -> None:
    for partition in range(log.log.count):
        submitted = log.all("ledger-commands", partition, "JournalSubmitted")
        own = {fields["journal_id"] for _, fields in submitted}
        postings = log.all("postings", partition, "PostingRecorded")
        late = [fields["asked_at"] and fields["journal_id"] in own for _, fields in postings]
        after = postings[late.index(True) + 1 :] if True in late else []
        cleared = {fields["entry_id"] for _, fields in after if fields["account_id"].startswith("$clearing")}
        paid_here = [one for one in after if one[1]["payment_id"] and one[1]["entry_id"] not in cleared]
        if paid_here:
            for record, fields in paid_here[-2:]:
                log.replace(record, value_of("PostingRecorded", {**fields, "effective_at": 0}))
            return
    raise AssertionError("nothing was late")


def move_an_entry_where_no_period_ends(log: Damage) -> None:
    _, late = next(found for found in [log.find("postings", "PostingRecorded", reference=None)] if found)
    later = late["occurred_at"]
    log.change(
        "postings",
        "PostingRecorded",
        {"posting_id": late["posting_id"]},
        effective_at=later,
        asked_at=later - 1,
    )


def say_a_name_in_the_clear(log: Damage) -> None:
    fields = {"event_id": "e", "tenant_id": "north", "occurred_at": 0, "correlation_id": "c"}
    fields |= {"party_id": "p-1", "kind": "PERSON", "names": ["Anna"]}
    key = b"north/p-1"
    value = value_of("PartyRegistered", fields)
    log.log.append("parties", partition_of(key.decode(), log.log.count), key, value)
