"""A whole small cluster made by the models, from inputs to outputs, for tests that damage it."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, Self

from pipeline.verify.dead import HEADER
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    BROADCAST,
    COMMANDS,
    DAY_US,
    DEAD_LETTERS,
    FRAUD_COMMANDS,
    RESULTS,
    SOURCE_OFFSET,
    TABLE,
    Expected,
    home_of,
)
from pipeline.verify.streams import BESIDES, INTAKES, OUTPUTS, SOURCES, STREAMS, Stream
from tests.chaos.by_hand import (
    NOW_US,
    about,
    approved,
    closed,
    decided,
    envelope,
    legs_of,
    on_journal,
    opened,
    person,
    quoted,
    rated,
    record,
    stated,
    submitted,
    taken_back,
    traded,
)
from tests.chaos.desk_in_memory import DeskInMemory
from tests.chaos.judge import Judge, Snapshot

GROUP = "ledgerflow"
CHANGELOGS = {stream.table: stream.changelog(GROUP) for stream in STREAMS}


class Bank:
    """Two branches with payments within and between them, from inputs to outputs, as slices."""

    def __init__(self) -> None:
        self.topics: dict[str, dict[int, list[Record]]] = {
            name: {0: [], 1: []} for name in (*SOURCES, *OUTPUTS, *CHANGELOGS.values())
        }
        names = [f"a{number}" for number in range(8)]
        self.first, self.second = (
            [name for name in names if home_of(f"north/{name}", 2) == branch][:2] for branch in (0, 1)
        )
        (a, b), (c, d) = self.first, self.second
        for name, balance in ((a, 100), (b, 0), (c, 50), (d, 0)):
            kind = "nostro" if name == d else "checking"
            self.put("accounts", *opened(name, balance, account_type=kind))
        self.put("accounts", *opened("bob"), partition=1 - home_of("north/bob", 2))  # a dead letter
        for number, (debtor, creditor, amount) in enumerate(
            ((a, b, 10), (a, c, 20), (c, d, 5), (d, a, 1), (c, "nobody", 3), (b, a, 2), (a, d, 4), (c, a, 9))
        ):
            late_us = 8 * DAY_US if number in (1, 6) else 0  # so late that it is held
            self.pay(f"p{number}", debtor, creditor, amount, NOW_US - 1000 + number - late_us)
        self.put("payments", "PaymentReviewed", about("", "p1", a, approved=True)[1])
        self.put("payments", "PaymentCancelled", about("", "p6", a)[1])
        self.keep_journals(a, b, c)
        self.ask_two_people(a, b)
        self.count_in_the_past(a, b)
        self.judge_frauds(a, b)
        self.put("rates", *rated("EUR", "USD", 1.08))
        self.trade(a, c)
        self.state(d)
        self.claim()
        self.passed = Counter[tuple[str, int]]()
        self.done = Counter[tuple[str, int]]()
        streams = (*STREAMS, *BESIDES)
        self.models = [(stream, self.run_by(stream, number)) for stream in streams for number in (0, 1)]
        self.run()
        self.correct(d, a)
        self.run()
        self.pay("last", a, d, 1, NOW_US - 100)
        self.run()

    def copy(self) -> Self:
        """Return a bank with logs of its own."""
        other = copy.copy(self)
        other.topics = {
            name: {number: list(log) for number, log in parts.items()} for name, parts in self.topics.items()
        }
        return other

    @staticmethod
    def run_by(stream: Stream, number: int) -> Any:
        """Return what runs a stream: its model, or the product where a model foretells nothing."""
        return DeskInMemory(number, 2) if stream.judges else stream.model(number, 2)

    def run(self) -> None:
        """Let everything that is new be passed on and applied."""
        self.forward()
        self.post()

    def correct(self, nostro: str, other: str) -> None:
        """Let two people correct a break, comment it and decide about a match; publish weights."""
        log = self.topics[RESULTS][home_of(f"north/{nostro}", 2)]
        found = next(
            made.fields
            for made in log
            if made.event == "BreakOpened" and made.fields["kind"] == "MISSING_INTERNAL"
        )
        then = {"account_id": nostro, "occurred_at": NOW_US - 500}
        where = {**then, "break_id": found["break_id"]}
        anna, bert = (person(name) for name in ("anna", "bert"))
        legs = legs_of((nostro, "C", 7), (other, "D", 7))
        asked = {"legs": legs, "reference": "r", "reason": "why", "reverses": None}
        self.put("break-actions", "BreakCommented", envelope("comment", **where, text="a text", actor=anna))
        self.put("break-actions", "CorrectionSuggested", envelope("correct", **where, **asked, actor=anna))
        said = envelope("no", **where, correction_id="correct", actor=anna)
        self.put("break-actions", "CorrectionApproved", said)
        said = envelope("yes", **where, correction_id="correct", actor=bert)
        self.put("break-actions", "CorrectionApproved", said)
        items = {**then, "lines": [], "posting_ids": ["no", "one"], "reason": None}
        self.put("break-actions", "MatchConfirmed", envelope("match", **items, actor=anna))
        none = {"role": "LIVE", "of_tenant": "north", "weights": None, "sha256": None}
        fields = envelope("weights", **none, effective_from=NOW_US, actor=anna)
        self.put("matching-rules", "MatchingWeightsPublished", fields)

    def keep_journals(self, a: str, b: str, c: str) -> None:
        """Post a journal over both branches and take it back, hold one and void it, and end a period."""
        legs = legs_of((a, "D", 6), (b, "C", 2), (c, "C", 4))
        self.put("journals", *submitted("j1", legs))
        self.put("journals", *submitted("j2", legs, hold_expires_at=NOW_US + DAY_US))
        self.put("journals", *on_journal("JournalVoided", "j2", a))
        self.put("journals", *taken_back("j1", "j3", a))
        self.pay("h1", a, c, 8, NOW_US - 1000, hold_expires_at=NOW_US + DAY_US)
        captured = {"capture_id": "h1 1", "amount_minor": 3, "final": False}
        self.put("payments", *about("PaymentCaptured", "h1", a, **captured))
        self.put(
            "accounts", "PeriodClosed", envelope("end", period_id="2026", closed_through=NOW_US - DAY_US)
        )

    def ask_two_people(self, a: str, b: str) -> None:
        """Submit a journal that waits for a second person, and approve it as one."""
        maker, approver = (person(name) for name in ("anna", "bert"))
        asked = submitted("j4", legs_of((a, "D", 1), (b, "C", 1)), needs_approval=True, actor=maker)
        self.put("journals", *asked)
        self.put("approvals", *approved(asked, approver))

    def count_in_the_past(self, a: str, b: str) -> None:
        """Post a debit of half a day ago, when its account was not yet open: the history warns of it."""
        then = NOW_US - DAY_US // 2
        self.put("journals", *submitted("j5", legs_of((a, "D", 1), (b, "C", 1)), effective_at=then))

    def judge_frauds(self, debtor: str, creditor: str) -> None:
        """Say that a payment was a fraud, and that no model is live."""
        said = {
            "creditor_account_id": creditor,
            "label": "FRAUD",
            "source": "CUSTOMER",
            "labelled_at": NOW_US,
        }
        self.put("fraud-labels", *about("PaymentLabelled", "p0", debtor, **said))
        none = {"role": "LIVE", "model_sha256": None, "parts": 0, "of_tenant": "north"}
        until = {"effective_from": NOW_US, "catalogue_version": "1"}
        self.put("fraud-rules", "FraudModelPublished", envelope("no model", **none, **until))

    def trade(self, *traders: str) -> None:
        """Let traders buy and sell, with a price between, and one of them sell nothing: a dead letter."""
        for trader in traders:
            for number, quantity in enumerate((3, -1, -4, 2)):
                self.put("trades", *traded(f"{trader} {number}", quantity, 10 + number, account_id=trader))
        self.put("trades", *traded("nothing", 0, 1, account_id=traders[0]))
        self.put("prices", *quoted("price", 11))
        self.put("prices", *quoted("next", 12))

    def claim(self) -> None:
        """Let requests come in at a gateway, again and with another content, on both branches."""
        asked = [{"topic": "payments", "event": "ledgerflow.X", "event_id": "e", "key": "north/a"}]
        for number in range(8):
            about = {"request_id": f"r{number % 4}", "content_hash": "ab"[number == 7] * 64}
            said = envelope(f"claim {number}", **about, commands=asked, actor=None)
            self.put("requests", "RequestClaimed", said)
        self.put(
            "requests", "RequestSent", envelope("sent", **about | {"content_hash": "a" * 64}, actor=None)
        )

    def state(self, nostro: str) -> None:
        """Let the bank state one payment as it was and one with another amount, in a bad order."""
        for day in (45, 43):
            old: dict[str, Any] = {"account_id": nostro, "occurred_at": NOW_US - day * DAY_US}
            self.put("statements", *stated(f"Old/{45 - day}", 7 - (45 - day), **old))
        where: dict[str, Any] = {"account_id": nostro, "occurred_at": NOW_US - 2000}
        self.put("statements", *stated("S/1", 5, "p2", **where))
        self.put("statements", *closed("S", 0, 4, 2, **where))
        self.put("statements", *stated("S/2", -2, "p3", **where))
        self.put("statements", *stated("S/-3", 1, **where))  # a dead letter

    def put(self, topic: str, event: str, fields: dict[str, Any], partition: int | None = None) -> None:
        made = record(event, fields, topic=topic)
        number = home_of((made.key or b"").decode(), 2) if partition is None else partition
        log = self.topics[topic][number]
        log.append(made._replace(partition=number, offset=len(log)))

    def pay(self, payment: str, debtor: str, creditor: str, amount: int, at: int, **other: Any) -> None:
        fields = decided(payment, debtor, creditor, amount, reference=payment, occurred_at=at, **other)[1]
        fields.pop("outcome")
        self.put("payments", "PaymentInitiated", fields | {"event_id": f"pay {payment}"})

    def add(self, wanted: Expected, partition: int) -> None:
        log, fields = self.topics[wanted.topic][partition], wanted.fields
        value = wanted.value
        if value is None and wanted.event != "row":
            value = repr((wanted.event, sorted(fields.items()))).encode()
        log.append(
            Record(
                wanted.topic,
                partition,
                len(log),
                NOW_US // 1000,
                wanted.key,
                value,
                {},
                wanted.event,
                fields,
                None,
            )
        )

    def bury(self, source: Record, code: str) -> None:
        said = {
            "topic": source.topic,
            "partition": source.partition,
            "offset": source.offset,
            "code": code,
        }
        headers = {HEADER + name: str(value).encode() for name, value in said.items()}
        log = self.topics[DEAD_LETTERS][source.partition]
        log.append(source._replace(topic=DEAD_LETTERS, offset=len(log), headers=headers, event=None))

    def forward(self) -> None:
        for intake in INTAKES:
            for number, log in self.topics[intake.log].items():
                model, place = intake.model(number, 2), (intake.log, number)
                new, self.passed[place] = log[self.passed[place] :], len(log)
                for made in new:
                    dead, passed = model.apply(made)
                    if dead is not None:
                        self.bury(made, dead)
                    for wanted in passed:
                        for target in (0, 1) if wanted.event in BROADCAST else (number,):
                            self.add(wanted, target)

    def post(self) -> None:
        """Run all streams until nothing is under way."""
        done, moved = self.done, True
        while moved:
            moved = False
            for stream, model in self.models:
                place = (stream.table, model.number)
                for source in self.topics[stream.log][model.number][done[place] :]:
                    done[place] += 1
                    moved = True
                    dead, out = model.apply(source)
                    if dead is not None and stream.buries:
                        self.bury(source, dead)
                    offset = Expected(TABLE, SOURCE_OFFSET, "row", {}, source.offset, b"%d" % done[place])
                    for wanted in (*([offset] if stream in STREAMS else []), *out):
                        homes: tuple[int, ...] = (model.number,)
                        if wanted.topic in (COMMANDS, FRAUD_COMMANDS):
                            homes = (home_of(wanted.key.decode(), 2),)
                        if wanted.event in BROADCAST:
                            homes = (0, 1)
                        if wanted.topic == TABLE:
                            wanted = wanted._replace(topic=CHANGELOGS[stream.table])
                        for home in homes:
                            self.add(wanted, home)

    def problems(self, quiet: bool = True, unread: int = 0) -> list[str]:
        """Return the checks that fail. `unread`: commands of branch 0 that the group has not committed."""
        ends = {
            (name, number): len(log) for name, parts in self.topics.items() for number, log in parts.items()
        }
        after = {place: end for place, end in ends.items() if place[0] in SOURCES}
        after[COMMANDS, 0] -= unread
        found = Judge(Snapshot(self.topics, ends, after), GROUP).run(after, quiet)
        return sorted({problem.check for problem in found})
