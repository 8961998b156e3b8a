"""`ledgerflow up`."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pipeline.cli import endpoints
from pipeline.cli.dashboard import Dashboard
from pipeline.cli.problems import EXIT_FAILED, BadInput, Failed
from pipeline.cli.screen import screen
from pipeline.cli.session import RunOptions, Session
from pipeline.cli.supervisor import SupervisionError
from pipeline.cli.verify import table_of
from pipeline.cli.version import versions
from pipeline.runtime.addresses import unusable
from pipeline.runtime.kafka.topics import INVARIANT_ALERTS
from pipeline.runtime.local.artifacts import ArtifactError
from pipeline.runtime.local.secure import FormError, reached_by, require_form
from pipeline.runtime.local.stack import LocalStack, StackError
from pipeline.runtime.operator_files import require_operator_files
from pipeline.runtime.private_files import private_directory
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError, load_settings

DEMO_RATE = 100.0
DEMO_STUCK_AFTER_S = 86_400
"""A day of event time, which is 24 seconds of the demo's first minutes."""
PORTS = "Ports"


class _Downloads:
    """A progress bar for the downloads of the first run; called with bytes so far and in all."""

    def __init__(self) -> None:
        self.seen = False
        self._bar = Progress(
            TextColumn("downloading Kafka and the registry"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=screen(stderr=True),
        )

    def __call__(self, done: int, total: int) -> None:
        if not self.seen:
            self.seen = True
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)
        if done >= total:
            self._bar.stop()

    def close(self) -> None:
        """Remove the bar."""
        if self.seen:
            self._bar.stop()


def for_made_up_time(settings: Settings, *, demo: bool) -> Settings:
    """Return the settings of workers whose event time is not the clock's; what the environment says, stays.

    Whoever tries it makes up event time: `load` and the demo send what has happened in the days before. So
    branches get no time by themselves, and no payment of the demo, whose hours take a second, is soon stuck.
    """
    given = {"tick_seconds": 0} | ({"stuck_after_seconds": DEMO_STUCK_AFTER_S} if demo else {})
    told = settings.model_fields_set
    return settings.model_copy(update={name: value for name, value in given.items() if name not in told})


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Produce demo traffic, and verify everything at the end.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=64,
            help="How many worker processes to start.",
            show_default="1",
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="S", min=0, help="Stop by itself S seconds after it is ready."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Directory for Kafka's log, tables and logs.",
            show_default="ledgerflow-data",
        ),
    ] = None,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure",
            help="With TLS, passwords and rights by role, made at the first start: see secrets/ in the data"
            " directory.",
        ),
    ] = False,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="With --secure: make an open data directory secure, once for all."),
    ] = False,
    rate: Annotated[
        float, typer.Option("--rate", metavar="R", min=0.01, help="Demo payments per second.")
    ] = DEMO_RATE,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON object at the end on standard output, all else on standard error."
        ),
    ] = False,
    kafka_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65_535, rich_help_panel=PORTS, show_default="19092"),
    ] = None,
    controller_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65_535, rich_help_panel=PORTS, show_default="19093"),
    ] = None,
    internal_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            rich_help_panel=PORTS,
            show_default="19094",
            help="With --secure: the broker's listener for its administrator.",
        ),
    ] = None,
    registry_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65_535, rich_help_panel=PORTS, show_default="18081"),
    ] = None,
    gateway_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            rich_help_panel=PORTS,
            show_default="8080",
            help="The gateway: the API for people and programs.",
        ),
    ] = None,
    web_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            rich_help_panel=PORTS,
            show_default="6066",
            help="Table views of the first worker; each further worker takes the next port.",
        ),
    ] = None,
) -> None:
    """Start Kafka, the schema registry, the workers and the gateway here, and keep them running.

    It needs neither Java nor Docker: the first run downloads Kafka and the registry. Ctrl-C, SIGTERM or the
    end of the duration stops everything in good order. The data stays, and the next start continues with it.
    While it runs, endpoints.json in the data directory has all addresses. Exit code 1 if an invariant did not
    hold.
    """
    if migrate and not secure:
        raise BadInput("--migrate goes with --secure")
    settings = load_settings(
        data_dir=data, workers=workers, kafka_port=kafka_port, controller_port=controller_port,
        internal_port=internal_port, registry_port=registry_port, gateway_port=gateway_port,
        web_port=web_port, local=True,
    )  # fmt: skip
    require_operator_files(settings)
    settings = for_made_up_time(local_settings(settings), demo=demo)
    console = screen(stderr=as_json)
    downloads = _Downloads()
    stack = LocalStack(settings, downloads, secure, migrate)
    first_run = not (stack.data_dir / "kafka" / "meta.properties").exists()
    session = Session(settings, stack, RunOptions(demo, duration, rate), Dashboard(console))
    error, exit_code = None, EXIT_FAILED
    try:
        _make_data_dir(stack.data_dir)
        _refuse_used_data_dir(stack.data_dir)
        require_form(stack.data_dir, secure, migrate)
        _refuse_taken_ports(settings)
        session.run()
    except (StackError, FormError, ArtifactError, SupervisionError, OSError) as problem:
        error = str(problem)
    except (Failed, BadInput) as problem:
        error, exit_code = str(problem), problem.exit_code
    except KeyboardInterrupt:
        before = "it was ready" if session.summary()["ready_seconds"] is None else "everything was verified"
        error, exit_code = f"stopped before {before}", session.interrupted_code
    finally:
        downloads.close()
    report = session.report
    if report is not None and not as_json:
        console.print(table_of(report))
    if report is not None and not report.ok and error is None:
        error = "does not hold: " + ", ".join(check.name for check in report.checks if not check.ok)
    counts = session.summary()
    if counts["broken"] and error is None:
        error = (
            f"invariants were found broken, {counts['broken']:,} times:"
            f" see `ledgerflow tail {INVARIANT_ALERTS}`"
        )
    summary = {
        "ok": error is None, **counts, "first_run": first_run, "downloaded": downloads.seen,
        "error": error, "versions": versions(),
    }  # fmt: skip
    _end(summary, console, as_json)
    raise typer.Exit(0 if error is None else exit_code)


def local_settings(settings: Settings) -> Settings:
    """Return the settings with the addresses of the local stack, in the place of those of the environment.

    Those of a secure stack have its logins, too, once it is started.
    """
    here = {
        "bootstrap_servers": f"127.0.0.1:{settings.kafka_port}",
        "schema_registry_url": f"http://127.0.0.1:{settings.registry_port}/apis/ccompat/v7",
    }
    return reached_by(settings, here)


def _refuse_taken_ports(settings: Settings) -> None:
    """Raises Failed if the gateway or a worker cannot listen on its port, before anything is started."""
    if reason := unusable(settings.gateway_host, settings.gateway_port):
        raise Failed(
            f"port {settings.gateway_port} of the gateway cannot be used ({reason}):"
            f" choose another (--gateway-port, {ENV_PREFIX}GATEWAY_PORT)"
        )
    for number in range(settings.workers):
        port = settings.web_port + number
        if reason := unusable(settings.web_host, port):
            raise Failed(
                f"port {port} of worker {number} cannot be used ({reason}):"
                f" choose another (--web-port, {ENV_PREFIX}WEB_PORT)"
            )


def _refuse_used_data_dir(data_dir: Path) -> None:
    """Raises Failed if another `up` runs there. Checked before the ports, which are probably the same.

    The lock decides: after a crash the process id in endpoints.json may belong to another program.
    """
    running = endpoints.read(data_dir)
    if running is None:
        return
    with (data_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(
                f"another stack (process {running.pid}) uses {data_dir}: stop it, or choose another directory"
                f" (--data, {ENV_PREFIX}DATA_DIR) and other ports"
            ) from None


def _make_data_dir(data_dir: Path) -> None:
    """Make the data directory, its owner's alone. Raises BadInput where that fails."""
    try:
        private_directory(data_dir)
    except SettingsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(
            f"the data directory {data_dir} cannot be made ({error.strerror}):"
            f" choose another (--data, {ENV_PREFIX}DATA_DIR)"
        ) from None


def _end(summary: dict[str, Any], console: Console, as_json: bool) -> None:
    """Print how the run ended."""
    if as_json:
        typer.echo(json.dumps(summary))
    elif summary["ready_seconds"] is not None:
        counted = ("events_in", "postings", "balances", "breaks", "alerts", "dead_letters", "restarts")
        console.print(
            "stopped: " + ", ".join(f"{name.replace('_', ' ')} {summary[name]:,}" for name in counted)
        )
        if summary["invariants"] is not None and summary["ok"]:
            console.print("every invariant holds")
    if summary["error"] is not None:
        screen(stderr=True).print("error:", summary["error"], style="red", markup=False, soft_wrap=True)
