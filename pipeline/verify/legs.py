"""Journals of many legs: their states, their legs on every branch, and what reversals take back.

    journal-events[p]    the states of each journal, keyed by its account; read first
    ledger-commands[p]   submissions and reversals; legs requested, answered and ended, across branches
    postings             a posted journal moves every leg on its account, once, and no other moves anything

What is asked of a reversal without legs or amount is what earlier ones have left: it is counted in the order
of the commands, as the branch must have counted it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container
from operator import itemgetter
from typing import Any, NamedTuple

from pipeline.verify.branch import Branch, cause_of, take
from pipeline.verify.due import Due
from pipeline.verify.journal import CLEARING, Journal, Moved
from pipeline.verify.log import Record
from pipeline.verify.reader import JOURNAL_EVENTS, Reader, partition_of
from pipeline.verify.report import Check

FIRST = frozenset({"PREPARING", "HELD", "POSTED", "REFUSED"})
AFTER = {
    "PREPARING": frozenset({"HELD", "POSTED", "REFUSED", "EXPIRED"}),
    "HELD": frozenset({"POSTED", "VOIDED", "EXPIRED"}),
}
"""Which state may follow which; all others are final."""
OTHER = {"DEBIT": "CREDIT", "CREDIT": "DEBIT"}
LEG_COMMANDS = ("JournalLegsRequested", "JournalLegsAnswered", "JournalLegsEnded")


class Leg(NamedTuple):
    """One leg, as events have it."""

    leg_no: int
    entry_no: int
    account_id: str
    side: str
    amount_minor: int
    currency: str
    purpose: str | None = None
    rate_e8: int | None = None


Place = tuple[str, str, str]
"""Account, side and currency: what reversals count by."""


class Life:
    """A journal at its home."""

    def __init__(self, tenant_id: str, account_id: str, legs: list[Leg], first: str) -> None:
        self.tenant_id = tenant_id
        self.account_id = account_id
        self.legs = legs
        self.first = first
        """The state that the submission brought about."""
        self.cause = ""
        """Of the submission."""
        self.reverses: str | None = None
        self.of: tuple[int, str] | None = None
        """What it takes back: its home and tenant/id."""
        self.expires_at: int | None = None
        self.due = False
        """Whether the branch's event time has come to its end."""


class Parts:
    """What was asked of the other branches, what they answered, and what they were told in the end."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[Leg]]] = []
        self.answered: list[tuple[int, str]] = []
        self.ended: list[tuple[int, bool]] = []


class Legs:
    """All journals of many legs; reads `journal-events` at once."""

    def __init__(self, reader: Reader, watch: Container[str] = ()) -> None:
        """`watch`: journals (tenant/journal) whose fate is to be remembered."""
        self._partitions = reader.partitions(JOURNAL_EVENTS)
        self.states = Check(
            "journals", "Each journal goes its way; a posted one moves each of its legs once."
        )
        self.protocol = Check(
            "legs", "A journal asks each branch for its legs once, and tells it the end that it comes to."
        )
        self.reversals = Check("reversals", "No more is taken back than was posted.")
        self.state: dict[tuple[int, str], tuple[str, str]] = {}
        """State and code of each journal, by branch and tenant/journal."""
        self.held: set[str] = set()
        """tenant/journal of all that were ever held, or prepared."""
        self.reversed: set[str] = set()
        """tenant/id of what reversals are of: payments and journals."""
        self.seen: dict[str, set[tuple[str, str]]] = {}
        """Of the watched journals: their states, or CommandRefused, and codes."""
        self._watch = watch
        self._first: dict[str, list[tuple[str, str, int]]] = {}
        """What each submission has brought about: state, code and number of legs, by its cause, in order."""
        self._said: Counter[tuple[str, str]] = Counter()
        """Later states, by cause."""
        self._lives: dict[tuple[int, str], Life] = {}
        self._parts: defaultdict[tuple[str, str, str], Parts] = defaultdict(Parts)
        """By tenant, home account and journal."""
        self._taken: defaultdict[tuple[int, str], Counter[Place]] = defaultdict(Counter)
        """What is taken back, or about to be: by branch and tenant/journal (or payment)."""
        self._payments: dict[tuple[int, str], tuple[str, str, str]] = {}
        """Of payments that are reversed: debtor, creditor and currency, by branch and tenant/payment."""
        for partition in range(self._partitions):
            self._read(reader, partition)

    def _read(self, reader: Reader, partition: int) -> None:
        for record, (_, fields) in reader.events(JOURNAL_EVENTS, partition):
            key = f"{fields['tenant_id']}/{fields['journal_id']}"
            state, code = fields["state"], fields["code"]
            if key in self._watch:
                self.seen.setdefault(key, set()).add((state, code))
            if state in ("PREPARING", "HELD"):
                self.held.add(key)
            if fields["reverses"] is not None:
                self.reversed.add(f"{fields['tenant_id']}/{fields['reverses']}")
            cause = cause_of(record, fields["journal_id"], fields["causation_id"])
            before = self.state.get((partition, key))
            allowed = FIRST if before is None else AFTER.get(before[0], ())
            text = f"{record.place}: {key} is {state} after it was {before and before[0]}"
            self.states.expect(state in allowed, text)
            if before is None:
                self._first.setdefault(cause, []).append((state, code, fields["legs"]))
            else:
                self._said[cause, state] += 1
            if code != "too_old":  # that is not remembered: its id has no life
                self.state[partition, key] = state, code

    def refused(self, fields: dict[str, Any]) -> None:
        """Note the refusal of a command on a watched journal."""
        key = f"{fields['tenant_id']}/{fields.get('journal_id')}"
        if key in self._watch:
            self.seen.setdefault(key, set()).add(("CommandRefused", fields["code"]))

    # --- commands, in the order of a branch's log

    def decided(self, partition: int, key: str, fields: dict[str, Any]) -> None:
        """Remember a payment that was accepted, if it is ever reversed."""
        if key in self.reversed:
            names = ("debtor_account_id", "creditor_account_id", "currency")
            self._payments[partition, key] = tuple(fields[name] for name in names)

    def submitted(self, record: Record, fields: dict[str, Any], branch: Branch) -> bool:
        """Follow a submission; False where nothing says what became of it."""
        legs = _legs_of(fields)
        life = self._begin(record, fields["journal_id"], fields, fields["account_id"], legs)
        if life is None:
            return False
        life.expires_at = fields.get("hold_expires_at")
        if life.expires_at is not None and life.first != "REFUSED":
            place = fields["tenant_id"], fields["account_id"], fields["journal_id"]
            branch.clock.add(Due(life.expires_at, "journal", *place))
        return True

    def journal_reversed(self, record: Record, fields: dict[str, Any]) -> bool:
        """Follow the reversal of a journal."""
        key = f"{fields['tenant_id']}/{fields['journal_id']}"
        original = self._lives.get((record.partition, key))
        legs = _legs_of(fields)
        if original is not None and not legs:
            legs = self._rest(record.partition, key, original)
        life = self._begin(record, fields["reversal_id"], fields, fields["account_id"], legs)
        if life is None:
            return False
        posted = self.state.get((record.partition, key), ("", ""))[0] == "POSTED"
        self.reversals.expect(
            original is not None and posted, f"{record.place}: reverses {key}, which is not posted"
        )
        if original is not None:
            limits: Counter[Place] = Counter()
            for leg in original.legs:
                limits[leg.account_id, leg.side, leg.currency] += leg.amount_minor
            self._take(record, key, fields["journal_id"], life, limits)
        return True

    def payment_reversed(self, record: Record, fields: dict[str, Any], branch: Branch) -> bool:
        """Follow the reversal of a payment."""
        key = f"{fields['tenant_id']}/{fields['payment_id']}"
        payment, (_, settled) = self._payments.get((record.partition, key)), branch.settled.get(key, ("", 0))
        amount, debtor = fields["amount_minor"], fields["debtor_account_id"]
        legs: list[Leg] = []
        limits: Counter[Place] = Counter()
        if payment is not None:
            _, creditor, currency = payment
            place = creditor, "CREDIT", currency
            if amount is None:
                amount = settled - self._taken[record.partition, key][place]
            limits = Counter({place: settled, (debtor, "DEBIT", currency): settled})
            legs = [
                Leg(1, 0, creditor, "DEBIT", amount, currency), Leg(2, 0, debtor, "CREDIT", amount, currency)
            ]  # fmt: skip
        life = self._begin(record, fields["reversal_id"], fields, debtor, legs)
        if life is None:
            return False
        text = f"{record.place}: reverses payment {key}, which is not settled"
        self.reversals.expect(payment is not None and payment[0] == debtor and settled > 0, text)
        self._take(record, key, fields["payment_id"], life, limits)
        return True

    def _begin(
        self, record: Record, journal_id: str, fields: dict[str, Any], account_id: str, legs: list[Leg]
    ) -> Life | None:
        """Return the journal that a command brought about, or None where it brought about nothing."""
        cause = cause_of(record, journal_id, fields["event_id"])
        firsts = self._first.get(cause)
        if not firsts:
            return None
        state, code, count = firsts.pop(0)
        if not firsts:
            del self._first[cause]
        self.states.expect(count == len(legs), f"{record.place}: {count} legs instead of {len(legs)}")
        life = Life(fields["tenant_id"], account_id, legs, state)
        life.cause = cause
        if code != "too_old":
            self._lives[record.partition, f"{fields['tenant_id']}/{journal_id}"] = life
        return life

    def _rest(self, partition: int, key: str, original: Life) -> list[Leg]:
        """Return the other side of a journal's legs, as far as it is not taken back yet."""
        taken, left, legs = self._taken[partition, key], Counter[Place](), []
        for leg in original.legs:
            left[leg.account_id, leg.side, leg.currency] += leg.amount_minor
        left.subtract(taken)
        for leg in original.legs:
            place = leg.account_id, leg.side, leg.currency
            amount = min(leg.amount_minor, left[place])
            if amount > 0:
                left[place] -= amount
                legs.append(leg._replace(side=OTHER[leg.side], amount_minor=amount))
        return legs

    def _take(self, record: Record, key: str, original_id: str, life: Life, limits: Counter[Place]) -> None:
        """Count what a reversal takes back."""
        life.reverses, life.of = original_id, (record.partition, key)
        if life.first == "REFUSED":
            return
        taken = self._taken[life.of]
        taken.update(_taken_by(life))
        over = [place for place, amount in taken.items() if amount > limits[place]]
        self.reversals.expect(not over, f"{record.place}: more of {key} is taken back than was posted")

    def ended(self, record: Record, name: str, fields: dict[str, Any], branch: Branch) -> bool:
        """Follow journal_confirmed or journal_voided; False where nothing says what became of it."""
        state = "POSTED" if name == "JournalConfirmed" else "VOIDED"
        return take(self._said, (cause_of(record, fields["journal_id"], fields["event_id"]), state))

    def follow(self, record: Record, name: str, fields: dict[str, Any], dead: bool) -> None:
        """Take note of what branches say to each other of their legs; what is dead had no effect."""
        if dead:
            self.protocol.expect(False, f"{record.place}: {name} is a dead letter")
            return
        self.protocol.count()
        place = fields["tenant_id"], fields["home_account_id"], fields["journal_id"]
        parts = self._parts[place]
        if name == "JournalLegsRequested":
            parts.asked.append((record.partition, _legs_of(fields)))
        elif name == "JournalLegsEnded":
            parts.ended.append((record.partition, fields["posted"]))
        else:
            parts.answered.append((fields["branch"], fields["code"]))
            self._answered(record, fields)

    def _answered(self, record: Record, fields: dict[str, Any]) -> None:
        """The last answer of the branches decides."""
        cause = cause_of(record, fields["journal_id"], fields["event_id"])
        state = next((one for one in AFTER["PREPARING"] if take(self._said, (cause, one))), None)
        if state == "REFUSED":
            key = f"{fields['tenant_id']}/{fields['journal_id']}"
            life = self._lives.get((record.partition, key))
            if life is not None and life.of is not None:
                self._taken[life.of].subtract(_taken_by(life))

    def fall_due(self, partition: int, due: Due) -> None:
        """Note that a journal's time is over."""
        life = self._lives.get((partition, f"{due.tenant_id}/{due.id}"))
        if life is not None and life.expires_at == due.time:
            life.due = True

    # --- when all branches have been read

    def close(self, journal: Journal, behind: set[int]) -> Counter[tuple[str, str]]:
        """Check what is left, and return what held journals hold: by tenant/journal and tenant/account.

        `behind`: branches where more fell due than is known to have been taken.
        """
        held: Counter[tuple[str, str]] = Counter()
        moved: defaultdict[str, Counter[Moved]] = defaultdict(Counter)
        for (partition, key), life in self._lives.items():
            state = self.state.get((partition, key), ("", ""))[0]
            branches = self._branches(life)
            self._close_parts(partition, key, life, state, branches)
            self.states.expect(state != "PREPARING", f"journal {key} is prepared and never ends")
            late = life.due and partition not in behind
            if state == "HELD":
                held.update(_held_by(key, life, branches))
                self.states.expect(not late, f"journal {key} is held beyond its time")
            elif state == "POSTED":
                moved[key].update(_moved_by(life, branches))
            elif state == "EXPIRED" and take(self._said, (life.cause, "EXPIRED")):
                # Not said of the last answer: so its time must have come.
                early = not life.due and partition not in behind
                self.states.expect(not early, f"journal {key} expired before its time")
        for key in moved.keys() | journal.journals.keys():
            is_, be = journal.journals.get(key, Counter()), moved[key]
            self.states.expect(
                is_ == be, f"journal {key}: its postings are not its legs, or it is not posted"
            )
        for (tenant, _, journal_id), parts in self._parts.items():
            if parts.asked or parts.answered or parts.ended:
                self.protocol.fail(f"journal {tenant}/{journal_id}: legs that its home does not have")
        left = [(cause, state) for cause, firsts in self._first.items() for state, _, _ in firsts]
        for cause, state in [*left, *self._said.elements()]:
            self.states.fail(f"journal {cause.replace(chr(0), ' ')}: is {state}, and no command made it so")
        return held

    def _close_parts(
        self, partition: int, key: str, life: Life, state: str, branches: dict[int, list[Leg]]
    ) -> None:
        others = {branch: legs for branch, legs in branches.items() if branch != partition}
        place = life.tenant_id, life.account_id, key.partition("/")[2]
        parts = self._parts.pop(place, None) or Parts()
        wanted = sorted(others.items()) if life.first == "PREPARING" else []
        self.protocol.expect(
            sorted(parts.asked, key=itemgetter(0)) == wanted,
            f"journal {key}: the branches are not asked for just their legs",
        )
        answers = dict(parts.answered)
        self.protocol.expect(
            len(parts.answered) == len(answers) and answers.keys() == dict(wanted).keys(),
            f"journal {key}: not each branch that was asked has answered once",
        )
        good = [branch for branch in sorted(answers) if answers[branch] == "ok"]
        ends = [] if state in ("HELD", "PREPARING") else [(branch, state == "POSTED") for branch in good]
        self.protocol.expect(
            sorted(parts.ended) == ends, f"journal {key} is {state}, and its branches are told otherwise"
        )
        if len(good) < len(answers):
            self.states.expect(state == "REFUSED", f"journal {key} is {state}, though a branch refused it")

    def _branches(self, life: Life) -> dict[int, list[Leg]]:
        found: dict[int, list[Leg]] = {}
        for leg in life.legs:
            owner = partition_of(f"{life.tenant_id}/{leg.account_id}".encode(), self._partitions)
            found.setdefault(owner, []).append(leg)
        return found


def _legs_of(fields: dict[str, Any]) -> list[Leg]:
    return sorted((Leg(**leg) for leg in fields["legs"]), key=itemgetter(0))


def _taken_by(life: Life) -> Counter[Place]:
    taken: Counter[Place] = Counter()
    for leg in life.legs:
        taken[leg.account_id, OTHER[leg.side], leg.currency] += leg.amount_minor
    return taken


def _over(legs: list[Leg]) -> Counter[tuple[int, str]]:
    """Return by how much the debits of each entry and currency exceed its credits on one branch."""
    over: Counter[tuple[int, str]] = Counter()
    for leg in legs:
        over[leg.entry_no, leg.currency] += leg.amount_minor if leg.side == "DEBIT" else -leg.amount_minor
    return over


def _held_by(key: str, life: Life, branches: dict[int, list[Leg]]) -> Counter[tuple[str, str]]:
    """Return what the debits of a held journal hold on each account."""
    held: Counter[tuple[str, str]] = Counter()
    for branch, legs in branches.items():
        for leg in legs:
            if leg.side == "DEBIT":
                held[key, f"{life.tenant_id}/{leg.account_id}"] += leg.amount_minor
        for (_, currency), amount in _over(legs).items():
            if amount < 0:
                held[key, f"{life.tenant_id}/{CLEARING}{currency}:{branch}"] -= amount
    return held


def _moved_by(life: Life, branches: dict[int, list[Leg]]) -> Counter[Moved]:
    """Return what the postings of a journal must move: its legs, and what balances each branch."""
    moved: Counter[Moved] = Counter()
    for branch, legs in branches.items():
        for leg in legs:
            about = leg.purpose, leg.rate_e8, life.reverses
            moved[Moved(leg.account_id, leg.side, leg.currency, *about)] += leg.amount_minor
        for (_, currency), amount in _over(legs).items():
            clearing = f"{CLEARING}{currency}:{branch}"
            if amount:
                side = "CREDIT" if amount > 0 else "DEBIT"
                moved[Moved(clearing, side, currency, None, None, life.reverses)] += abs(amount)
    return moved
