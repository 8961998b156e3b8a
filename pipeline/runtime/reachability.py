"""Why Kafka or the schema registry cannot be used, in one line that says which setting is to be changed.

    a client library gets no answer -> what it was told (a refused login) -> a connection of our own, by TLS
    where the settings say so: which certificate is wrong, and how

Everything is bounded, and nothing of a secret is said.
"""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.runtime.connections import ENV_PREFIX
from pipeline.runtime.settings import Settings

CONNECT_WITHIN_S = 3.0
REFUSED_WITHIN_S = 0.7
"""A server that refuses a login or a certificate says so at once; one that is busy gets all the time."""

_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAME = (62, 64)
"""X509_V_ERR_..., as Python's `verify_code` has them; all others are of the chain to an authority."""


class NoAnswer(ConnectionError):
    """A server does not answer as the settings say that it does. The text is one line."""


def kafka_admin(settings: Settings, within_s: float) -> AdminClient:
    """Return an admin client for Kafka, which answers. Raises NoAnswer with the reason."""
    said: list[KafkaError] = []
    # Level 0: the client's own messages about the connection would be printed before ours.
    admin = AdminClient({**settings.librdkafka(), "log_level": 0, "error_cb": said.append})
    for wait_s in (REFUSED_WITHIN_S, within_s):
        try:
            admin.list_topics(timeout=wait_s)
            return admin
        except KafkaException:
            admin.poll(0)
        if any(error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL) for error in said):
            break
    raise NoAnswer(f"Kafka at {settings.bootstrap_servers} {why_kafka(settings, said)}")


def why_kafka(settings: Settings, said: list[KafkaError]) -> str:
    """Return why Kafka gives no answer; `said`: what librdkafka has reported of it."""
    if any(error.code() == KafkaError._AUTHENTICATION for error in said):
        return (
            f"refuses the login of {settings.sasl_username!r}: another name or password"
            f" ({ENV_PREFIX}SASL_USERNAME, {ENV_PREFIX}SASL_PASSWORD_FILE), or another"
            f" {ENV_PREFIX}SASL_MECHANISM"
        )
    context = settings.tls_context("ssl") if settings.security_protocol.endswith("SSL") else None
    for server in settings.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if port.isdigit() and (reason := probe(host.strip("[]"), int(port), context, "SSL")):
            return reason
    return "does not answer"


def why_registry(settings: Settings, status: int | None = None) -> str:
    """Return why the registry gives no answer to rely on; `status`: of its HTTP answer, if there was one."""
    if status == HTTPStatus.UNAUTHORIZED:
        who = repr(settings.registry_username) if settings.registry_username else "nobody"
        return (
            f"refuses the login of {who}: another name or password"
            f" ({ENV_PREFIX}REGISTRY_USERNAME, {ENV_PREFIX}REGISTRY_PASSWORD_FILE)"
        )
    if status == HTTPStatus.FORBIDDEN:
        return f"does not allow this to {settings.registry_username or 'nobody'!r}"
    url = urlsplit(settings.schema_registry_url)
    context = settings.tls_context("registry") if url.scheme == "https" else None
    port = url.port or (443 if context else 80)
    return probe(url.hostname or "", port, context, "REGISTRY") or "does not answer"


def probe(
    host: str, port: int, context: ssl.SSLContext | None, kind: Literal["SSL", "REGISTRY"]
) -> str | None:
    """Connect once, by TLS where there is a context; return what is wrong, None where nothing is.

    `kind`: the settings of it, `LEDGERFLOW_<kind>_...`.
    """
    try:
        with socket.create_connection((host, port), CONNECT_WITHIN_S) as plain:
            if context is not None:
                _shake_hands(plain, host, context)
    except ssl.SSLCertVerificationError as error:
        return f"shows a certificate that {_fault(error, host, kind)}"
    except ssl.SSLError as error:
        return _alert(error.reason or "", kind)
    except socket.gaierror:
        return f"does not answer: there is no host {host}"
    except TimeoutError:
        return f"does not answer within {CONNECT_WITHIN_S:.0f} s"
    except (OSError, ValueError) as error:  # UnicodeError, for a name that is none, is a ValueError
        return f"does not answer: {getattr(error, 'strerror', None) or error}"
    return None


def _shake_hands(plain: socket.socket, host: str, context: ssl.SSLContext) -> None:
    with context.wrap_socket(plain, server_hostname=host) as tls:
        tls.settimeout(REFUSED_WITHIN_S)
        try:
            tls.recv(1)  # by TLS 1.3 a server refuses a client's certificate after the handshake
        except TimeoutError:  # it waits for a request: all is well
            return


def _fault(error: ssl.SSLCertVerificationError, host: str, kind: str) -> str:
    if error.verify_code == _EXPIRED:
        return "has expired"
    if error.verify_code == _NOT_YET_VALID:
        return "is not valid yet: compare the clocks"
    if error.verify_code in _OTHER_NAME:
        return f"is for another name than {host}"
    return f"no authority of {ENV_PREFIX}{kind}_CAFILE has signed ({error.verify_message})"


def _alert(reason: str, kind: str) -> str:
    """Return what an error of TLS means that is none of the server's certificate."""
    own = f"{ENV_PREFIX}{kind}_CERTFILE and {ENV_PREFIX}{kind}_KEYFILE"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"wants a certificate of the client: {own}"
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"refuses the client's certificate ({reason.lower().replace('_', ' ')}): {own}"
    return f"does not speak TLS there ({reason.lower().replace('_', ' ') or 'it hung up'})"
