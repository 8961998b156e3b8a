"""What stands before the door, by the settings: who asks, how often, and the routes of sign-in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple

from fastapi import APIRouter

from pipeline.gateway.identity import keys, passkey_routes, session_routes, sign_in_routes
from pipeline.gateway.identity.cookies import Site
from pipeline.gateway.identity.first_administrator import FirstAdministrator, is_local
from pipeline.gateway.identity.grants import Grants
from pipeline.gateway.identity.jwt import Programs
from pipeline.gateway.identity.noting import Record
from pipeline.gateway.identity.oidc import SignIn
from pipeline.gateway.identity.passkeys import Passkeys
from pipeline.gateway.identity.provider import Client, Provider
from pipeline.gateway.identity.sessions import Sessions
from pipeline.gateway.identity.signatures import Signatures
from pipeline.gateway.identity.signing_keys import SigningKeys
from pipeline.gateway.identity.store import FILE_NAME, SqliteStore
from pipeline.gateway.identity.who import Identity
from pipeline.gateway.limits import Limits
from pipeline.gateway.policy.policy import Policy
from pipeline.runtime.addresses import is_loopback
from pipeline.runtime.connections import ENV_PREFIX, SettingsError
from pipeline.runtime.secret_files import SecretFileError, read_secret
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)
SWEPT_EVERY_S = 60.0


class Entrance(NamedTuple):
    """The parts of it."""

    identity: Identity
    limits: Limits
    signatures: Signatures
    makers: tuple[Callable[[Record], APIRouter], ...]
    grants: Grants
    store: SqliteStore
    first: FirstAdministrator | None
    """Only at a gateway that is of its machine alone."""

    @property
    def door(self) -> tuple[Identity, Limits, Signatures]:
        """What the door takes of it."""
        return self.identity, self.limits, self.signatures

    def routers(self, record: Record) -> list[APIRouter]:
        """Return the routes of people; what they do is recorded."""
        return [make(record) for make in self.makers]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Delete what has ended from the store, now and then, while this is entered; close it then."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            self.store.close()

    async def _sweep(self) -> None:
        while True:
            try:
                await self.store.sweep()
            except OSError as error:
                LOG.warning("what has ended stays for now: %s", error)
            await asyncio.sleep(SWEPT_EVERY_S)


def make_entrance(settings: Settings, policy: Policy) -> Entrance:
    """Return the entrance of a gateway.

    Raises SettingsError where people would sign in without TLS, or for a bad provider; SqliteUnavailable.
    """
    site = Site(settings.gateway_origin())
    provider = _provider(settings)
    secret = _secret(settings)
    store = SqliteStore(settings.data_dir / FILE_NAME)
    grants = Grants(store, policy)
    programs = None
    if provider is not None and settings.jwt_audience:
        programs = Programs(provider, settings.jwt_audience, grants, settings.jwt_roles_claim)
    identity = Identity(
        keys.Keys(settings.data_dir / keys.FILE_NAME), Sessions(store, grants), site, programs
    )
    limits = Limits(settings.gateway_requests, settings.gateway_tenant_requests)
    makers: list[Callable[[Record], APIRouter]] = [partial(session_routes.router, identity, limits)]
    if provider is not None and settings.oidc_client_id:
        names = frozenset(filter(None, map(str.strip, settings.oidc_second_factors.split(","))))
        sign_in = SignIn(provider, Client(settings.oidc_client_id, secret), names, store, site)
        makers.append(partial(sign_in_routes.router, identity, sign_in, limits))
    signed = frozenset(filter(None, map(str.strip, settings.gateway_signed_tenants.split(","))))
    signatures = Signatures(SigningKeys(store), signed, site.origin)
    first = None
    if site.is_secure or is_loopback(site.host):
        passkeys = Passkeys(store, site)
        makers.append(partial(passkey_routes.router, identity, passkeys, limits))
        if is_local(settings):
            first = FirstAdministrator(store, grants, passkeys, site)
            makers.append(partial(passkey_routes.router_of_first, identity, first, limits))
    return Entrance(identity, limits, signatures, tuple(makers), grants, store, first)


def first_link(settings: Settings, policy: Policy) -> str | None:
    """Return a new link for the first administrator, None where there is one or others may reach the gateway.

    Raises SettingsError, SqliteUnavailable.
    """
    entrance = make_entrance(settings, policy)
    try:
        return None if entrance.first is None else asyncio.run(entrance.first.link())
    finally:
        entrance.store.close()


def _provider(settings: Settings) -> Provider | None:
    """Return the provider, None where there is none. Raises SettingsError."""
    if not settings.oidc_issuer:
        return None
    try:
        return Provider(settings.oidc_issuer)
    except ValueError as error:
        raise SettingsError(f"{ENV_PREFIX}OIDC_ISSUER={settings.oidc_issuer}: {error}") from None


def _secret(settings: Settings) -> str:
    """Return the client's secret, empty where there is none. Raises SettingsError."""
    if settings.oidc_client_secret_file is None:
        return ""
    try:
        return read_secret(settings.oidc_client_secret_file)
    except SecretFileError as error:
        raise SettingsError(f"{ENV_PREFIX}OIDC_CLIENT_SECRET_FILE: {error}") from None
