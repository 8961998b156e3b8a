"""Events with their marked texts encrypted, and with these texts opened again.

    protect: {"reference": "Rent, Anna"}  -->  {"reference": "pt1;p1....;r=...;w=..."}    reveal: back

Events are dicts as Avro has them (`InputEvent.to_avro()`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import schemas
from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.personal.envelope import Place, opened, sealed
from pipeline.personal.errors import PersonalDataError, PersonErased
from pipeline.personal.fields import MARKABLE, PersonalField, marked
from pipeline.personal.keystore import KeyStore
from pipeline.personal.tokens import Tokens
from schemas.remittance import split

ERASED = "[erased]"
"""What stands for a text of a person whose keys were destroyed."""
Event = Mapping[str, Any]
_CREDITOR_REFERENCE = "creditor_reference"


class PersonalData:
    """Encrypts and opens the texts of events with the keys of a store."""

    def __init__(self, store: KeyStore, marks: Mapping[str, Collection[str]]) -> None:
        """`marks`: by tenant the names of texts (`fields.MARKABLE`). Raises PersonalDataError."""
        self._store = store
        self._marked = {tenant: marked(names) for tenant, names in marks.items()}

    def protect(self, record_name: str, event: Event) -> dict[str, Any]:
        """Return an event with the texts that its tenant marks encrypted.

        A text that is encrypted already, an empty one and null stay. A creditor reference that a payment has
        beside its marked reference, which says the same, becomes null.

        Raises PersonalDataError for a text that is too long, a creditor reference that its reference has not,
        and an erased person (PersonErased); KeysUnavailable.
        """
        tokens = Tokens(lambda purpose: self._store.token_key(event["tenant_id"], purpose))
        changed = dict(event)
        for field in self._fields(record_name, event):
            if field.name == "payment_initiated.reference":
                _drop_creditor_reference(changed)

            def protected(text: str, beside: Event, field: PersonalField = field) -> str:
                if not text or protected_text(text) is not None:
                    return text
                place = _place(field, event["tenant_id"], event[field.account])
                key = self._store.current(place.tenant, place.person, place.field)
                envelope = sealed(text, place, key, repeatable=True)
                return tokens.protected(text, envelope, [str(beside[name]) for name in field.also]).text()

            changed = _with(changed, field, protected)
        return changed

    def reveal(self, record_name: str, event: Event) -> dict[str, Any]:
        """Return an event with its encrypted texts opened; ERASED in the place of those of erased persons.

        Raises CannotOpen for a damaged or moved text, KeysUnavailable.
        """
        changed = dict(event)
        for field in MARKABLE:
            if field.record_name == record_name:

                def revealed(text: str, beside: Event, field: PersonalField = field) -> str:
                    return self.text(text, event["tenant_id"], field, event[field.account])

                changed = _with(changed, field, revealed)
        return changed

    def text(self, text: str, tenant: str, field: PersonalField, account: str) -> str:
        """Return a text of a field of an account, opened where it is encrypted; ERASED where it was erased.

        For copies: the reference of a posting is that of its payment and of the debtor's account. Raises as
        `reveal`.
        """
        protected = protected_text(text)
        if protected is None:
            return text
        try:
            return opened(protected.envelope, _place(field, tenant, account), self._store.secret)
        except PersonErased:
            return ERASED

    def require_protected(self, record_name: str, event: Event) -> None:
        """Check that no marked text of an event is in the clear. Raises PersonalDataError with its name."""

        def check(text: str, beside: Event) -> str:
            if text and protected_text(text) is None:
                raise PersonalDataError(f"{field.name} is personal data and not encrypted: nothing was sent")
            return text

        for field in self._fields(record_name, event):
            _with(dict(event), field, check)
            if field.name == "payment_initiated.reference" and event.get(_CREDITOR_REFERENCE) is not None:
                raise PersonalDataError(
                    f"{_CREDITOR_REFERENCE} says what the encrypted reference does: nothing was sent"
                )

    def _fields(self, record_name: str, event: Event) -> list[PersonalField]:
        chosen = self._marked.get(event["tenant_id"], frozenset())
        return [field for field in MARKABLE if field in chosen and field.record_name == record_name]


def _place(field: PersonalField, tenant: str, account: str) -> Place:
    topic = schemas.newest(field.record_name).topic
    return Place(tenant, topic, field.record_name, field.path, f"account:{account}")


def _with(event: dict[str, Any], field: PersonalField, change: Callable[[str, Event], str]) -> dict[str, Any]:
    """Return an event with the texts of a field changed; `change` gets a text and what is beside it."""
    name, _, inner = field.path.partition(".")
    value = event.get(name)
    if value is None:
        return event
    if not inner:
        return {**event, name: change(value, event)}
    parts = [
        part if part.get(inner) is None else {**part, inner: change(part[inner], part)} for part in value
    ]
    return {**event, name: parts}


def _drop_creditor_reference(event: dict[str, Any]) -> None:
    known, reference = event.get(_CREDITOR_REFERENCE), event["reference"]
    if known is None or protected_text(reference) is not None:
        return
    if split(reference).creditor_reference != known:
        raise PersonalDataError(f"{_CREDITOR_REFERENCE} has to stand in the reference, which is encrypted")
    event[_CREDITOR_REFERENCE] = None
