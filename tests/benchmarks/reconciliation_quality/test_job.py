"""The job, its command, the public pairs, and the desk on small files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.reconciliation_data.frozen import VERSION
from tests.benchmarks.reconciliation_quality.__main__ import main as judge_files
from tests.benchmarks.reconciliation_quality.cases import oracle
from tests.benchmarks.reconciliation_quality.comparison import compare, compare_public, files_of
from tests.benchmarks.reconciliation_quality.desk import Desk
from tests.benchmarks.reconciliation_quality.encrypted import over_encrypted, protected
from tests.benchmarks.reconciliation_quality.figures import by_kind, overall
from tests.benchmarks.reconciliation_quality.matched import breaks_of, results_of
from tests.benchmarks.reconciliation_quality.measures import judge, total
from tests.benchmarks.reconciliation_quality.public_pairs import public_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two files as the public ones are; the last line is of nobody."""
    folder = tmp_path_factory.mktemp("public")
    left = {
        "ground_truth": [0, 1, 2],
        "memo": ["ANNA B paym", "C D donation", "RENT"],
        "transaction_date": [date(2022, 3, 1), date(2022, 3, 2), date(2022, 3, 9)],
        "amount": [36.36, 10.0, 250.29],
        "unique_id": [0, 1, 2],
    }
    right = {
        "ground_truth": [0, 1, 2, 7],
        "memo": ["ANNA B payment BGC", "C D", "RENT", "?"],
        "transaction_date": [date(2022, 3, 2), date(2022, 3, 2), date(2022, 3, 20), date(2022, 3, 21)],
        "amount": [36.36, 10.0, 250.29, 1.0],
        "unique_id": [10, 11, 12, 13],
    }
    paths = folder / "left.parquet", folder / "right.parquet"
    for path, columns in zip(paths, (left, right), strict=True):
        pq.write_table(pa.table(columns), path)
    return paths


def test_the_desk_matches_clean_references_once_and_at_the_end_all_is_decided() -> None:
    files = files_of("small", 1)
    found = Desk()(files.postings, files.lines, None)
    results, breaks = results_of(found), breaks_of(found)
    confirmed = [one for one in results if one.outcome == "confirmed"]
    lines = [one.line_id for one in confirmed if one.line_id is not None]
    assert len({*lines}) == len(lines)
    figures = total([judge(files, found, False)])
    clean = figures["by_kind"]["clean"]
    assert clean["right"] == clean["pairs"] > 500
    # Whatever is matched with nothing has a break; who is suggested only has one, too, when that is over.
    known = {*lines, *(one for row in confirmed for one in row.posting_ids), *(one.item for one in breaks)}
    assert known == {*files.lines["line_id"].to_pylist(), *files.postings["posting_id"].to_pylist()}
    assert {one.kind for one in breaks} >= {"MISSING_INTERNAL", "MISSING_EXTERNAL", "FEE", "SIGN", "PARTIAL"}
    assert min(figures["precision_confirmed"], figures["many_lines_confirmed"]) > 0.9


def test_encrypted_texts_are_matched_as_those_in_the_clear_are() -> None:
    files = files_of("small", 1)
    found = over_encrypted(Desk())(files.postings, files.lines, None)
    clear = Desk()(files.postings, files.lines, None)
    figures, bare = (total([judge(files, one, False)]) for one in (found, clear))
    assert figures == bare and bare["recall_confirmed"] > 0.98
    texts = protected(files.lines)["description"].to_pylist()
    assert all(text == "" or text.startswith("pt1;") for text in texts)


def test_public_pairs_are_files_of_the_same_form(pairs: tuple[Path, Path]) -> None:
    files = public_pairs(*pairs)
    assert files.postings.select(["posting_id", "amount_minor", "description"]).to_pylist()[2] == {
        "posting_id": "000002",
        "amount_minor": 25_029,
        "description": "RENT",
    }
    assert files.lines.schema == files_of("small", 1).lines.schema
    assert [(row["kind"], row["line_id"], row["posting_ids"]) for row in files.truth.to_pylist()] == [
        *[("pair", "000010", ["000000"]), ("pair", "000011", ["000001"]), ("pair", "000012", ["000002"])],
        ("alone", "000013", []),
    ]
    run = oracle(files)
    found = total([judge(files, run(files.postings, files.lines, None), False)])
    assert (found["precision_confirmed"], found["recall_confirmed"]) == (1.0, 1.0)
    ours = compare_public(*pairs)["unlabelled"]
    assert (ours["precision_confirmed"], ours["recall_confirmed"]) == (1.0, 1.0)
    pq.write_table(pa.table({"memo": ["x"]}), pairs[0].with_name("bad.parquet"))
    with pytest.raises(ValueError, match=r"bad\.parquet: columns are missing: ground_truth"):
        public_pairs(pairs[0].with_name("bad.parquet"), pairs[1])


def test_figures_are_of_all_seeds_in_both_ways() -> None:
    sets = compare("small", 2)
    assert list(sets) == ["unlabelled", "labelled"] and list(sets["labelled"]["sets"]) == ["1", "2"]
    both, one = sets["unlabelled"]["by_kind"]["clean"], sets["labelled"]["by_kind"]["clean"]
    assert 0.7 < one["pairs"] / both["pairs"] < 0.9
    assert "| precision confirmed | " in "\n".join(overall("data", sets))
    assert any(
        row.startswith(f"| clean | {both['instances']} / {one['instances']} |") for row in by_kind(sets)
    )


def test_the_command_needs_no_broker_and_says_which_bars_are_met(
    pairs: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_stack(*_: object) -> None:
        raise AssertionError("a stack was started")

    monkeypatch.setattr("tests.benchmarks.__main__.LocalStack", no_stack)
    files = files_of("small", 1)
    monkeypatch.setattr(
        "tests.benchmarks.reconciliation_quality.comparison.OURS",
        lambda postings, lines, labels: oracle(files if len(lines) > 10 else public_pairs(*pairs))(
            postings, lines, labels
        ),
    )
    asked = ["--job", "reconciliation-quality", "--small", "--seeds", "1", "--public", *map(str, pairs)]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (run,) = found["rounds"]["reconciliation_quality"]
    assert (run["form"], run["version"]) == ("small", VERSION)
    met = {name: verdict for name, verdict in found["met"].items() if name.startswith("reconciliation_prec")}
    assert met == {
        "reconciliation_precision_confirmed_unlabelled": True,
        "reconciliation_precision_confirmed_labelled": True,
    }
    assert found["reconciliation_named_labelled"] == 1.0
    assert run["public"]["unlabelled"]["recall_confirmed"] == 1.0
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "| frozen data | unlabelled | labelled |" in shown and "| public pairs | " in shown
    assert "- reconciliation_named_labelled: 1.0 (bar: at least 0.95): met" in shown


def test_a_file_of_results_is_judged_like_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = files_of("small", 2)
    results, breaks = oracle(files)(files.postings, files.lines, None)
    pq.write_table(results, tmp_path / "results.parquet")
    pq.write_table(breaks, tmp_path / "breaks.parquet")
    asked = ["--seed", "2", "--small", "--results", str(tmp_path / "results.parquet")]
    assert judge_files([*asked, "--breaks", str(tmp_path / "breaks.parquet")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["recall_confirmed"], found["named"]) == (1.0, 1.0)
    assert judge_files([*asked, "--labelled"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["recall_confirmed"], found["named"]) == (1.0, 0.0)
    pq.write_table(results.drop_columns(["tier"]), tmp_path / "results.parquet")
    assert judge_files(asked) == 1
    assert capsys.readouterr().err == "error: columns are missing: tier\n"
