"""`ids.check_ids` for a run of events in columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import Run, numpy_of
from pipeline.domain.kernel.ids import ID_CHARS_MAX, IN_KEYS


def bad_ids(run: Run, names: Iterable[str]) -> np.ndarray:
    """Return which events may have an invalid id, one bool for each; `names` are columns of ids.

    Null ids are valid. A long id may be reported though it is valid: sizes are in bytes, not in characters.
    """
    found = np.zeros(len(run), bool)
    for name in names:
        column = run.columns[name]
        if column.null_count == len(column):
            continue
        size = pc.binary_length(column)  # in bytes, which are as many as the characters, or more
        wrong = [pc.equal(size, 0), pc.greater(size, ID_CHARS_MAX), pc.match_substring(column, "\0")]
        if name in IN_KEYS:
            wrong.append(pc.match_substring(column, "/"))
        for one in wrong:
            found |= numpy_of(one, False)
    return found
