"""`ids.check_ids` for a run of events in columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import Run, numpy_of
from pipeline.domain.kernel.ids import ID_CHARS_MAX, IN_KEYS


def bad_ids(run: Run, names: Iterable[str]) -> np.ndarray:
    """Return which events may have an invalid id, one bool for each; `names` are columns of ids.

    Null ids are valid. A long id may be reported though it is valid: sizes are in bytes, not in characters.
    """
    count = len(run)
    columns = {name: run.columns[name] for name in names}
    given = [name for name, column in columns.items() if column.null_count < len(column)]
    given.sort(key=IN_KEYS.__contains__)
    if not given:
        return np.zeros(count, bool)
    # All ids are looked at together: of a short run most of the time goes into the calls.
    ids = pa.concat_arrays([columns[name] for name in given])
    size = pc.binary_length(ids)  # in bytes, which are as many as the characters, or more
    in_keys = count * sum(name not in IN_KEYS for name in given)
    wrong = _where(pc.equal(size, 0)) | _where(pc.greater(size, ID_CHARS_MAX))
    wrong |= _where(pc.match_substring(ids, "\0"))
    wrong[in_keys:] |= _where(pc.match_substring(ids[in_keys:], "/"))
    found: np.ndarray = wrong.reshape(len(given), count).any(axis=0)
    return found


def _where(found: pa.Array) -> np.ndarray:
    return numpy_of(found, False)
