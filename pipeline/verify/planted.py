"""What the load generator planted (its manifests), held against what the streams said.

A manifest is a file of JSON lines; this is its contract with `ledgerflow load`:

    {"line": "planted", "kind", "name", "tenant_id", "expected": {...},
     "records": [[topic, partition, offset], ...]}

`expected` may hold
    dead_letter  true: each of the records is a dead letter
    alert        payment ids, at least one of which must have a fraud alert
    outcome      {payment_id, code, event}: what the ledger must have said of the payment; `event` may be null
    journal      {journal_id, code, state}: what must have become of a journal of many legs; `state` may be
                 null, or CommandRefused, of a command on it
    late         {journal_id, after}: the journal is posted, and counts after that time
    break        {type, account_id, statement_id, line_no, payment_id}: a break that must have been opened;
                 what is null may be anything; payment_id stands for the payment's posting on the account
    matched      {account_id, payment_id}: the payment's posting on the account is matched in the end
Lines of another kind are passed over. A run that was killed leaves a manifest that is good as far as it goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.verify.dead import DeadLetters, Place
from pipeline.verify.journal import Journal
from pipeline.verify.legs import Legs
from pipeline.verify.payments import Payments
from pipeline.verify.reconciliation import Break, Reconciliation
from pipeline.verify.report import Check


@dataclass
class Planted:
    """One planted thing."""

    name: str
    tenant_id: str
    expected: dict[str, Any]
    places: list[Place]
    manifest: str

    def payment(self, payment_id: str) -> str:
        """Return the key of a payment, or of a journal, of the same tenant."""
        return f"{self.tenant_id}/{payment_id}"

    @property
    def watch(self) -> Iterator[str]:
        """The payments and journals whose fate must be known to judge this item."""
        for part in ("outcome", "break", "matched", "journal", "late"):
            expected = self.expected.get(part, {})
            identity = expected.get("payment_id") or expected.get("journal_id")
            if identity is not None:
                yield self.payment(identity)


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
    """Judges what was planted, when everything has been read."""

    def __init__(self, items: list[Planted]) -> None:
        self._items = items
        self.watch = {payment for item in items for payment in item.watch}

    def run(
        self,
        dead: DeadLetters,
        payments: Payments,
        legs: Legs,
        journal: Journal,
        reconciliation: Reconciliation,
        alerted: set[str],
    ) -> list[Check]:
        """Return one check per kind of expectation. `alerted`: tenant/payment of every fraud alert."""
        return [
            self._dead_letters(dead),
            self._alerts(alerted),
            self._outcomes(payments),
            self._journals(legs, journal),
            self._breaks(journal, reconciliation),
        ]

    def _expecting(self, part: str) -> Iterator[tuple[Planted, Any]]:
        for item in self._items:
            if item.expected.get(part):
                yield item, item.expected[part]

    def _dead_letters(self, dead: DeadLetters) -> Check:
        check = Check("planted_malformed", "Every planted malformed record is a dead letter.")
        for item, _ in self._expecting("dead_letter"):
            for place in item.places:
                topic, partition, offset = place
                check.expect(place in dead, f"{item.name}: {topic}[{partition}]@{offset} is no dead letter")
        return check

    def _alerts(self, alerted: set[str]) -> Check:
        check = Check("planted_frauds", "Every planted fraud has raised an alert.")
        for item, payment_ids in self._expecting("alert"):
            found = any(item.payment(payment_id) in alerted for payment_id in payment_ids)
            check.expect(found, f"{item.name}: no alert for {item.payment(payment_ids[-1])}")
        return check

    def _outcomes(self, payments: Payments) -> Check:
        check = Check("planted_outcomes", "Every planted retry and refusal got the answer that it must get.")
        for item, expected in self._expecting("outcome"):
            key = item.payment(expected["payment_id"])
            check.expect(
                *_found(item, key, payments.seen.get(key, set()), expected["event"], expected["code"])
            )
        return check

    def _journals(self, legs: Legs, journal: Journal) -> Check:
        check = Check(
            "planted_journals", "Every planted journal became what it must, and counts when it must."
        )
        for item, expected in self._expecting("journal"):
            key = item.payment(expected["journal_id"])
            check.expect(*_found(item, key, legs.seen.get(key, set()), expected["state"], expected["code"]))
        for item, expected in self._expecting("late"):
            key = item.payment(expected["journal_id"])
            counts = journal.effective.get(key, set())
            right = bool(counts) and min(counts) > expected["after"]
            check.expect(right, f"{item.name}: {key} counts at {counts}, not after {expected['after']}")
        return check

    def _breaks(self, journal: Journal, reconciliation: Reconciliation) -> Check:
        check = Check("planted_breaks", "Every planted break was opened, every late line matched.")
        by_kind: dict[tuple[str, str, str], list[Break]] = {}
        for key, found in reconciliation.breaks.items():
            by_kind.setdefault((key.partition("/")[0], found.account_id, found.type), []).append(found)
        for item, expected in self._expecting("break"):
            candidates = by_kind.get((item.tenant_id, expected["account_id"], expected["type"]), [])
            postings = None
            if expected["payment_id"] is not None:
                postings = journal.watched.get(item.payment(expected["payment_id"]), set())
            check.expect(
                any(_is_it(found, expected, postings) for found in candidates),
                f"{item.name}: no {expected['type']} break on {item.tenant_id}/{expected['account_id']}"
                f" (statement {expected['statement_id']}, line {expected['line_no']})",
            )
        for item, expected in self._expecting("matched"):
            payment = item.payment(expected["payment_id"])
            matched = journal.watched.get(payment, set()) & reconciliation.matched
            check.expect(bool(matched), f"{item.name}: the posting of {payment} was never matched")
        return check


def _found(
    item: Planted, key: str, seen: set[tuple[str, str]], event: str | None, code: str
) -> tuple[bool, str]:
    """Return whether what was said of a payment or a journal is what must be, and the problem if not."""
    said = ", ".join(sorted(map(":".join, seen))) or "nothing"
    found = any(code == other and event in (None, name) for name, other in seen)
    return found, f"{item.name}: {key} got {said}, not {event or 'any'}:{code}"


def _is_it(found: Break, expected: dict[str, Any], postings: set[str] | None) -> bool:
    """Whether a break of the right type and account is the one that is expected."""
    for name in ("statement_id", "line_no"):
        if expected[name] is not None and getattr(found, name) != expected[name]:
            return False
    return postings is None or found.posting_id in postings
