"""`ledgerflow rules lint`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import Json
from pipeline.cli.problems import EXIT_FAILED, BadInput, Failed
from pipeline.cli.screen import Table, screen
from pipeline.domain.fraud.expressions.canonical import described, in_canonical_form, name_of
from pipeline.domain.fraud.expressions.problems import ERROR
from pipeline.domain.fraud.expressions.rule_files import FILE_CHARS_MAX, FileProblem, ReadFile, read_file
from pipeline.domain.fraud.expressions.rule_sets import Rule, RuleSet
from pipeline.domain.fraud.features.catalogue import CATALOGUE

app = typer.Typer(no_args_is_help=True, help="Fraud rules as data: check a file of them.")
SHOWN_MAX = 50
"""Most problems that are shown one by one; JSON has all of them."""


@app.callback()
def rules() -> None:
    """Take `lint` as a command of a group: Typer would make a single one the group itself."""


@app.command("lint")
def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rules, TOML.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Check a file of fraud rules: names, units, bounds, rules that never or always hold.

    Needs no stack. Prints the rules; problems go to standard error with line, column and the place. Exit code
    1 if there is an error; warnings alone are 0.
    """
    found = read_file(_text_of(file), CATALOGUE)
    if as_json:
        typer.echo(json.dumps(_json_of(found)))
    else:
        _show(found, file)
    raise typer.Exit(0 if found.is_usable else EXIT_FAILED)


def read_rules(file: Path) -> RuleSet:
    """Return the set of a file, for a command that uses it. Raises BadInput where it has an error."""
    found = read_file(_text_of(file), CATALOGUE)
    if found.rules is None or not found.is_usable:
        errors = [one for one in found.problems if one.severity == ERROR]
        first, more = errors[0], f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        where = f"{file}:{first.line}:{first.column}"
        raise BadInput(f"{where}: {first.message}{more} (`ledgerflow rules lint {file}` shows all)")
    return found.rules


def _text_of(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(4 * FILE_CHARS_MAX + 1)  # a character has at most four bytes
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failed(f"{file}: not UTF-8: byte {error.start + 1}") from error


def _json_of(found: ReadFile) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ok": found.is_usable,
        "problems": [
            {"severity": one.severity, "line": one.line, "column": one.column, "message": one.message}
            for one in found.problems
        ],
        "catalogue": CATALOGUE.version,
    }
    if found.is_usable and found.rules is not None:
        told |= {"sha256": name_of(found.rules), **described(in_canonical_form(found.rules))}
    return told


def _show(found: ReadFile, file: Path) -> None:
    for one in found.problems[:SHOWN_MAX]:
        _show_problem(one, file)
    if len(found.problems) > SHOWN_MAX:
        typer.echo(f"{len(found.problems) - SHOWN_MAX} more; --json shows all", err=True)
    errors = sum(one.severity == "error" for one in found.problems)
    if errors or found.rules is None:
        said = "1 error" if errors == 1 else f"{errors} errors"
        screen(stderr=True).print(f"error: {file}: {said}", style="red", markup=False, soft_wrap=True)
        return
    _show_rules(found.rules)


def _show_problem(one: FileProblem, file: Path) -> None:
    typer.echo(f"{file}:{one.line}:{one.column}: {one.severity}: {one.message}", err=True)
    if one.excerpt:
        typer.echo(one.excerpt, err=True)


def _show_rules(rules: RuleSet) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("rule", "counts", "state", "segments", "condition"):
        table.add_column(header, overflow="fold" if header == "condition" else "ellipsis")
    for rule in in_canonical_form(rules).rules:
        table.add_row(
            rule.label, _counts(rule), rule.state, ", ".join(rule.segments) or "all", rule.expression
        )
    screen().print(table)
    whose = "all tenants" if rules.tenant_id is None else rules.tenant_id
    entries = sum(len(one.entries) for one in rules.lists)
    typer.echo(
        f"{rules.set_id}@{rules.version} of {whose}: {len(rules.rules)} rules, {len(rules.lists)} lists with"
        f" {entries} entries, {len(rules.snoozes)} snoozes; sha256 {name_of(rules)}"
    )


def _counts(rule: Rule) -> str:
    return f"+{rule.score}" if rule.score is not None else str(rule.outcome)
