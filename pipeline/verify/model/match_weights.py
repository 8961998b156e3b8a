"""Which weights score matches, and whether a score that was said is theirs.

    MatchingWeightsPublished -> in_force(tenant, time) -> check_score, check_suggestion

A set of weights is canonical JSON: for each feature one whole number a bucket, and thresholds. A tenant's own
set that is in force comes before that of all tenants; else the weights that come with the product count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.verify.model.match_items import Say

THRESHOLDS = ("confirm_from", "early_margin", "margin", "suggest_from")
KEPT_MAX = 8
"""How many sets of a tenant the stream keeps: which ones, is known up to there only."""
CANDIDATES_MAX = 3


class Weights(NamedTuple):
    """One set."""

    sha256: str
    tables: dict[str, list[int]]
    confirm_from: int
    margin: int
    """The smaller one of those on arrival and when due."""
    suggest_from: int
    thresholds: tuple[int, ...] = ()
    """All of them, as they are written."""


class FalseWeights(Exception):
    """A text that is no weights; the argument says why."""


def read_weights(text: str) -> Weights:
    """Return the weights of a text. Raises FalseWeights."""
    try:
        told = json.loads(text)
    except ValueError:
        raise FalseWeights("it is no JSON") from None
    if not isinstance(told, dict) or set(told) != {*THRESHOLDS, "tables", "version"} or told["version"] != 1:
        raise FalseWeights("it lacks or has other fields")
    if json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != text:
        raise FalseWeights("it is not canonical")
    tables = told["tables"]
    whole = [told[name] for name in THRESHOLDS]
    if not isinstance(tables, dict) or not all(isinstance(table, list) for table in tables.values()):
        raise FalseWeights("its tables are none")
    whole += [weight for table in tables.values() for weight in table]
    if any(type(number) is not int for number in whole):
        raise FalseWeights("a weight is no whole number")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    margin = min(told["margin"], told["early_margin"])
    thresholds = tuple(told[name] for name in THRESHOLDS)
    return Weights(sha256, tables, told["confirm_from"], margin, told["suggest_from"], thresholds)


@dataclass
class Publications:
    """The weights that a partition knows."""

    default: Weights | None = None
    """Those that come with the product; None: they are taken as they are said."""
    default_sha256: str | None = None
    sets: dict[str | None, dict[int, Weights | None]] = field(default_factory=dict)
    """By tenant (None: all), by the time from when on they are in use; None: those of the product."""
    ever: dict[str, Weights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.default is not None:
            self.default_sha256 = self.default.sha256

    def publish(self, event: dict[str, Any], say: Say) -> None:
        """Take in weights that were published, and were not refused."""
        if event["role"] != "LIVE":
            return
        weights = None
        if event["weights"] is not None:
            try:
                weights = read_weights(event["weights"])
            except FalseWeights as why:
                return say("weights", f"weights are taken though {why}")
            if weights.sha256 != event["sha256"]:
                return say("weights", f"their name is {event['sha256']}, their content's {weights.sha256}")
            self.ever[weights.sha256] = weights
        self.sets.setdefault(event["of_tenant"], {})[event["effective_from"]] = weights
        return None

    def in_force(self, tenant: str, now: int) -> tuple[str | None, bool]:
        """Return the name of the weights in force (None: it is not known), and whether that is sure."""
        for whose in (tenant, None):
            given = self.sets.get(whose, {})
            begun = [start for start in given if start <= now]
            if begun:
                weights = given[max(begun)]
                sha256 = self.default_sha256 if weights is None else weights.sha256
                return sha256, len(given) <= KEPT_MAX and sha256 is not None
        return self.default_sha256, self.default_sha256 is not None

    def named(self, sha256: str | None) -> Weights | None:
        """Return weights by their name, None where their content is not known."""
        if self.default is not None and sha256 == self.default.sha256:
            return self.default
        return self.ever.get(sha256 or "")

    # --- what was said

    def check_match(self, tenant: str, now: int, said: dict[str, Any], say: Say) -> None:
        """Check the score of a match that was said."""
        tier, score = said["tier"], said.get("score")
        if tier == "SCORED":
            if score is None or said.get("weights_sha256") is None or said.get("parts") is None:
                return say("score", "a scored match without score, parts or weights")
            weights = self.check_name(tenant, now, said["weights_sha256"], say)
            if weights is not None and score < weights.confirm_from:
                say("below confirm_from", f"{score} is confirmed, which begins with {weights.confirm_from}")
            return self.check_parts(score, said["parts"], weights, say)
        if said.get("weights_sha256") is not None:
            say("score", f"{tier} names weights, which only scored pairs have")
        if tier in ("REFERENCE", "PERSON", "CORRECTION") and score is not None:
            say("score", f"{tier} has a score, which nobody has made")
        elif score is not None and said.get("parts"):
            self.check_parts(score, said["parts"], None, say)
        return None

    def check_name(self, tenant: str, now: int, sha256: str, say: Say) -> Weights | None:
        """Check that weights are those in force; return them where their content is known."""
        expected, is_sure = self.in_force(tenant, now)
        weights = self.named(sha256)
        if is_sure and sha256 != expected:
            say("weights not in force", f"it is scored by {sha256[:12]}, in force are {expected[:12]}")  # type: ignore[index]
        elif not is_sure and weights is None and self.default_sha256 is not None:
            say("weights not in force", f"nobody has published {sha256[:12]}")
        return weights

    def check_parts(
        self, score: int, parts: Sequence[dict[str, Any]], weights: Weights | None, say: Say
    ) -> None:
        """Check that a score is the sum of its parts, and each part one of the weights of its feature."""
        total = sum(part["score"] for part in parts)
        if total != score:
            say("score is not its parts", f"the parts make {total}, the score is {score}")
        if weights is None:
            return
        names = [feature_of(part) for part in parts]
        if len(set(names)) != len(names):
            say("part", "a feature counts twice")
        for part in parts:
            name, added = feature_of(part), part["score"]
            table = weights.tables.get(name)
            is_known = table is not None or (self.default is not None and name in self.default.tables)
            if not is_known and (added or self.default is not None):
                say("part", f"{name} is no feature of these weights")
            elif added and added not in (table or ()):
                say("part", f"{name} counts {added}, which none of its weights is")

    def check_suggestion(self, tenant: str, now: int, said: dict[str, Any], say: Say) -> None:
        """Check the scores of what was suggested."""
        candidates, sha256 = said["candidates"], said["weights_sha256"]
        if len(candidates) > CANDIDATES_MAX:
            say("too many suggestions", f"{len(candidates)} are suggested, {CANDIDATES_MAX} are the most")
        weights = None if sha256 is None else self.check_name(tenant, now, sha256, say)
        pairs = [one for one in candidates if weights is not None and is_pair(one, weights)]
        groups = [one for one in candidates if one not in pairs]
        for scores in ([one["score"] for one in pairs], [one["score"] for one in groups]):
            if scores != sorted(scores, reverse=True):
                say("order of suggestions", f"the best is not the first of {scores}")
        for one in pairs:
            if weights is not None and one["score"] < weights.suggest_from:
                say(
                    "below suggest_from",
                    f"{one['score']} is suggested, which begins with {weights.suggest_from}",
                )
            self.check_parts(one["score"], one["parts"], weights, say)
        for one in groups:
            if one["parts"]:
                self.check_parts(one["score"], one["parts"], None, say)


def is_pair(candidate: dict[str, Any], weights: Weights) -> bool:
    """Whether it is one line and one posting, scored by weights: what counts always, does so."""
    always = {name for name, table in weights.tables.items() if len(table) == 1 and table[0]}
    is_one = len(candidate["lines"]) <= 1 and len(candidate["posting_ids"]) <= 1
    return is_one and always <= {feature_of(part) for part in candidate["parts"]}


def feature_of(part: dict[str, Any]) -> str:
    """Return the feature of a part, whose name may say in words what it found: `days: booked later`."""
    return str(part["name"]).partition(":")[0]
