"""`ledgerflow statements import|watch|preview`: statements of banks, from files to the topic statements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.payment_files import bar
from pipeline.cli.problems import EXIT_BAD_INPUT, EXIT_FAILED, BadInput
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import settings_to_send
from pipeline.cli.statement_producer import send_statements
from pipeline.statement_files.accounts import Accounts, account_of, accounts_of
from pipeline.statement_files.csv_guess import as_toml, guess
from pipeline.statement_files.csv_mapping import mapping_of
from pipeline.statement_files.form import FileRefused
from pipeline.statement_files.importing import Options, Source, enrich_all, read_source
from pipeline.statement_files.reading import FORMATS, content_of, text_of

TOGETHER_BYTES_MAX = 512 * 2**20
"""Of the files of one import: all are read before anything is sent."""
SHOWN_MAX = 50
"""Of one kind of messages of a file."""

AccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="TENANT/ACCOUNT", help="The account that all statements are of."),
]
AccountsOption = Annotated[
    Path | None,
    typer.Option("--accounts", metavar="FILE", help="TOML: which account a bank's account (IBAN) is."),
]
FormatOption = Annotated[
    str, typer.Option("--format", metavar="|".join(FORMATS), help="Left out: found by the content.")
]
ColumnsOption = Annotated[
    Path | None,
    typer.Option("--columns", metavar="FILE", help="TOML: what the columns of CSV are; see `preview`."),
]
EncodingOption = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="Of texts; left out: UTF-8, else Windows-1252.")
]
EmptyOption = Annotated[
    bool,
    typer.Option("--allow-empty", help="A statement without lines and with equal balances is no problem."),
]

app = typer.Typer(
    no_args_is_help=True, help="Bring statements of banks in: camt.053, camt.054, MT940, BAI2, CSV."
)


@app.command("import")
def import_statements(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    account: AccountOption = None,
    accounts: AccountsOption = None,
    form: FormatOption = "auto",
    columns: ColumnsOption = None,
    encoding: EncodingOption = "",
    all_or_nothing: Annotated[
        bool,
        typer.Option("--all-or-nothing", help="Send nothing where anything is refused or does not hold."),
    ] = False,
    allow_empty: EmptyOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: show what would be sent.")
    ] = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Import statements of banks: sends `statement_line` and `statement_closed` to the topic statements.

    A file that comes twice has no second effect. A statement that can be read is sent, even if it does not
    add up: the stream keeps it open as a break. One that cannot be read is not sent at all.

    Exit code 1: lines are missing, balances do not add up, or a chain is broken; 2: something cannot be read,
    or has no account.
    """
    options = options_of(account, accounts, form, columns, encoding, allow_empty)
    sources = _read_all(files, options)
    enrich_all(sources)
    code = exit_code(sources)
    settings = settings_to_send(data, bootstrap_servers, schema_registry_url, dry_run)
    count = sum(source.count for source in sources)
    is_held = dry_run or (all_or_nothing and code)
    sent = 0
    if not is_held and count:
        with bar(count, "sending") as progress:
            sent = send_statements(settings, (one for source in sources for one in source.events()), progress)
    if as_json:
        typer.echo(
            json.dumps({"files": [source.told() for source in sources], "events": count, "sent": sent})
        )
    else:
        show(sources)
        typer.echo(_said(count, sent, dry_run, bool(all_or_nothing and code)))
    tell(sources)
    if code:
        raise typer.Exit(code)


@app.command("preview")
def preview(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file.", show_default=False)],
    columns: ColumnsOption = None,
    account: AccountOption = None,
    encoding: EncodingOption = "",
) -> None:
    """Show what a CSV file seems to be, as a mapping for --columns; with --columns what it makes of the file.

    The mapping goes to standard output, rows and doubts to standard error. A guess is never imported by: read
    it, and check signs, days and decimals.
    """
    if columns is not None:
        options = options_of(account or "tenant/account", None, "csv", columns, encoding, True)
        source = read_source(file, options)
        show([source], lines=True)
        tell([source])
        if code := exit_code([source]):
            raise typer.Exit(code)
        return
    try:
        found = guess(text_of(content_of(file).data, encoding)[0])
    except FileRefused as error:
        raise BadInput(_named(file, error)) from None
    typer.echo(as_toml(found), nl=False)
    table = Table(*found.names, box=None, header_style="bold", pad_edge=False)
    for row in found.rows:
        table.add_row(*(row + [""] * len(found.names))[: len(found.names)])
    screen(stderr=True).print(table, markup=False)
    for doubt in found.doubts:
        typer.echo(f"doubt: {doubt}", err=True)


def options_of(
    account: str | None, accounts: Path | None, form: str, columns: Path | None, encoding: str,
    allow_empty: bool,
) -> Options:  # fmt: skip
    """Return how files are read. Raises BadInput."""
    if (account is None) == (accounts is None):
        raise BadInput(
            "which accounts are the statements of? Give --account TENANT/ACCOUNT, or --accounts FILE"
        )
    if form not in FORMATS:
        raise BadInput(f"--format {form!r}: {', '.join(FORMATS)}")
    try:
        "a".encode(encoding or "utf-8")
    except (LookupError, ValueError, TypeError):
        raise BadInput(f"--encoding {encoding!r} is not known") from None
    return Options(
        accounts=Accounts(_checked(None, account, account_of)) if account is not None else
        _checked(accounts, content_of(_path(accounts)).data, accounts_of),
        form=form,
        mapping=None if columns is None else _checked(columns, content_of(columns).data, mapping_of),
        encoding=encoding,
        allow_empty=allow_empty,
    )  # fmt: skip


def _path(path: Path | None) -> Path:
    assert path is not None
    return path


def _checked(file: Path | None, given: Any, read: Any) -> Any:
    try:
        return read(given)
    except FileRefused as error:
        raise BadInput(str(error) if file is None else _named(file, error)) from None


def _named(file: Path, error: FileRefused) -> str:
    return str(error) if str(error).startswith(str(file)) else f"{file}: {error}"


def _read_all(files: Sequence[Path], options: Options) -> list[Source]:
    sizes = [file.stat().st_size for file in files]
    if sum(sizes) > TOGETHER_BYTES_MAX:
        raise BadInput(
            f"the files have more than {TOGETHER_BYTES_MAX // 2**20} MiB together: import some of them"
        )
    sources, done = [], 0
    with bar(sum(sizes), "reading") as progress:
        for file, size in zip(files, sizes, strict=True):
            sources.append(read_source(file, options))
            done += size
            progress(done)
    return sources


def exit_code(sources: Sequence[Source]) -> int:
    """Return 2 where something is refused, 1 where something does not hold, else 0."""
    if any(source.refused for source in sources):
        return EXIT_BAD_INPUT
    return EXIT_FAILED if any(source.problems for source in sources) else 0


def show(sources: Sequence[Source], *, lines: bool = False) -> None:
    """Show the statements of files."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("file", "format", "statement", "account", "lines", "is closed"):
        table.add_column(header, overflow="fold")
    for source in sources:
        for statement, account in source.statements[:SHOWN_MAX]:
            is_closed = statement.opening_minor is not None and statement.closing_minor is not None
            about = (
                statement.statement_id,
                str(account),
                f"{len(statement.lines):,}",
                "yes" if is_closed else "no",
            )
            table.add_row(Path(source.name).name, source.format, *about)
        if len(source.statements) > SHOWN_MAX:
            table.add_row(
                Path(source.name).name, "", f"and {len(source.statements) - SHOWN_MAX:,} more", "", "", ""
            )
    screen().print(table, markup=False)
    if lines:
        _show_lines(sources)


def _show_lines(sources: Sequence[Source]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("line", "amount, minor units", "currency", "reference", "counterparty", "text"):
        table.add_column(header, overflow="fold")
    for source in sources:
        for statement, _ in source.statements:
            for line in statement.lines[:SHOWN_MAX]:
                texts = line.external_reference or "", line.counterparty_name or "", line.description[:60]
                table.add_row(line.place, str(line.amount_minor), line.currency, *texts)
    screen().print(table, markup=False)


def tell(sources: Sequence[Source]) -> None:
    """Say loudly what was refused and what does not hold, and what else there is to know."""
    loud = screen(stderr=True)
    for source in sources:
        for kind, messages in (
            ("refused", source.refused),
            ("problem", source.problems),
            ("note", source.notes),
        ):
            style = "" if kind == "note" else "red"
            for message in messages[:SHOWN_MAX]:
                loud.print(f"{kind}:", message, style=style, markup=False, soft_wrap=True)
            if len(messages) > SHOWN_MAX:
                loud.print(f"{kind}: and {len(messages) - SHOWN_MAX:,} more", style=style, markup=False)


def _said(count: int, sent: int, dry_run: bool, is_held: bool) -> str:
    if dry_run:
        return f"{count:,} events; nothing was sent: leave --dry-run out to send them"
    if is_held:
        return (
            f"nothing was sent of {count:,} events: something is refused or does not hold (--all-or-nothing)"
        )
    return f"sent {sent:,} events to statements; what came before has no second effect"
