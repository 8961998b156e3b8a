"""Which texts of which events are personal where a tenant marks them, and whose they are.

A tenant marks a text by its name: `payment_initiated.reference`, `statement_line.details.description`. Texts
that are matched with each other have to be marked together: tokens are not equal to words.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from pipeline.personal.errors import PersonalDataError


class PersonalField(NamedTuple):
    """A text of an event, or of the parts in a list of it (`details.reference`)."""

    record_name: str
    """The full Avro record name."""
    event: str
    """As in schemas/: payment_initiated."""
    path: str
    account: str
    """The field of the account whose holder the text belongs to: the person is `account:<id>`."""
    also: tuple[str, ...] = ()
    """Fields beside it whose ids stand for the text in matching: of a payment its own id."""
    implies: str = ""
    """A text that says the same, so that whoever marks this one marks that one."""

    @property
    def name(self) -> str:
        """The name by which a tenant marks it."""
        return f"{self.event}.{self.path}"


_PAYMENT = ("ledgerflow.PaymentInitiated", "payment_initiated")
_LINKED = ("ledgerflow.PaymentsLinked", "payments_linked")
_JOURNAL = ("ledgerflow.JournalSubmitted", "journal_submitted")
_LINE = ("ledgerflow.StatementLine", "statement_line")
_DEBTOR = "debtor_account_id"

MARKABLE = (
    PersonalField(*_PAYMENT, "reference", _DEBTOR, ("payment_id",), "payment_initiated.remittance_text"),
    PersonalField(*_PAYMENT, "remittance_text", _DEBTOR, (), "payment_initiated.reference"),
    PersonalField(*_LINKED, "payments.reference", _DEBTOR, ("payment_id",)),
    PersonalField(*_JOURNAL, "reference", "account_id"),
    PersonalField(*_JOURNAL, "reason", "account_id"),
    PersonalField(*_LINE, "external_reference", "account_id"),
    PersonalField(*_LINE, "description", "account_id"),
    PersonalField(*_LINE, "counterparty_name", "account_id"),
    PersonalField(*_LINE, "counterparty_account", "account_id"),
    PersonalField(*_LINE, "end_to_end_id", "account_id"),
    PersonalField(*_LINE, "details.reference", "account_id"),
    PersonalField(*_LINE, "details.description", "account_id"),
    PersonalField(*_LINE, "details.counterparty", "account_id"),
)
BY_NAME = {field.name: field for field in MARKABLE}


def marked(names: Collection[str]) -> frozenset[PersonalField]:
    """Return the fields that a tenant marks, and those that say the same.

    Raises PersonalDataError for a name that is none.
    """
    if unknown := sorted(set(names) - set(BY_NAME)):
        raise PersonalDataError(f"{unknown[0]!r} cannot be marked: choose from {', '.join(sorted(BY_NAME))}")
    implied = {BY_NAME[name].implies for name in names} - {""}
    return frozenset(BY_NAME[name] for name in {*names, *implied})
