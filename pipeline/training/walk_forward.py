"""Walk-forward: each payment is scored by a model that knows only labels from before its day.

    | training window | delay | days that the model scores |
                              ^ what was labelled before this midnight counts, and nothing else

Payments come in the order of their time, with their features; a model is made anew at the first midnight that
is `every_us` after the last one. Until there are frauds enough for a first model there is none, and it is
looked for every midnight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import Integers, Model
from pipeline.training.boosted import Training, train_boosted
from pipeline.training.data import DAY_US, Input, Payments, TrainingError, XgboostMissing, split_by_time

_TRAINING = Training(genuine_max=100_000)


@dataclass(frozen=True, slots=True)
class WalkForward:
    """How models follow each other."""

    training: Training = _TRAINING
    every_us: int = 7 * DAY_US
    """How long a model scores before the next one is made; whole days."""
    window_us: int | None = 42 * DAY_US
    """How far before its midnight a model looks back, the delay included; None: to the beginning."""
    frauds_min: int = 20
    """Fewer known frauds, of those that may be learned from, make no model."""
    held_frauds_min: int = 5
    """Fewer of them on the held-out days make none: nothing could be calibrated."""
    rows_max: int = 500_000
    """Most payments that are remembered. Of more each one has the same chance, whatever is known of it."""


def with_threads(how: WalkForward, threads: int) -> WalkForward:
    """Return the same with more threads, which change nothing but the time that it takes."""
    boosting = replace(how.training.boosting, threads=threads)
    return replace(how, training=replace(how.training, boosting=boosting))


class Remembered:
    """Payments in the order of their time, no more than a number of them.

    Beyond it each payment has the same chance to stay, drawn by its place alone: a choice by labels would
    know today what is labelled tomorrow.
    """

    def __init__(self, inputs: tuple[Input, ...], rows_max: int) -> None:
        self._inputs, self._rows_max = inputs, rows_max
        self._parts: deque[tuple[Payments, NDArray[np.uint64]]] = deque()
        self._count = self._seen = self._halvings = 0

    def add(self, payments: Payments) -> None:
        """Remember payments."""
        rows = len(payments.occurred_us)
        lots = _lots(self._seen, rows)
        self._seen += rows
        self._append(payments, lots)
        while self._count > self._rows_max:
            self._halvings += 1
            parts, self._parts, self._count = self._parts, deque(), 0
            for part, drawn in parts:
                self._append(part, drawn)

    def _append(self, payments: Payments, lots: NDArray[np.uint64]) -> None:
        stays = lots >> np.uint64(64 - self._halvings) == 0 if self._halvings else np.ones(len(lots), bool)
        if not stays.all():
            payments, lots = payments.some(stays), lots[stays]
        self._parts.append((payments, lots))
        self._count += len(lots)

    def since(self, at_us: int) -> Payments:
        """Return payments from a time on; earlier ones are forgotten."""
        while self._parts and not (self._parts[0][0].occurred_us >= at_us).any():
            self._count -= len(self._parts.popleft()[1])
        parts = [part for part, _ in self._parts]
        if parts:
            parts[0] = parts[0].between(at_us, None)
        return joined(self._inputs, parts)


class Walk:
    """Makes models while payments go by."""

    def __init__(self, inputs: tuple[Input, ...], how: WalkForward) -> None:
        """Raises ValueError where `every_us` is not whole days, or a window has no place for its parts."""
        training = how.training
        if how.every_us < DAY_US or how.every_us % DAY_US:
            raise ValueError("a model is made every day, or every few days")
        if how.window_us is not None and how.window_us <= 2 * training.delay_us + training.held_us:
            raise ValueError("the window must be longer than two delays and the held-out days")
        self._inputs, self._how = inputs, how
        self._seen = Remembered(inputs, how.rows_max)
        self._next_us: int | None = None
        self._newest_us: int | None = None
        self._model: Model | None = None

    def model_at(self, at_us: int) -> Model | None:
        """Return the model for payments of the day of a time, None for none.

        It is made now, if it is due. Raises XgboostMissing, and ValueError for a time before the last one.
        """
        midnight = at_us - at_us % DAY_US
        if self._newest_us is not None and midnight < self._newest_us:
            raise ValueError("days must come in their order")
        self._newest_us = midnight
        if self._next_us is None or midnight >= self._next_us:
            made = self._made(midnight)
            if made is not None:
                self._model = made
            wait = self._how.every_us if made is not None else DAY_US
            self._next_us = midnight + wait
        return self._model

    def learn(self, payments: Payments) -> None:
        """Remember payments for later models."""
        self._seen.add(payments)

    def _made(self, midnight: int) -> Model | None:
        """Return a model of what was known before a midnight; None where that is too little."""
        how = self._how.training
        since = 0 if self._how.window_us is None else midnight - self._how.window_us
        seen = self._seen.since(since)
        # What is labelled at the very midnight belongs to the day that begins.
        now = midnight - 1
        try:
            split = split_by_time(seen, now, how.delay_us, how.held_us)
        except TrainingError:
            return None
        if min(int(split.early.frauds.sum()), int(split.whole.frauds.sum())) < self._how.frauds_min:
            return None
        if int(split.held.frauds.sum()) < self._how.held_frauds_min:
            return None
        try:
            return train_boosted(seen, now, how)
        except XgboostMissing:
            raise
        except TrainingError:
            return None


def days(occurred_us: Integers) -> Iterator[slice]:
    """Yield the slices of the days, UTC, of payments in the order of their time."""
    if len(occurred_us):
        cuts = np.flatnonzero(np.diff(occurred_us // DAY_US)) + 1
        edges = [0, *cuts.tolist(), len(occurred_us)]
        for begin, end in pairwise(edges):
            yield slice(begin, end)


def walk_forward(payments: Payments, how: WalkForward) -> Iterator[tuple[slice, Model | None]]:
    """Yield the days of payments, in the order of their time, each with the model that scores it."""
    walk = Walk(payments.inputs, how)
    for day in days(payments.occurred_us):
        yield day, walk.model_at(int(payments.occurred_us[day.start]))
        walk.learn(payments.some(day))


def joined(inputs: tuple[Input, ...], parts: list[Payments]) -> Payments:
    """Return payments one after the other; without any, none."""
    nothing = Payments(inputs, np.zeros((len(inputs), 0), np.int64), *([np.zeros(0, np.int64)] * 3))
    parts = parts or [nothing]
    cleared = [one.cleared_us for one in parts if one.cleared_us is not None]
    return Payments(
        inputs,
        np.concatenate([one.columns for one in parts], axis=1),
        np.concatenate([one.occurred_us for one in parts]),
        np.concatenate([one.amount_minor for one in parts]),
        np.concatenate([one.fraud_known_us for one in parts]),
        np.concatenate(cleared) if cleared else None,
    )


def _lots(first: int, count: int) -> NDArray[np.uint64]:
    """Return numbers that are spread evenly, by place (SplitMix64)."""
    x = np.arange(first, first + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
