"""The desk over what a load says of nostro accounts, with books that post every payment at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.stream import apply
from pipeline.domain.reconciliation.desk.time import TOPIC
from pipeline.loadgen import LoadPlan, PlantedItem, Produce
from pipeline.loadgen.encoder import reader_of
from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.people import HEARS_OF
from pipeline.verify.model.record import Record
from pipeline.verify.planted import Planted, PlantedChecks
from tests.simulated_cluster import CODEC, ENCODE, REGISTRY, lists_of

AT = Arrival(2**62, 0, 1)
TOPICS = ("accounts", "payments", "statements", "break-actions")


class DeskOfLoad:
    """One partition: takes the records of a load, and keeps what the desk says."""

    def __init__(self, plan: LoadPlan, *, tells_people: bool = False) -> None:
        """`tells_people`: those who look after breaks hear of them at once."""
        self.tells_people = tells_people
        self.planted: dict[int, PlantedItem] = {}
        self.traffic = TrafficGenerator(plan, ENCODE, self.planted)
        ids = {schema: REGISTRY.id_of(schema) for schema in schemas.versions(HEARS_OF)}
        self.traffic.people.read = reader_of(ids, HEARS_OF)
        self.done: set[int] = set()
        """Numbers of planted items of which a record has come: all that a manifest has."""
        self.said: list[Any] = []
        self.postings: list[ev.PostingRecorded] = []
        self._rows = MemoryRows()
        self._nostros: set[str] = set()

    def run(self, payments: int | None = None) -> DeskOfLoad:
        """Take all records of the load; `payments`: of an endless one, so many payments."""
        self._take(self.traffic.periods())
        self._take(self.traffic.opening())
        self._take(self._steps(payments))
        self._take(self.traffic.closing())
        for part in self.traffic.falling_due():
            self._take(part)
        return self

    def _steps(self, payments: int | None) -> Iterable[Produce]:
        for produce in self.traffic.steps():
            if payments is not None and self.traffic.payments > payments:
                return
            yield produce

    def _take(self, produces: Iterable[Produce]) -> None:
        for produce in produces:
            self.done.update(produce.planted)
            if produce.topic not in TOPICS:
                continue
            (event,), _ = CODEC.decode([produce.value], 2**20)
            if isinstance(event, ev.AccountOpened) and event.account_type == "nostro":
                self._nostros.add(event.account_id)
            elif isinstance(event, ev.PaymentInitiated):
                for side in ("DEBIT", "CREDIT"):
                    self._post(event, side)
            elif produce.topic != "accounts":
                self._apply(event)

    def _post(self, paid: ev.PaymentInitiated, side: str) -> None:
        account = paid.debtor_account_id if side == "DEBIT" else paid.creditor_account_id
        if account not in self._nostros:
            return
        name = f"{paid.payment_id}:{side}"
        posting = ev.PostingRecorded(
            *(name, paid.tenant_id, paid.occurred_at, name, None),
            *(name, f"entry-{paid.payment_id}", paid.payment_id, account, "nostro", side),
            *(paid.amount_minor, paid.currency, len(self.postings), 0, 0, paid.reference),
            *(paid.occurred_at, 0),
        )
        self.postings.append(posting)
        self._apply(posting)

    def _apply(self, event: Any) -> None:
        todo = [event]
        while todo:
            out = Outbox()
            apply(todo.pop(0), AT, self._rows, out)
            for topic, _, said in out.items:
                (todo if topic == TOPIC else self.said).append(said)
                if self.tells_people and isinstance(said, ev.BreakOpened):
                    value = ENCODE(schemas.newest(HEARS_OF), lists_of(msgspec.to_builtins(said)))
                    self.traffic.people.heard(b"", value)

    # --- what must have come of it

    def missed(self) -> list[str]:
        """Return what `ledgerflow verify` says of planted items whose records have come."""
        findings = Found()
        items = [
            Planted(one.name, one.tenant_id, one.expected, [], "")
            for number, one in self.planted.items()
            if number in self.done and one.kind == "break"
        ]
        checks = PlantedChecks(findings, items)
        for topic, events in {"postings": self.postings, "reconciliation-results": self.said}.items():
            for event in events:
                fields = msgspec.to_builtins(event)
                checks.listeners[topic](
                    Record(topic, 0, 0, 0, b"", b"", {}, type(event).__name__, fields, None)
                )
        checks.run(NO_DEAD_LETTERS)
        return findings.texts

    def kinds(self) -> set[str]:
        """Return the kinds of breaks that were planted, and whose records have come."""
        return {
            one.name for number, one in self.planted.items() if number in self.done and one.kind == "break"
        }

    def unplanted(self) -> list[ev.BreakOpened]:
        """Return the breaks that nobody planted."""
        expected = [one.expected for one in self.planted.values() if one.kind == "break"]
        return [
            one
            for one in self.said
            if isinstance(one, ev.BreakOpened) and not any(self._is(one, wanted) for wanted in expected)
        ]

    def _is(self, found: ev.BreakOpened, expected: dict[str, Any]) -> bool:
        wanted = expected.get("break") or expected["matched"]
        if wanted["account_id"] != found.account_id or wanted.get("kind", found.kind) != found.kind:
            return False
        if wanted["payment_id"] is not None:
            return (found.posting_id or "").partition(":")[0] == wanted["payment_id"]
        named = (found.statement_id, found.line_no if wanted["line_no"] is not None else None)
        return named == (wanted["statement_id"], wanted["line_no"])


class Found:
    """Keeps what is wrong."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def count(self, check: str, number: int = 1) -> None:
        """Count nothing."""

    def wrong(self, finding: Any) -> None:
        """Take note of what is wrong."""
        self.texts.append(str(finding))


NO_DEAD_LETTERS: Any = frozenset()
