"""The rules that hold, compiled: which of them fire for a payment, and what that comes to.

score     the scores of active rules that fire, added, at most SCORE_MAX
outcome   REJECT before REVIEW before none
snoozed, or on an `allow` list: only rejections count; the others are noted as shadow rules are
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from pipeline.domain.fraud.expressions.by_column import Batch, ColumnProgram
from pipeline.domain.fraud.expressions.by_row import Row, RowFunction, row_function
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.checking import check
from pipeline.domain.fraud.expressions.holding import Held, Holding
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.reasons import filled
from pipeline.domain.fraud.expressions.rule_sets import (
    ACTIVE,
    ALLOW,
    BLOCK,
    REJECT,
    REVIEW,
    SCORE_MAX,
    SHADOW,
    RuleList,
)
from pipeline.domain.fraud.expressions.syntax import InList, Name, Node, with_lists
from pipeline.domain.kernel.times import LONG_AGO, NO_END

_NAMES = ("", REVIEW, REJECT)
"""Outcomes by their rank."""


class Ruling(msgspec.Struct, frozen=True):
    """What the rules say of one payment."""

    score: int
    """0..SCORE_MAX."""
    outcome: str | None
    """REVIEW, REJECT, or None: the score decides."""
    reasons: tuple[tuple[str, str], ...]
    """Rule (`fan_out@3`, `list:block`) and reason of what counts, in order of the rules."""
    shadow: tuple[str, ...]
    """Rules that fired and do not count."""


class Rulings(msgspec.Struct, frozen=True):
    """What the rules say of many payments."""

    scores: np.ndarray
    """int64."""
    outcomes: np.ndarray
    """0 none, 1 REVIEW, 2 REJECT: int64."""
    fired: np.ndarray
    """bool: rules by payments, counted or not; block lists after the rules."""
    counted: np.ndarray
    """bool: of `fired`, what counts."""
    excused: np.ndarray
    """bool: snoozed, or on an `allow` list."""


class CompiledRules:
    """The rules that hold for a tenant and a segment; they serve as long as the holding does."""

    def __init__(
        self,
        holding: Holding,
        catalogue: Catalogue,
        account: str,
        entries_in: Callable[[RuleList], Mapping[str, int]] | None = None,
    ) -> None:
        """`account`: the feature that names the debtor, by which snoozes go; `entries_in`: as `entries_of`.

        Raises ExpressionError for a rule that is not one of the catalogue, or names a list that is not there.
        """
        self._catalogue, self._account = catalogue, account
        self._snoozed_until_us: Mapping[str, int] = holding.snoozed_until_us
        entries = {
            _qualified(place, one.name): (entries_in or entries_of)(one)
            for place, lists in enumerate(holding.lists)
            for one in lists
        }
        nodes = [_node_of(held, holding, catalogue) for held in holding.rules]
        blocks, allows = _kept(holding, BLOCK), _kept(holding, ALLOW)
        rules = [held.rule for held in holding.rules]
        self.labels = (*(rule.label for rule in rules), *(f"list:{one.name}" for _, one in blocks))
        """Of each row of `Rulings.fired`."""
        self.shadow = {rule.label: row for row, rule in enumerate(rules) if rule.state == SHADOW}
        """Labels of the rules in state shadow, with their rows."""
        self._reasons = [rule.reason for rule in rules]
        self._reasons += [f"{one.of} {{{one.of}}} is on the list {one.name}" for _, one in blocks]
        self._active = [rule.state == ACTIVE for rule in rules] + [True] * len(blocks)
        self._scores = [rule.score or 0 for rule in rules] + [0] * len(blocks)
        outcomes = [rule.outcome or "" for rule in rules] + [REJECT] * len(blocks)
        self._ranks = [_NAMES.index(outcome) for outcome in outcomes]
        nodes += [InList(Name(one.of), _qualified(place, one.name)) for place, one in blocks]
        allowing = [InList(Name(one.of), _qualified(place, one.name)) for place, one in allows]
        self._rules_count = len(nodes)
        self._program = ColumnProgram(catalogue, entries)
        for node in [*nodes, *allowing]:
            self._program.add(node)
        self._functions: list[RowFunction] = [row_function(node, catalogue, entries) for node in nodes]
        self._allows: list[RowFunction] = [row_function(node, catalogue, entries) for node in allowing]

    def snoozing(self, snoozed_until_us: Mapping[str, int]) -> CompiledRules:
        """Return the same rules with other snoozes: nothing is compiled anew."""
        found = copy.copy(self)
        found._snoozed_until_us = snoozed_until_us
        return found

    def judge(self, row: Row, at_us: int) -> Ruling:
        """Return what the rules say of one payment; `at_us`: its event time, microseconds UTC."""
        fired = [place for place, function in enumerate(self._functions) if function(row, at_us) is True]
        if not fired:
            return _NOTHING
        excused = self.excuses(row, at_us)
        score = rank = 0
        reasons: list[tuple[str, str]] = []
        shadow: list[str] = []
        for place in fired:
            if not self._active[place] or (excused and self._ranks[place] != _REJECTED):
                shadow.append(self.labels[place])
                continue
            score += self._scores[place]
            rank = max(rank, self._ranks[place])
            reasons.append((self.labels[place], filled(self._reasons[place], row, self._catalogue)))
        return Ruling(min(score, SCORE_MAX), _NAMES[rank] or None, tuple(reasons), tuple(shadow))

    def excuses(self, row: Row, at_us: int) -> bool:
        """Return whether nothing but rejections counts for a payment."""
        return self._is_snoozed(row, at_us) or any(allow(row, at_us) is True for allow in self._allows)

    def judge_all(self, batch: Batch) -> Rulings:
        """Return what the rules say of many payments: the same as `judge` says of each."""
        found = self._program.fired(batch)
        fired, allowed = found[: self._rules_count], found[self._rules_count :]
        excused = allowed.any(axis=0) | self._are_snoozed(batch)
        ranks = np.array(self._ranks, np.int64)
        counted = fired & np.array(self._active, bool)[:, None]
        counted &= ~excused[None, :] | (ranks == _REJECTED)[:, None]
        scores = np.array(self._scores, np.int64) @ counted
        outcomes = (counted * ranks[:, None]).max(axis=0, initial=0)
        return Rulings(np.minimum(scores, SCORE_MAX), outcomes, fired, counted, excused)

    def alerts(self, label: str, points: Any, excused: Any, least: int) -> Any:
        """Return whether a rule in state shadow, were it active, would make an alert where it fires.

        `points`: of what counts now; `excused`: as in `Rulings`; both of one payment or as columns. `least`:
        the points from which an alert is made.
        """
        row = self.shadow[label]
        reaches = (points + self._scores[row] >= least) | (self._ranks[row] > 0)
        return (reaches & (excused ^ True)) | (self._ranks[row] == _REJECTED)

    def reason(self, place: int, row: Row) -> str:
        """Return the reason of a rule, by its place in `labels`, with the values of a payment."""
        return filled(self._reasons[place], row, self._catalogue)

    def _is_snoozed(self, row: Row, at_us: int) -> bool:
        until_us = self._snoozed_until_us.get(str(row.get(self._account)))
        return row.get(self._account) is not None and until_us is not None and at_us < until_us

    def _are_snoozed(self, batch: Batch) -> np.ndarray:
        column = batch.features.get(self._account)
        if column is None or not self._snoozed_until_us or not column.words:
            return np.zeros(len(batch.at_us), bool)
        until_us = np.array([self._snoozed_until_us.get(word, LONG_AGO) for word in column.words], np.int64)
        snoozed: np.ndarray = batch.at_us < until_us[column.values]
        return snoozed if column.known is None else snoozed & column.known


_NOTHING = Ruling(0, None, (), ())
_REJECTED = _NAMES.index(REJECT)


def _node_of(held: Held, holding: Holding, catalogue: Catalogue) -> Node:
    """Return the tree of a rule, with the lists of its set. Raises ExpressionError."""
    node = parse(held.rule.expression)
    lists = {one.name: one.of for one in holding.lists[held.from_set]}
    check(node, held.rule.expression, catalogue, lists)
    return with_lists(node, lambda name: _qualified(held.from_set, name))


def _qualified(from_set: int, name: str) -> str:
    return f"{from_set}:{name}"


def _kept(holding: Holding, kind: str) -> list[tuple[int, RuleList]]:
    """Return the lists of a kind, each with the place of its set."""
    return [(place, one) for place, lists in enumerate(holding.lists) for one in lists if one.kind == kind]


def entries_of(one: RuleList) -> Mapping[str, int]:
    """Return the entries of a list with the event time at which each is over."""
    return {
        entry.value: NO_END if entry.expires_at_us is None else entry.expires_at_us for entry in one.entries
    }
