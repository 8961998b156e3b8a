"""Personal texts of commands: encrypted before anything of a command goes to Kafka.

    what was asked for -> keyed hash (requests)       event -> event with encrypted texts (its topic)

What has no personal text needs no key, so it goes on while the key store is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pipeline.domain.tenants.settings import Tenants
from pipeline.gateway.commands.naming import content_hash
from pipeline.gateway.problems import Problem, shown
from pipeline.input_event import InputEvent
from pipeline.personal.errors import KeysUnavailable, PersonalDataError, PersonErased
from pipeline.personal.protecting import Keys, of_tenants
from pipeline.personal.tokens import Purpose

LOG = logging.getLogger(__name__)

KEYS_RETRY_AFTER_S = 5
_T = TypeVar("_T")


class Protection:
    """Encrypts what is personal of the events of all tenants."""

    def __init__(self, keys: Keys, tenants: Tenants) -> None:
        """`tenants` says which texts are personal. Raises PersonalDataError for one that cannot be."""
        self._keys, self._personal = keys, of_tenants(keys, tenants)

    async def hashed(self, events: Sequence[InputEvent], command: str, fields: dict[str, Any]) -> str:
        """Return the hash of what is asked for, keyed where some of it is personal. Raises Problem 503."""
        if not any(map(self._is_personal, events)):
            return content_hash(command, fields)
        key = await _answered(self._keys.token_key, events[0].tenant_id, Purpose.CONTENT)
        return content_hash(command, fields, key)

    async def protected(self, event: InputEvent) -> InputEvent:
        """Return an event with its personal texts encrypted.

        Raises Problem 503 without keys, 409 for a person who was erased, 422 for a text that cannot be taken.
        """
        if not self._is_personal(event):
            return event
        record = await _answered(self._personal.protect, event.RECORD_NAME, event.to_avro())
        return type(event).from_avro(record)

    def _is_personal(self, event: InputEvent) -> bool:
        return bool(self._personal.fields(event.RECORD_NAME, event.tenant_id))


async def _answered(work: Callable[..., _T], *arguments: Any) -> _T:
    """Do something with keys in another thread, since it may wait for a disk or a module. Raises Problem."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except PersonErased:
        raise Problem(409, "person_erased", "this person was erased: nothing about them is taken") from None
    except PersonalDataError as error:
        raise Problem(422, "invalid_command", shown(error)) from None
    except KeysUnavailable as error:
        LOG.warning("a command with personal data is refused: %s", error)
        headers = {"Retry-After": str(KEYS_RETRY_AFTER_S)}
        detail = "the keys of personal data cannot be reached now; nothing was done"
        raise Problem(503, "keys_unavailable", detail, headers) from None
