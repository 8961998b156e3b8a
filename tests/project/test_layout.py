"""Layout: what would be left out of an installed Ledgerflow without a word."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).parents[2]


def test_every_folder_with_code_is_a_package() -> None:
    folders = {
        file.parent for top in ("pipeline", "schemas", "topologies") for file in (ROOT / top).rglob("*.py")
    }
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_the_files_that_the_suite_spreads_are_there() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / name).is_file()] == []
