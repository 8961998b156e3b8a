"""Writes the generated parts of the documents: `python -m tests.project.references`.

    <!-- generated: events -->
    ... whatever `events.block()` returns ...
    <!-- end: events -->

Events, codes, commands, views, settings and metrics are printed from the code. A test fails while a document
is out of date (test_documents.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.project import reference_of_commands as commands
from tests.project import reference_of_events as events
from tests.project import reference_of_features as features
from tests.project import reference_of_settings as settings
from tests.project import reference_of_views as views

ROOT = Path(__file__).parents[2]

BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "schemas/README.md": {
        "events": events.block,
        "results": events.results_block,
        "actions on breaks": events.action_codes_block,
        "dead letters": events.dead_letters_block,
        "faults": events.faults_block,
        "currencies": events.currencies_block,
    },
    "pipeline/domain/fraud/features/README.md": {
        "features": features.block,
        "states of features": features.states_block,
    },
    "pipeline/cli/README.md": {"commands": commands.block},
    "pipeline/web/README.md": {"views": views.block, "columns": views.columns_block},
    "pipeline/runtime/README.md": {
        "settings": settings.block,
        "settings of the rules": settings.rules_block,
        "tenants": settings.tenants_block,
        "metrics": views.metrics_block,
    },
}
"""Document -> name of a generated part -> what makes it."""


def written(text: str, blocks: dict[str, Callable[[], str]]) -> str:
    """Return a document with its generated parts as they are now; raise `ValueError` if one is missing."""
    for name, make in blocks.items():
        start, end = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->\n"
        found = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if len(found.findall(text)) != 1:
            raise ValueError(f"expected one part between {start.strip()} and {end.strip()}")
        body = start + make().strip("\n") + "\n" + end
        text = found.sub(lambda _, body=body: body, text)
    return text


def documents() -> dict[Path, str]:
    """Return each document with generated parts as it must be."""
    return {ROOT / name: written((ROOT / name).read_text("utf-8"), blocks) for name, blocks in BLOCKS.items()}


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, "utf-8")
