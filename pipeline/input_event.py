"""Base of the models in pipeline/events.py: envelope, field types, key, conversion to and from Avro."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Self
from uuid import uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

import schemas
from schemas.remittance import is_creditor_reference


def _not_a_number(value: Any) -> Any:
    """Return a date or text unchanged. Raises ValueError for a number, because its unit is not known."""
    if isinstance(value, (date, datetime, str)):
        return value
    raise ValueError("expected a date, a datetime or an ISO 8601 string")


def _proven(text: str) -> str:
    """Return a creditor reference with right check digits. Raises ValueError for another text."""
    if is_creditor_reference(text):
        return text
    raise ValueError(
        "not an ISO 11649 creditor reference, compact and in upper case, with right check digits"
    )


Id = Annotated[str, StringConstraints(pattern=r"^[^$/\x00][^/\x00]*$")]
"""Not empty; no slash and no NUL (they separate the parts of keys); no leading `$` (internal accounts)."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2 code."""

IdScheme = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""A kind of number that names somebody, such as passport or lei."""

CreditorReference = Annotated[str, AfterValidator(_proven)]
"""ISO 11649, such as `RF18539007547034`."""

ActorText = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,256}$")]
"""Names an actor, or what it acts with: not empty, no control character."""

Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")],
        Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,256}$")],
    ],
    Field(max_length=16),
]
"""Labels of the upstream's own."""

Long = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
"""A 64-bit integer, never read from a float or a string."""

Int = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
"""A 32-bit integer."""

Moment = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
"""A point in time with its offset, kept to the microsecond."""

Day = Annotated[date, BeforeValidator(_not_a_number)]

Flag = Annotated[bool, Field(strict=True)]


def _new_event_id() -> str:
    return str(uuid4())


class InputPart(BaseModel):
    """A part of an event that an upstream system produces. Immutable; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InputEvent(InputPart):
    """An event that an upstream system produces."""

    TOPIC: ClassVar[str]
    RECORD_NAME: ClassVar[str]
    """The full Avro name."""
    KEY_FIELD: ClassVar[str]
    """The field that, after the tenant, makes the record's key."""

    event_id: Id = Field(default_factory=_new_event_id)
    tenant_id: Id
    occurred_at: Moment
    correlation_id: str = Field(default_factory=lambda data: str(data["event_id"]))
    causation_id: str | None = None

    @classmethod
    def schema_text(cls) -> str:
        """Return the newest Avro schema, as registered."""
        return schemas.newest(cls.RECORD_NAME).text

    @classmethod
    def from_avro(cls, record: dict[str, Any]) -> Self:
        """Return the event of a decoded Avro record. Raises pydantic's `ValidationError`."""
        return cls.model_validate(record)

    def to_avro(self) -> dict[str, Any]:
        """Return the record as fastavro and confluent-kafka's AvroSerializer take it, in schema order."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def key(self) -> bytes:
        """Return the Kafka key, UTF-8: `tenant/account`, the debtor's for a payment; `tenant/instrument`."""
        return f"{self.tenant_id}/{getattr(self, self.KEY_FIELD)}".encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, InputPart):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return list(map(_plain, value)) if isinstance(value, tuple) else value
