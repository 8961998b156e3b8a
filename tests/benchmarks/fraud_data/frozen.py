"""The generators are frozen: frozen.json has the SHA-256 of every table, by version, data set, form and seed.

A generator that is changed makes a new version beside the old ones, whose code is in the history: raise
VERSION, and run `python -m tests.benchmarks.fraud_data --freeze`, which adds digests and never changes one.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.benchmarks.fraud_data import handbook, mixture
from tests.benchmarks.fraud_data.tables import DataSet

VERSION = 2
"""Of the generators as they are now."""
SEEDS = (1, 2, 3, 4)
GENERATORS: dict[str, ModuleType] = {"handbook": handbook, "mixture": mixture}
FORMS = ("small", "default")
FILE = Path(__file__).with_name("frozen.json")


def generated(name: str, form: str, seed: int) -> DataSet:
    """Return a data set by its name, form and seed."""
    module = GENERATORS[name]
    made: DataSet = module.generate(seed, {"small": module.SMALL, "default": module.DEFAULT}[form])
    return made


def digests(name: str, form: str, seed: int) -> dict[str, str] | None:
    """Return the digests that are kept of a data set, by table; None where none are."""
    kept: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    found: dict[str, str] | None = kept.get(str(VERSION), {}).get(name, {}).get(form, {}).get(str(seed))
    return found


def freeze() -> list[str]:
    """Add the digests that are missing for this version; return which data sets those are.

    Raises ValueError where a generator makes something else than what is frozen.
    """
    kept: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    added = []
    for name in GENERATORS:
        for form in FORMS:
            for seed in SEEDS:
                found, before = generated(name, form, seed).digests(), digests(name, form, seed)
                if before not in (None, found):
                    raise ValueError(f"{name} {form} {seed} is frozen and has changed: raise VERSION")
                of_form = kept.setdefault(str(VERSION), {}).setdefault(name, {}).setdefault(form, {})
                if before is None:
                    of_form[str(seed)] = found
                    added.append(f"{name} {form} {seed}")
    FILE.write_text(json.dumps(kept, indent=1) + "\n")
    return added
