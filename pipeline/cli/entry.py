"""The command `ledgerflow`: its subcommands, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from pipeline.cli import (
    accept_loss,
    account,
    acls,
    alerts,
    backtest,
    balance,
    dead_letters,
    export,
    fraud,
    gateway,
    keys,
    load,
    matching,
    matching_publishing,
    migrate,
    model,
    payment,
    payment_link,
    proposals,
    quarantine,
    rebuild,
    reconcile,
    restore,
    rules,
    rules_publishing,
    schemas,
    snapshot,
    statement,
    statements,
    statements_watch,
    switch,
    tail,
    topics,
    train,
    transactions,
    up,
    verify,
    version,
    worker,
)
from pipeline.cli.problems import EXIT_BAD_INPUT, EXIT_FAILED
from pipeline.cli.screen import guarded, screen
from pipeline.runtime.escaping import escaped
from pipeline.runtime.interrupts import EXIT_INTERRUPTED
from pipeline.runtime.settings import SettingsError

app = typer.Typer(
    name="ledgerflow",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Double-entry balances, positions, reconciliation and fraud decisions from Kafka, exactly once.",
    epilog="Start here: `ledgerflow up --demo`. Settings are environment variables `LEDGERFLOW_...`; options"
    " win over them.",
)
RUN, TRY, LOOK, DECIDE, REPAIR = "Run", "Try", "Look", "Decide", "Check and repair"
app.command("up", rich_help_panel=RUN)(up.up)
app.command("worker", rich_help_panel=RUN)(worker.worker)
app.command("gateway", rich_help_panel=RUN)(gateway.gateway)
app.command("load", rich_help_panel=RUN)(load.load)
app.command("backtest", rich_help_panel=TRY)(backtest.backtest)
app.command("train", rich_help_panel=TRY)(train.train)
app.command("reconcile", rich_help_panel=TRY)(reconcile.reconcile)
matching.app.command("publish")(matching_publishing.publish_weights)
matching.app.command("withdraw")(matching_publishing.withdraw_weights)
matching.app.command("list")(matching_publishing.list_weights)
app.add_typer(matching.app, name="matching", rich_help_panel=TRY)
app.add_typer(account.app, name="account", rich_help_panel=TRY)
app.command("topics", rich_help_panel=LOOK)(topics.topics)
app.command("tail", rich_help_panel=LOOK)(tail.tail)
app.command("balance", rich_help_panel=LOOK)(balance.balance)
statements.app.command("watch")(statements_watch.watch)
app.add_typer(statements.app, name="statements", rich_help_panel=RUN)
app.command("statement", rich_help_panel=LOOK)(statement.statement)
payment.app.command("link")(payment_link.link_payments)
app.add_typer(payment.app, name="payment", rich_help_panel=LOOK)
app.command("alerts", rich_help_panel=LOOK)(alerts.alerts)
app.command("proposals", rich_help_panel=LOOK)(proposals.proposals)
app.command("export", rich_help_panel=LOOK)(export.export)
app.command("version", rich_help_panel=LOOK)(version.version)
app.add_typer(fraud.app, name="fraud", rich_help_panel=DECIDE)
app.command("approve", rich_help_panel=DECIDE)(proposals.approve)
app.command("reject", rich_help_panel=DECIDE)(proposals.reject)
app.command("verify", rich_help_panel=REPAIR)(verify.verify)
app.command("snapshot", rich_help_panel=REPAIR)(snapshot.snapshot)
app.command("restore", rich_help_panel=REPAIR)(restore.restore_command)
app.command("migrate", rich_help_panel=REPAIR)(migrate.migrate)
app.command("rebuild", rich_help_panel=REPAIR)(rebuild.rebuild)
app.command("switch", rich_help_panel=REPAIR)(switch.switch)
app.command("accept-loss", rich_help_panel=REPAIR)(accept_loss.accept_loss)
app.command("quarantine", rich_help_panel=REPAIR)(quarantine.quarantine)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=REPAIR)
app.add_typer(transactions.app, name="transactions", rich_help_panel=REPAIR)
app.add_typer(acls.app, name="acls", rich_help_panel=REPAIR)
rules.app.command("publish")(rules_publishing.publish_rules)
rules.app.command("list")(rules_publishing.list_rules)
rules.app.command("backtest")(backtest.backtest_rules)
app.add_typer(rules.app, name="rules", rich_help_panel=REPAIR)
app.add_typer(model.app, name="model", rich_help_panel=REPAIR)
app.add_typer(schemas.app, name="schemas", rich_help_panel=REPAIR)
app.add_typer(keys.app, name="keys", rich_help_panel=RUN)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    with guarded():
        return exit_code_of(lambda: run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command of `arguments` (None: of the process). Raises the errors that `exit_code_of` handles.

    Typer's own runner ends an interrupted command without a message.
    """
    command = typer.main.get_command(app)
    given = sys.argv[1:] if arguments is None else list(arguments)
    with command.make_context("ledgerflow", given) as context:
        return int(command.invoke(context) or 0)


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command; return its exit code. Every error becomes one line on standard error."""
    try:
        return command()
    except typer.Exit as exited:
        return int(exited.exit_code)
    except typer.TyperException as error:
        return _fail(_with_hint(error), error.exit_code)
    except typer.Abort:
        return _fail("stopped; nothing was done", EXIT_FAILED)
    except SettingsError as error:
        return _fail(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:  # the reader has closed the pipe (`ledgerflow tail ... | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.strerror}: {error.filename}" if error.filename else str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return _fail("stopped", EXIT_INTERRUPTED)


def _fail(message: str, code: int) -> int:
    shown = escaped(message.rstrip("\n"))
    screen(stderr=True).print("error:", shown, style="red", markup=False, soft_wrap=True)
    return code


def _with_hint(error: Any) -> str:
    """Return the message of an error; for a usage error in one line, with the command that shows help."""
    message = " ".join(str(error.format_message()).split())
    context = getattr(error, "ctx", None)
    if context is None:
        return str(error.format_message())
    return f"{message.rstrip('.')} (see `{context.command_path} --help`)"
