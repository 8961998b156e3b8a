"""What a job is: `contenders(bench)` makes the input that all rounds share, and returns who does the work.

A job module has that one function; `jobs.JOBS` names them. A contender is run once a round, with the round's
number, and returns what it measured; it raises Inexact for a wrong result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Measured = dict[str, Any]
Run = Callable[[int], Measured]


class Job(NamedTuple):
    """A job of the catalogue."""

    contenders: Callable[[Any], dict[str, Run]]
    """Takes the Bench; without a stack its Sizes."""
    by_default: bool = False
    """Whether it runs where no job is named and no peers are."""
    once: bool = False
    """Whether one round is enough: it takes long, or has rounds of its own."""
    by_name_only: bool = False
    """Whether it is left out of `all`: it takes long."""
    needs_stack: bool = True
    """Whether it measures anything against the broker."""
