"""Requests as they are drawn: few ids, few contents, claims that come again, late and malformed."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY

START = 1_700_000_000_000_000
COMMAND = ev.RequestedCommand("payments", "ledgerflow.PaymentInitiated", "e-1", "north/alice")
ACTOR = ev.Actor("idp", "anna", "s-1", None, "v1")


def claim(
    number: int, request: str = "r-1", content: str = "a", day: float = 0, **fields: Any
) -> ev.RequestClaimed:
    """Return a claim of a request whose content is one letter, repeated to the length of a hash."""
    about = {
        "event_id": f"claim-{number}",
        "tenant_id": "north",
        "occurred_at": START + int(day * MICROSECONDS_PER_DAY),
        "correlation_id": f"c-{number}",
        "causation_id": None,
        "request_id": request,
        "content_hash": content * 64,
        "commands": (COMMAND,),
        "actor": ACTOR,
    }
    return ev.RequestClaimed(**about | fields)


def sent(number: int, request: str = "r-1", content: str = "a", day: float = 0) -> ev.RequestSent:
    """Return the news that the commands of a request are in the log."""
    about = claim(number, request, content, day)
    return ev.RequestSent(
        f"sent-{number}", *(about.tenant_id, about.occurred_at, about.correlation_id, None),
        *(about.request_id, about.content_hash, about.actor),
    )  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> list[Any]:
    """Draw the events of one partition."""
    events: list[Any] = []
    day = 0.0
    for number in range(draw(st.integers(1, 120))):
        day += draw(st.sampled_from([0, 0, 0.25, 1, 40]))
        request = f"r-{draw(st.integers(0, 45))}"
        content, at = draw(st.sampled_from("aaab")), day - draw(st.sampled_from([0, 0, 0, 3, 95]))
        kind = draw(st.sampled_from(["claim"] * 6 + ["sent"] * 2 + ["bad", "other"]))
        if kind == "claim":
            tenant = draw(st.sampled_from(["north", "north", "acme"]))
            events.append(claim(number, request, content, at, tenant_id=tenant))
        elif kind == "sent":
            events.append(sent(number, request, content, at))
        elif kind == "bad":
            flaws: list[dict[str, Any]] = [
                {"content_hash": "A" * 64},
                {"content_hash": "a" * 63},
                {"commands": ()},
                {"commands": (COMMAND,) * 1_001},
                {"request_id": ""},
                {"request_id": "a/b"},
                {"actor": ev.Actor("", "x")},
            ]
            events.append(claim(number, **draw(st.sampled_from(flaws))))
        else:
            events.append(ev.AccountReopened(f"e-{number}", "north", START, "c", None, "alice", "again"))
    return events
