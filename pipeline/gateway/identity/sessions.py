"""Sessions of people: 15 minutes without a request end one, 12 hours in any case; each can be revoked.

A session has a name, which logs show, and a secret: the cookie is `name.secret`. Only the hash of it is kept.
The secret changes at every sign-in and step-up. Roles are asked anew at every request: they are the grants'.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from typing import NamedTuple

import msgspec

from pipeline.gateway.identity.grants import Grants, owner_of
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.identity.store import Entry, Store

KIND = "session"
IDLE_US = 15 * 60_000_000
LONGEST_US = 12 * 3_600_000_000
SEEN_EVERY_US = 15_000_000
"""How often a request is written down as a sign of life: idle time is counted in such steps."""
OF_ONE_MAX = 20
"""Sessions of a person; at one more, that which was not used for longest ends."""
_COOKIE = re.compile(r"([0-9a-f]{16})\.([A-Za-z0-9_-]{43})").fullmatch


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session. Times are microseconds UTC."""

    session_id: str
    """Its name. It is no secret."""
    secret_hash: bytes
    issuer: str
    subject: str
    made_at: int
    seen_at: int
    second_factor_at: int | None

    @property
    def ends_at(self) -> int:
        """When it ends, unless there is a request before."""
        return min(self.seen_at + IDLE_US, self.made_at + LONGEST_US)


class Started(NamedTuple):
    """A session that has a new secret."""

    cookie: str
    """Its name and its secret; kept nowhere here."""
    session: Session


class Sessions:
    """The sessions of a store."""

    def __init__(self, store: Store, grants: Grants) -> None:
        self._store, self._grants = store, grants

    async def start(self, issuer: str, subject: str, second_factor_at: int | None) -> Started:
        """Begin a session of somebody who has just signed in. Raises StoreFull, OSError."""
        now = time.time_ns() // 1_000
        secret = secrets.token_urlsafe(32)
        made = Session(
            session_id=secrets.token_hex(8),
            secret_hash=_hash(secret),
            issuer=issuer,
            subject=subject,
            made_at=now,
            seen_at=now,
            second_factor_at=second_factor_at,
        )
        mine = await self.of(issuer, subject)
        for old in mine[OF_ONE_MAX - 1 :]:
            await self.end(old.session_id)
        await self._store.put(KIND, _entry(made))
        return Started(f"{made.session_id}.{secret}", made)

    async def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie, None where it is none, over or revoked. Raises OSError."""
        found = _COOKIE(cookie)
        entry = None if found is None else await self._store.get(KIND, found[1])
        if found is None or entry is None:
            return None
        session = _session(entry)
        if not hmac.compare_digest(session.secret_hash, _hash(found[2])):
            return None
        now = time.time_ns() // 1_000
        if now - session.seen_at >= SEEN_EVERY_US:
            seen = msgspec.structs.replace(session, seen_at=now)
            # Of several requests at once one writes it down, and what was revoked meanwhile stays so.
            if await self._store.swap(KIND, entry, _entry(seen)):
                return seen
        return session

    async def step_up(self, session_id: str, second_factor_at: int) -> Started | None:
        """Give a session a fresh second factor and a new secret, None where it is over. Raises OSError."""
        secret = secrets.token_urlsafe(32)
        while (entry := await self._store.get(KIND, session_id)) is not None:
            after = msgspec.structs.replace(
                _session(entry),
                secret_hash=_hash(secret),
                second_factor_at=second_factor_at,
                seen_at=time.time_ns() // 1_000,
            )
            if await self._store.swap(KIND, entry, _entry(after)):
                return Started(f"{session_id}.{secret}", after)
        return None

    async def principal(self, session: Session) -> Principal:
        """Return the person of a session, with the roles that are granted now. Raises OSError."""
        held = await self._grants.held(session.issuer, session.subject, "person")
        return Principal(
            issuer=session.issuer,
            subject=session.subject,
            session_id=session.session_id,
            roles=held.roles,
            accounts=held.accounts,
            second_factor_at=session.second_factor_at,
            expires_at=min(session.ends_at, held.ends_at),
        )

    async def again(self, session_id: str) -> Principal | None:
        """Return the person of a session as of now, None where it is over. It is no sign of life.

        Raises OSError.
        """
        entry = await self._store.get(KIND, session_id)
        return None if entry is None else await self.principal(_session(entry))

    async def of(self, issuer: str, subject: str) -> list[Session]:
        """Return the sessions of a person, the last used first. Raises OSError."""
        found = [_session(entry) for entry in await self._store.entries(KIND, owner_of(issuer, subject))]
        return sorted(found, key=lambda session: session.seen_at, reverse=True)

    async def end(self, session_id: str) -> bool:
        """End a session at once; return whether there was one. Raises OSError."""
        return await self._store.delete(KIND, session_id)


def _hash(secret: str) -> bytes:
    """Return what is kept of a secret of 32 random bytes: no salt is needed."""
    return hashlib.sha256(secret.encode()).digest()


def _entry(session: Session) -> Entry:
    owner = owner_of(session.issuer, session.subject)
    return Entry(session.session_id, owner, msgspec.json.encode(session), session.ends_at)


def _session(entry: Entry) -> Session:
    return msgspec.json.decode(entry.value, type=Session)
