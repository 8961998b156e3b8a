"""How the gateway is served: the options of uvicorn, with TLS where the settings say so."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509

from pipeline.runtime.addresses import is_loopback, unusable
from pipeline.runtime.connections import ENV_PREFIX, SettingsError
from pipeline.runtime.secret_files import SecretFileError, require_private
from pipeline.runtime.settings import Settings

ENDS_WITHIN_S = 5
"""How long answers that are under way may take at the end."""
IDLE_S = 65
CONNECTIONS_MAX = 2_000
_CERTFILE, _KEYFILE = f"{ENV_PREFIX}GATEWAY_CERTFILE", f"{ENV_PREFIX}GATEWAY_KEYFILE"


def options(settings: Settings) -> dict[str, Any]:
    """Return the options of uvicorn.

    Raises SettingsError where the gateway cannot listen, its certificate and key cannot be used, or others
    could read what it says.
    """
    found: dict[str, Any] = {
        "host": settings.gateway_host,
        "port": settings.gateway_port,
        "http": "httptools",
        "loop": "uvloop",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(settings.gateway_proxies),
        "forwarded_allow_ips": settings.gateway_proxies or None,
        "limit_concurrency": CONNECTIONS_MAX,
        "timeout_keep_alive": IDLE_S,
        "timeout_graceful_shutdown": ENDS_WITHIN_S,
    }
    if settings.gateway_certfile is not None and settings.gateway_keyfile is not None:
        certificate, key = settings.gateway_certfile.expanduser(), settings.gateway_keyfile.expanduser()
        _require_usable(certificate, key)
        found |= {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    elif not is_loopback(settings.gateway_host) and not settings.allows("gateway"):
        raise SettingsError(
            f"{ENV_PREFIX}GATEWAY_HOST={settings.gateway_host} is not this machine's loopback, and what the"
            f" gateway says would go over the network in the clear: set {_CERTFILE} and {_KEYFILE}, or,"
            f" behind a proxy on a private network, allow it by name, {ENV_PREFIX}INSECURE=gateway"
        )
    if reason := unusable(settings.gateway_host, settings.gateway_port):
        raise SettingsError(
            f"the gateway cannot listen on {settings.gateway_host}:{settings.gateway_port} ({reason}):"
            f" choose another ({ENV_PREFIX}GATEWAY_HOST, {ENV_PREFIX}GATEWAY_PORT)"
        )
    return found


def _require_usable(certificate: Path, key: Path) -> None:
    """Check that browsers could be served with a certificate and its key now. Raises SettingsError."""
    try:
        first, *_ = x509.load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        raise SettingsError(f"{_CERTFILE}={certificate}: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{_CERTFILE}={certificate}: no certificate (PEM)") from None
    now = dt.datetime.now(dt.UTC)
    if not first.not_valid_before_utc <= now < first.not_valid_after_utc:
        valid = f"{first.not_valid_before_utc:%Y-%m-%d} to {first.not_valid_after_utc:%Y-%m-%d}"
        raise SettingsError(f"{_CERTFILE}={certificate}: it is valid from {valid}")
    try:
        require_private(key)
        # A password that is asked for here is empty: without one, OpenSSL would ask at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except SecretFileError as error:
        raise SettingsError(f"{_KEYFILE}: {error}") from None
    except OSError as error:
        fits = getattr(error, "reason", None) != "KEY_VALUES_MISMATCH"
        why = "no key in the clear (PEM)" if fits else "it is not the key of the certificate"
        raise SettingsError(f"{_KEYFILE}={key}: {why}") from None
