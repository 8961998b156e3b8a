"""`texts.check_texts` for a run of events in columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import METADATA_COLUMN, Run, numpy_of
from pipeline.domain.kernel.texts import ACTOR_CHARS_MAX, ENTRIES_MAX, KEY_CHARS_MAX, VALUE_CHARS_MAX

_SPACE, _DELETE = 0x20, 0x7F


def bad_texts(run: Run) -> np.ndarray:
    """Return which events may have an invalid actor or invalid metadata, one bool for each.

    As with `bad_ids`, sizes are in bytes: the row path tells whether a text is too long.
    """
    found = np.zeros(len(run), bool)
    actors = run.columns["actor"]
    if actors.null_count < len(actors):
        for part in actors.flatten():
            found |= _bad(part, 1, ACTOR_CHARS_MAX)
    metadata = run.columns["metadata"]
    if metadata.null_count < len(metadata):
        ends = metadata.offsets.to_numpy()
        sizes, entries = np.diff(ends), slice(ends[0], ends[-1])
        wrong = _bad(metadata.keys[entries], 1, KEY_CHARS_MAX)
        wrong |= _bad(metadata.items[entries], 0, VALUE_CHARS_MAX)
        found[np.repeat(np.arange(len(run)), sizes)[wrong]] = True
        found |= sizes > ENTRIES_MAX
    return found


def _bad(texts: pa.Array, bytes_min: int, bytes_max: int) -> np.ndarray:
    """Return which texts may be of a wrong size, or have a control character; nulls are not."""
    sizes = numpy_of(pc.binary_length(texts), bytes_min)
    wrong: np.ndarray = (sizes < bytes_min) | (sizes > bytes_max)
    octets = _octets(texts)
    if ((octets < _SPACE) | (octets == _DELETE)).any():
        wrong |= numpy_of(pc.match_substring_regex(texts, r"[\x00-\x1f\x7f]"), False)
    return wrong


def _octets(texts: pa.Array) -> np.ndarray:
    """Return the UTF-8 bytes of all texts of a column, one after the other."""
    _, offsets, text = texts.buffers()
    if text is None or not len(texts):
        return np.zeros(0, np.uint8)
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(text, np.uint8)[ends[0] : ends[-1]]


def one_value_a_key(metadata: pa.Array) -> pa.Array:
    """Return metadata in which a key that Avro has twice has its last value, as a dict has it."""
    entries = metadata.to_pylist()
    return pa.array([None if one is None else dict(one) for one in entries], METADATA_COLUMN)
