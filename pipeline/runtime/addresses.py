"""What an address is: whether a process can listen on it, and whether it is this machine's loopback."""

from __future__ import annotations

import ipaddress
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


def is_loopback(host: str) -> bool:
    """Return whether a host is loopback: 127.0.0.0/8, ::1, or a name that resolves to these alone.

    A name that resolves to nothing is not.
    """
    name = host.strip("[]")
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    except (OSError, ValueError):  # UnicodeError, for a name that is none, is a ValueError
        return False
    return bool(name) and bool(addresses) and all(map(_is_loopback, addresses))


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def wrong_port(servers: str) -> str | None:
    """Return why a port in a list `host:port,[::1]:port,...` is none, None where each is one or left out."""
    for server in filter(None, map(str.strip, servers.split(","))):
        _, colon, port = server.rpartition(":")
        if not colon or server.endswith("]"):
            continue
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= PORT_MAX):
            return f"{port!r} is no port: write HOST:PORT, with a port from 1 to {PORT_MAX}"
    return None


def hosts_of(servers: str) -> list[str]:
    """Return the hosts of a list `host:port,[::1]:port,...`."""
    return [
        server.strip().rpartition(":")[0] or server.strip() for server in servers.split(",") if server.strip()
    ]
