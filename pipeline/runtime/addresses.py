"""Whether an address can be listened on, before a process that needs it is started."""

from __future__ import annotations

import socket

PORT_MAX = 65_535


def unusable(host: str, port: int) -> str | None:
    """Return why nothing can listen on a TCP port of a host, None where it can."""
    if port > PORT_MAX:
        return "no such port"  # the resolver would take the rest of its division
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except UnicodeError:  # what getaddrinfo raises for a name that is none
        return "no host name"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None
