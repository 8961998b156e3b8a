"""Cookies of people's browsers, and the check that a request comes from a page of ours (CSRF).

Under TLS the names begin with `__Host-`: such a cookie is Secure, of this host alone, and cannot be set by
another. On loopback without TLS they have plain names. A request that changes something needs the token of
its session in the header `Ledgerflow-CSRF`, and must come from our origin as the browser says it.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from fastapi import Request, Response

from pipeline.gateway.problems import Problem

CSRF_HEADER = "Ledgerflow-CSRF"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Site:
    """The site as browsers know it: its origin, the names of its cookies."""

    def __init__(self, origin: str) -> None:
        """`origin`: `https://bank.example`, or `http://localhost:8080` on loopback."""
        self.origin = origin
        self.is_secure = origin.startswith("https:")
        self.host = urlsplit(origin).hostname or ""
        prefix = "__Host-" if self.is_secure else ""
        self.session = f"{prefix}ledgerflow-session"
        self.csrf = f"{prefix}ledgerflow-csrf"
        """Readable by our pages, which send it in CSRF_HEADER."""
        self.sign_in = f"{prefix}ledgerflow-sign-in"
        """Ties a sign-in that is under way to the browser that began it."""

    def sign_in_session(self, response: Response, cookie: str, seconds: int) -> None:
        """Give a browser its session."""
        self._set(response, self.session, cookie, seconds)
        self._set(response, self.csrf, csrf_token(cookie), seconds, readable=True)

    def begin(self, response: Response, binding: str, seconds: int) -> None:
        """Give a browser what ties a sign-in to it."""
        self._set(response, self.sign_in, binding, seconds)

    def forget(self, response: Response, *names: str) -> None:
        """Take cookies from a browser."""
        for name in names:
            self._set(response, name, "", 0)

    def _set(self, response: Response, name: str, value: str, seconds: int, readable: bool = False) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=not readable,
            samesite="lax",
        )

    def require_own_page(self, request: Request) -> None:
        """Check that a browser sends a request from a page of ours. Raises Problem 403."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if origin is None and site is None:
            raise _foreign("the request does not say which page it comes from")
        if (origin is not None and origin != self.origin) or site not in (None, "same-origin"):
            raise _foreign("the request comes from a page of another site")

    def require_csrf(self, request: Request, cookie: str) -> None:
        """Check a request of a session that changes something. Raises Problem 403."""
        self.require_own_page(request)
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), csrf_token(cookie).encode()):
            raise _foreign(f"send the session's token in the header {CSRF_HEADER}")


def csrf_token(cookie: str) -> str:
    """Return the token of a session: it follows from the cookie, and the cookie does not from it."""
    return hashlib.sha256(b"csrf\0" + cookie.encode()).hexdigest()


def _foreign(detail: str) -> Problem:
    return Problem(403, "cross_site_request", detail)
