"""The Faust app of a worker, with transport, tables, recovery and error handling of our own.

    Faust: group, assignment, fetching, agents -> PartitionBatch -> the task of its partition (`assignments`)

Crash-only: an error that could cost an event ends the process at once with exit code 70, and a restart
recovers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any, cast

import faust
from faust.types import TP
from yarl import URL

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.at_work import AtWork
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.exit_codes import EXIT_CRASH
from pipeline.runtime.faults import Fault, Faults, WorkerFault, faults_of
from pipeline.runtime.folders import worker_folder
from pipeline.runtime.kafka.fetched import FetchState
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.kafka.patches import CorruptLogError
from pipeline.runtime.kafka.topics import changelog_name
from pipeline.runtime.kafka.transport import BATCH_CODEC
from pipeline.runtime.private_files import command_token, private_directory, snapshot_key
from pipeline.runtime.problems import Problem, Problems
from pipeline.runtime.recovery import TableManager
from pipeline.runtime.rules import rules_version
from pipeline.runtime.settings import Settings
from pipeline.runtime.snapshots import Snapshots
from pipeline.runtime.stable import StableWatch, watch_in_thread
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import StreamSpec

LOG = logging.getLogger(__name__)


class App(faust.App):
    """A Faust app whose streams commit in Kafka transactions.

    It is the `Host` of the runtime, and what the views and the audit take for a worker (`web.host`, `audit`).
    """

    connection: dict[str, Any]
    """How aiokafka clients of this app reach the cluster."""
    codec: Codec
    faults: Faults
    problems: Problems
    stable: StableWatch
    at_work: AtWork
    tasks: Tasks
    snapshots: Snapshots
    rules: str
    """The version of the rules that it was started with."""
    tenants: str = ""
    """The version of the file of tenants that it was started with."""
    partitions: int
    hosts: tuple[str, tuple[str, ...]]
    """The host that its views are served on, and other names under which they may be asked for."""
    connections_max: int
    """How many connections to its views may be open."""
    audit_alerts: int = 0
    """How many alerts the audit of this worker has raised."""
    audited: dict[str, int]
    """How often each of its checks had something to compare, by name."""

    @property
    def transactional_id(self) -> str:
        """The id of this worker's transactions: starting with it ends those of the process before."""
        return str(self.conf.consumer_group_instance_id)

    @property
    def member(self) -> Member:
        """The membership in the group in which the present partitions were assigned."""
        consumer: Any = self.consumer
        return cast(Member, consumer.member)

    @property
    def group(self) -> str:
        """The id of the app, which is its consumer group and the first part of its topics' names."""
        return str(self.conf.id)

    @property
    def address(self) -> str:
        """The address of its views, as its peers know it, without a slash at the end."""
        return _address(self.conf.canonical_url)

    @property
    def tables_ready(self) -> bool:
        """Whether every table of the last assignment is restored."""
        return bool(self.tables.actives_ready)

    @property
    def assigned(self) -> Set[TP]:
        """The partitions of logs that the last assignment gave it."""
        logs = {topic for agent in self.agents.values() for topic in agent.get_topic_names()}
        return {tp for tp in self.assignor.assigned_actives() if tp.topic in logs}

    @property
    def table_names(self) -> frozenset[str]:
        """The names of its tables."""
        return frozenset(self.tables)

    def store(self, table: str, partition: int) -> PartitionStore:
        """Return the rows of a partition of a table, opening its database if need be."""
        data: Any = self.tables[table].data
        return cast(PartitionStore, data.partition(partition))

    def open_store(self, table: str, partition: int) -> PartitionStore | None:
        """Return the rows of a partition of a table, None where its database is not open here."""
        data: Any = self.tables[table].data
        return cast("PartitionStore | None", data.open_partitions.get(partition))

    def owners(self, table: str) -> Mapping[int, str]:
        """Return the address of the worker that has each partition of a table, as of the last assignment."""
        changelog = changelog_name(self.group, table)
        return {
            partition: _address(url)
            for url, topics in self.assignor.table_metadata(changelog).items()
            for partition in topics.get(changelog, ())
        }

    def fetch_state(self, tp: TP) -> FetchState | None:
        """Return how far a log is fetched; None where it is not, or not yet. From any thread."""
        consumer: Any = self.consumer
        return cast("FetchState | None", consumer.fetch_state(tp))

    def add_stream(self, spec: StreamSpec) -> None:
        """Declare a stream: its table, and the agent that reads its log, unless it has one.

        Raises ValueError where another stream has its name.
        """
        is_first = self.tasks.add(spec)
        if spec.table is not None:
            self.Table(spec.table, partitions=self.partitions, key_type=bytes, value_type=bytes)
        if not is_first:
            return
        topic = self.topic(
            spec.source,
            value_serializer=BATCH_CODEC,
            key_serializer="raw",
            partitions=self.partitions,
            acks=False,  # offsets are committed by the transactions
        )
        self.agent(topic, name=spec.name)(self._consume)

    async def _consume(self, stream: Any) -> None:
        """Hand every batch to its partition's task; skip batches of an earlier assignment."""
        async for event in stream.noack().events():
            message = event.message
            task = self.tasks.get(TP(message.topic, message.partition))
            if task is not None and message.generation_id == self.consumer_generation_id:
                await task.accept(message.value)

    def keep_running(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run something beside the streams, in their event loop; its error ends the process."""

        async def run() -> None:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self.fail(error)

        self.task(run)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        self.fail(exc)

    def fail(self, error: BaseException) -> None:
        """End the process: nothing half-done becomes visible; the restart resumes from the last commit."""
        if isinstance(error, WorkerFault):
            self.faults.report_last(error.fault)
        print(last_words(error, self.problems.now()), file=sys.stderr, flush=True)
        os._exit(EXIT_CRASH)


def last_words(error: BaseException, problems: Iterable[Problem]) -> str:
    """Return what a worker says before an error ends it; a fault of the program comes with its traceback."""
    if isinstance(error, (WorkerFault, CorruptLogError)):  # the line says all there is to know
        return f"error: {error}"
    # Present problems are more likely the cause than what the traceback shows.
    causes = [f"{problem.name}: {problem.subject}: {problem.detail}\n" for problem in problems]
    message = "".join(traceback.format_exception(error))
    return f"{''.join(causes)}ledgerflow worker stops: {error!r}\n{message}"


def say_where_stuck(at_work: AtWork, faults: Faults) -> None:
    """Report the places where this worker's earlier processes died again and again."""
    for work, times in at_work.stuck:
        found = f"a worker has died {times} times in a row at {work}"
        found += f": `ledgerflow quarantine {work} --reason TEXT` makes it a dead letter"
        place = work.topic, work.partition, work.first
        faults.report(Fault("partition_stuck", f"{work.topic}[{work.partition}]", found, *place))


def _address(url: object) -> str:
    return str(url).rstrip("/")


def _credentials(settings: Settings) -> Any:
    """Return the credentials of Faust's own clients: those of every other aiokafka client."""
    access = settings.aiokafka()
    context = access.get("ssl_context")
    if "sasl_mechanism" in access:
        return faust.SASLCredentials(
            username=access["sasl_plain_username"],
            password=access["sasl_plain_password"],
            mechanism=access["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def create_app(settings: Settings, codec: Codec, *, worker: int = 0, app_id: str | None = None) -> App:
    """Return the app of one worker, without streams; `worker` is its number on this machine, from 0.

    The number makes its data folder and its web port, and that its identity in the group (static membership).
    Raises `patches.UnsupportedVersion` where aiokafka has another version than the one it was made for, and
    SettingsError where a directory or a secret's file is open to others or not ours.
    """
    folder = worker_folder(settings, worker)
    private_directory(settings.data_dir)
    private_directory(folder)
    app = App(
        app_id or settings.app_id,
        broker=[URL(f"columnar://{server}") for server in settings.bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings),
        store="transactional://",
        TableManager=TableManager,
        datadir=str(Path(folder).absolute()),
        topic_partitions=settings.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=settings.standby_replicas,
        consumer_auto_offset_reset="none",
        # By its address: while a member is away the group keeps its metadata, with its address, and Faust
        # refuses an assignment that was made for another one.
        consumer_group_instance_id=f"{settings.app_id}-{settings.web_host}-{settings.web_port + worker}",
        consumer_max_fetch_size=settings.max_batch_bytes,
        broker_max_poll_records=settings.max_batch_records,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4,
        stream_wait_empty=False,
        stream_buffer_maxsize=4,
        stream_recovery_delay=0.0,
        web_host=settings.web_host,
        web_port=settings.web_port + worker,
        web_bind=settings.web_host,
        web_tables_enabled=False,
        web_in_thread=True,  # a request must not wait for a slice of records, nor a slice for it
    )
    _equip(app, settings, codec, folder)
    return app


def _equip(app: App, settings: Settings, codec: Codec, folder: Path) -> None:
    """Give an app its parts, in the order in which they need each other."""
    app.connection = settings.aiokafka()
    app.codec = codec
    app.faults = faults_of(settings, codec, app.transactional_id)
    app.problems = Problems()
    app.at_work = AtWork(folder)
    say_where_stuck(app.at_work, app.faults)
    app.partitions = settings.partitions
    app.hosts = settings.web_host, tuple(filter(None, settings.web_hosts.split(",")))
    app.connections_max = settings.web_connections
    app.audited = {}
    app.rules = rules_version()
    app.tasks = app.tables.tasks = app.transport.positions = Tasks(app)
    app.stable = StableWatch(lambda: app.tasks.running, app.fetch_state)
    app.snapshots = Snapshots(
        app, app.tasks, settings, app.rules, key=snapshot_key(settings), token=command_token(settings)
    )

    @app.task
    async def watch_open_transactions() -> None:
        watch_in_thread(app, app.stable, settings.transaction_open_max_s)

    @app.on_partitions_revoked.connect
    async def close_tasks(app: App, revoked: set[TP], **_: Any) -> None:
        try:
            await app.tables.recovery.give_up()
            await app.tasks.close()
        except BaseException as error:
            app.fail(error)
