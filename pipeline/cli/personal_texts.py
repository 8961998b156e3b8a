"""Personal texts of events that commands send: encrypted as the gateway does, or not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from pipeline.cli.problems import BadInput, Failed
from pipeline.domain.tenants.settings import UNRESTRICTED, TenantsSettings, parse_tenants
from pipeline.input_event import InputEvent
from pipeline.personal.errors import KeysUnavailable, PersonalDataError
from pipeline.personal.opening import DeferredStore, open_in
from pipeline.personal.protecting import of_tenants
from pipeline.runtime.operator_files import TENANTS, parsed
from pipeline.runtime.settings import Settings

Protected = Callable[[InputEvent], dict[str, Any]]


@contextmanager
def protection(settings: Settings) -> Iterator[Protected]:
    """Give what returns the Avro record of an event, with the texts encrypted that its tenant marks.

    No key store is opened where nothing is marked. It raises Failed without keys, BadInput for a text that
    cannot be encrypted. Raises SettingsError for a bad file of tenants, BadInput for a bad mark in it.
    """
    path = settings.of(TenantsSettings).file
    tenants = UNRESTRICTED if path is None else parsed(TENANTS, path, parse_tenants)
    with closing(DeferredStore(lambda: open_in(settings.personal_dir, settings.kek))) as store:
        try:
            personal = of_tenants(store, tenants)
        except PersonalDataError as error:
            raise BadInput(f"tenants: personal: {error}") from None

        def protected(event: InputEvent) -> dict[str, Any]:
            try:
                return personal.protect(event.RECORD_NAME, event.to_avro())
            except KeysUnavailable as error:
                raise Failed(f"its texts are personal, and cannot be encrypted: {error}") from None
            except PersonalDataError as error:
                raise BadInput(str(error)) from None

        yield protected
