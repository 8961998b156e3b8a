"""Which texts of events are personal, and whose they are.

A tenant marks a text of a payment, journal or statement by its name: `payment_initiated.reference`,
`statement_line.details.description`. Texts that are matched with each other have to be marked together:
tokens are not equal to words. What `parties` says of somebody is personal without a mark.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from pipeline.personal.errors import PersonalDataError


class Compared(StrEnum):
    """What of an encrypted text can be compared: which tokens stand beside it."""

    TEXT = "text"
    """All that reconciliation compares: words and references."""
    WORDS = "words"
    ACCOUNT = "account"
    """One token, as of a number of an account."""
    BIRTH_DATE = "birth_date"
    IDENTIFIER = "identifier"
    NOTHING = "nothing"


class PersonalField(NamedTuple):
    """A text of an event, each of a list (`names`), or one of each part of a list (`details.reference`)."""

    record_name: str
    """The full Avro record name."""
    event: str
    """As in schemas/: payment_initiated."""
    path: str
    whose: str
    """The field with the id of the account, or the party, whose text it is."""
    also: tuple[str, ...] = ()
    """Fields beside it whose ids stand for the text in matching: of a payment its own id."""
    implies: str = ""
    """A text that says the same, so that whoever marks this one marks that one."""
    compared: Compared = Compared.TEXT

    @property
    def name(self) -> str:
        """The name by which a tenant marks it."""
        return f"{self.event}.{self.path}"

    def person(self, named: str) -> str:
        """Return whom an id in `whose` means, as the key store calls them: `party:<id>`, `account:<id>`."""
        return f"{'party' if self.whose == _PARTY else 'account'}:{named}"


_PARTY = "party_id"
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
"""What a tenant may mark."""
BY_NAME = {field.name: field for field in MARKABLE}
ALWAYS = tuple(
    PersonalField(record_name, event, path, _PARTY, compared=compared)
    for record_name, event in (
        ("ledgerflow.PartyRegistered", "party_registered"),
        ("ledgerflow.PartyChanged", "party_changed"),
    )
    for path, compared in (
        ("names", Compared.WORDS),
        ("birth_date", Compared.BIRTH_DATE),
        ("addresses", Compared.NOTHING),
        ("account_numbers", Compared.ACCOUNT),
        ("identifiers.number", Compared.IDENTIFIER),
    )
)
"""What is personal without a mark."""


def marked(names: Collection[str]) -> frozenset[PersonalField]:
    """Return the fields that a tenant marks, and those that say the same.

    Raises PersonalDataError for a name that is none.
    """
    if unknown := sorted(set(names) - set(BY_NAME)):
        raise PersonalDataError(f"{unknown[0]!r} cannot be marked: choose from {', '.join(sorted(BY_NAME))}")
    implied = {BY_NAME[name].implies for name in names} - {""}
    return frozenset(BY_NAME[name] for name in {*names, *implied})
