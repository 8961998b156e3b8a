"""Parsing that is disturbed by a finalizer: what made properties fail that passed when tried again."""

from __future__ import annotations

import ast
import gc
import inspect
import logging
import threading
from collections.abc import Iterator

import pytest

SOURCE = inspect.getsource(ast)
"""Long enough for the collector to run in the middle of it."""


class Disturbing:
    """A cycle whose finalizer says what failed, as a task's does whose exception nobody has retrieved."""

    finalized = 0

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        Disturbing.finalized += 1
        try:
            raise ValueError(f"{len('never retrieved') + 0}")
        except ValueError:
            logging.getLogger(__name__).error("never retrieved", exc_info=True)


@pytest.fixture
def eager_collector() -> Iterator[None]:
    """The collector runs often."""
    before = gc.get_threshold()
    gc.set_threshold(50, 1, 1)
    yield
    gc.set_threshold(*before)


def parse_beside_garbage(rounds: int) -> None:
    for depth in range(rounds):
        for _ in range(5):
            Disturbing()
        parse_below(depth)


def parse_below(depth: int) -> ast.AST:
    """Parse at a depth of the stack, which is where the count of the tree's depth starts."""
    return ast.parse(SOURCE) if depth == 0 else parse_below(depth - 1)


@pytest.mark.usefixtures("eager_collector")
def test_a_finalizer_that_formats_a_traceback_does_not_make_a_parse_fail() -> None:
    before = Disturbing.finalized
    parse_beside_garbage(20)
    assert gc.isenabled()
    gc.collect()
    assert Disturbing.finalized >= before + 100


@pytest.mark.usefixtures("eager_collector")
def test_threads_that_parse_side_by_side_do_not_make_each_other_fail() -> None:
    failed: list[BaseException] = []

    def parse() -> None:
        try:
            parse_beside_garbage(8)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=parse) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and gc.isenabled()
