"""A model's bytes: one encoding for one model, and one model for one encoding.

Little endian, fixed widths, counts first; README.md has the table. The last 32 bytes are the SHA-256 of all
before, which is the model's name, too. Nothing is allocated by a count that was not compared with its bound,
and the trees hold no pointers, so that hostile bytes cost no more than honest ones.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any

import numpy as np

from pipeline.domain.fraud.model.artefact import (
    EDGES_MAX,
    FIGURES_MAX,
    KNOTS_MAX,
    MODEL_BYTES_MAX,
    NAME_LENGTH_MAX,
    SCHEMA_VERSION,
    Bins,
    Calibration,
    Feature,
    Model,
    Trees,
    Window,
)
from pipeline.domain.fraud.model.checks import check, check_counts
from pipeline.domain.fraud.model.refusals import ModelRefused, require

MAGIC = b"LFMODEL\0"
_START = struct.Struct("<8sH")
_HEAD = struct.Struct("<BHHIHBqIHH6q")
_DIGEST_BYTES = 32
_NODE_COLUMNS = (("feature", "<u2"), ("missing_right", "u1"), ("cut", "<i8"), ("value", "<i4"))


def encode(model: Model) -> bytes:
    """Return the bytes of a model. Raises ModelRefused where it breaks a bound."""
    check(model)
    trees = model.trees
    head = _HEAD.pack(
        model.kind, len(model.features), len(trees.sizes), len(trees.value), len(model.calibration.margins),
        len(model.figures), model.base, model.units_per_one, model.review_from_bp, model.decline_from_bp,
        *model.window,
    )  # fmt: skip
    parts = [_START.pack(MAGIC, SCHEMA_VERSION), head]
    for feature in model.features:
        parts += [_text(feature.name), _text(feature.unit), bytes([feature.decimals]), _bins(feature.bins)]
    parts.append(_bins(model.score_bins))
    parts += [_text(name) + struct.pack("<q", value) for name, value in model.figures]
    parts.append(np.array(model.calibration.margins, "<i8").tobytes())
    parts.append(np.array(model.calibration.scores_bp, "<u2").tobytes())
    parts.append(trees.sizes.astype("<u4").tobytes())
    parts += [getattr(trees, column).astype(form).tobytes() for column, form in _NODE_COLUMNS]
    content = b"".join(parts)
    require(len(content) + _DIGEST_BYTES <= MODEL_BYTES_MAX, "bytes", f"more than {MODEL_BYTES_MAX}")
    return content + sha256(content).digest()


def name_of(data: bytes) -> str:
    """Return the name that a model's bytes give it: 64 hexadecimal digits. It is checked by `parse`."""
    return data[-_DIGEST_BYTES:].hex()


def parse(data: bytes, name: str | None = None) -> Model:
    """Return the model of bytes from outside.

    `name` is what the sender calls it. Raises ModelRefused, with where and what, for bytes that are not
    exactly what `encode` makes of a model, and where the name is another.
    """
    require(len(data) <= MODEL_BYTES_MAX, "bytes", f"{len(data)} are more than {MODEL_BYTES_MAX}")
    reader = _Reader(data[:-_DIGEST_BYTES])
    magic, version = reader.fields(_START, "start")
    require(magic == MAGIC, "start", "not a model")
    newest = f"this release reads up to {SCHEMA_VERSION}"
    require(version == SCHEMA_VERSION, "version", f"{version}; {newest}")
    require(_is_whole(data), "SHA-256", "the content is not what was signed by it")
    require(
        name is None or name == name_of(data), "name", f"another than {name_of(data)}, which the bytes have"
    )
    model = _model(reader)
    require(reader.left() == 0, "end", f"{reader.left()} bytes too many")
    check(model)
    return model


def _is_whole(data: bytes) -> bool:
    return sha256(data[:-_DIGEST_BYTES]).digest() == data[-_DIGEST_BYTES:]


def _model(reader: _Reader) -> Model:
    (kind, features, trees, nodes, knots, figures, base, units_per_one, review, decline, *window) = (
        reader.fields(_HEAD, "head")
    )
    check_counts(features, trees, nodes)
    require(knots <= KNOTS_MAX, "calibration", f"{knots} knots are more than {KNOTS_MAX}")
    require(figures <= FIGURES_MAX, "figures", f"{figures} are more than {FIGURES_MAX}")
    return Model(
        kind=kind,
        features=tuple(reader.feature(f"feature {number}") for number in range(features)),
        score_bins=reader.bins("score_bins"),
        figures=tuple(
            (reader.text(f"figure {number}"), reader.numbers("<i8", 1, f"figure {number}")[0])
            for number in range(figures)
        ),
        calibration=Calibration(
            tuple(reader.numbers("<i8", knots, "calibration, margins")),
            tuple(reader.numbers("<u2", knots, "calibration, scores")),
        ),
        trees=reader.trees(trees, nodes),
        base=base,
        units_per_one=units_per_one,
        review_from_bp=review,
        decline_from_bp=decline,
        window=Window(*window),
    )


class _Reader:
    """Takes one part after the other from bytes that may end anywhere."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def left(self) -> int:
        """Return how many bytes nobody has taken."""
        return len(self._data) - self._at

    def take(self, count: int, where: str) -> bytes:
        """Return the next bytes. Raises ModelRefused where there are fewer."""
        require(count <= self.left(), where, f"ends after {self.left()} of {count} bytes")
        self._at += count
        return self._data[self._at - count : self._at]

    def fields(self, form: struct.Struct, where: str) -> tuple[Any, ...]:
        """Return the fields of a form. Raises ModelRefused."""
        return form.unpack(self.take(form.size, where))

    def column(self, form: str, count: int, where: str) -> np.ndarray:
        """Return numbers of one width, as they are in the bytes. Raises ModelRefused."""
        return np.frombuffer(self.take(count * np.dtype(form).itemsize, where), form)

    def numbers(self, form: str, count: int, where: str) -> list[int]:
        """Return a few numbers of one width. Raises ModelRefused."""
        numbers: list[int] = self.column(form, count, where).tolist()
        return numbers

    def text(self, where: str) -> str:
        """Return a text of ASCII. Raises ModelRefused."""
        (length,) = self.take(1, where)
        require(1 <= length <= NAME_LENGTH_MAX, where, f"{length} bytes are not 1 to {NAME_LENGTH_MAX}")
        raw = self.take(length, where)
        if not raw.isascii():
            raise ModelRefused(where, "not ASCII")
        return raw.decode("ascii")

    def bins(self, where: str) -> Bins:
        """Return bins. Raises ModelRefused."""
        (edges,) = self.take(1, where)
        require(edges <= EDGES_MAX, where, f"{edges} edges are more than {EDGES_MAX}")
        return Bins(
            tuple(self.numbers("<i8", edges, where)),
            tuple(self.numbers("<u4", edges + 2, where)),
        )

    def feature(self, where: str) -> Feature:
        """Return a feature. Raises ModelRefused."""
        name, unit = self.text(f"{where}, name"), self.text(f"{where}, unit")
        return Feature(name, unit, self.take(1, f"{where}, decimals")[0], self.bins(f"{where}, bins"))

    def trees(self, trees: int, nodes: int) -> Trees:
        """Return the columns of all trees. Raises ModelRefused."""
        sizes = self.column("<u4", trees, "trees").astype(np.int64)
        columns = {column: self.column(form, nodes, f"nodes, {column}") for column, form in _NODE_COLUMNS}
        require(int(columns["missing_right"].max()) <= 1, "nodes, missing_right", "neither 0 nor 1")
        return Trees(
            sizes,
            columns["feature"].astype(np.int64),
            columns["cut"].astype(np.int64),
            columns["missing_right"].astype(np.bool_),
            columns["value"].astype(np.int64),
        )


def _text(text: str) -> bytes:
    raw = text.encode("ascii")
    return bytes([len(raw)]) + raw


def _bins(bins: Bins) -> bytes:
    edges, shares = np.array(bins.edges, "<i8"), np.array(bins.shares_e6, "<u4")
    return bytes([len(bins.edges)]) + edges.tobytes() + shares.tobytes()
