"""The command line, `ledgerflow`: one command or group of commands per file; entry.py puts them together."""

from pipeline.cli.entry import main

__all__ = ["main"]
