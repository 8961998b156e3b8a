"""One branch's payments: input -> decision -> answer -> end, record by record.

    payments[p], accounts[p]  inputs
    ledger-commands[p]        one decision per payment; everything else passed on, in order
    payment-events[p]         one screening per decision, one answer per command; the life of each payment

All of them are keyed by the debtor, or by the account of the command, so a branch can be checked by itself;
only the legs cross branches, and what is kept of them is what is still unanswered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any

from pipeline.verify.branch import Branch, Hold, about, cause_of, same_order, take
from pipeline.verify.dead import DeadLetters, digest
from pipeline.verify.decode import Event
from pipeline.verify.journal import Balance, Journal, transfer
from pipeline.verify.log import Record
from pipeline.verify.reader import COMMANDS, PAYMENT_EVENTS, Reader
from pipeline.verify.report import Check
from pipeline.verify.stuck import check_stuck

ENDS = {
    "PaymentSettled": "settled",
    "PaymentRejected": "rejected",
    "PaymentFailed": "failed",
    "outcomes.PaymentCancelled": "cancelled",
    "PaymentExpired": "expired",
}
ACCOUNT_COMMANDS = {
    "AccountOpened": "account_opened",
    "AccountLimitSet": "account_limit_set",
    "AccountClosed": "account_closed",
}
PASSED_ON = ("PaymentReviewed", "PaymentCancelled")


class Payments:
    """Checks all branches, one after the other."""

    def __init__(
        self,
        reader: Reader,
        dead: DeadLetters,
        journal: Journal,
        balances: dict[str, Balance],
        watch: Container[str] = (),
    ) -> None:
        self._reader = reader
        self._dead = dead
        self._journal = journal
        self._balances = balances
        self._legs: dict[str, int] = {}
        self._watch = watch
        self.seen: dict[str, set[tuple[str, str]]] = {}
        """Of the watched payments, by tenant/payment: what happened to them, as (event, code)."""
        self.suspected: set[str] = set()
        """tenant/payment of every decision that is not an approval."""
        self.alerts_due: set[str] = set()
        """Those of them that the ledger acted upon; it refuses a payment that comes again."""
        self.inputs = Check(
            "inputs_ledger",
            "Each payment and account input is either applied, once and in order, or a dead letter.",
        )
        self.answered = Check("answers", "Each ledger command is either answered, once, or a dead letter.")
        self.lives = Check("lives", "Each payment ends at most once, and money moves only for a settled one.")
        self.holding = Check(
            "holds", "What is held on an account is what its payments under review hold; a leg has a hold."
        )
        self.stuck = Check(
            "stuck", "Each payment that is stuck is said to be so once, until it gets on, and has not ended."
        )
        self.accounts = Check(
            "accounts", "Status, limit and existence of each account follow from its commands."
        )

    def run(self) -> list[Check]:
        """Check everything and return the checks."""
        for partition in range(self._reader.partitions(COMMANDS)):
            branch = Branch()
            self._read_events(partition, branch)
            self._read_commands(partition, branch)
            self._read_payments(partition, branch)
            self._read_accounts(partition, branch)
            self._close(partition, branch)
            check_stuck(self.stuck, self._reader, partition, branch)
        for event_id, open_legs in self._legs.items():
            self.answered.fail(
                f"leg request {event_id}: {'no answer' if open_legs > 0 else 'too many answers'}"
            )
        for key in self._journal.moved:
            self.lives.fail(f"payment {key}: money moved, and it is not settled")
        return [self.inputs, self.answered, self.lives, self.stuck, self.holding, self.accounts]

    # --- payment-events: the life of each payment

    def _read_events(self, partition: int, branch: Branch) -> None:
        for record, (name, fields) in self._reader.events(PAYMENT_EVENTS, partition):
            cause = cause_of(record, fields["causation_id"])
            key = f"{fields['tenant_id']}/{fields['payment_id']}"
            if name == "PaymentScreened":
                branch.screened[(fields["outcome"], *about(fields["decision_id"], fields))] += 1
                continue
            if name == "PaymentReviewed":
                branch.reviewed.append(digest(record))
                continue
            if key in self._watch:
                self.seen.setdefault(key, set()).add((name, fields["code"]))
            if name == "CommandRefused":
                branch.refused[cause] += 1
                branch.answers[cause] += 1
                continue
            before = branch.state.get(key)
            if name == "PaymentReserved":
                branch.answers[cause] += 1
                self.lives.expect(before is None, f"{record.place}: {key} is reserved after it was {before}")
                branch.state[key] = "reserved"
                branch.holds[key] = Hold(
                    f"{fields['tenant_id']}/{fields['debtor_account_id']}", fields["amount_minor"]
                )
                continue
            end = ENDS.get(name)
            if end is None:
                self.lives.fail(f"{record.place}: {name} is no event of a payment")
                continue
            counter = branch.answers if end == "rejected" else branch.ends
            counter[cause] += 1
            if fields["code"] == "too_old":
                continue  # it is not remembered: its id has no life
            allowed = (None, "reserved") if end == "rejected" else ("reserved",)
            self.lives.expect(before in allowed, f"{record.place}: {key} is {end} after it was {before}")
            branch.state[key] = end
            branch.holds.pop(key, None)
            if end == "settled":
                self._check_moved(record, key, fields)

    def _check_moved(self, record: Record, key: str, fields: dict[str, Any]) -> None:
        amount, currency = fields["amount_minor"], fields["currency"]
        expected = tuple(
            transfer(fields[side], amount, currency) for side in ("debtor_account_id", "creditor_account_id")
        )
        moved = self._journal.moved.pop(key, (0, 0))
        for side, is_, be in zip(("debit", "credit"), moved, expected, strict=True):
            if is_ != be:
                self.lives.fail(
                    f"{record.place}: {key} is settled, its {side} is {'wrong' if is_ else 'missing'}"
                )

    # --- ledger-commands

    def _read_commands(self, partition: int, branch: Branch) -> None:
        accounts: dict[str, tuple[str, int | None]] = {}
        for record, event in self._reader.events(COMMANDS, partition):
            name, fields = event
            key = f"{fields['tenant_id']}/{fields.get('payment_id')}"
            if name == "PaymentDecided":
                branch.decided[about(fields["causation_id"] or "", fields)] += 1
                if not take(branch.screened, (fields["outcome"], *about(fields["event_id"], fields))):
                    self.inputs.fail(f"{record.place}: payment-events has no screening with this decision")
                if fields["outcome"] != "APPROVE":
                    self._suspect(key, cause_of(record, fields["event_id"]), fields["outcome"], branch)
            elif name in ACCOUNT_COMMANDS:
                branch.passed["accounts"].append(digest(record))
            elif name in PASSED_ON:
                branch.passed["payments"].append(digest(record))
            elif name in ("LegPosted", "LegRefused"):
                self._answer_leg(fields["causation_id"] or "", -1)
            if self._dead.holds(record):
                continue
            self.answered.count()
            if name in ACCOUNT_COMMANDS:
                self._account_command(record, event, branch, accounts)
            elif name == "LegRequested":
                self._answer_leg(fields["event_id"], 1)
                held = self._journal.placed.get(key, 0)
                self.holding.expect(
                    held == 1, f"{record.place}: payment {key} has {held} holds in the journal"
                )
            else:
                self._take_answer(record, event, branch, branch.state.get(key))
        self._compare_accounts(accounts)

    def _suspect(self, key: str, cause: str, outcome: str, branch: Branch) -> None:
        self.suspected.add(key)
        if branch.answers[cause] > branch.refused[cause]:
            self.alerts_due.add(key)
        if outcome == "REVIEW":
            branch.reviews.add(key)

    def _answer_leg(self, event_id: str, step: int) -> None:
        open_legs = self._legs.pop(event_id, 0) + step
        if open_legs:
            self._legs[event_id] = open_legs

    def _take_answer(self, record: Record, event: Event, branch: Branch, state: str | None) -> None:
        """Take the one answer of a command out of the branch's, or say that it is missing."""
        event_id = event.fields["event_id"]
        cause = cause_of(record, event_id)
        places = (branch.ends,) if event.name.startswith("Leg") else (branch.answers, branch.ends)
        if event.name == "PaymentDecided":
            if not take(branch.answers, cause):
                self.answered.fail(f"{record.place}: no answer to decision {event_id}")
            take(branch.ends, cause)  # settled at once, on the same branch
            return
        if any(take(place, cause) for place in places):
            return
        # A review that sends a leg to another branch is answered when the payment ends.
        if not (
            event.name == "PaymentReviewed" and event.fields["approved"] and state in ("settled", "failed")
        ):
            self.answered.fail(f"{record.place}: no answer to {event.name} {event_id}")

    def _account_command(
        self, record: Record, event: Event, branch: Branch, accounts: dict[str, tuple[str, int | None]]
    ) -> None:
        """Follow the accounts through the commands that were not refused.

        The same command may come twice, and only the answers say that one was refused; which one follows from
        the account.
        """
        fields = event.fields
        key = f"{fields['tenant_id']}/{fields['account_id']}"
        status = accounts.get(key, ("", 0))[0]
        must = bool(status) if event.name == "AccountOpened" else status != "OPEN"
        if must or event.name == "AccountClosed":  # an open account may be closed only when it is empty
            cause = cause_of(record, fields["event_id"])
            if take(branch.refused, cause):
                take(branch.answers, cause)
                return
            self.accounts.expect(not must, f"{record.place}: {event.name} of {key} must be refused")
        if event.name == "AccountOpened":
            accounts[key] = ("OPEN", fields.get("overdraft_limit_minor", 0))
        elif event.name == "AccountLimitSet":
            accounts[key] = ("OPEN", fields["overdraft_limit_minor"])
        else:
            accounts[key] = ("CLOSED", accounts.get(key, ("", 0))[1])

    def _compare_accounts(self, accounts: dict[str, tuple[str, int | None]]) -> None:
        for key, (status, limit) in accounts.items():
            balance = self._balances.get(key)
            if balance is None:
                self.accounts.expect(False, f"{key} was opened and has no balance")
                continue
            same = (balance.status, balance.overdraft_limit_minor) == (status, limit)
            self.accounts.expect(
                same, f"{key} is {balance.status}, its commands make it {status} (or the limit differs)"
            )

    # --- inputs

    def _read_payments(self, partition: int, branch: Branch) -> None:
        passed: list[bytes] = []
        reviews: list[bytes] = []
        for record, event in self._reader.inputs("payments", partition):
            self.inputs.count()
            if self._dead.holds(record):
                continue
            if event is None:
                self.inputs.fail(f"{record.place} is no event and no dead letter")
            elif event.name == "PaymentInitiated":
                if not take(branch.decided, about(event.fields["event_id"], event.fields)):
                    self.inputs.fail(
                        f"{record.place}: no decision, or not about this payment, and no dead letter"
                    )
            elif event.name in PASSED_ON:
                passed.append(digest(record))
                if event.name == "PaymentReviewed":
                    reviews.append(passed[-1])
            else:
                self.inputs.fail(f"{record.place}: {event.name} is no payment event and no dead letter")
        same_order(self.inputs, "payments", partition, passed, branch.passed["payments"])
        same_order(self.inputs, "payments", partition, reviews, branch.reviewed)

    def _read_accounts(self, partition: int, branch: Branch) -> None:
        passed = []
        for record, event in self._reader.inputs("accounts", partition):
            self.inputs.count()
            if self._dead.holds(record):
                continue
            if event is None or event.name not in ACCOUNT_COMMANDS:
                self.inputs.fail(f"{record.place} is no account event and no dead letter")
                continue
            passed.append(digest(record))
        same_order(self.inputs, "accounts", partition, passed, branch.passed["accounts"])

    # --- what is left over

    def _close(self, partition: int, branch: Branch) -> None:
        if branch.screened:
            times = branch.screened.total()
            self.inputs.fail(f"payment-events[{partition}]: {times} screenings with no such decision")
        for decision, times in branch.decided.items():
            self.inputs.fail(
                f"ledger-commands[{partition}]: {times} decisions too many about event {decision[0]}"
            )
        for kind, counter in (("answers", branch.answers), ("ends", branch.ends)):
            for event_id, times in counter.items():
                self.answered.fail(
                    f"payment-events[{partition}]: {times} {kind} too many to event {event_id}"
                )
        held: Counter[str] = Counter()
        for key, hold in branch.holds.items():
            held[hold.debtor] += hold.amount_minor
            self.holding.expect(
                key in branch.reviews, f"payment {key} is reserved, not under review, and never ends"
            )
        for account, balance in self._balances.items():
            if balance.partition == partition:
                same = balance.debits_pending == held[account]
                self.holding.expect(
                    same, f"{account} holds {balance.debits_pending}, its payments {held[account]}"
                )
