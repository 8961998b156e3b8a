"""Carries out the calls of a load at a gateway, in a thread beside it: a few a second, one at a time.

A gateway that does not answer, or not now, is asked again with the same key, until the load ends: so it may
be restarted meanwhile. An answer that a call does not expect ends the load.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipeline.loadgen.encoder import LoadError
from pipeline.loadgen.gateway_calls import Answer, Call, Calls

CALLS_PER_S = 3.0
ANSWERED_WITHIN_S = 15.0
DECIDED_WITHIN_S = 2
"""How long an answer may wait for the decision."""
PAUSE_FIRST_S, PAUSE_MAX_S = 0.2, 5.0
AGAIN = frozenset({0, 429, 502, 503, 504})
"""What is asked again; 0: no answer."""
FORBIDDEN = frozenset({401, 403})
"""Of a call that the operator's policy does not let through; it is counted, and the load goes on."""
ANSWER_BYTES_MAX = 2**22


@dataclass(frozen=True)
class GatewayAccess:
    """Where a gateway is, and the keys of the programs that call it."""

    url: str
    """Its base URL, without a slash at the end."""
    keys: Mapping[str, str]
    """By who calls; calls of others are left out."""
    tls: ssl.SSLContext | None = None
    """How its certificate is checked; None: as the system does."""


class GatewayClient:
    """Makes calls until it is told to stop. A context manager; `asked` counts answers by what they say."""

    def __init__(self, access: GatewayAccess, tenant: str, calls: Calls, stop: threading.Event) -> None:
        self._access, self._tenant, self._calls, self._stop = access, tenant, calls, stop
        self.asked: Counter[str] = Counter()
        self._ends = threading.Event()
        self._thread = ThreadPoolExecutor(1, "gateway-calls")

    def __enter__(self) -> GatewayClient:
        self._made = self._thread.submit(self._run)
        return self

    def __exit__(self, *exc: object) -> None:
        self._ends.set()
        self._thread.shutdown()

    def require_expected(self) -> None:
        """Raises LoadError after an answer that was not expected."""
        if self._made.done():
            self._made.result(0)

    def _run(self) -> None:
        answer = None
        while not self._ends.wait(1 / CALLS_PER_S) and not self._stop.is_set():
            call = next(self._calls) if answer is None else self._calls.send(answer)
            answer = self._call(call)
            if answer is None:
                return
            self.asked[_outcome(answer)] += 1
            if answer.status not in call.expected | FORBIDDEN:
                said = f"{answer.status}: {answer.body.get('code')}"
                raise LoadError(f"the gateway answers {call.path} with {said}")

    def _call(self, call: Call) -> Answer | None:
        """Return the answer to a call, once there is one; None where the load ends before."""
        if call.who not in self._access.keys:
            return Answer(403, {})
        pause = PAUSE_FIRST_S
        while (answer := self._ask(call)).status in AGAIN:
            self.asked["again"] += 1
            if self._stop.is_set() or self._ends.wait(pause):
                return None
            pause = min(2 * pause, PAUSE_MAX_S)
        return answer

    def _ask(self, call: Call) -> Answer:
        headers = {"Authorization": f"Bearer {self._access.keys[call.who]}"}
        body = None
        if call.key is not None:
            headers |= {"Idempotency-Key": call.key, "Content-Type": "application/json"}
            headers["Prefer"] = f"wait={DECIDED_WITHIN_S}"
            body = json.dumps(call.body).encode()
        if call.after is not None:
            headers["Ledgerflow-After"] = call.after
        request = urllib.request.Request(f"{self._access.url}/v1/{self._tenant}{call.path}", body, headers)
        try:
            try:
                said = urllib.request.urlopen(request, timeout=ANSWERED_WITHIN_S, context=self._access.tls)
            except urllib.error.HTTPError as error:
                said = error
            with said:
                read: Any = json.loads(said.read(ANSWER_BYTES_MAX))
                is_repeat = said.headers.get("Idempotent-Replayed") == "true"
                return Answer(said.status, read, is_repeat)
        except (OSError, http.client.HTTPException, ValueError):
            return Answer(0, {})


def _outcome(answer: Answer) -> str:
    if answer.status in FORBIDDEN:
        return "forbidden"
    if answer.status == 409:
        return "conflict" if answer.body.get("code") == "idempotency_key_reused" else "refused"
    if answer.status not in (200, 202):
        return "not there yet"
    return "repeat" if answer.is_repeat else "done"
