"""What the streams have decided about a request: heard on the output topics, by correlation.

Every event that follows from a command has its correlation_id, which is the id of the request. Of what is
said, the first final answer counts: a repeat that was sent again is answered `exists`, later.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.domain.kernel import events as ev
from pipeline.gateway.log.hearing import REQUEST_RESULTS, Heard

EXISTS = "exists"
"""The answer to a command that was sent again: what it decided was decided before."""
PENDING_MAX, DECIDED_MAX = 20_000, 100_000

STATES: dict[type, str] = {
    ev.PaymentSettled: "settled",
    ev.PaymentRejected: "rejected",
    ev.PaymentFailed: "failed",
    ev.PaymentCancelledOutcome: "cancelled",
    ev.PaymentCapturedOutcome: "captured",
    ev.PaymentExtendedOutcome: "extended",
    ev.PaymentScheduled: "scheduled",
    ev.CommandRefused: "refused",
    ev.CommandProposed: "proposed",
    ev.ProposalDecided: "decided",
    ev.BreakChanged: "applied",
    ev.BreakResolved: "applied",
    ev.CorrectionProposed: "applied",
    ev.ItemMatched: "applied",
    ev.BreakActionRefused: "refused",
    ev.PositionUpdated: "applied",
}
"""What an event says of the command behind it; `_state_of` has those that say it by their content."""
JOURNALS = {
    "HELD": "held",
    "POSTED": "posted",
    "REFUSED": "refused",
    "VOIDED": "voided",
    "EXPIRED": "expired",
    "SCHEDULED": "scheduled",
}
REFUSALS = frozenset({"rejected", "failed", "refused"})
DECIDED = frozenset({"accounts", "payments", "journals", "approvals", "break-actions", "trades"})
"""Topics of commands that are answered; of others, that they are in the log is all there is to say."""


class Decision(NamedTuple):
    """What has become of a command."""

    state: str
    """settled, rejected, held, refused, proposed, ... as the events are called."""
    code: str
    """The result code; `ok` where there is none."""
    event_id: str
    at: int
    """Event time, microseconds UTC."""
    account_sequence: int | None
    """How many postings the keyed account has had by it; None where it has had none by it."""

    @property
    def is_refusal(self) -> bool:
        """Whether nothing of the command has happened."""
        return self.state in REFUSALS


class _Pending:
    """A request whose command is not decided yet."""

    def __init__(self, key: str, topic: str) -> None:
        self.key, self.topic = key, topic
        self.is_held = False
        """Whether its payment is to be held once it is reserved."""
        self.sequence: int | None = None

    def look_at(self, event: Any) -> Decision | None:
        """Take note of an event that follows from its command; return the decision that it is."""
        if type(event) is ev.PaymentScreened:
            self.is_held = event.outcome == "REVIEW" or bool(event.hold) or event.hold_expires_at is not None
        if type(event) in (ev.PostingRecorded, ev.BalanceUpdated):
            self.sequence = max(self.sequence or 0, event.account_sequence)
        state, code = self._state_of(event), getattr(event, "code", None) or "ok"
        if state is None or code == EXISTS:
            return None
        return Decision(state, code, event.event_id, event.occurred_at, self.sequence)

    def _state_of(self, event: Any) -> str | None:
        kind = type(event)
        if kind is ev.PaymentReserved:
            return "held" if self.is_held else None  # else it goes on by itself
        if kind is ev.JournalUpdated:
            return JOURNALS.get(event.state)
        if kind is ev.BalanceUpdated:
            return "applied" if self.topic == "accounts" else None
        return STATES.get(kind)


class Decisions:
    """The decisions about requests that were claimed since this gateway started, at whichever gateway.

    At most PENDING_MAX wait, and DECIDED_MAX are kept: the oldest go first.
    """

    def __init__(self, decode: Callable[[Heard], Any]) -> None:
        self._decode = decode
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._by_key: dict[str, dict[str, _Pending]] = {}
        self._decided: OrderedDict[str, tuple[str, Decision]] = OrderedDict()
        self._waiting: dict[str, list[asyncio.Future[Decision]]] = {}

    def hear(self, heard: Heard) -> None:
        """Look at a record of any topic."""
        if heard.topic == REQUEST_RESULTS:
            return self._claimed(self._decode(heard))
        key = "/".join(heard.key.split("/", 2)[:2])  # a position's has the instrument, too
        pending = self._by_key.get(key)
        if pending is None:
            return
        here = [name for name in pending if name.encode() in heard.value]
        event = self._decode(heard) if here else None
        if event is not None and (one := pending.get(event.correlation_id)) is not None:
            decision = one.look_at(event)
            if decision is not None:
                self._decide(event.correlation_id, one, decision)

    def get(self, request: str) -> Decision | None:
        """Return the decision about a request, None where there is none that is known here."""
        found = self._decided.get(request)
        return None if found is None else found[1]

    def key_of(self, request: str) -> str | None:
        """Return the key of the command of a decided request: tenant and account."""
        found = self._decided.get(request)
        return None if found is None else found[0]

    async def within(self, request: str, seconds: float) -> Decision | None:
        """Return the decision about a request, None where there is none in time."""
        if request in self._decided or request not in self._pending or seconds <= 0:
            return self.get(request)
        decided: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(request, [])
        waiting.append(decided)
        try:
            return await asyncio.wait_for(decided, seconds)
        except TimeoutError:
            return None
        finally:
            waiting.remove(decided)
            if not waiting:
                self._waiting.pop(request, None)

    def _claimed(self, answered: Any) -> None:
        if type(answered) is not ev.RequestAnswered or answered.answer == "CONFLICT" or answered.sent:
            return
        request, command = answered.request_id, answered.commands[0]
        if request in self._pending or request in self._decided or command.topic not in DECIDED:
            return
        one = _Pending(command.key, command.topic)
        self._pending[request] = one
        self._by_key.setdefault(command.key, {})[request] = one
        if len(self._pending) > PENDING_MAX:
            self._drop(next(iter(self._pending)))

    def _decide(self, request: str, one: _Pending, decision: Decision) -> None:
        self._drop(request)
        self._decided[request] = one.key, decision
        if len(self._decided) > DECIDED_MAX:
            self._decided.popitem(last=False)
        for decided in self._waiting.get(request, ()):
            if not decided.done():
                decided.set_result(decision)

    def _drop(self, request: str) -> None:
        one = self._pending.pop(request)
        here = self._by_key[one.key]
        del here[request]
        if not here:
            del self._by_key[one.key]
