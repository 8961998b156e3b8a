"""The generator is frozen: frozen.json has the SHA-256 of every table, by version, form and seed.

A generator that is changed makes a new version beside the old ones, whose code is in the history: raise
VERSION, and run `python -m tests.benchmarks.reconciliation_data --freeze`, which never changes a digest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.reconciliation_data import generator
from tests.benchmarks.reconciliation_data.tables import DataSet

VERSION = 1
"""Of the generator as it is now."""
SEEDS = (1, 2, 3, 4)
FORMS = {"small": generator.SMALL, "default": generator.DEFAULT}
FILE = Path(__file__).with_name("frozen.json")


def generated(form: str, seed: int) -> DataSet:
    """Return a data set by its form and seed."""
    return generator.generate(seed, FORMS[form])


def digests(form: str, seed: int) -> dict[str, str] | None:
    """Return the digests that are kept of a data set, by table; None where none are."""
    kept: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    found: dict[str, str] | None = kept.get(str(VERSION), {}).get(form, {}).get(str(seed))
    return found


def freeze() -> list[str]:
    """Add the digests that are missing for this version; return which data sets those are.

    Raises ValueError where the generator makes something else than what is frozen.
    """
    kept: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    added = []
    for form in FORMS:
        for seed in SEEDS:
            found, before = generated(form, seed).digests(), digests(form, seed)
            if before not in (None, found):
                raise ValueError(f"{form} {seed} is frozen and has changed: raise VERSION")
            if before is None:
                kept.setdefault(str(VERSION), {}).setdefault(form, {})[str(seed)] = found
                added.append(f"{form} {seed}")
    FILE.write_text(json.dumps(kept, indent=1) + "\n")
    return added
