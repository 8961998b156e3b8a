"""Judges one partition of scored reconciliation: what its results say of its log, in one pass.

    record of reconciliation-items, and the results that it has caused -> MatchJudge.follow -> what is wrong
    the end of the log                                                  -> MatchJudge.end

It decides nothing again: it holds what was said against items, weights, people and time. A partition keeps
its open items, and ended ones as long as the stream does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipeline.verify.model.match_desk import Desk
from pipeline.verify.model.match_earlier import is_earlier, take_earlier
from pipeline.verify.model.match_fields import check_refused
from pipeline.verify.model.match_items import Account, Item, line_of, posting_of
from pipeline.verify.model.match_lives import Lives
from pipeline.verify.model.match_people import Asked, asked_of, check_confirmed, check_refusal
from pipeline.verify.model.match_weights import Publications, read_weights
from pipeline.verify.model.matches import Terms, claimed, undone
from pipeline.verify.model.record import Record
from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS
from pipeline.verify.model.stream import Wrong
from pipeline.verify.model.wire import DAY_US, STATEMENT_EVENTS

KEEP_DAYS = max(DUPLICATES_DAYS, REVERSALS_DAYS)
MATCHES = ("ItemMatched", "PostingsNetted")
ONLY_TIME = ("BranchTicked", "RateQuoted", "MatchingWeightsPublished")
"""Events of no account."""


class MatchJudge:
    """One partition."""

    def __init__(
        self,
        default_weights: str | None = None,
        keep_days: int = KEEP_DAYS,
        write_off: Callable[[str], dict[str, str]] | None = None,
    ) -> None:
        """`default_weights`: the text of the weights that come with the product, where it is known;
        `write_off`: a tenant's accounts for write-offs by currency, where they are."""
        default = None if default_weights is None else read_weights(default_weights)
        self.weights = Publications(default)
        self.keep_us = keep_days * DAY_US
        self.write_off = write_off
        self.clock = 0
        """The latest event time of the partition."""
        self.rated: set[str] = set()
        """Tenants that have rates."""
        self.desks: dict[tuple[str, str], Desk] = {}
        self.wrongs: list[Wrong] = []

    def say(self, name: str, text: str) -> None:
        """Note what is wrong."""
        self.wrongs.append(Wrong(name, text))

    def follow(
        self,
        record: Record,
        results: Sequence[Record],
        is_dead: bool = False,
        asked: Sequence[Record] = (),
    ) -> list[Wrong]:
        """Follow a record of the log; return what is wrong.

        `is_dead`: it is a dead letter; `asked`: the journals that it asks the ledger for.
        """
        self.wrongs = []
        event, name = record.fields, record.event or ""
        if is_dead:
            if results:
                self.say("dead", f"a dead letter has caused {results[0].event}")
            return self.wrongs
        at = min(event["occurred_at"], record.timestamp_ms * 1000)
        self.clock = max(self.clock, at)
        if name in ONLY_TIME:
            self.broadcast(name, event)
            for said in results:
                self.say("cause", f"{name} has caused {said.event}")
            return self.wrongs
        desk = self.desk(event)
        if not self.is_repeat(desk, name, event):
            self.move(desk.account, name, at)
            if any(is_earlier(desk, said) for said in results):
                self.arrive(desk, name, event, results)
                take_earlier(desk, results)
                return self.wrongs
            desk.is_waiting_for_its_turn = False
            desk.lives.begin(desk.account.time, name, event, results, asked, self.say)
        self.apply(desk, name, event, results)
        return self.wrongs

    def end(self) -> list[Wrong]:
        """Return what is wrong at the end of a log that is at rest."""
        self.wrongs = []
        for desk in self.desks.values():
            if not desk.is_waiting_for_its_turn:
                desk.waiting.end(desk.account, self.clock, self.say)
            desk.chain.end(desk.account.time, self.say)
        return self.wrongs

    def desk(self, event: dict[str, Any]) -> Desk:
        owner = (event["tenant_id"], event["account_id"])
        if owner not in self.desks:
            account = Account(*owner, clock=self.clock)
            write_off = None if self.write_off is None else self.write_off(owner[0])
            self.desks[owner] = Desk(account, Lives(account, write_off, self.keep_us))
        return self.desks[owner]

    def account(self, event: dict[str, Any]) -> Account | None:
        """Return the account of an event, where it is known."""
        desk = self.desks.get((event["tenant_id"], event["account_id"]))
        return None if desk is None else desk.account

    def is_much(self, event: dict[str, Any]) -> bool:
        """Whether a line may be more than its statement can have."""
        desk = self.desks.get((event["tenant_id"], event["account_id"]))
        return desk is not None and desk.chain.is_much(event)

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield the breaks that are open, as they were opened."""
        for (tenant, account), desk in self.desks.items():
            for break_id, found in desk.breaks.known.items():
                if found.is_open:
                    about = {"tenant_id": tenant, "account_id": account, "break_id": break_id}
                    yield {**about, **found.shown}

    @staticmethod
    def is_repeat(desk: Desk, name: str, event: dict[str, Any]) -> bool:
        """Whether an event is an item or a closing that came before: it has no effect."""
        if name == "PostingRecorded":
            return event["posting_id"] in desk.account.postings
        return name in STATEMENT_EVENTS and desk.chain.is_repeat(event)

    def may_cause(self, name: str, event: dict[str, Any], said: Record) -> bool:
        """Whether an event may have caused a result that names it: several events may have one id."""
        desk = self.desks.get((event["tenant_id"], event["account_id"]))
        place = (event.get("statement_id", ""), event.get("line_no"))
        if name in STATEMENT_EVENTS and is_about(said, place):
            return desk is not None and desk.chain.is_taken(event)
        fields = said.fields
        is_of_it = name == "StatementClosed" and fields.get("statement_id") == place[0]
        if is_of_it and fields.get("currency", event["currency"]) != event["currency"]:
            return False
        is_over = name in ("PostingRecorded", "StatementClosed")
        return desk is None or not (is_over and self.is_repeat(desk, name, event))

    def broadcast(self, name: str, event: dict[str, Any]) -> None:
        if name == "RateQuoted":
            self.rated.add(event["tenant_id"])
        elif name == "MatchingWeightsPublished":
            self.weights.publish(event, self.say)

    def move(self, account: Account, name: str, at: int) -> None:
        """Let an account's time go on: by its own events, and as the branch's does where it is quiet."""
        account.before = account.time
        if name == "ReconciliationContinued":
            account.time += max(0, self.clock - account.clock)
        else:
            account.time = max(account.time, at) if account.events else at
        account.clock = self.clock
        account.events += 1

    # --- one event

    def apply(self, desk: Desk, name: str, event: dict[str, Any], results: Sequence[Record]) -> None:
        """Apply an event of an account, and what it has caused."""
        account = desk.account
        refused = next((one.fields for one in results if one.event == "BreakActionRefused"), None)
        is_conflict = self.arrive(desk, name, event, results)
        asked = asked_of(account, name, event)
        if refused is not None:
            check_refused(name, event, refused, self.say)
            check_refusal(account, name, asked, refused, self.say)
        elif name == "CorrectionApproved":
            desk.breaks.approved(event, self.say)
        elif name == "MatchRejected":
            self.reject(desk, asked)
        self.take_back(desk, results)
        now_matched: list[Item] = []
        for said in results:
            now_matched += self.result(desk, name, said, is_conflict)
        if name == "MatchConfirmed" and refused is None:
            check_confirmed(asked, now_matched, self.say)
        self.finish(desk, now_matched, results)

    def arrive(self, desk: Desk, name: str, event: dict[str, Any], results: Sequence[Record]) -> bool:
        """Take in an item or a closing; return whether it is content under a taken number."""
        account = desk.account
        if name == "PostingRecorded":
            if event["posting_id"] not in account.postings:
                item = posting_of(event, account.time)
                account.postings[event["posting_id"]] = item
                account.arrive(item)
                desk.waiting.wait(account, item, max(account.time, item.day * DAY_US))
        elif name == "StatementLine":
            place = (event["statement_id"], event["line_no"])
            if any(is_about(one, place) for one in results) or desk.chain.is_conflict(event):
                desk.chain.conflict(event)
                return True
            desk.chain.line(event)
            item = line_of(event, account.time)
            if item.amount and item.kind != "INFORMATION" and account.come(item):
                desk.waiting.wait(account, item, max(account.time, item.booked_day * DAY_US))
        elif name == "StatementClosed":
            desk.chain.close(event, any(is_about(one, (event["statement_id"], None)) for one in results))
        return False

    def reject(self, desk: Desk, asked: Asked) -> None:
        """A person says that items are not one thing."""
        if asked.unknown:
            self.say("rejection", f"{asked.unknown[0]} is not known, and it was not refused")
        for item in undone(desk.account, list(asked.items), self.say):
            self.free(desk, item)

    def free(self, desk: Desk, item: Item) -> None:
        """Let an item wait again."""
        desk.account.open(item)
        if item.break_id is None:
            desk.waiting.wait(desk.account, item, desk.account.time)

    def take_back(self, desk: Desk, results: Sequence[Record]) -> None:
        """Undo the matches of corrections that the ledger has taken back."""
        for one in results:
            if one.event != "BreakChanged" or one.fields["change"] != "CORRECTION_TAKEN_BACK":
                continue
            found = desk.breaks.known.get(one.fields["break_id"])
            match = None if found is None or found.item is None else found.item.match
            if match is not None and match.tier == "CORRECTION":
                for item in match.items:
                    self.free(desk, item)

    def result(self, desk: Desk, name: str, said: Record, is_conflict: bool) -> list[Item]:
        """Follow one result; return the items that it claims."""
        event, account = said.fields, desk.account
        if said.event in MATCHES:
            if event["tier"] == "PERSON" and name != "MatchConfirmed":
                self.say("person", f"a match of a person, caused by {name}")
            if said.event == "ItemMatched":
                self.weights.check_match(account.tenant, account.time, event, self.say)
            match = claimed(account, event, self.terms(account.tenant, event), self.say)
            return list(match.items) if match else []
        if said.event == "MatchSuggested":
            self.suggest(desk, event)
        elif said.event == "BreakOpened":
            opened = desk.breaks.opened(account, event, is_conflict, self.say)
            desk.lives.opened(event, account.time)
            if not opened.is_of_item:
                desk.chain.opened(event["break_id"], event, account.time, self.say)
            elif opened.item is not None:
                desk.waiting.ended(opened.item)
        elif said.event == "BreakResolved":
            desk.breaks.resolved(event, account.time, self.say)
            desk.chain.resolved(event["break_id"])
        elif said.event == "BreakChanged":
            if event["change"] == "CORRECTION_APPROVED" and name != "CorrectionApproved":
                self.say("program approves", f"a correction is approved by {name}")
            desk.lives.changed(event, account.time, self.say)
            changed = desk.breaks.changed(event, self.say)
            if changed is not None and changed.is_open and changed.item is not None:
                desk.waiting.ended(changed.item)
        elif said.event == "CorrectionProposed":
            desk.breaks.proposed(event, self.say)
        elif said.event != "BreakActionRefused":
            self.say("cause", f"{said.event} is no result of reconciliation")
        return []

    def terms(self, tenant: str, said: dict[str, Any]) -> Terms:
        """Return what a match that was said goes by."""
        weights = self.weights.named(said.get("weights_sha256"))
        has_margin = weights is not None and weights.margin > 0
        return Terms(bool(self.rated & {tenant, "*"}), has_margin, weights is self.weights.default)

    def suggest(self, desk: Desk, said: dict[str, Any]) -> None:
        """Something may belong to an item."""
        account = desk.account
        self.weights.check_suggestion(account.tenant, account.time, said, self.say)
        by_id = said["posting_id"] is not None
        item = account.postings.get(said["posting_id"]) if by_id else account.line(said)
        if item is None:
            return self.say("unknown item", "something is suggested for what nobody knows")
        if item.match is not None and said["candidates"]:
            self.say("suggests what is matched", f"{item.name} is matched, and something is suggested for it")
        seen = [item]
        for one in said["candidates"]:
            others = [account.line(ref) for ref in one["lines"]]
            others += [account.postings.get(posting_id) for posting_id in one["posting_ids"]]
            if None in others or not others:
                self.say("unknown item", f"what is suggested for {item.name} is not known")
                continue
            known = [other for other in others if other is not None]
            seen += known
            if any(other.match is not None for other in known):
                self.say("suggests what is matched", f"for {item.name} something that is matched")
            together = frozenset((item, *known))
            if all(together in other.rejected for other in together):
                self.say("rejected before", f"a person has said what {item.name} is not")
        for one_seen in seen:
            if one_seen in desk.waiting.until and said["candidates"]:
                desk.waiting.wait(account, one_seen, account.time)
        return None

    def finish(self, desk: Desk, now_matched: list[Item], results: Sequence[Record]) -> None:
        """Look at what must hold after every event, and forget what is over."""
        account = desk.account
        for item in now_matched:
            desk.waiting.ended(item)
            item.ended_at = account.time
            desk.ended.append((account.time, item))
            if item.break_id is not None:
                self.say("break of a match", f"{item.name} is matched, and its break is open")
        for one in results:
            if one.event == "BreakResolved" and one.fields["resolution"] in ("matched", "corrected"):
                found = desk.breaks.known.get(one.fields["break_id"])
                if found is not None and found.item is not None and found.item.match is None:
                    self.say("resolution", f"the break of {found.item.name} ends, and it is not matched")
        desk.waiting.pass_time(account, self.say)
        desk.chain.check(self.say)
        desk.breaks.forget(account.time - self.keep_us)
        while desk.ended and desk.ended[0][0] + self.keep_us < account.time:
            at, item = desk.ended.popleft()
            if item.match is not None and item.ended_at == at:
                account.forget(item)


def is_about(said: Record, place: tuple[str, int | None]) -> bool:
    """Whether a result says that content came under the number of another line."""
    if said.event != "BreakOpened" or said.fields["posting_id"] is not None:
        return False
    fields = said.fields
    kind = fields.get("kind") or fields["type"]
    about = (fields["statement_id"], fields["line_no"])
    return kind == "DUPLICATE" and about == place and not fields.get("counterpart_lines")
