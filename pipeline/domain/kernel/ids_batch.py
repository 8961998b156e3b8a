"""`ids.check_ids` of a run of events at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import Run, numpy_of
from pipeline.domain.kernel.ids import ID_CHARS_MAX, IN_KEYS


def bad_ids(run: Run, names: Iterable[str]) -> np.ndarray:
    """Return which events may have an id that must not be; those without an id (null) have none."""
    found = np.zeros(len(run), bool)
    for name in names:
        column = run.columns[name]
        size = pc.binary_length(column)  # in bytes, which are as many as the characters, or more
        wrong = [pc.equal(size, 0), pc.greater(size, ID_CHARS_MAX), pc.match_substring(column, "\0")]
        if name in IN_KEYS:
            wrong.append(pc.match_substring(column, "/"))
        for one in wrong:
            found |= numpy_of(one, False)
    return found
