"""Commands that are older than ids are recognised: what they repeat or name may be forgotten by now.

They are refused by their time alone, before a row is looked at, move no event time, and their ids are not
remembered. So the answer is the same whether what they are about was deleted yet or not. Changes of accounts
are refused by `account_changes`; an account is opened once, however old its opening is.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger import link_commands
from pipeline.domain.ledger.journal_home import refuse_too_old
from pipeline.domain.ledger.not_yet import refuse_by_time
from pipeline.domain.ledger.outputs import announce
from pipeline.domain.ledger.retention import OF_JOURNALS, OF_PAYMENTS, Retention

CODE = "too_old"


def answer_too_old(retention: Retention, event: Any, at: Arrival, rows: Rows, out: Outbox) -> bool:
    """Refuse a command that names payments or a journal, if it is too old; return whether it is."""
    kind = type(event)
    if kind not in OF_PAYMENTS and kind not in OF_JOURNALS and kind is not ev.PaymentsLinkDecided:
        return False
    if not retention.is_too_old(event, rows):
        return False
    if kind is ev.PaymentsLinkDecided:
        link_commands.reject_too_old(event, rows, out)
    elif kind is ev.PaymentDecided:
        announce(out, event, event, "payment_rejected", CODE)
    elif kind is ev.JournalSubmitted:
        refuse_too_old(event, at, rows, out)
    else:
        refuse_by_time(event, CODE, out)
    return True
