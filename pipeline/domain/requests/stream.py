"""The requests stream: a request has one id and one content, whoever asks again, and at whichever gateway.

    request_claimed -> the first of its id: ACCEPTED; the same content again: REPEATED; another: CONFLICT
    request_sent    -> its commands are in the log: a repeat need not send them again

A gateway sends the commands of a request only after its claim was accepted or repeated, so what two requests
of one id ask for never both happens. It keeps nothing itself: after a crash somebody claims again, is told
that it is a repeat, and sends the commands again, whose ids are the same.

A request is known for the window for duplicates and a day more, by its tenant's time. A claim that is older
than that window is refused before a row is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.ids import check_ids
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, envelope
from pipeline.domain.kernel.retention import Queue, Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.texts import check_texts
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.requests.rows import (
    CLAIMED,
    REQUEST_ROW,
    Command,
    Request,
    request_key,
    unpack_request,
)

RESULTS = "request-results"
COMMANDS_MAX = 1_000
"""Commands of one request at most."""
WINDOWS = Windows()
_HASH = re.compile(r"[0-9a-f]{64}").fullmatch


class Requests:
    """The rules of the stream; holds no state of its own."""

    def __init__(self, windows: Windows = WINDOWS) -> None:
        self._window_us = windows.duplicates_days * MICROSECONDS_PER_DAY
        self.keep_us = self._window_us + MICROSECONDS_PER_DAY
        """How long a request is known."""

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply one event of `requests`.

        Raises Reject, with nothing written: unexpected_event, invalid_id, invalid_actor,
        invalid_content_hash, invalid_commands, too_old, request_not_found.
        """
        if type(event) not in (ev.RequestClaimed, ev.RequestSent):
            raise Reject("unexpected_event", type(event).__name__)
        check_ids(event)
        check_texts(event)
        if _HASH(event.content_hash) is None:
            raise Reject("invalid_content_hash")
        queue = Queue(CLAIMED, rows, self.keep_us, event.tenant_id)
        if type(event) is ev.RequestClaimed:
            self._claim(event, at, queue, rows, out)
        else:
            self._sent(event, queue, rows)

    @staticmethod
    def keys(event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        if type(event) in (ev.RequestClaimed, ev.RequestSent):
            yield request_key(event.tenant_id, event.request_id)
            yield CLAIMED.key(event.tenant_id)

    def _claim(
        self, event: ev.RequestClaimed, at: Arrival, queue: Queue, rows: PrefetchingRows, out: Outbox
    ) -> None:
        if not 1 <= len(event.commands) <= COMMANDS_MAX:
            raise Reject("invalid_commands", f"{len(event.commands)} commands, 1 to {COMMANDS_MAX}")
        claimed_at = min(event.occurred_at, at.recorded_at)
        if queue.newest_at - claimed_at > self._window_us:
            raise Reject("too_old")
        key = request_key(event.tenant_id, event.request_id)
        first = self._known(rows.get(key), max(queue.newest_at, claimed_at))
        if first is None:
            commands = tuple(Command(one.topic, one.event, one.event_id, one.key) for one in event.commands)
            first = Request(event.content_hash, claimed_at, event.event_id, False, commands)
            rows.put(key, REQUEST_ROW.pack(first))
            for old in queue.add(claimed_at, key):
                self._forget(old, queue.newest_at, rows)
            queue.write()
            answer: ev.RequestAnswer = "ACCEPTED"
        else:
            answer = "REPEATED" if first.content_hash == event.content_hash else "CONFLICT"
        named = envelope(event, "request_answered")
        said = event.request_id, answer, first.content_hash, first.claimed_at, first.sent
        asked = tuple(ev.RequestedCommand(*parts) for parts in map(msgspec.structs.astuple, first.commands))
        answered = ev.RequestAnswered(*named, *said, asked, event.actor)
        out.emit(RESULTS, f"{event.tenant_id}/{event.request_id}", answered)

    def _sent(self, event: ev.RequestSent, queue: Queue, rows: PrefetchingRows) -> None:
        key = request_key(event.tenant_id, event.request_id)
        first = self._known(rows.get(key), queue.newest_at)
        if first is None or first.content_hash != event.content_hash:
            raise Reject("request_not_found")
        if not first.sent:
            rows.put(key, REQUEST_ROW.pack(msgspec.structs.replace(first, sent=True)))

    def _known(self, row: bytes | None, now: int) -> Request | None:
        """Return the first request of an id, None where there is none that still counts."""
        request = None if row is None else unpack_request(row)
        return None if request is None or now - request.claimed_at > self.keep_us else request

    def _forget(self, key: bytes, now: int, rows: PrefetchingRows) -> None:
        """Delete a request that does not count any more; its id may have been claimed again since."""
        row = rows.get(key)
        if row is not None and self._known(row, now) is None:
            rows.delete(key)
