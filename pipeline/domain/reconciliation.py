"""Reconciliation of the nostro accounts of one partition: our postings against the bank's statement lines.

    posting_recorded, statement_line -> item_matched | wait -> break_opened -> (a later arrival) break_resolved
    statement_closed                 -> is the statement sound in itself (reconciliation_statements)

Signs: amounts are signed from the account holder's view, a credit is positive. A CREDIT posting on the nostro
account is +, a DEBIT posting is -, and a statement line has the same sign as the posting it mirrors.

Matching, in this order; among several the first by the order in brackets:

1. REFERENCE: external_reference equals the posting's reference, payment_id or entry_id, and the amounts agree
   (amount difference, nearest date, lowest sequence). At once, at any distance of dates.
   If only the amount differs: an AMOUNT break on both, at once.
2. AMOUNT_DATE: the amounts agree and the dates lie within the window (nearest date, lowest sequence). A line that
   carries a reference takes part only when its grace has run out: until then the posting it names may still
   come, and what another line will name must not be taken from it.

Amounts agree if they have the same currency and sign and differ by no more than the tolerance that is set.
An item is claimed once, for good. A line that repeats the reference and amount of a line already matched is a
DUPLICATE: within the date window, or at any date if the reference is an id of ours. An item without a counterpart
when its grace has run out is MISSING_INTERNAL (a line) or MISSING_EXTERNAL (a posting).

Time is event time: an account's watermark is the latest min(occurred_at, recorded_at) of its events, so a clock
that runs ahead cannot push it. An item falls due `grace_days` after it happened: a posting at its occurred_at, a
line when the bank booked it. An account on which nothing happens any more does not move.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from pipeline.domain import events as ev
from pipeline.domain.outbox import Arrival, Outbox, Reject
from pipeline.domain.reconciliation_results import (
    AMOUNT_LIMIT,
    ReconciliationRules,
    Scope,
    Subject,
    break_id_of,
    emit_match,
    line_subject,
    open_break,
    posting_subject,
    read_break,
    resolve_break,
)
from pipeline.domain.reconciliation_rows import (
    AMOUNT,
    CANDIDATES_MAX,
    CLAIMED,
    DUPLICATE,
    LAYOUT,
    MISSING,
    OPEN,
    Claim,
    Line,
    Posting,
    Statement,
    amount_prefixes,
    break_key,
    chain_key,
    claim_key,
    due_prefix,
    line_key,
    pack,
    posting_key,
    read,
    scan_items,
    sortable,
    statement_key,
    watermark_key,
    write_item,
)
from pipeline.domain.reconciliation_statements import (
    check_chain,
    check_statement,
    says_the_same,
    with_closing,
    with_line,
)
from pipeline.domain.rows import Rows, row_key

DUE_MAX = 100
"""How many due items one event settles; the rest wait for the account's next event."""
