"""The set of rules of the package: what holds until another one is published."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.rule_files import read_file
from pipeline.domain.fraud.expressions.rule_sets import RuleSet, RuleSetError

FILE = "default_rules.toml"
"""A part of the code, as any other module: it changes with a release alone."""


@cache
def default_set(catalogue: Catalogue) -> RuleSet:
    """Return the set of the package. Raises RuleSetError where it asks for what a catalogue does not have."""
    found = read_file((files(__package__) / FILE).read_text("utf-8"), catalogue)
    if found.rules is None or not found.is_usable:
        first = found.problems[0]
        raise RuleSetError(f"{FILE}:{first.line}:{first.column}: {first.message}")
    return found.rules
