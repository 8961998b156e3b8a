"""What workers and gateways answer whoever watches them; one that gives no answer is no error."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

BYTES_MAX = 2**22
"""Of one answer; a longer one is none."""


def body_of(url: str, within_s: float, tls: ssl.SSLContext | None = None) -> dict[str, Any] | None:
    """Return the JSON object at a URL, whatever the status; None where there is none. Seconds.

    `tls`: how a certificate is checked; None: as the system does.
    """
    try:
        try:
            answer = urllib.request.urlopen(url, timeout=within_s, context=tls)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = json.loads(answer.read(BYTES_MAX))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return body if isinstance(body, dict) else None
