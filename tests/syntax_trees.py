"""`ast.parse` as it is since CPython 3.11.8: what runs in the middle of it cannot make it fail.

Before 3.11.8 all calls of `ast.parse` count the depth of their trees in one place of the interpreter
(gh-106905). The cyclic collector may run in the middle of a call, and with it finalizers and callbacks: one
that formats a traceback parses, too, and another thread may have its turn. The outer call then ends with
"SystemError: AST constructor recursion depth mismatch". Hypothesis parses sources while it draws values, so
an example fails that passes when it is tried again: FlakyFailure. While the collector rests, nothing can come
between.
"""

from __future__ import annotations

import ast
import functools
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

REENTRANT_SINCE = (3, 11, 8)

Parse = Callable[..., Any]


def undisturbed(parse: Parse) -> Parse:
    """Return `parse`, during which the collector rests; of several threads one parses at a time."""
    turn = threading.RLock()

    @functools.wraps(parse)
    def parse_undisturbed(*arguments: Any, **named: Any) -> Any:
        with turn:
            collects = gc.isenabled()
            gc.disable()
            try:
                return parse(*arguments, **named)
            finally:
                if collects:
                    gc.enable()

    return parse_undisturbed


def install() -> None:
    """Have every caller of `ast.parse` in this process parse undisturbed, where the interpreter needs it."""
    if sys.version_info < REENTRANT_SINCE:
        ast.parse = undisturbed(ast.parse)
