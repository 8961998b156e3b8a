"""The picture of a demo shows the last screen of a terminal, and the lines before the first one."""

from __future__ import annotations

import io

from rich.console import Console
from rich.live import Live
from rich.panel import Panel

from tests.cli.picture import COLUMNS, drawn, parts_of


def test_the_last_screen_is_drawn_with_the_lines_before_the_first() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=COLUMNS)
    console.print("starting")
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for seconds in range(3):
            live.update(Panel(f"[yellow]{seconds} s[/yellow]\nmore", title="Ledgerflow"), refresh=True)
    console.print("stopped")
    before, screen, after = parts_of(out.getvalue())
    assert before.strip() == "starting" and "2 s" in screen and after.strip() == "stopped"
    assert screen.count("Ledgerflow") == 1 and "1 s" not in screen
    picture = drawn(before + screen, "a demo")
    for said in ("starting", "2&#160;s", "more", "a&#160;demo"):
        assert said in picture
    assert "1&#160;s" not in picture and "\x1b" not in picture
