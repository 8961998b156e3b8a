"""Options, files and errors that `ledgerflow backtest` and `ledgerflow train` share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from pipeline.backtest.history import no_labels
from pipeline.backtest.problems import FileRefused
from pipeline.backtest.reading import read_labels, read_payments
from pipeline.backtest.topics import Read, read_topics
from pipeline.cli.options import CONNECTION
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_registry, settings_for
from pipeline.cli.records import decoder
from pipeline.cli.screen import screen
from pipeline.domain.fraud.features.amounts import COMPARED_IN, NUMBER, RATE_MAX, Rate, Rates, rate
from pipeline.training.data import TrainingError
from pipeline.verify.log import KafkaLog

THREADS_MAX = 8

PaymentsFile = Annotated[
    Path | None,
    typer.Option("--payments", metavar="FILE", help="Payments, Parquet or CSV.", show_default=False),
]
LabelsFile = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Labels of them, Parquet or CSV.", show_default=False),
]
RatesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rate",
        metavar="CUR=EUR",
        help="What one of a currency is worth in EUR, such as USD=0.92; once for each.",
        show_default=False,
    ),
]


TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="TENANT",
        help="Whose payments of a stack, if it has those of several.",
        show_default=False,
        rich_help_panel=CONNECTION,
    ),
]


class Stack(NamedTuple):
    """Options that name a stack and one of its tenants."""

    data: Path | None
    bootstrap_servers: str | None
    schema_registry_url: str | None
    tenant: str | None


def read_given(payments: Path | None, labels: Path | None, rates: list[str] | None, stack: Stack) -> Read:
    """Return payments and labels of files, or of a stack. Raises BadInput, Failed, FileRefused."""
    if payments is not None:
        if any(stack):
            raise BadInput("--payments names a file, so no stack and no tenant is needed: leave one out")
        known_rates = rates_of(rates or [])
        history = read_payments(payments)
        known = no_labels() if labels is None else read_labels(labels, history)
        return Read(history, known, known_rates, 0)
    if rates:
        raise BadInput("--rate is for --payments FILE: a stack's topic rates has its own")
    settings = settings_for(*stack[:3])
    try:
        require_kafka(settings)
    except Failed as error:
        raise Failed(f"{error.format_message()}; or name files of payments (--payments FILE)") from None
    require_registry(settings)
    log = KafkaLog(settings.librdkafka(), settings.app_id)
    with errors_in_one_line(settings), contextlib.closing(log):
        found = read_topics(log, decoder(settings), stack.tenant)
    return found if labels is None else found._replace(labels=read_labels(labels, found.history))


def threads() -> int:
    """Return how many threads train."""
    return min(os.cpu_count() or 1, THREADS_MAX)


def rates_of(given: list[str]) -> Rates:
    """Return rates as they are given. Raises BadInput."""
    found: list[Rate] = []
    for text in given:
        currency, sign, value = text.partition("=")
        whole, _, part = value.partition(".")
        digits = whole + part
        if not sign or currency not in NUMBER or not (digits.isascii() and digits.isdecimal()):
            raise BadInput(f"--rate {text!r}: write a currency and what one of it is worth, such as USD=0.92")
        eur_e9 = int(digits) * 10**9 // 10 ** len(part) if len(digits) < 20 else 0
        one = rate(currency, 0, eur_e9)
        if not 0 < one.eur_minor_e9 <= RATE_MAX:
            raise BadInput(f"--rate {text!r}: that is no rate that can be counted with")
        if currency == COMPARED_IN:
            raise BadInput(f"--rate {text!r}: amounts are compared in {COMPARED_IN}, so that is 1")
        if currency in {known.currency for known in found}:
            raise BadInput(f"--rate: {currency} is given twice")
        found.append(one)
    return Rates(found)


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Turn what is wrong with files, and what is not installed, into one line. Raises BadInput, Failed."""
    try:
        yield
    except FileRefused as error:
        raise BadInput(str(error)) from None
    except TrainingError as error:
        raise Failed(str(error)) from None
    except MemoryError:
        raise Failed("there is not enough memory for so many accounts and payments") from None


@contextlib.contextmanager
def bar(total: int, what: str) -> Iterator[Any]:
    """Show how far it is, on standard error; yield what is told."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = screen(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
