"""`ledgerflow load`."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_registry, settings_for
from pipeline.cli.screen import screen
from pipeline.cli.verify import MANIFESTS
from pipeline.loadgen import GatewayAccess, LoadError, LoadPlan, LoadReport, demo, history, run
from pipeline.loadgen.gateway_calls import DESK, UPSTREAM
from pipeline.runtime.kafka.access import LOAD
from pipeline.runtime.secret_files import SecretFileError, read_secret
from pipeline.runtime.settings import Settings
from pipeline.verify.streams import READERS

COUNT = 10_000
ENDLESS_RATE = 100.0
_COUNTER = "load-runs"


def next_seed(data_dir: Path) -> int:
    """Return a seed that no run on this data directory has used. Ids contain the seed, so they are unique."""
    counter = data_dir / _COUNTER
    data_dir.mkdir(parents=True, exist_ok=True)
    text = counter.read_text().strip() if counter.exists() else "0"
    seed = (int(text) if text.isdigit() else 0) + 1
    counter.write_text(f"{seed}\n")
    return seed


def manifest_path(data_dir: Path, seed: int) -> Path:
    """Return the default path of a run's manifest."""
    return data_dir / MANIFESTS / f"load-{seed:06}.jsonl"


def load(
    count: Annotated[
        int | None,
        typer.Option(
            "--count", metavar="N", min=0, show_default=f"{COUNT:,}", help="How many ordinary payments."
        ),
    ] = None,
    endless: Annotated[
        bool, typer.Option("--endless", help="Go on until Ctrl-C; event time catches up with now.")
    ] = False,
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="S", min=0, help="Stop after S seconds at most.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="R", min=0.01, help="Payments per second.", show_default="as fast as it goes"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="The same seed produces the same records.",
            show_default="one not used before",
        ),
    ] = None,
    malformed: Annotated[
        float,
        typer.Option(
            "--malformed", metavar="PCT", min=0, max=100, help="Malformed records per 100 payments."
        ),
    ] = 1.0,
    accounts: Annotated[
        int | None,
        typer.Option(
            "--accounts",
            metavar="N",
            min=1,
            show_default="1,000; more where each would pay too often",
            help="How many customers, over all tenants.",
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="Where to write what was planted.",
            show_default="in the data directory",
        ),
    ] = None,
    gateway_key: Annotated[
        Path | None,
        typer.Option(
            "--gateway-key",
            metavar="FILE",
            help="File of an API key of role upstream in the tenant north: call the gateway, too, a few times"
            " a second.",
        ),
    ] = None,
    gateway_desk_key: Annotated[
        Path | None,
        typer.Option(
            "--gateway-desk-key",
            metavar="FILE",
            help="The same, of the roles investigator and reconciler: label payments, comment on breaks.",
        ),
    ] = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Produce realistic test traffic, with frauds, breaks, retries and malformed records planted in it.

    It plays tenants, customers with habits, merchants, traders, and nostro accounts with their statements.
    What it plants is written to a manifest; `ledgerflow verify` checks that the streams have found all of it.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url, LOAD)
    require_kafka(settings)
    require_registry(settings)
    if endless and count is not None:
        raise BadInput("--endless and --count cannot be combined: use one of them")
    gateway = _gateway(settings, {UPSTREAM: gateway_key, DESK: gateway_desk_key})
    try:
        seed = next_seed(settings.data_dir) if seed is None else seed
    except OSError as error:
        raise BadInput(
            f"{settings.data_dir} cannot be written ({error.strerror}): choose another (--data)"
        ) from None
    path = manifest or manifest_path(settings.data_dir, seed)
    if endless:
        rate = rate or ENDLESS_RATE
    plan = _plan(seed, None if endless else COUNT if count is None else count, rate, accounts, malformed)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with errors_in_one_line(settings), closing(_ProgressBar(plan)) as shown:
        try:
            report = run(
                plan, settings.librdkafka(), settings.registry(),
                rate=rate, duration=duration, manifest_path=path, on_progress=shown, stop=stop,
                group=settings.app_id, readers=READERS, gateway=gateway,
            )  # fmt: skip
        except LoadError as error:
            raise Failed(str(error)) from None
        except OSError as error:
            raise BadInput(
                f"the manifest {path} cannot be written ({error.strerror}): choose another (--manifest)"
            ) from None
    if as_json:
        typer.echo(json.dumps({"seed": seed, **report.to_dict()}))
    else:
        _tell(report, seed)


def _gateway(settings: Settings, files: dict[str, Path | None]) -> GatewayAccess | None:
    """Return how to call the gateway of this machine; None without keys. Raises BadInput."""
    try:
        keys = {who: read_secret(file) for who, file in files.items() if file is not None}
        return GatewayAccess(settings.gateway_address(), keys, settings.gateway_tls()) if keys else None
    except (SecretFileError, OSError) as error:
        raise BadInput(f"the gateway cannot be called: {error}") from None


def _plan(
    seed: int, count: int | None, rate: float | None, accounts: int | None, malformed: float
) -> LoadPlan:
    now = time.time_ns() // 1_000
    try:
        if count is None:
            return demo(seed, now, rate or ENDLESS_RATE, accounts=accounts, malformed_pct=malformed)
        return history(seed, count, now, accounts, malformed_pct=malformed)
    except ValueError as error:
        raise BadInput(str(error)) from None


class _ProgressBar:
    """A progress bar on standard error, called with each report."""

    def __init__(self, plan: LoadPlan) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} payments"),
            TimeElapsedColumn(), console=screen(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("opening accounts", total=plan.count)
        self._bar.start()

    def __call__(self, report: LoadReport) -> None:
        what = "producing" if report.payments else "opening accounts"
        self._bar.update(self._task, completed=report.payments, description=what)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()


def _tell(report: LoadReport, seed: int) -> None:
    """Print what was produced and planted."""
    records = sum(report.records.values())
    typer.echo(f"seed {seed}: {records:,} records, {report.payments:,} payments in {report.seconds:.1f} s")
    typer.echo("  " + ", ".join(f"{topic} {count:,}" for topic, count in report.records.items()))
    if report.gateway:
        typer.echo("gateway: " + ", ".join(f"{name} {count:,}" for name, count in report.gateway.items()))
    planted = ", ".join(f"{count} {kind}" for kind, count in report.planted.items())
    typer.echo(f"planted: {planted or 'nothing'}; written to {report.manifest}")
