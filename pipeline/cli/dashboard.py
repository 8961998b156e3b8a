"""The output of `up` while it runs: a live panel on a terminal, else one line every LINE_EVERY_S seconds."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from datetime import datetime
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from pipeline.cli.amounts import money
from pipeline.cli.news import News
from pipeline.cli.screen import Table
from pipeline.cli.supervisor import Worker
from pipeline.cli.tally import Tally
from pipeline.runtime.escaping import escaped
from pipeline.runtime.kafka.topics import INVARIANT_ALERTS

RATE_OVER_S = 5.0
REDRAW_EVERY_S = 0.5
LINE_EVERY_S = 10.0
MESSAGES_SHOWN = 4
PROBLEMS_SHOWN = 5
TRY = (
    ("tail fraud-alerts --follow", "alerts as they come, in another terminal"),
    ("verify", "every invariant, from the topics alone"),
)
_ROWS_BESIDE_NEWS = 25
"""Lines of a panel with one worker and no news. Further lines of the terminal show news."""
_NAME_COLUMNS = 13
_TOTAL_COLUMNS = 10
_COLUMNS_BESIDE_NOTES = 6 + _NAME_COLUMNS + _TOTAL_COLUMNS + len("per second") + 3 * 2
"""The panel's frame and the other columns, each with a gap of two."""
_COLOURS = {
    "alert": "yellow",
    "stuck": "yellow",
    "break": "magenta",
    "journal": "cyan",
    "dead letter": "red",
    "broken": "red",
    "gap": "red",
    "ready": "green",
    "down": "red",
    "not ready": "red",
}


class View(NamedTuple):
    """The present state of a run, to be shown."""

    tally: Tally
    workers: list[Worker]
    gateway: Worker
    bootstrap_servers: str
    schema_registry_url: str
    phase: str
    restarts: int
    problems: list[str]
    """What keeps the workers from their work now, a line each."""
    ends_in_s: float | None
    """Seconds; None where only a signal ends the run."""
    options: str
    """Options that other commands need to find this stack, such as ` --data DIR`; empty by default."""


class Rates:
    """Rates per second, over the last RATE_OVER_S seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[str, int]]] = deque()

    def take(self, now: float, counts: dict[str, int]) -> dict[str, float]:
        """Add counts (`now` in monotonic seconds) and return the rate of each per second."""
        self._seen.append((now, counts))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RATE_OVER_S:
            self._seen.popleft()
        began, first = self._seen[0]
        seconds = now - began
        return {
            name: (count - first[name]) / seconds if seconds > 0 else 0.0 for name, count in counts.items()
        }


def counts_of(tally: Tally) -> dict[str, int]:
    """Return the counts in the order in which they are shown."""
    return {
        "events in": tally.events_in,
        "postings": tally.records["postings"],
        "balances": tally.accounts,
        "breaks": tally.breaks_opened,
        "alerts": tally.records["fraud-alerts"],
        "broken": tally.records[INVARIANT_ALERTS],
        "dead letters": tally.records["dead-letters"],
    }


class Dashboard:
    """Shows `View`s. It must never stop the run: errors of a closed terminal are ignored."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rates = Rates()
        self._messages: deque[str] = deque(maxlen=MESSAGES_SHOWN)
        self._began = time.monotonic()
        self._drawn_at = 0.0
        self._live: Live | None = None

    def say(self, message: str) -> None:
        """Show a message."""
        message = escaped(message)
        if self._live is None:
            with contextlib.suppress(OSError):
                self._console.print(f"{self._uptime()} {message}", markup=False, soft_wrap=True)
        else:
            self._messages.append(f"{self._uptime()} {message}")

    def open(self) -> None:
        """Start the live panel if there is a terminal."""
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            with contextlib.suppress(OSError):
                self._live.start()

    def show(self, view: View) -> None:
        """Show a view, unless the last one was shown too recently."""
        now = time.monotonic()
        if now - self._drawn_at < (REDRAW_EVERY_S if self._live else LINE_EVERY_S):
            return
        self._drawn_at = now
        rates = self._rates.take(now, counts_of(view.tally))
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.update(self._panel(view, rates), refresh=True)
        else:
            self.say(_line(view, rates))

    def close(self) -> None:
        """Remove the live panel. Its messages, and later ones, are printed as lines."""
        if self._live is None:
            return
        with contextlib.suppress(OSError):
            self._live.stop()
            for message in self._messages:
                self._console.print(message, markup=False, soft_wrap=True)
        self._live = None
        self._messages.clear()

    def _uptime(self) -> str:
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def _panel(self, view: View, rates: dict[str, float]) -> RenderableType:
        left = "" if view.ends_in_s is None else f"; ends in {max(0, round(view.ends_in_s))} s"
        room = self._console.height - _ROWS_BESIDE_NEWS - len(view.workers) - len(self._messages)
        parts: list[RenderableType] = [_numbers(view.tally, rates, self._console.width)]
        if view.tally.news and room > 0:
            parts += ["", *(_news_line(told) for told in view.tally.news[-room:])]
        parts += ["", _addresses(view)]
        if view.problems:
            parts += ["", *(Text(line, style="red") for line in view.problems[:PROBLEMS_SHOWN])]
            if more := len(view.problems) - PROBLEMS_SHOWN:
                parts += [Text(f"and {more} more", style="red")] if more > 0 else []
        if self._messages:
            parts += ["", *(Text(message, style="yellow", overflow="ellipsis") for message in self._messages)]
        return Panel(
            Group(*parts),
            title=f"[bold]Ledgerflow[/bold]  {view.phase}  {self._uptime()}",
            subtitle=f"Ctrl-C stops everything in good order{left}",
            padding=(1, 2),
        )


def _numbers(tally: Tally, rates: dict[str, float], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=_NAME_COLUMNS)
    table.add_column("total", justify="right", min_width=_TOTAL_COLUMNS, style="bold")
    table.add_column("per second", justify="right")
    table.add_column("", style="dim")
    flight = ", ".join(money(minor, currency) for currency, minor in tally.in_flight.items()) or "nothing"
    open_breaks = tally.breaks_opened - tally.breaks_resolved
    notes = {
        "events in": "payments, journals, accounts, trades, prices, bank statements",
        "postings": tally.last_posting,
        "balances": "accounts",
        "breaks": f"{open_breaks:,} open, {tally.breaks_resolved:,} resolved: bank and books differ",
        "alerts": "payments held for review or declined",
        "broken": "invariants that were found not to hold",
        "dead letters": "records that cannot be applied, and why",
        "lag": "records that the streams have still to read",
        "in flight": f"{flight} on the way between branches",
    }
    counts = counts_of(tally)
    for name, said in notes.items():
        count, rate = counts.get(name), rates.get(name)
        total = f"{tally.lag:,}" if name == "lag" else "" if count is None else f"{count:,}"
        colour = _COLOURS.get(name.removesuffix("s"), "") if count else ""
        per_second = "" if rate is None else f"{rate:,.0f}" if rate >= 10 or not rate else f"{rate:.1f}"
        note = Text(said)
        note.truncate(max(1, width - _COLUMNS_BESIDE_NOTES), overflow="ellipsis")
        table.add_row(name, Text(total, style=colour), per_second, note)
    return table


def _news_line(told: News) -> Text:
    """Return one line, cut at the edge of the panel."""
    time_of_day = datetime.fromtimestamp(told.at_ms / 1000).strftime("%H:%M:%S")
    return Text.assemble(
        (f"{told.kind:<{_NAME_COLUMNS + 2}}", _COLOURS[told.kind]),
        (f"{time_of_day}  ", "dim"),
        told.text,
        no_wrap=True,
        overflow="ellipsis",
    )


def _addresses(view: View) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=_NAME_COLUMNS)
    table.add_column(overflow="fold")
    processes = [("gateway", view.gateway, "/docs")]
    for worker in view.workers:
        processes.append((f"worker {worker.number}", worker, "" if worker.number else " ".join(worker.lists)))
    for name, process, pages in processes:
        colour = _COLOURS.get(process.state, "yellow")
        state = f"[{colour}]{process.state:<11}[/{colour}]"
        table.add_row(
            name, f"{state}[link={process.url}][cyan]{process.url}[/cyan][/link] [dim]{pages}[/dim]"
        )
    servers, registry = view.bootstrap_servers, view.schema_registry_url
    table.add_row("Kafka", f"[cyan]{servers}[/cyan], registry [cyan]{registry}[/cyan]")
    for name, (command, about) in zip(("try", ""), TRY, strict=True):
        table.add_row(name, Text.assemble(f"ledgerflow {command}{view.options}", (f"  {about}", "dim")))
    return table


def _line(view: View, rates: dict[str, float]) -> str:
    tally = view.tally
    counts = ", ".join(f"{name} {count:,}" for name, count in counts_of(tally).items())
    states = ", ".join(worker.state for worker in view.workers)
    problems = f"; problems ({len(view.problems)}): {view.problems[0]}" if view.problems else ""
    flight = ", ".join(money(minor, currency) for currency, minor in tally.in_flight.items()) or "nothing"
    return (
        f"{view.phase}: {counts}; {rates['events in']:,.0f} events/s in, {rates['postings']:,.0f} postings/s;"
        f" lag {tally.lag:,}; in flight {flight}; workers {states}{problems}"
    )
