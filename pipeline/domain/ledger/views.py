"""Views of the ledger: balances of accounts, journals of many legs by their id, and open proposals."""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.views import (
    ACCOUNT,
    ACCOUNT_PAGE,
    TENANT_PAGE,
    Owner,
    Row,
    Tables,
    TableView,
    ViewPage,
    end_text,
    time_text,
)
from pipeline.domain.ledger.journal_parts import left_legs, posted_legs
from pipeline.domain.ledger.journals import HELD, PREPARING, Journal, unpack_journal
from pipeline.domain.ledger.proposals import OPEN, unpack_proposal
from pipeline.domain.ledger.rows import FROZEN_NAMES, STATUS_NAMES, read_payment, unpack_account


def _balance(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    account = unpack_account(value)
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "account_type": ACCOUNT_TYPES[account.account_type],
        "currency": account.currency,
        "status": STATUS_NAMES[account.status],
        "balance_minor": account.balance_minor,
        "available_minor": account.available_minor,
        "overdraft_limit_minor": account.overdraft_limit_minor,
        "minimum_balance_minor": account.minimum_balance_minor,
        "maximum_balance_minor": account.maximum_balance_minor,
        "frozen": FROZEN_NAMES[account.frozen],
        "debits_pending": account.debits_pending,
        "debits_posted": account.debits_posted,
        "credits_pending": account.credits_pending,
        "credits_posted": account.credits_posted,
        "account_sequence": account.sequence,
    }


def _journal(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    """Return a journal of many legs, and how much of it was reversed."""
    journal = unpack_journal(value)
    return {
        "tenant_id": key[0],
        "journal_id": key[1],
        "account_id": journal.account_id,
        "state": journal.state,
        "code": journal.code,
        "leg_no": journal.leg_no,
        "reference": journal.reference,
        "reason": journal.reason,
        "reverses": journal.reverses,
        "occurred_at": time_text(journal.occurred_at),
        "effective_at": time_text(journal.effective_at),
        "execute_at": time_text(journal.execute_at),
        "hold_expires_at": end_text(journal.expires_at),
        "waiting_for": journal.waiting,
        "legs": _legs(journal),
        "reversed": [msgspec.structs.asdict(taken) for taken in journal.reversed],
    }


def _legs(journal: Journal) -> list[Row]:
    """Return the legs of a journal, how much of each is posted, and how much is still held."""
    posted = {leg.leg_no: leg.amount_minor for leg in posted_legs(journal)}
    left = left_legs(journal) if journal.state in (PREPARING, HELD) else []
    held = {leg.leg_no: leg.amount_minor for leg in left}
    return [
        {
            **msgspec.structs.asdict(leg),
            "posted_minor": posted.get(leg.leg_no, 0),
            "held_minor": held.get(leg.leg_no, 0),
        }
        for leg in journal.legs
    ]


def exchange_of(rows: Rows, tenant_id: str, payment_id: str, debtor_account_id: str) -> Row | None:
    """Return what a payment was converted to, None where it was not, or is another account's."""
    payment = read_payment(rows, tenant_id, payment_id)
    if payment is None or payment.exchange is None or payment.debtor_account_id != debtor_account_id:
        return None
    by = payment.exchange
    rate = {"rate_e8": by.rate_e8, "rate_currency": by.rate_currency, "rate_event_id": by.rate_event_id}
    return {"creditor_amount_minor": by.creditor_minor, "currency": by.currency, **rate}


def _proposal(tables: Tables, key: tuple[str, ...], value: bytes) -> Row | None:
    """Return a command that waits for a second person, None for one that was decided."""
    proposal = unpack_proposal(value)
    if proposal.state != OPEN:
        return None
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "proposal_id": key[2],
        "command": proposal.command,
        "proposed_by": msgspec.structs.asdict(proposal.maker),
        "proposed_at": time_text(proposal.proposed_at),
        "expires_at": time_text(proposal.ends_at),
        "changes": proposal.changes,
        "content_hash": proposal.content_hash,
        "content": proposal.content,
    }


BALANCES = TableView(
    name="balances",
    table="ledger",
    family="a",
    key=ACCOUNT,
    columns=(
        *ACCOUNT,
        *("account_type", "currency", "status", "balance_minor", "available_minor", "overdraft_limit_minor"),
        *("minimum_balance_minor", "maximum_balance_minor", "frozen"),
        *("debits_pending", "debits_posted", "credits_pending", "credits_posted", "account_sequence"),
    ),
    show=_balance,
    pages=(
        ViewPage(TENANT_PAGE, "Balances of a tenant's accounts"),
        ViewPage(ACCOUNT_PAGE, "Balance of one account"),
    ),
    marker="a",
)
"""Every account, the branches' own included."""
JOURNALS = TableView(
    name="journals",
    table="ledger",
    family="j",
    key=("tenant_id", "journal_id", "account_id"),
    columns=(
        *("tenant_id", "journal_id", "account_id", "state", "code", "leg_no", "reference", "reason"),
        *("reverses", "occurred_at", "effective_at", "execute_at", "hold_expires_at", "waiting_for"),
        *("legs", "reversed"),
    ),
    show=_journal,
    pages=(
        ViewPage(TENANT_PAGE, "Journals of a tenant"),
        ViewPage(
            "/{tenant}/{journal}",
            "One journal: its state, its legs, what of them is posted and held, what was taken back",
        ),
    ),
    marker="j",
    owner=Owner("account_id", "account", "journal"),
)
PROPOSALS = TableView(
    name="proposals",
    table="ledger",
    family="v",
    key=(*ACCOUNT, "proposal_id"),
    columns=(
        *(*ACCOUNT, "proposal_id", "command", "proposed_by", "proposed_at", "expires_at", "changes"),
        *("content_hash", "content"),
    ),
    show=_proposal,
    pages=(
        ViewPage(TENANT_PAGE, "Commands of a tenant that wait for a second person"),
        ViewPage(ACCOUNT_PAGE, "Those of one account"),
        ViewPage(f"{ACCOUNT_PAGE}/{{proposal}}", "One of them: what is proposed, by whom, until when"),
    ),
    marker="v",
)
VIEWS = (BALANCES, JOURNALS, PROPOSALS)
