"""What a load has planted (its manifests), held against what the streams said."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.comparisons import Problem, place_of
from tests.chaos.log_reader import Record
from tests.chaos.wire import ALERTS, DEAD_LETTERS, JOURNAL_EVENTS, PAYMENT_EVENTS, POSTINGS, RESULTS


def compare_planted(
    planted: Iterable[Mapping[str, Any]], said: Mapping[str, Sequence[Record]]
) -> list[Problem]:
    """Check that each planted cause has its effect: one alert a payment, a dead letter, an answer, a break.

    `said`: the records of every output topic. A break or match of a payment is one of the payment's posting
    on the account that is named; what is null in an expected break may be anything.
    """
    raised = Counter((alert.fields["tenant_id"], alert.fields["payment_id"]) for alert in said[ALERTS])
    dead = {place_of(letter) for letter in said[DEAD_LETTERS]}
    answers = {
        (answer.fields["tenant_id"], answer.fields["payment_id"], answer.fields["code"])
        for answer in said[PAYMENT_EVENTS]
        if answer.fields.get("payment_id") is not None and "code" in answer.fields
    }
    became = {
        (made.fields["tenant_id"], made.fields["journal_id"], made.fields.get("state", made.event), code)
        for made in (*said[JOURNAL_EVENTS], *said[PAYMENT_EVENTS])
        if made.fields.get("journal_id") is not None and (code := made.fields["code"])
    }
    counted = defaultdict(set)
    for made in (one for one in said[POSTINGS] if one.fields.get("journal_id") is not None):
        effective = made.fields["effective_at"]
        of = made.fields["tenant_id"], made.fields["journal_id"]
        counted[of].add(made.fields["occurred_at"] if effective is None else effective)
    postings = defaultdict(set)
    for posting in (made for made in said[POSTINGS] if made.event == "PostingRecorded"):
        of = tuple(posting.fields[name] for name in ("tenant_id", "account_id", "payment_id"))
        postings[of].add(posting.fields["posting_id"])
    breaks = [made.fields for made in said[RESULTS] if made.event == "BreakOpened"]
    matched = {
        (made.fields["tenant_id"], posting_id)
        for made in said[RESULTS]
        if made.event == "ItemMatched"
        for posting_id in made.fields["posting_ids"]
    }
    found = []
    for item in planted:
        tenant, expected = item["tenant_id"], item["expected"]
        topic, partition, offset = item["records"][-1]
        place = ("planted", topic, partition, offset)
        wanted = [(tenant, payment_id) for payment_id in expected.get("alert") or ()]
        counts = [raised[key] for key in wanted]
        if wanted and (max(counts) > 1 or not any(counts)):
            found.append(Problem(*place, f"{item['name']}: alerts of its payments: {counts}"))
        if expected.get("dead_letter"):
            for lost in (tuple(one) for one in item["records"] if tuple(one) not in dead):
                found.append(Problem("planted", lost[0], lost[1], lost[2], f"{item['name']}: no dead letter"))
        outcome = expected.get("outcome")
        if outcome and (tenant, outcome["payment_id"], outcome["code"]) not in answers:
            found.append(Problem(*place, f"{item['name']}: nobody said {outcome['code']}"))
        journal, late = expected.get("journal"), expected.get("late")
        if journal:
            states = [journal["state"]] if journal["state"] else ["EXPIRED", "REFUSED"]
            if not any((tenant, journal["journal_id"], state, journal["code"]) in became for state in states):
                found.append(Problem(*place, f"{item['name']}: nobody said {journal}"))
        if late and min(counted[tenant, late["journal_id"]], default=0) <= late["after"]:
            found.append(Problem(*place, f"{item['name']}: counts in a closed period, or not at all"))
        lack = expected.get("break")
        if lack and not any(is_it(one, tenant, lack, postings) for one in breaks):
            found.append(Problem(*place, f"{item['name']}: no such break: {lack}"))
        match = expected.get("matched")
        if match:
            of = (tenant, match["account_id"], match["payment_id"])
            if not any((tenant, posting_id) in matched for posting_id in postings[of]):
                found.append(Problem(*place, f"{item['name']}: never matched: {match}"))
    return found


def is_it(
    opened: Mapping[str, Any],
    tenant: str,
    expected: Mapping[str, Any],
    postings: Mapping[tuple[Any, ...], set[str]],
) -> bool:
    """Whether a break is the one that was planted. `postings`: ids by tenant, account, payment."""
    names = ("type", "account_id", "statement_id", "line_no")
    same = all(expected[name] in (None, opened[name]) for name in names)
    payment_id = expected["payment_id"]
    of = (tenant, expected["account_id"], payment_id)
    posting = payment_id is None or opened["posting_id"] in postings.get(of, ())
    return same and posting and opened["tenant_id"] == tenant


def read_planted(manifests: Iterable[Path]) -> list[dict[str, Any]]:
    """Return what the manifests of loads say was planted; a line that a kill cut off is left out."""
    found = []
    for path in manifests:
        for text in path.read_text("utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                break
            if line.get("line") == "planted":
                found.append(line)
    return found
