"""The manifest: what a run produced and planted, as JSON lines, written while the run goes on.

    {"line": "plan", "seed", "count", ...}                      once, first
    {"line": "planted", "number", "kind", "name", "tenant_id", "ids", "expected", "records"}
    {"line": "produced", "records": {topic: n}, "planted": {kind: n}, "payments", "failed", "done"}

A planted item is written when Kafka has acknowledged all of its records, with their topic, partition and
offset. So all that the file states has happened, even if the run was killed. `ledgerflow verify` reads it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.loadgen.plan import LoadPlan, PlantedItem


class LoadManifest:
    """The manifest file. Each line is appended and flushed at once. A context manager."""

    def __init__(self, path: Path, plan: LoadPlan) -> None:
        """Open the file and write the plan. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._waiting: dict[int, list[tuple[str, int, int]]] = {}
        self.planted: Counter[str] = Counter()
        """Planted items whose records are all delivered, by kind."""
        self._write({"line": "plan", **plan.to_dict()})

    def delivered(self, item: PlantedItem, topic: str, partition: int, offset: int) -> bool:
        """Keep the offset of a delivered record; after an item's last one write the item and return True."""
        places = self._waiting.setdefault(item.number, [])
        places.append((topic, partition, offset))
        if len(places) < item.parts:
            return False
        del self._waiting[item.number]
        self.planted[item.kind] += 1
        self._write(
            {
                "line": "planted",
                "number": item.number,
                "kind": item.kind,
                "name": item.name,
                "tenant_id": item.tenant_id,
                "ids": item.ids,
                "expected": item.expected,
                "records": places,
            }
        )
        return True

    def counts(self, records: Counter[str], payments: int, failed: int, done: bool) -> None:
        """Write how much has been produced so far."""
        self._write(
            {
                "line": "produced",
                "records": dict(sorted(records.items())),
                "planted": dict(sorted(self.planted.items())),
                "payments": payments,
                "failed": failed,
                "done": done,
            }
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> LoadManifest:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
