"""What the load generator planted (its manifests), held against what the streams said.

A manifest is a file of JSON lines; this is its contract with `ledgerflow load`:

    {"line": "planted", "kind", "name", "tenant_id", "expected": {...},
     "records": [[topic, partition, offset], ...]}

`expected` may hold
    dead_letter  true: each of the records is a dead letter
    alert        payment ids, at least one of which must have a fraud alert, and none more than one
    outcome      {payment_id, code, event}: what the ledger must have said of the payment; `event` may be null
    journal      {journal_id, code, state}: what must have become of a journal of many legs; `state` may be
                 null, or CommandRefused, of a command on it
    late         {journal_id, after}: the journal is posted, and counts after that time
    refused      {account_id, code}: a command on the account was refused with the code
    overdrawn    {account_id}: a back-dated debit overdraws the account's past, and that was said
    break        {kind, account_id, statement_id, line_no, payment_id}: a break that must have been opened;
                 what is null may be anything; payment_id stands for the payment's posting on the account;
                 manifests of earlier releases have `type` instead of `kind`
    matched      {account_id, payment_id, statement_id, line_no, tier}: the payment's posting on the account,
                 or where there is no payment the line, is matched in the end, by the tier; what is null or
                 not there may be anything
Lines of another kind are passed over. A run that was killed leaves a manifest that is good as far as it goes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.verify.dead import DeadLetters, Place
from pipeline.verify.findings import Findings, about
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    ALERTS,
    HISTORY_ALERTS,
    JOURNAL_EVENTS,
    PAYMENT_EVENTS,
    POSTINGS,
    RESULTS,
)


@dataclass
class Planted:
    """One planted thing."""

    name: str
    tenant_id: str
    expected: dict[str, Any]
    places: list[Place]
    manifest: str

    def payment(self, payment_id: str) -> str:
        """Return the key of a payment, a journal or an account of the same tenant."""
        return f"{self.tenant_id}/{payment_id}"


def read_manifests(paths: Iterable[Path]) -> list[Planted]:
    """Return what the manifests plant; a last line that was cut off by a kill is left out.

    Raises OSError, and ValueError for a line that is no JSON and not the last of its file.
    """
    found = []
    for path in paths:
        lines = path.read_text("utf-8").splitlines()
        for number, text in enumerate(lines, 1):
            try:
                line = json.loads(text)
            except ValueError:
                if number == len(lines):
                    break
                raise ValueError(f"{path.name}:{number} is no JSON") from None
            if line.get("line") == "planted":
                places = [Place(*place) for place in line["records"]]
                found.append(
                    Planted(
                        f"{line['kind']} {line['name']}",
                        line["tenant_id"],
                        line["expected"],
                        places,
                        path.name,
                    )
                )
    return found


class PlantedChecks:
    """Is shown what the streams say, and judges what was planted when everything has been read."""

    def __init__(self, findings: Findings, items: list[Planted]) -> None:
        self._findings = findings
        self._items = items
        self._watched = {key for item in items for key in _watched(item)}
        self._alerts: Counter[str] = Counter()
        """Of the watched payments."""
        self._said: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        """Of watched payments and journals: what became of them, and its code."""
        self._counts: defaultdict[str, set[int]] = defaultdict(set)
        """Of watched journals: when their postings count."""
        self._postings: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Ids of the postings of watched payments, by payment and account."""
        self._refused: set[tuple[str, str]] = set()
        """Watched accounts, and the codes with which commands on them were refused."""
        self._overdrawn: set[str] = set()
        """Watched accounts whose past is overdrawn."""
        self._breaks: list[dict[str, Any]] = []
        self._matched: defaultdict[tuple[str, Any], set[str]] = defaultdict(set)
        """By tenant, and posting id or account, statement and number of a line: by which tiers."""

    @property
    def listeners(self) -> Mapping[str, Callable[[Record], None]]:
        """What is to be shown the records of each topic."""
        if not self._items:
            return {}
        return {
            ALERTS: self._alert,
            PAYMENT_EVENTS: self._answer,
            JOURNAL_EVENTS: self._answer,
            POSTINGS: self._posting,
            HISTORY_ALERTS: self._past,
            RESULTS: self._result,
        }

    def _alert(self, record: Record) -> None:
        key = f"{record.fields.get('tenant_id')}/{record.fields.get('payment_id')}"
        if key in self._watched:
            self._alerts[key] += 1

    def _answer(self, record: Record) -> None:
        fields = record.fields
        if "code" not in fields:
            return
        key = f"{fields['tenant_id']}/{fields.get('account_id')}"
        if record.event == "CommandRefused" and key in self._watched:
            self._refused.add((key, fields["code"]))
        for name in ("payment_id", "journal_id"):
            key = f"{fields['tenant_id']}/{fields.get(name)}"
            if key in self._watched:
                self._said[key].add((fields.get("state") or record.event or "", fields["code"]))

    def _past(self, record: Record) -> None:
        key = f"{record.fields.get('tenant_id')}/{record.fields.get('account_id')}"
        if record.event == "PastOverdrawn" and key in self._watched:
            self._overdrawn.add(key)

    def _posting(self, record: Record) -> None:
        fields = record.fields
        if record.event != "PostingRecorded":
            return
        key = f"{fields['tenant_id']}/{fields.get('journal_id')}"
        if key in self._watched:
            effective = fields["effective_at"]
            self._counts[key].add(fields["occurred_at"] if effective is None else effective)
        key = f"{fields['tenant_id']}/{fields['payment_id']}"
        if key in self._watched:
            self._postings[key, fields["account_id"]].add(fields["posting_id"])

    def _result(self, record: Record) -> None:
        fields = record.fields
        if record.event == "BreakOpened":
            names = ("tenant_id", "type", "kind", "account_id", "statement_id", "line_no", "posting_id")
            self._breaks.append({name: fields.get(name) for name in names})
        elif record.event == "ItemMatched":
            tenant, tier = fields["tenant_id"], fields.get("tier", "")
            account, lines = fields["account_id"], (fields, *(fields.get("other_lines") or ()))
            places = [(account, line.get("statement_id"), line.get("line_no")) for line in lines]
            for thing in (*fields["posting_ids"], *places):
                self._matched[tenant, thing].add(tier)

    def run(self, dead: DeadLetters) -> None:
        """Judge every item."""
        judges: dict[str, tuple[str, Callable[[Planted, Any], str | None]]] = {
            "dead_letter": ("planted_malformed", lambda item, _: self._lost(item, dead)),
            "alert": ("planted_frauds", self._not_alerted),
            "outcome": ("planted_outcomes", self._other_outcome),
            "journal": ("planted_journals", self._other_journal),
            "late": ("planted_journals", self._too_early),
            "refused": ("planted_outcomes", self._not_refused),
            "overdrawn": ("planted_outcomes", self._not_overdrawn),
            "break": ("planted_breaks", self._no_break),
            "matched": ("planted_breaks", self._not_matched),
        }
        for item in self._items:
            for part, (check, judge) in judges.items():
                if item.expected.get(part):
                    self._findings.count(check)
                    text = judge(item, item.expected[part])
                    if text is not None:
                        self._findings.wrong(about(check, f"{item.name}: {text}"))

    # --- each returns what is wrong, or None

    def _lost(self, item: Planted, dead: DeadLetters) -> str | None:
        lost = [place for place in item.places if place not in dead]
        return f"{lost[0]} is no dead letter" if lost else None

    def _not_alerted(self, item: Planted, payment_ids: list[str]) -> str | None:
        counts = [self._alerts[item.payment(payment_id)] for payment_id in payment_ids]
        return None if max(counts) == 1 else f"{counts} alerts for {', '.join(payment_ids)}"

    def _other_outcome(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        return self._other(item.payment(expected["payment_id"]), expected["event"], expected["code"])

    def _other_journal(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        return self._other(item.payment(expected["journal_id"]), expected["state"], expected["code"])

    def _other(self, key: str, event: str | None, code: str) -> str | None:
        said = self._said.get(key, set())
        if any(code == other and event in (None, name) for name, other in said):
            return None
        got = ", ".join(sorted(map(":".join, said))) or "nothing"
        return f"{key} got {got}, not {event or 'any'}:{code}"

    def _too_early(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        key = item.payment(expected["journal_id"])
        counts = self._counts.get(key, set())
        if counts and min(counts) > expected["after"]:
            return None
        return f"{key} counts at {counts}, not after {expected['after']}"

    def _not_refused(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        key = item.payment(expected["account_id"])
        said = (key, expected["code"]) in self._refused
        return None if said else f"no command on {key} was refused with {expected['code']}"

    def _not_overdrawn(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        key = item.payment(expected["account_id"])
        return None if key in self._overdrawn else f"nobody said that the past of {key} is overdrawn"

    def _no_break(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        account = expected["account_id"]
        wanted = {"tenant_id": item.tenant_id, "account_id": account}
        names = ("kind", "type", "statement_id", "line_no")
        wanted |= {name: value for name in names if (value := expected.get(name)) is not None}
        postings = None
        if expected["payment_id"] is not None:
            postings = self._postings.get((item.payment(expected["payment_id"]), account), set())
        for found in self._breaks:
            if wanted.items() <= found.items() and (postings is None or found["posting_id"] in postings):
                return None
        where = f"(statement {expected['statement_id']}, line {expected['line_no']})"
        name = expected.get("kind") or expected.get("type")
        return f"no {name} break on {item.tenant_id}/{account} {where}"

    def _not_matched(self, item: Planted, expected: Mapping[str, Any]) -> str | None:
        account, tier = expected["account_id"], expected.get("tier")
        if expected["payment_id"] is None:
            things: set[Any] = {(account, expected["statement_id"], expected["line_no"])}
            text = f"line {expected['line_no']} of statement {expected['statement_id']}"
        else:
            payment = item.payment(expected["payment_id"])
            things = set(self._postings.get((payment, account), ()))
            text = f"the posting of {payment}"
        for thing in things:
            tiers = self._matched.get((item.tenant_id, thing), set())
            if tiers and tier in (None, *tiers):
                return None
        return f"{text} was never matched" + (f" by {tier}" if tier else "")


def _watched(item: Planted) -> Iterator[str]:
    """Yield the payments, journals and accounts whose fate must be known to judge an item."""
    for part in ("refused", "overdrawn"):
        if part in item.expected:
            yield item.payment(item.expected[part]["account_id"])
    for part in ("outcome", "break", "matched", "journal", "late"):
        expected = item.expected.get(part) or {}
        identity = expected.get("payment_id") or expected.get("journal_id")
        if identity is not None:
            yield item.payment(identity)
    for payment_id in item.expected.get("alert") or ():
        yield item.payment(payment_id)
