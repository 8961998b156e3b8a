"""Accounts as their commands make them: open or closed, limits, what is frozen; and the ends of periods.

The same command may come twice, and only the answers say that one was refused; which one follows from the
account.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.verify.branch import BY_TENANT, Branch, cause_of, take
from pipeline.verify.decode import Event
from pipeline.verify.due import Due
from pipeline.verify.journal import Balance
from pipeline.verify.log import Record
from pipeline.verify.report import Check

PERIOD = "PeriodClosed"
COMMANDS = {
    "AccountOpened": "account_opened",
    "AccountLimitSet": "account_limit_set",
    "AccountFrozen": "account_frozen",
    "AccountUnfrozen": "account_unfrozen",
    "AccountClosed": "account_closed",
    "AccountReopened": "account_reopened",
    PERIOD: "period_closed",
}
"""The events of the topic, and the commands as their refusals name them."""
OPEN, CLOSED = "OPEN", "CLOSED"
SIDES = {"DEBIT": 1, "CREDIT": 2, "BOTH": 3}
FROZEN = ("NONE", "DEBIT", "CREDIT", "BOTH")


class Limits(NamedTuple):
    """What a balance must stay within; minor units."""

    overdraft: int | None
    minimum: int | None = None
    maximum: int | None = None


class Standing(NamedTuple):
    """An account."""

    status: str
    limits: Limits
    frozen: int = 0
    """Bits, as `SIDES` has them."""


class Accounts:
    """The accounts of one branch."""

    def __init__(self, check: Check, periods: Check) -> None:
        self._check = check
        self._periods = periods
        self._known: dict[str, Standing] = {}
        self._waiting: dict[tuple[str, int, str], Limits] = {}
        """Limits that have yet to begin: by tenant/account, time and event id."""
        self._timed: set[str] = set()
        """Accounts that ever had one."""
        self._closings: set[str] = set()
        """Causes of closings so far."""
        self._unsure: set[str] = set()
        """Accounts that one closing event came to more than once: which of them was refused, because of what
        was in the account then, is not said."""
        self._problems: list[tuple[str, str]] = []
        self._ends: dict[str, list[int]] = {}
        """Of each tenant: the ends of its closed periods."""

    def command(self, record: Record, event: Event, branch: Branch, home: bool) -> None:
        """Follow a command. `home`: whether the partition is that of its key."""
        name, fields = event
        what = COMMANDS[name]
        if name == PERIOD:
            refused = cause_of(record, None, fields["event_id"]), f"refused:{what}"
            return self._period(record, fields, branch, refused, home)
        key = f"{fields['tenant_id']}/{fields['account_id']}"
        by_tenant = cause_of(record, None, fields["event_id"]), f"{BY_TENANT}:{what}"
        if name == "AccountOpened" and take(branch.said, by_tenant):
            return
        known = self._known.get(key)
        must = _must_be_refused(name, fields, known)
        if name == "AccountClosed":
            # The same event may come twice, and be refused as a repeat or because of what is in the account.
            what += f":account_{'closed' if must else 'not_empty'}" if known else ":account_not_found"
            self._note_closing(cause_of(record, None, fields["event_id"]), key)
        # An open account may be closed only when it is empty.
        if must or name == "AccountClosed":
            if take(branch.said, (cause_of(record, None, fields["event_id"]), f"refused:{what}")):
                return
            if must:
                self._problems.append((key, f"{record.place}: {name} of {key} must be refused"))
        if name == "AccountOpened":
            self._known[key] = Standing(OPEN, Limits(fields.get("overdraft_limit_minor", 0)))
        elif known is not None:
            self._known[key] = self._changed(record, event, branch, key, known)

    def _note_closing(self, cause: str, key: str) -> None:
        if cause in self._closings:
            self._unsure.add(key)
        self._closings.add(cause)

    def _changed(self, record: Record, event: Event, branch: Branch, key: str, known: Standing) -> Standing:
        name, fields = event
        if name == "AccountLimitSet":
            return known._replace(limits=self._limits(record, fields, branch, key, known.limits))
        if name == "AccountFrozen":
            return known._replace(frozen=known.frozen | SIDES[fields["side"]])
        if name == "AccountUnfrozen":
            return known._replace(frozen=known.frozen & ~SIDES[fields["side"]])
        return known._replace(status=CLOSED if name == "AccountClosed" else OPEN)

    def _limits(
        self, record: Record, fields: dict[str, Any], branch: Branch, key: str, present: Limits
    ) -> Limits:
        """Return the limits after they were set; those that begin later wait."""
        names = ("overdraft_limit_minor", "minimum_balance_minor", "maximum_balance_minor")
        limits = Limits(*(fields.get(name) for name in names))
        starts, seen = fields.get("effective_at"), min(fields["occurred_at"], record.recorded_at)
        if starts is None or starts <= (seen if branch.clock.now is None else max(seen, branch.clock.now)):
            return limits
        self._waiting[key, starts, fields["event_id"]] = limits
        self._timed.add(key)
        branch.clock.add(Due(starts, "limit", fields["tenant_id"], fields["account_id"], fields["event_id"]))
        return present

    def begin(self, due: Due) -> None:
        """Let a limit begin whose time has come."""
        key = f"{due.tenant_id}/{due.account_id}"
        limits = self._waiting.pop((key, due.time, due.id), None)
        known = self._known.get(key)
        if limits is not None and known is not None and known.status == OPEN:
            self._known[key] = known._replace(limits=limits)

    def _period(
        self, record: Record, fields: dict[str, Any], branch: Branch, refused: tuple[str, str], home: bool
    ) -> None:
        ends = self._ends.setdefault(fields["tenant_id"], [])
        through = fields["closed_through"]
        if not ends or through > ends[-1]:
            ends.append(through)
        elif home:
            self._check.expect(take(branch.said, refused), f"{record.place}: {PERIOD} must be refused")

    def compare(self, balances: dict[str, Balance], moved_on: dict[str, set[int]], branch: Branch) -> None:
        """Hold the balances, and where late entries were moved to, against what the commands make."""
        for key, problem in self._problems:
            self._check.expect(key in self._unsure, problem)
        for cause, what in list(branch.said):
            if cause.partition("\0")[0] in self._unsure and what.startswith("refused:account_"):
                del branch.said[cause, what]
        for key, (status, limits, frozen) in self._known.items():
            if key in self._unsure:
                continue
            balance = balances.get(key)
            if balance is None:
                self._check.expect(False, f"{key} was opened and has no balance")
                continue
            wanted = (status, limits.overdraft, limits.minimum or None, limits.maximum, FROZEN[frozen])
            said = (
                *(balance.status, balance.overdraft_limit_minor, balance.minimum_balance_minor),
                *(balance.maximum_balance_minor, balance.frozen),
            )
            if branch.clock.behind and key in self._timed:
                wanted, said = (wanted[0], wanted[4]), (said[0], said[4])  # type: ignore[assignment]
            self._check.expect(said == wanted, f"{key} is {said}, its commands make it {wanted}")
        for tenant, ends in moved_on.items():
            for end in ends - set(self._ends.get(tenant, ())):
                self._periods.fail(f"{tenant}: an entry was moved on from {end}, where no period ends")


def _must_be_refused(name: str, fields: dict[str, Any], known: Standing | None) -> bool:
    if name == "AccountOpened":
        return known is not None
    if name == "AccountReopened":
        return known is None or known.status != CLOSED
    if known is None or known.status != OPEN:
        return True
    sides = SIDES.get(fields.get("side", ""), 0)
    if name == "AccountFrozen":
        return known.frozen & sides == sides
    return name == "AccountUnfrozen" and not known.frozen & sides
