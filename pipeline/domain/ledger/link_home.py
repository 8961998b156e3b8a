"""A link on the debtor's branch: all of its payments are settled or none, wherever their creditors are.

    payments_link_decided -> all creditors on this branch: settled at once
                          -> else PREPARING: journal_legs_requested to the other branches (`journal_legs`)
                          -> to be reviewed: HELD, until a review or a cancellation names the link
                          -> one of them cannot be reserved: all are rejected
    journal_legs_answered -> all hold: settled; one does not: all fail -> journal_legs_ended to each

The payments are tried in their order: the second finds what the first has left. The first that cannot be says
why (its code); the others say `linked_payment_failed`.

The debtor's money is held while other branches are asked. Where the link opens the debtor's account there is
nothing to hold yet, and nobody else can spend it: the home then asks itself last. When all branches hold, it
opens the account and settles the payments in one step, or does none of it (an account of that id was opened
meanwhile).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.journal_legs import request_legs, tell_end
from pipeline.domain.ledger.link_books import Flaw, reserve
from pipeline.domain.ledger.links import (
    HELD,
    LEGS_OF,
    PREPARING,
    Link,
    LinkedPayment,
    opening_event,
    payment_of,
    write_link,
)
from pipeline.domain.ledger.openings import keep_opening
from pipeline.domain.ledger.outputs import announce_linked
from pipeline.domain.ledger.pairs import Leg
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.repeats import answer_to_payment, content_of_row
from pipeline.domain.ledger.rows import read_payment, write_payment
from pipeline.domain.ledger.value_times import ValueTime
from pipeline.domain.tenants.settings import Tenants

COMMAND = "payments_linked"
OTHERS_CODE = "linked_payment_failed"
"""What the payments say of which another one is the reason that they are not settled."""


class HomeLink:
    """A link on its home branch, and one command on it."""

    def __init__(
        self, event: Any, link_id: str, link: Link, at: Arrival, rows: Rows, out: Outbox, tenants: Tenants
    ) -> None:
        self.event, self.link_id, self.link = event, link_id, link
        self.at, self.rows, self.out, self.tenants = at, rows, out, tenants

    def decide(self) -> None:
        """Settle, hold or reject a link whose id is new, or ask other branches."""
        link, outcomes = self.link, [one.outcome for one in self.event.payments]
        known = self.known()
        if known:
            index = min(known)
            return self._reject(Flaw(known[index], index), known)
        reserved = self._reserve(Outbox(), outcomes)
        if isinstance(reserved, Flaw):
            return self._reject(reserved)
        review = "REVIEW" in outcomes
        self._say("payment_reserved")
        if not review and not self._legs():
            return self._settle(reserved)
        if link.opening is None:
            self._hold()
        if review:
            self._change_to(HELD)
            return self._write_payments("HELD", "ok")
        self._ask()

    def approve(self) -> None:
        """Let a link that was held for a review go on."""
        if self._legs():
            self._ask()
        else:
            self._settle()

    def end(self, outcome: str, state: str, flaw: Flaw) -> None:
        """Release what is held on all branches, and end all payments."""
        link, event, books = self.link, self.event, Books(self.event, self.at, self.rows)
        if link.opening is None:
            for index, payment in enumerate(link.payments):
                pair = link.debtor_account_id, books.counterpart(payment)
                books.release(*pair, payment.currency, payment.amount_minor)
                hold = payment.payment_id, link.debtor_account_id, payment.amount_minor
                books.emit_hold(self.out, "RELEASED", *hold, f"hold_released:{index}")
            books.save(self.out)
        if link.state == PREPARING:
            there = {number: legs[0] for number, legs in self._legs().items() if number not in link.refused}
            tell_end(
                event, link.debtor_account_id, there, False, self._about_legs(books.value_time()), self.out
            )
        link.index = flaw.place
        self._change_to(state, flaw.code)
        for index, payment in enumerate(link.payments):
            self._write(payment, state, self._code_of(index, flaw))
        self._say(outcome, flaw)

    def answered(self, event: ev.JournalLegsAnswered) -> None:
        """Note the answer of a branch that was asked; after the last one settle the link, or release it."""
        link = self.link
        link.waiting.remove(event.branch)
        if event.code != "ok":
            link.refused = sorted([*link.refused, event.branch])
            if link.index is None or (event.leg_no is not None and event.leg_no < link.index):
                link.code, link.index = event.code, event.leg_no
        if link.waiting:
            write_link(self.rows, event.tenant_id, self.link_id, link)
        elif link.refused:
            self.end("payment_failed", "FAILED", Flaw(link.code, link.index))
        else:
            self._settle()

    def say_rejected(self, code: str, known: dict[int, str] | None = None) -> None:
        """Reject the payments by their time: neither link nor payments are remembered. `known`: `_reject`."""
        self._say("payment_rejected", Flaw(code), known)

    # --- what becomes of it

    def _reserve(self, out: Outbox, outcomes: Sequence[str] = ()) -> Books | Flaw:
        return reserve(self.link, outcomes, self.event, self.at, self.rows, out, self.tenants)

    def _hold(self) -> None:
        """Hold the debtor's money for all payments, with an event for each."""
        debtor, books = self.link.debtor_account_id, Books(self.event, self.at, self.rows)
        for index, payment in enumerate(self.link.payments):
            books.reserve(debtor, books.counterpart(payment), payment.currency, payment.amount_minor)
            hold = payment.payment_id, debtor, payment.amount_minor
            books.emit_hold(self.out, "PLACED", *hold, f"hold_placed:{index}")
        books.save(self.out)

    def _ask(self) -> None:
        """Ask the other branches to hold the credits of their accounts."""
        link, legs = self.link, self._legs()
        names = {
            number: tuple(
                ev.LegPayment(
                    leg.leg_no, link.payments[leg.leg_no].payment_id, link.payments[leg.leg_no].reference
                )
                for leg in there
            )
            for number, there in legs.items()
        }
        request_legs(self.event, LEGS_OF + self.link_id, link.debtor_account_id, legs, self.out, names)
        link.waiting = list(legs)
        self._change_to(PREPARING)
        self._write_payments("IN_FLIGHT", "ok")

    def _settle(self, reserved: Books | None = None) -> None:
        """Post all payments.

        `reserved`: the books in which they are held; None: an earlier command holds them.
        """
        link, books = self.link, reserved or Books(self.event, self.at, self.rows)
        if link.opening is not None:
            told = Outbox()
            opened = self._reserve(told)
            if isinstance(opened, Flaw):
                return self.end("payment_failed", "FAILED", opened)
            for topic, key, said in told.items:
                self.out.emit(topic, key, said)
            books = opened
            keep_opening(opening_event(self.event, link), self.rows)
        at_once = reserved is not None or link.opening is not None
        if at_once:
            self._release(books)
        when = books.value_time()
        for index, payment in enumerate(link.payments):
            debtor, credit = link.debtor_account_id, books.counterpart(payment)
            if not at_once:
                books.release(debtor, credit, payment.currency, payment.amount_minor)
            about = EntryDetails(payment.payment_id, payment.reference, when=when, metadata=link.metadata)
            books.enter(self.out, f"settle:{index}", debtor, credit, payment.amount_minor, about)
        books.save(self.out)
        there = {number: legs[0] for number, legs in self._legs().items()}
        tell_end(self.event, link.debtor_account_id, there, True, self._about_legs(when), self.out)
        self._change_to("SETTLED")
        self._write_payments("SETTLED", "ok", when.counts_at(self.event.occurred_at))
        self._say("payment_settled")

    def _release(self, books: Books) -> None:
        for payment in self.link.payments:
            pair = self.link.debtor_account_id, books.counterpart(payment)
            books.release(*pair, payment.currency, payment.amount_minor)

    def _reject(self, flaw: Flaw, known: dict[int, str] | None = None) -> None:
        """Refuse a link, and remember it. `known`: the answers to payments that are others' already."""
        self.link.index = flaw.place
        self._change_to("REJECTED", flaw.code)
        for index, payment in enumerate(self.link.payments):
            if index not in (known or {}):
                self._write(payment, "REJECTED", self._code_of(index, flaw))
        self._say("payment_rejected", flaw, known)

    def _change_to(self, state: str, code: str = "ok") -> None:
        self.link.state, self.link.code = state, code
        write_link(self.rows, self.event.tenant_id, self.link_id, self.link)

    # --- its payments

    def known(self) -> dict[int, str]:
        """Return the answers to payments whose ids are known, by their places."""
        found = {}
        for index, payment in enumerate(self.link.payments):
            known = read_payment(self.rows, self.event.tenant_id, payment.payment_id)
            if known is not None:
                found[index] = answer_to_payment(known, content_of_row(self._row_of(payment, "", "")))
        return found

    def _legs(self) -> dict[int, list[Leg]]:
        """Return the credits of creditors on other branches, by the number of the branch."""
        found: dict[int, list[Leg]] = {}
        for index, payment in enumerate(self.link.payments):
            creditor = payment.creditor_account_id
            branch = partition_of(f"{self.event.tenant_id}/{creditor}", self.at.partitions)
            if branch != self.at.partition:
                leg = Leg(index, index, creditor, "CREDIT", payment.amount_minor, payment.currency)
                found.setdefault(branch, []).append(leg)
        return dict(sorted(found.items()))

    def _about_legs(self, when: ValueTime) -> EntryDetails:
        return EntryDetails(
            None, self.link_id, LEGS_OF + self.link_id, when=when, metadata=self.link.metadata
        )

    def _row_of(self, payment: LinkedPayment, state: str, code: str) -> Payment:
        return payment_of(self.link, payment, self.link_id, state, code)

    def _write(self, payment: LinkedPayment, state: str, code: str, counts_at: int | None = None) -> None:
        row = self._row_of(payment, state, code)
        row.effective_at = counts_at
        write_payment(self.rows, self.event.tenant_id, payment.payment_id, row)

    def _write_payments(self, state: str, code: str, counts_at: int | None = None) -> None:
        for payment in self.link.payments:
            self._write(payment, state, code, counts_at)

    @staticmethod
    def _code_of(index: int, flaw: Flaw) -> str:
        """Return what a payment says of a reason: its code, or that another payment is the reason."""
        return flaw.code if flaw.place in (None, index) else OTHERS_CODE

    def _say(self, outcome: str, flaw: Flaw | None = None, known: dict[int, str] | None = None) -> None:
        """Emit an outcome of every payment; one that is another's already is answered as a repeat."""
        for index, payment in enumerate(self.link.payments):
            if known is not None and index in known:
                debtor, code = self.link.debtor_account_id, known[index]
                ids: dict[str, Any] = {"link_id": self.link_id, "part": index}
                refuse(self.out, self.event, COMMAND, debtor, payment.payment_id, code, **ids)
                continue
            code = "ok" if flaw is None else self._code_of(index, flaw)
            more = {}
            if flaw is not None and code == "sequence_mismatch":
                more["account_sequence"] = flaw.account_sequence
            row = self._row_of(payment, "", "")
            announce_linked(self.out, self.event, index, payment.payment_id, row, outcome, code, **more)
