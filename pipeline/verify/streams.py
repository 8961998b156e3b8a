"""The streams as they are compared: which log each reads, by which model, and where what it says must stand.

accounts, journals -> ledger-commands      statements, break-actions, weights, rates -> reconciliation-items
trades, prices -> position-commands        payments, labels, rules, some postings -> fraud-commands
fraud-commands -> decisions, screenings, alerts, what is passed on to the ledger
ledger-commands -> postings, payment-events, journal-events, balances, legs, nostro items
position-commands -> positions             reconciliation-items -> results, continuations, corrections
postings -> history, clearing totals       payment-events -> alerts of payments that are stuck
requests -> what each of them is answered
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from pipeline.verify.model.fraud_log import FraudBranch
from pipeline.verify.model.history import HistoryBranch
from pipeline.verify.model.intake import ALSO, FORWARDED, ITEMS_ALSO, Beside, BesideItems, Intake
from pipeline.verify.model.invariants import InvariantBranch
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.lifecycle import LifecycleBranch
from pipeline.verify.model.match_branch import CONTINUED, TIME, MatchBranch
from pipeline.verify.model.positions import PositionBranch
from pipeline.verify.model.record import Record
from pipeline.verify.model.requests import RequestBranch
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.tenants import GATE_CODES
from pipeline.verify.model.wire import (
    ALERTS,
    BALANCES,
    BROADCAST,
    CLEARING_TOTALS,
    COMMANDS,
    DEAD_LETTERS,
    FRAUD_COMMANDS,
    HISTORY_ALERTS,
    INVARIANT_ALERTS,
    ITEMS,
    JOURNAL_COMMANDS,
    JOURNAL_EVENTS,
    LEGS,
    MESSAGES,
    PAYMENT_ALERTS,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
    POSITION_COMMANDS,
    POSITIONS,
    POSTINGS,
    REQUEST_RESULTS,
    REQUESTS,
    RESULTS,
    UPSTREAM,
    Expected,
    corrects,
)

LOGS = (FRAUD_COMMANDS, COMMANDS, ITEMS, POSITION_COMMANDS, POSTINGS, PAYMENT_EVENTS)
SOURCES = (*UPSTREAM, *LOGS)
"""What streams read."""
OUTPUTS = (
    *(POSTINGS, PAYMENT_EVENTS, JOURNAL_EVENTS, BALANCES, ALERTS, POSITIONS, RESULTS, PAYMENT_ALERTS),
    *(HISTORY_ALERTS, CLEARING_TOTALS, INVARIANT_ALERTS, REQUEST_RESULTS, DEAD_LETTERS),
)
DECISIONS = ("PaymentDecided", "PaymentsLinkDecided", *PAYMENT_COMMANDS, "BranchTicked")
"""What the fraud stream says to the ledger."""
TO_ITEMS = ("PostingRecorded", "JournalAnswered", "BranchTicked")
"""What the ledger says to reconciliation."""
SCREENINGS = ("PaymentScheduled", "PaymentScreened", "PaymentReviewed")
"""What it writes among the ledger's payment events."""
ENDS_OF_WAITING = ("CommandRefused", "outcomes.PaymentCancelled")
"""What it answers to commands about payments that wait, and the ledger to those about others."""
ANSWERS = ("PaymentReserved", "PaymentRejected", "CommandRefused", "outcomes.PaymentExtended")
"""What the ledger says of a payment that has not moved any money."""
ASKS = ("payment_initiated", "payments_linked")
"""Commands that ask for payments, as their refusals name them."""
REVERSALS = ("journal_reversed", "payment_reversed")
"""Commands that take back what was posted, as their refusals name them."""
INPUT_CHECKS = {
    **dict.fromkeys(("accounts", "payments", "journals", "approvals", "rates"), "inputs_ledger"),
    **dict.fromkeys(("fraud-labels", "fraud-rules"), "inputs_ledger"),
    **dict.fromkeys(("trades", "prices"), "inputs_positions"),
    **dict.fromkeys(("statements", "break-actions", "matching-rules"), "inputs_reconciliation"),
    FRAUD_COMMANDS: "inputs_ledger",
    COMMANDS: "answers",
    POSITION_COMMANDS: "positions",
    ITEMS: "claims",
    REQUESTS: "requests",
}
"""By source, the check of what became of its records."""


class Only(NamedTuple):
    """Events of some names, or all others; None stands for what is no event."""

    names: Container[str | None]
    but: bool = False

    def __call__(self, event: str | None) -> bool:
        """Whether an event is one of them."""
        return (event in self.names) is not self.but


ALL = Only((), but=True)


class Output(NamedTuple):
    """What a stream says on a topic."""

    topic: str
    check: str | None
    """The check of all of it; None: it follows from the event (`check_of`)."""
    events: Only = ALL
    where: Callable[[Record], bool] | None = None
    """Which of these records are this stream's."""
    compacted: bool = False
    """Whether states may be left out."""
    again: bool = False
    """Whether another read hears of these records, too."""


class Stream(NamedTuple):
    """A stream that is replayed through a model, partition by partition."""

    table: str
    """Its name, and that of its table; an intake has no table."""
    log: str
    model: type[StreamModel]
    outputs: tuple[Output, ...]
    earlier: str | None = None
    """The log that it read in an earlier version: up to where its heir began (`moves.py`)."""
    buries: bool = True
    """Whether it says which records of its log are dead letters: of several streams the first one does."""
    judges: bool = False
    """Whether its model judges what was said, and foretells neither outputs nor rows, but for rows of
    `foretold`. It follows a record when all that it has caused is there."""
    foretold: bytes | None = None
    """What the keys of the rows begin with that its model foretells; None: all of them."""

    @property
    def topics(self) -> tuple[str, ...]:
        """All that must be there from the beginning, so that the stream can be judged."""
        return (self.log, DEAD_LETTERS, *(output.topic for output in self.outputs))

    def changelog(self, group: str) -> str:
        """Return the topic that has the rows of its table."""
        return f"{group}-{self.table}-changelog"


def check_of(said: Record | Expected) -> str:
    """Return the check that an event of the ledger belongs to."""
    if said.topic == PAYMENT_EVENTS:
        if said.event == "CommandRefused" and said.fields["command"] in REVERSALS:
            return "reversals"
        return "answers" if said.event in ANSWERS else "lives"
    if said.topic == JOURNAL_EVENTS:
        return "journals"
    if said.event == "HoldRecorded":
        return "holds"
    if said.fields.get("journal_id") is not None:
        return "journals"
    return "accounts" if said.fields.get("payment_id") is None else "lives"


def of_fraud(record: Record) -> bool:
    """Whether the fraud stream says this on payment-events, and not the ledger."""
    if record.event in ENDS_OF_WAITING and record.fields.get("execute_at") is not None:
        return True
    if record.event == "CommandRefused":
        asks, code = record.fields["command"] in ASKS, record.fields["code"]
        return asks and (code in GATE_CODES or code == "invalid_link")
    return record.event in SCREENINGS


def not_of_fraud(record: Record) -> bool:
    """Whether the ledger says this on payment-events."""
    return not of_fraud(record)


def is_correction(record: Record) -> bool:
    """Whether reconciliation asks for this journal, and not an upstream."""
    return corrects(record.event, record.fields)


def is_no_correction(record: Record) -> bool:
    """Whether an upstream asks for this journal."""
    return not corrects(record.event, record.fields)


def of_lifecycle(record: Record) -> bool:
    """Whether the lifecycle says this on invariant-alerts."""
    return record.fields.get("invariant") == "settled_unscreened"


def not_of_lifecycle(record: Record) -> bool:
    """Whether the invariants stream says this on invariant-alerts."""
    return not of_lifecycle(record)


def _intake(source: str) -> Stream:
    target, events = FORWARDED[source]
    own = tuple(set(events).difference(BROADCAST))
    where = is_no_correction if source == "journals" else None
    output = Output(target, INPUT_CHECKS[source], Only(own), where, again=True)
    return Stream(f"intake of {source}", source, Intake, (output,))


INTAKES = tuple(_intake(source) for source in FORWARDED)
FRAUD = Stream(
    "fraud",
    FRAUD_COMMANDS,
    FraudBranch,
    (
        Output(COMMANDS, "inputs_ledger", Only(DECISIONS), again=True),
        Output(PAYMENT_EVENTS, "inputs_ledger", Only((*SCREENINGS, *ENDS_OF_WAITING)), of_fraud, again=True),
        Output(ALERTS, "alerts"),
    ),
    earlier="payments",
)
LEDGER = Stream(
    "ledger",
    COMMANDS,
    Branch,
    (
        Output(POSTINGS, None),
        Output(PAYMENT_EVENTS, None, ALL, not_of_fraud),
        Output(JOURNAL_EVENTS, None),
        Output(BALANCES, "accounts", compacted=True),
        Output(ITEMS, "nostro_postings", Only(TO_ITEMS)),
    ),
)
POSITION = Stream(
    "positions", POSITION_COMMANDS, PositionBranch, (Output(POSITIONS, "positions", compacted=True),)
)
RECONCILIATION = Stream(
    "reconciliation",
    ITEMS,
    MatchBranch,
    (
        Output(RESULTS, "matches"),
        Output(ITEMS, "matches", Only((CONTINUED,)), again=True),
        Output(COMMANDS, "corrections", Only(JOURNAL_COMMANDS), is_correction, again=True),
    ),
    judges=True,
    foretold=f"{TIME}\0".encode(),
)
REQUEST = Stream("requests", REQUESTS, RequestBranch, (Output(REQUEST_RESULTS, "requests"),))
HISTORY = Stream("history", POSTINGS, HistoryBranch, (Output(HISTORY_ALERTS, "history_alerts"),))
LIFECYCLE = Stream(
    "lifecycle",
    PAYMENT_EVENTS,
    LifecycleBranch,
    (
        Output(PAYMENT_ALERTS, "stuck"),
        Output(INVARIANT_ALERTS, "invariant_alerts", ALL, of_lifecycle, again=True),
    ),
)
INVARIANTS = Stream(
    "invariants",
    POSTINGS,
    InvariantBranch,
    (
        Output(CLEARING_TOTALS, "clearing_totals", compacted=True),
        Output(INVARIANT_ALERTS, "invariant_alerts", ALL, not_of_lifecycle),
    ),
    buries=False,
)


def _beside(name: str, log: str, *events: str) -> Stream:
    own = tuple(set(events).difference(BROADCAST))
    output = Output(FRAUD_COMMANDS, "inputs_ledger", Only(own), again=True)
    return Stream(name, log, Beside, (output,), buries=False)


def _beside_items(name: str, log: str) -> Stream:
    """What comes to every partition alone: there is nothing to compare partition by partition."""
    output = Output(ITEMS, "inputs_reconciliation", Only(()), again=True)
    return Stream(name, log, BesideItems, (output,), buries=False)


BESIDES = (
    *(_beside(f"intake-{source}-beside", source, *events) for source, events in ALSO.items()),
    _beside("intake-postings", POSTINGS, "PostingRecorded"),
    *(_beside_items(f"intake-{source}-items", source) for source in ITEMS_ALSO),
)
"""What the logs of fraud decisions and of reconciliation have besides."""
TABLELESS = (*INTAKES, *BESIDES)
"""Streams that pass records on. They have no tables; their changelogs have the offset alone."""

JUDGED = (FRAUD, LEDGER, POSITION, RECONCILIATION, REQUEST)
"""Streams whose outputs follow from their log alone, but for what they say themselves of their settings."""
STREAMS = (FRAUD, LEDGER, POSITION, RECONCILIATION, REQUEST, HISTORY, LIFECYCLE, INVARIANTS)
"""All streams that have a table."""
READERS: Mapping[str, tuple[str, ...]] = {
    source: (
        *(f"intake-{one.log}" for one in INTAKES if one.log == source),
        *(one.table for one in (*STREAMS, *BESIDES) if one.log == source),
    )
    for source in SOURCES
}
"""By log, the names of the streams that read it, as `<app>-source-offsets` has them."""
WRITTEN = {
    FRAUD_COMMANDS: frozenset(
        (
            *(
                event
                for source in ("payments", "fraud-labels", "fraud-rules")
                for event in FORWARDED[source][1]
            ),
            *(event for events in ALSO.values() for event in events),
            *("BranchTicked", "PostingRecorded", *MESSAGES),
        )
    ),
    COMMANDS: frozenset(
        (
            *(
                event
                for source in ("accounts", "journals", "approvals", "rates")
                for event in FORWARDED[source][1]
            ),
            *(*DECISIONS, *LEGS),
        )
    ),
    POSITION_COMMANDS: frozenset((*FORWARDED["trades"][1], *FORWARDED["prices"][1])),
    ITEMS: frozenset(
        (
            *(
                event
                for source in ("statements", "break-actions", "matching-rules", "rates")
                for event in FORWARDED[source][1]
            ),
            *(*TO_ITEMS, CONTINUED),
        )
    ),
}
"""What streams write on logs; nobody else may write there."""
