"""Whose requests are answered: of this worker's own addresses, and of no page of another site.

The views have no sign-in, so whatever runs in a browser on this machine could read them through it. A page
of another site can ask (and its own name can be made to lead here, DNS rebinding), but its browser then
sends the name, or the site, that it believes to be asking: such requests are refused, with what to set.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Middleware

from pipeline.runtime.settings import ENV_PREFIX
from pipeline.web.problems import Handler, Problem

HTTP_PORT = 80
SHOWN_MAX = 100
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/@\[\]]+))(?::([0-9]{1,5}))?", re.ASCII)


class Host(NamedTuple):
    """A host as a request names it."""

    name: str
    """In lower case, without brackets."""
    port: int | None


def parse(text: str) -> Host | None:
    """Return the host in a Host header or a setting; None where it is none."""
    found = _HOST.fullmatch(text.lower())
    if found is None:
        return None
    name = found[1] or found[2].rstrip(".")
    return Host(name, int(found[3]) if found[3] else None)


def admission(own: str, others: Sequence[str]) -> Middleware:
    """Return the middleware that refuses the requests of others, as problems.

    `own`: the host that the views are served on, which is asked with their port, as loopback is. `others`:
    more names, with any port or the one that they have.
    """
    allowed = [host for text in others if (host := parse(text)) is not None]

    @web.middleware
    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        _require_known_host(request, own, allowed)
        _require_own_page(request)
        return await handler(request)

    return admitted


def _require_known_host(request: web.Request, own: str, allowed: Sequence[Host]) -> None:
    """Raises `Problem`: 400 without one Host header, 421 where it is a name of somebody else."""
    given = request.headers.getall("Host", [])
    host = parse(given[0]) if len(given) == 1 else None
    if host is None:
        raise Problem(400, "Host: must be given once, as a name or an address with its port")
    here = None if request.transport is None else request.transport.get_extra_info("sockname")
    address, port = (here[0], here[1]) if isinstance(here, tuple) else (own, None)
    # An address is never a rebound name, so the one that the request came to is as good as our own name.
    is_ours = host.name in (own.lower().strip("[]"), _plain(address)) or _is_loopback(host.name)
    if is_ours and (host.port or HTTP_PORT) == port:
        return
    if host in allowed or Host(host.name, None) in allowed:
        return
    raise Problem(
        421,
        f"this worker does not answer for the host {given[0][:SHOWN_MAX]}: ask for {_shown(own, port)}, or"
        f" allow that name ({ENV_PREFIX}WEB_HOSTS={given[0][:SHOWN_MAX]})",
    )


def _require_own_page(request: web.Request) -> None:
    """Raises `Problem` 403 where a browser says that a page of another site asks."""
    host, origin = request.headers["Host"].lower(), request.headers.get("Origin")
    foreign = origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}")
    if foreign or request.headers.get("Sec-Fetch-Site", "none").lower() not in ("none", "same-origin"):
        raise Problem(
            403,
            "a page of another site asks, and none may: open the address itself in a browser, or ask from a"
            " program without Origin and Sec-Fetch-Site",
        )


def _is_loopback(name: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost"


def _plain(address: str) -> str:
    """Return an address as a URL has it: one of version 4 that came to a socket of version 6 as version 4."""
    with suppress(ValueError):
        mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
        return address if mapped is None else str(mapped)
    return address


def _shown(name: str, port: int | None) -> str:
    shown = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return shown if port is None else f"{shown}:{port}"
