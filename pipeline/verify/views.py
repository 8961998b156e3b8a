"""The table views held against the topics: any worker must answer for any account."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipeline.verify.balances import Balance
from pipeline.verify.report import SAYS, Check

TIMEOUT_S = 10.0
ACCOUNTS_ASKED = 100
"""How many accounts each worker is asked for."""
FIELDS = (
    "debits_pending",
    "debits_posted",
    "credits_pending",
    "credits_posted",
    "balance_minor",
    "account_sequence",
    "minimum_balance_minor",
    "maximum_balance_minor",
    "frozen",
)

Fetch = Callable[[str], tuple[int, Any]]
"""From a URL to the HTTP status and the JSON body (None where there is none)."""


def fetch_json(url: str) -> tuple[int, Any]:
    """Get a URL; status 0 where nobody answers."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return 0, None


def check_views(workers: Sequence[str], balances: Mapping[str, Balance], fetch: Fetch) -> Check:
    """Ask each worker for a spread of accounts. Without workers there is nothing to check."""
    check = Check("views", SAYS["views"])
    if not workers or not balances:
        return check
    step = max(1, len(balances) // ACCOUNTS_ASKED)
    asked = list(itertools.islice(sorted(balances), 0, None, step))[:ACCOUNTS_ASKED]
    for worker in workers:
        for key in asked:
            url = f"{worker.rstrip('/')}/balances/{quote(key)}"
            status, body = fetch(url)
            row = body.get("data") if isinstance(body, dict) else None
            if status != 200 or not isinstance(row, dict):
                check.expect(False, f"{url} answers {status}")
                continue
            wrong = [name for name in FIELDS if row.get(name) != getattr(balances[key], name)]
            check.expect(not wrong, f"{url}: {', '.join(wrong)} differ from the topic")
    return check
