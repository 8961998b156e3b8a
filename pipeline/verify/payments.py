"""One branch's payments and commands: input -> decision -> answer -> end, record by record.

    payments[p], accounts[p], journals[p]  inputs (`inputs`)
    ledger-commands[p]                     one decision per payment; everything else passed on, in order
    payment-events[p]                      screenings and answers, one each; the life of each payment

All of them are keyed by the debtor, or by the account of the command, so a branch can be checked by itself;
only legs cross branches, and what is kept of them is what is still unanswered. Accounts (`accounts`) and
journals of many legs (`legs`) are followed in the same pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any

from pipeline.verify.accounts import COMMANDS as ACCOUNT_COMMANDS
from pipeline.verify.accounts import PERIOD, Accounts
from pipeline.verify.branch import (
    BY_TENANT,
    Authorised,
    Branch,
    Capture,
    Hold,
    about,
    cause_of,
    take,
)
from pipeline.verify.dead import DeadLetters, digest
from pipeline.verify.decode import Event
from pipeline.verify.due import Due
from pipeline.verify.inputs import PASSED_ON, Inputs
from pipeline.verify.journal import Balance, Journal, transfer
from pipeline.verify.legs import LEG_COMMANDS, Legs
from pipeline.verify.log import Record
from pipeline.verify.reader import COMMANDS, PAYMENT_EVENTS, Reader, partition_of
from pipeline.verify.report import Check
from pipeline.verify.stuck import check_stuck

ENDS = {
    "PaymentSettled": "settled",
    "PaymentRejected": "rejected",
    "PaymentFailed": "failed",
    "outcomes.PaymentCancelled": "cancelled",
    "PaymentExpired": "expired",
}
JOURNAL_COMMANDS = {
    "JournalSubmitted": "journal_submitted",
    "JournalConfirmed": "journal_confirmed",
    "JournalVoided": "journal_voided",
    "JournalReversed": "journal_reversed",
}
EARLY = frozenset(
    {
        *("payment_not_found", "payment_not_authorised", "payment_under_review", "journal_not_found"),
        *("journal_not_held", "not_settled", "exceeds_settled_amount", "amount_must_be_positive"),
    }
)
"""Codes of a command that may have an effect when the same event comes again; it has none after that."""
FOR_TENANT = frozenset(
    {
        *(("payment_initiated", "quota_exceeded"), ("payment_initiated", "tenant_closed")),
        *(("account_opened", "tenant_closed"), ("account_opened", "currency_not_allowed")),
    }
)
"""Refusals for what the tenant may do: of a payment before it is decided, of an account whatever it is."""
TIMED = frozenset({"PaymentCaptured", "PaymentExtended", "PaymentReversed", *JOURNAL_COMMANDS})
"""Commands that move event time on, as decisions of new payments do."""


class Payments:
    """Checks all branches, one after the other."""

    def __init__(
        self,
        reader: Reader,
        dead: DeadLetters,
        journal: Journal,
        legs: Legs,
        balances: dict[str, Balance],
        watch: Container[str] = (),
    ) -> None:
        self._reader = reader
        self._dead = dead
        self._journal = journal
        self._many = legs
        self._balances = balances
        self._legs: dict[str, int] = {}
        self._requests: dict[str, int] = {}
        """Commands that must ask for a leg less the requests that name them, by cause."""
        self._held: Counter[tuple[str, str]] = Counter()
        """What is held in the end, by tenant/payment (or journal) and tenant/account."""
        self._owed: dict[str, Counter[tuple[str, int]]] = {}
        """What payments must have moved, by tenant/payment, where it was not found at once. Two branches may
        have a payment of the same id: then it is what both must have moved."""
        self._behind: set[int] = set()
        self._periods: Counter[bytes] | None = None
        self._watch = watch
        self.seen: dict[str, set[tuple[str, str]]] = {}
        """Of the watched payments, by tenant/payment: what happened to them, as (event, code)."""
        self.suspected: set[str] = set()
        """tenant/payment of every decision that is not an approval."""
        self.alerts_due: set[str] = set()
        """Those of them that the ledger acted upon; it refuses a payment that comes again."""
        self._inputs = Inputs(reader, dead)
        self.inputs = self._inputs.check
        self.answered = Check("answers", "Each ledger command is either answered, once, or a dead letter.")
        self.lives = Check(
            "lives", "Each payment ends at most once, and money moves only for what is settled or captured."
        )
        self.holding = Check(
            "holds", "What is held on an account is what its payments and journals hold, until their time."
        )
        self.stuck = Check(
            "stuck", "Each payment that is stuck is said to be so once, until it gets on, and has not ended."
        )
        self.accounts = Check(
            "accounts", "Status, limits and existence of each account follow from its commands."
        )

    def run(self) -> list[Check]:
        """Check everything and return the checks."""
        self._periods = self._inputs.periods()
        for partition in range(self._reader.partitions(COMMANDS)):
            branch = Branch()
            self._read_events(partition, branch)
            self._read_commands(partition, branch)
            self._inputs.payments(partition, branch)
            self._inputs.passed_on("accounts", ACCOUNT_COMMANDS, partition, branch)
            self._inputs.passed_on("journals", JOURNAL_COMMANDS, partition, branch)
            self._close(partition, branch)
            check_stuck(self.stuck, self._reader, partition, branch)
        for event_id, open_legs in self._legs.items():
            self.answered.fail(
                f"leg request {event_id}: {'no answer' if open_legs > 0 else 'too many answers'}"
            )
        for cause, missing in self._requests.items():
            text = "no answer, and no leg is asked for" if missing > 0 else "asks for a leg too many"
            self.answered.fail(f"{cause.replace(chr(0), ' ')}: {text}")
        self._held.update(self._many.close(self._journal, self._behind))
        self._compare_held()
        for key, owed in self._owed.items():
            moved = self._journal.take_moved(key)
            for what, places in (("missing", owed - moved), ("too much", moved - owed)):
                sides = ", ".join(sorted(side.lower() for side, _ in places.elements()))
                if sides:
                    self.lives.fail(f"payment {key}: of what it moved, {sides} is {what}, or another amount")
        for key in self._journal.moved:
            self.lives.fail(f"payment {key}: money moved, and it is not settled")
        checks = [self.inputs, self.answered, self.lives, self.stuck, self.holding, self.accounts]
        return [*checks, self._many.states, self._many.protocol, self._many.reversals]

    # --- payment-events: the life of each payment

    def _read_events(self, partition: int, branch: Branch) -> None:
        for record, (name, fields) in self._reader.events(PAYMENT_EVENTS, partition):
            cause = cause_of(record, _subject(fields), fields["causation_id"])
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
                branch.said[cause, _refused(fields["command"], fields["code"])] += 1
                self._many.refused(fields)
                continue
            before = branch.state.get(key)
            if name == "PaymentReserved":
                branch.said[cause, "reserved"] += 1
                self.lives.expect(before is None, f"{record.place}: {key} is reserved after it was {before}")
                branch.state[key] = "reserved"
                debtor = f"{fields['tenant_id']}/{fields['debtor_account_id']}"
                branch.holds[key] = Hold(debtor, fields["amount_minor"])
                continue
            if name in ("outcomes.PaymentCaptured", "outcomes.PaymentExtended"):
                what = "captured" if name == "outcomes.PaymentCaptured" else "extended"
                branch.said[cause, what] += 1
                self.lives.expect(before == "reserved", f"{record.place}: {key} is {what}, it was {before}")
                if what == "captured":
                    self._captured(record, key, fields, branch)
                continue
            end = ENDS.get(name)
            if end is None:
                self.lives.fail(f"{record.place}: {name} is no event of a payment")
                continue
            branch.said[cause, end] += 1
            if fields["code"] != "too_old":  # that is not remembered: its id has no life
                self._ended(record, key, end, cause, fields, branch)

    def _ended(
        self, record: Record, key: str, end: str, cause: str, fields: dict[str, Any], branch: Branch
    ) -> None:
        before = branch.state.get(key)
        allowed = (None, "reserved") if end == "rejected" else ("reserved",)
        self.lives.expect(before in allowed, f"{record.place}: {key} is {end} after it was {before}")
        branch.state[key] = end
        branch.holds.pop(key, None)
        captures = branch.captures.get(key)
        if end != "settled":
            self.lives.expect(captures is None, f"{record.place}: {key} is {end}, and captured")
            return
        if captures is not None or key in self._many.reversed:
            branch.settled[key] = cause, fields["amount_minor"]
        if captures is None:
            return self._check_moved(key, fields)
        total = sum(capture.amount_minor for capture in captures)
        text = f"{record.place}: {key} is settled with {fields['amount_minor']}, {total} are captured"
        self.lives.expect(fields["amount_minor"] == total, text)

    def _captured(self, record: Record, key: str, fields: dict[str, Any], branch: Branch) -> None:
        """Add a capture; whether it moved its money is looked at when all are known."""
        captures, hold, amount = (
            branch.captures.setdefault(key, []),
            branch.holds.get(key),
            fields["amount_minor"],
        )
        known = {capture.capture_id for capture in captures}
        self.lives.expect(
            fields["capture_id"] not in known and amount > 0, f"{record.place}: {key} is captured so twice"
        )
        sides = (fields[side] for side in ("debtor_account_id", "creditor_account_id"))
        captures.append(
            Capture(
                fields["capture_id"], amount, *(transfer(one, amount, fields["currency"]) for one in sides)
            )
        )
        total = sum(capture.amount_minor for capture in captures)
        self.lives.expect(
            fields["captured_minor"] == total, f"{record.place}: {key} has captured {total} in all"
        )
        if hold is not None:
            hold.held = hold.reserved - total
            text = f"{record.place}: {key} holds {fields['held_minor']}, {hold.held} are left"
            self.holding.expect(0 <= fields["held_minor"] <= hold.held, text)

    def _check_moved(self, key: str, fields: dict[str, Any]) -> None:
        amount, currency = fields["amount_minor"], fields["currency"]
        debit, credit = (
            transfer(fields[side], amount, currency) for side in ("debtor_account_id", "creditor_account_id")
        )
        if self._journal.moved.get(key) == (debit, credit) and key not in self._journal.more:
            del self._journal.moved[key]
        else:
            self._owe(key, ("DEBIT", debit), ("CREDIT", credit))

    def _owe(self, key: str, *places: tuple[str, int]) -> None:
        self._owed.setdefault(key, Counter()).update(places)

    # --- ledger-commands

    def _read_commands(self, partition: int, branch: Branch) -> None:
        accounts = Accounts(self.accounts, self._journal.periods)
        for record, event in self._reader.events(COMMANDS, partition):
            name, fields = event
            key = f"{fields['tenant_id']}/{fields.get('payment_id')}"
            self._pass_on(record, name, fields, key, branch)
            dead = self._dead.holds(record)
            if name in LEG_COMMANDS:
                self._many.follow(record, name, fields, dead)
            if dead:
                continue
            self.answered.count()
            if name in ACCOUNT_COMMANDS:
                accounts.command(record, event, branch, self._home(record) == partition)
            elif name == "PaymentDecided":
                if self._decided(record, fields, key, branch):
                    self._move_clock(record, fields, branch, accounts)
            elif name == "LegRequested":
                self._answer_leg(fields["event_id"], 1)
                debtor = f"{fields['tenant_id']}/{fields['debtor_account_id']}"
                held = self._journal.placed.get((key, debtor), 0)
                good = held == 1 or key in self._many.held
                self.holding.expect(good, f"{record.place}: payment {key} has {held} holds in the journal")
            elif name not in LEG_COMMANDS:
                if name in TIMED:
                    self._move_clock(record, fields, branch, accounts)
                if not self._take_answer(record, event, key, branch):
                    self.answered.fail(f"{record.place}: no answer to {name} {fields['event_id']}")
        moved_on = {
            tenant: ends for (number, tenant), ends in self._journal.moved_on.items() if number == partition
        }
        accounts.compare(self._balances, moved_on, branch)

    def _pass_on(self, record: Record, name: str, fields: dict[str, Any], key: str, branch: Branch) -> None:
        """Take note of what a record was passed on from, or what it answers; dead letters, too."""
        if name == "PaymentDecided":
            branch.decided[about(fields["causation_id"] or "", fields)] += 1
            if not take(branch.screened, (fields["outcome"], *about(fields["event_id"], fields))):
                self.inputs.fail(f"{record.place}: payment-events has no screening with this decision")
            if fields["outcome"] != "APPROVE":
                cause = cause_of(record, fields["payment_id"], fields["event_id"])
                self._suspect(key, cause, fields["outcome"], branch)
        elif name == PERIOD:
            branch.periods[digest(record)] += 1
        elif name in ACCOUNT_COMMANDS:
            branch.passed["accounts"].append(digest(record))
        elif name in PASSED_ON:
            branch.passed["payments"].append(digest(record))
        elif name in JOURNAL_COMMANDS:
            branch.passed["journals"].append(digest(record))
        elif name == "LegRequested":
            self._ask(fields, fields["causation_id"] or "", -1)
        elif name in ("LegPosted", "LegRefused"):
            self._answer_leg(fields["causation_id"] or "", -1)

    def _home(self, record: Record) -> int:
        return partition_of(record.key or b"", self._reader.partitions(COMMANDS))

    def _move_clock(self, record: Record, fields: dict[str, Any], branch: Branch, accounts: Accounts) -> None:
        for due in branch.clock.move(min(fields["occurred_at"], record.recorded_at)):
            if due.kind == "limit":
                accounts.begin(due)
            elif due.kind == "journal":
                self._many.fall_due(record.partition, due)
            else:
                authorised = branch.authorised.get(f"{due.tenant_id}/{due.id}")
                if authorised is not None and authorised.expires_at == due.time:
                    authorised.due = True

    def _suspect(self, key: str, cause: str, outcome: str, branch: Branch) -> None:
        self.suspected.add(key)
        if branch.said[cause, "reserved"] or branch.said[cause, "rejected"]:
            self.alerts_due.add(key)
        if outcome == "REVIEW":
            branch.reviews.add(key)

    def _answer_leg(self, event_id: str, step: int) -> None:
        open_legs = self._legs.pop(event_id, 0) + step
        if open_legs:
            self._legs[event_id] = open_legs

    def _ask(self, fields: dict[str, Any], event_id: str, step: int) -> None:
        """Count a leg that a command must ask for, or a request for one."""
        cause = "\0".join((fields["tenant_id"], fields["debtor_account_id"], fields["payment_id"], event_id))
        missing = self._requests.pop(cause, 0) + step
        if missing:
            self._requests[cause] = missing

    def _decided(self, record: Record, fields: dict[str, Any], key: str, branch: Branch) -> bool:
        """Take the one answer of a decision; return whether the payment is new."""
        cause = cause_of(record, fields["payment_id"], fields["event_id"])
        if take(branch.said, (cause, "reserved")):
            self._many.decided(record.partition, key, fields)
            expires_at = fields.get("hold_expires_at")
            if expires_at is not None:
                branch.authorised[key] = Authorised(cause, expires_at)
                self._schedule(fields, expires_at, branch)
            elif not take(branch.said, (cause, "settled")) and fields["outcome"] == "APPROVE":
                self._ask(fields, fields["event_id"], 1)
            return True
        if take(branch.said, (cause, "rejected")):
            return True
        if not take(branch.said, (cause, "refused:payment_initiated")):
            self.answered.fail(f"{record.place}: no answer to decision {fields['event_id']}")
        return False

    @staticmethod
    def _schedule(fields: dict[str, Any], expires_at: int, branch: Branch) -> None:
        names = ("tenant_id", "debtor_account_id", "payment_id")
        branch.clock.add(Due(expires_at, "hold", *(fields[name] for name in names)))

    def _take_answer(self, record: Record, event: Event, key: str, branch: Branch) -> bool:
        """Take what a command brought about out of the branch's; False where nothing is said that must be."""
        name, fields = event
        many, said = self._many, branch.said
        cause = cause_of(record, _subject(fields), fields["event_id"])
        refused = PASSED_ON.get(name) or JOURNAL_COMMANDS.get(name)
        if take(said, (cause, f"refused:{refused}:early")):
            return True
        if name == "JournalSubmitted" and many.submitted(record, fields, branch):
            return True
        if name == "JournalReversed" and many.journal_reversed(record, fields):
            return True
        if name in ("JournalConfirmed", "JournalVoided") and many.ended(record, name, fields, branch):
            return True
        if name == "PaymentReversed" and many.payment_reversed(record, fields, branch):
            return True
        if name == "PaymentExtended" and take(said, (cause, "extended")):
            authorised = branch.authorised.get(key)
            if authorised is not None:
                authorised.expires_at = fields["hold_expires_at"]
                self._schedule(fields, fields["hold_expires_at"], branch)
            return authorised is not None
        if name in ("PaymentCaptured", "LegPosted") and take(said, (cause, "captured")):
            take(said, (cause, "settled"))  # it was the last one
            return True
        if name == "LegRefused" and take(said, (cause, "refused:payment_captured")):
            any(take(said, (cause, end)) for end in ENDS.values())  # nothing more was under way
            return True
        ends = {
            "LegPosted": ("settled",),
            "LegRefused": ("failed",),
            "PaymentReviewed": ("rejected", "failed", "settled"),
            "PaymentCancelled": ("cancelled", "settled"),
        }.get(name, ())
        if name.startswith("Leg") and key in branch.authorised:
            return False  # of a capture something is said, as above
        if any(take(said, (cause, what)) for what in (*ends, f"refused:{refused}")):
            return True
        return self._is_silent(name, fields, key, branch)

    def _is_silent(self, name: str, fields: dict[str, Any], key: str, branch: Branch) -> bool:
        """Whether a command may say nothing: it asks for a leg, or more is to come."""
        authorised = key in branch.authorised
        if name == "PaymentReviewed" and fields["approved"] and authorised:
            return True  # from now on it may be captured
        if (name == "PaymentReviewed" and fields["approved"]) or (name == "PaymentCaptured" and authorised):
            self._ask(fields, fields["event_id"], 1)
            return True
        # Captures were under way: the payment ends with them.
        return name == "PaymentCancelled" and authorised and branch.state[key] in ("settled", "cancelled")

    # --- what is left over

    def _close(self, partition: int, branch: Branch) -> None:
        if branch.screened:
            times = branch.screened.total()
            self.inputs.fail(f"payment-events[{partition}]: {times} screenings with no such decision")
        for decision, times in branch.decided.items():
            self.inputs.fail(
                f"ledger-commands[{partition}]: {times} decisions too many about event {decision[0]}"
            )
        if branch.periods != self._periods:
            self.inputs.fail(f"ledger-commands[{partition}]: has not every end of a period once")
        if branch.clock.behind:
            self._behind.add(partition)
        for key, authorised in branch.authorised.items():
            self._close_authorised(key, authorised, branch)
        for (cause, what), times in branch.said.items():
            if times:
                text = f"{times} too many: {what} by {cause.replace(chr(0), ' ')}"
                self.answered.fail(f"payment-events[{partition}]: {text}")
        for key, captures in branch.captures.items():
            for capture in captures:
                self._owe(key, ("DEBIT", capture.debit), ("CREDIT", capture.credit))
        for key, hold in branch.holds.items():
            self._held[key, hold.debtor] += hold.held
            waits = branch.authorised.get(key)
            self.holding.expect(
                key in branch.reviews if waits is None else not waits.due or branch.clock.behind,
                f"payment {key} is reserved, not under review nor to be captured, and never ends",
            )

    def _close_authorised(self, key: str, authorised: Authorised, branch: Branch) -> None:
        """A hold that ends by its time says so in the name of its decision, or of no command at all."""
        state = branch.state.get(key)
        settled_by, _ = branch.settled.get(key, ("", 0))
        expired = take(branch.said, (authorised.cause, "expired"))
        if expired or (state == "settled" and take(branch.said, (settled_by, "settled"))):
            self.lives.expect(
                authorised.due or branch.clock.behind, f"payment {key} ended by its time, before that came"
            )
        if state == "settled":
            self.lives.expect(key in branch.captures, f"payment {key} is settled, and nothing was captured")

    def _compare_held(self) -> None:
        """Hold what accounts hold, in all and one by one, against what there is to hold for."""
        by_account: Counter[str] = Counter()
        for (_, account), amount in self._held.items():
            by_account[account] += amount
        for account, balance in self._balances.items():
            same = balance.debits_pending == by_account[account]
            self.holding.expect(
                same, f"{account} holds {balance.debits_pending}, its payments {by_account[account]}"
            )
        for place in self._held.keys() | self._journal.open.keys():
            owner, account = place
            folded = self._journal.accounts.get(account)
            if folded is None or folded.held is not None:  # holds of older versions are in no journal
                is_, be = self._journal.open[place], self._held[place]
                self.holding.expect(is_ == be, f"{owner} holds {is_} on {account}, and should hold {be}")


def _subject(fields: dict[str, Any]) -> str | None:
    """Return what a command on a payment, or an answer to one, is about."""
    payment_id, reversal_id = fields.get("payment_id"), fields.get("reversal_id")
    return payment_id if reversal_id is None else f"{payment_id}\0{reversal_id}"


def _refused(command: str, code: str) -> str:
    """Return how a refusal is counted: of repeats of one event, it tells which of them it answers."""
    if (command, code) in FOR_TENANT:
        return f"{BY_TENANT}:{command}"
    if command == "account_closed":
        return f"refused:{command}:{code}"
    return f"refused:{command}:early" if code in EARLY else f"refused:{command}"
