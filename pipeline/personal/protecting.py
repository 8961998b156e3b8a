"""Events with their marked texts encrypted, and with these texts opened again.

    protect: {"reference": "Rent, Anna"}  -->  {"reference": "pt1;p1....;r=...;w=..."}    reveal: back

An encrypted text stands with its tokens (`protected_texts`), or is an envelope alone: nothing is compared.

Events are dicts as Avro has them (`InputEvent.to_avro()`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import schemas
from pipeline.domain.kernel.protected_texts import ProtectedText, protected_text
from pipeline.domain.tenants.settings import Tenants
from pipeline.personal.envelope import DataKey, Name, Place, name_in, opened, sealed
from pipeline.personal.errors import PersonalDataError, PersonErased
from pipeline.personal.fields import ALWAYS, MARKABLE, Compared, PersonalField, marked
from pipeline.personal.tokens import Purpose, Tokens
from schemas.remittance import split

ERASED = "[erased]"
"""What stands for a text of a person whose keys were destroyed."""
TEXTS_MAX = 100
"""How many texts of an event are encrypted at most, so that it stays an event of Kafka's size."""
Event = Mapping[str, Any]
_BIRTH_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_CREDITOR_REFERENCE = "creditor_reference"


class Keys(Protocol):
    """What is used of a `KeyStore`."""

    def current(self, tenant: str, person: str, field: str) -> DataKey:
        """Return the key of a person and field for a new value."""
        ...

    def secret(self, name: Name, place: Place) -> bytes:
        """Return the secret that opens a value."""
        ...

    def token_key(self, tenant: str, purpose: str) -> bytes:
        """Return the secret of a tenant's tokens of a purpose."""
        ...


class PersonalData:
    """Encrypts and opens the texts of events with the keys of a store."""

    def __init__(
        self,
        store: Keys,
        marks: Mapping[str, Collection[str]],
        default: Collection[str] = (),
        base_of: Callable[[str], str] = lambda tenant: tenant,
    ) -> None:
        """`marks`: by tenant the names of texts (`fields.MARKABLE`); `default`: those of all other tenants.

        `base_of`: of a tenant the one whose marks count. Raises PersonalDataError for a name that is none.
        """
        self._store = store
        self._marked = {tenant: marked(names) for tenant, names in marks.items()}
        self._default = marked(default)
        self._base_of = base_of

    def protect(self, record_name: str, event: Event) -> dict[str, Any]:
        """Return an event with its personal texts encrypted: those of parties, those that its tenant marks.

        An empty one and null stay, and one that is encrypted already, if it opens. A creditor reference that
        a payment has beside its marked reference, which says the same, becomes null.

        Raises PersonalDataError for a text that is too long, more than TEXTS_MAX, a date that is none, a
        creditor reference that its reference has not, an encrypted text that does not open (CannotOpen), and
        an erased person (PersonErased); KeysUnavailable.
        """
        tokens = Tokens(lambda purpose: self._store.token_key(event["tenant_id"], purpose))
        changed, left = dict(event), TEXTS_MAX
        for field in self.fields(record_name, event["tenant_id"]):
            if field.name == "payment_initiated.reference":
                _drop_creditor_reference(changed)
            place = _place(field, event["tenant_id"], event[field.whose])

            def protected(
                text: str, beside: Event, field: PersonalField = field, place: Place = place
            ) -> str:
                nonlocal left
                left -= 1
                if left < 0:
                    raise PersonalDataError(f"an event has at most {TEXTS_MAX} personal texts")
                if (envelope := _envelope_in(text, field)) is not None:
                    opened(envelope, place, self._store.secret)
                    return text
                return self._sealed(text, beside, field, place, tokens) if text else text

            changed = _with(changed, field, protected)
        return changed

    def _sealed(self, text: str, beside: Event, field: PersonalField, place: Place, tokens: Tokens) -> str:
        key = self._store.current(place.tenant, place.person, place.field)
        if field.compared is Compared.NOTHING:
            return sealed(text, place, key)
        if field.compared is Compared.BIRTH_DATE and not _BIRTH_DATE.fullmatch(text):
            raise PersonalDataError(f"{field.name}: not YYYY, YYYY-MM or YYYY-MM-DD")
        envelope = sealed(text, place, key, repeatable=True)
        match field.compared:
            case Compared.TEXT:
                also = [str(beside[name]) for name in field.also]
                return tokens.protected(text, envelope, also).text()
            case Compared.WORDS:
                return ProtectedText(envelope, words=tokens.of_words(text)).text()
            case other:
                return ProtectedText(envelope, tokens.of_number(Purpose(other), text)).text()

    def reveal(self, record_name: str, event: Event) -> dict[str, Any]:
        """Return an event with its encrypted texts opened; ERASED in the place of those of erased persons.

        Raises CannotOpen for a damaged or moved text, KeysUnavailable.
        """
        changed = dict(event)
        for field in (*MARKABLE, *ALWAYS):
            if field.record_name == record_name:

                def revealed(text: str, beside: Event, field: PersonalField = field) -> str:
                    return self.text(text, event["tenant_id"], field, event[field.whose])

                changed = _with(changed, field, revealed)
        return changed

    def text(self, text: str, tenant: str, field: PersonalField, whose: str) -> str:
        """Return a text of a field of an account or party, opened where it is encrypted; ERASED if erased.

        For copies: the reference of a posting is that of its payment and of the debtor's account. Raises as
        `reveal`.
        """
        envelope = _envelope_in(text, field)
        if envelope is None:
            return text
        try:
            return opened(envelope, _place(field, tenant, whose), self._store.secret)
        except PersonErased:
            return ERASED

    def require_protected(self, record_name: str, event: Event) -> None:
        """Check that no personal text of an event is in the clear. Raises PersonalDataError with its name."""

        def check(text: str, beside: Event) -> str:
            if text and _envelope_in(text, field) is None:
                raise PersonalDataError(f"{field.name} is personal data and not encrypted: nothing was sent")
            return text

        for field in self.fields(record_name, event["tenant_id"]):
            _with(dict(event), field, check)
            if field.name == "payment_initiated.reference" and event.get(_CREDITOR_REFERENCE) is not None:
                raise PersonalDataError(
                    f"{_CREDITOR_REFERENCE} says what the encrypted reference does: nothing was sent"
                )

    def fields(self, record_name: str, tenant: str) -> list[PersonalField]:
        """Return which texts of an event are personal in a tenant."""
        chosen = self._marked.get(self._base_of(tenant), self._default)
        return [
            field
            for field in (*MARKABLE, *ALWAYS)
            if field.record_name == record_name and (field in chosen or field in ALWAYS)
        ]


def of_tenants(keys: Keys, tenants: Tenants) -> PersonalData:
    """Return what encrypts the texts that the tenants mark in their file. Raises PersonalDataError."""
    marks = {name: tenants.of(name).personal or () for name in tenants.tenants}
    return PersonalData(keys, marks, tenants.default.personal or (), tenants.base_of)


def _place(field: PersonalField, tenant: str, whose: str) -> Place:
    topic = schemas.newest(field.record_name).topic
    return Place(tenant, topic, field.record_name, field.path, field.person(whose))


def _envelope_in(text: str, field: PersonalField) -> str | None:
    """Return the envelope of an encrypted text, None of a text in the clear."""
    if field.compared is Compared.NOTHING:
        return None if name_in(text) is None else text
    found = protected_text(text)
    return None if found is None else found.envelope


def _with(event: dict[str, Any], field: PersonalField, change: Callable[[str, Event], str]) -> dict[str, Any]:
    """Return an event with the texts of a field changed; `change` gets a text and what is beside it."""
    name, _, inner = field.path.partition(".")
    value = event.get(name)
    if value is None:
        return event
    if not inner:
        texts = [change(one, event) for one in value] if isinstance(value, list) else change(value, event)
        return {**event, name: texts}
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
