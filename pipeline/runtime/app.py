"""The Faust app of a worker: Faust's frame, with transport, tables, recovery and errors of our own.

One agent per stream takes partition batches and hands them to the task of their partition. Crash-only: an
error that could cost an event ends the process at once with exit code 70, and a restart recovers.
"""

from __future__ import annotations

import logging
import os
import ssl
import sys
import traceback
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, cast

import faust
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from faust.types import TP
from yarl import URL

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.folders import worker_folder
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.kafka.transport import BATCH_CODEC
from pipeline.runtime.recovery import TableManager
from pipeline.runtime.rules import rules_version
from pipeline.runtime.settings import Settings
from pipeline.runtime.snapshots import Snapshots
from pipeline.runtime.task import StreamSpec

LOG = logging.getLogger(__name__)
EXIT_CRASH = 70


class App(faust.App):
    """A Faust app whose streams commit in Kafka transactions."""

    codec: Codec
    tasks: Tasks
    snapshots: Snapshots
    rules: str
    """The version of the rules that it was started with."""
    tenants: str = ""
    """The version of the file of tenants that it was started with."""
    partitions: int
    audit_alerts: int = 0
    """How many alerts the audit of this worker has raised."""
    audited: dict[str, int]
    """How often each of its checks had something to compare, by name."""

    @property
    def connection(self) -> dict[str, Any]:
        """How aiokafka clients of this app reach the cluster."""
        servers = [f"{url.host}:{url.port or 9092}" for url in self.conf.broker]
        auth = credentials_to_aiokafka_auth(self.conf.broker_credentials, self.conf.ssl_context)
        return {"bootstrap_servers": servers, **auth}

    @property
    def transactional_id(self) -> str:
        """The id of this worker's transactions: whoever starts with it ends those of its earlier self."""
        return str(self.conf.consumer_group_instance_id)

    @property
    def member(self) -> Member:
        """The membership in the group in which the present partitions were assigned."""
        consumer: Any = self.consumer
        return cast(Member, consumer.member)

    def add_stream(self, spec: StreamSpec) -> None:
        """Declare a stream: its table, and the agent that reads its log, unless it has one."""
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
        """Hand every batch to its partition's task; skip what is left over from an earlier assignment."""
        async for event in stream.noack().events():
            message = event.message
            task = self.tasks.get(TP(message.topic, message.partition))
            if task is not None and message.generation_id == self.consumer_generation_id:
                await task.accept(message.value)

    def linger_s(self, topic: str) -> float:
        """Return how long a log may gather records between two fetches, seconds."""
        return self.tasks.linger_s(topic)

    def source_offsets(self) -> Mapping[TP, int]:
        """Return where logs go on at the least, whatever the group's committed offsets say."""
        return self.tasks.source_offsets

    def read_again(self) -> Set[TP]:
        """Return the logs to read from their beginning: those with a stream that has never read them."""
        return self.tasks.read_again

    def on_positions(self, committed: dict[TP, int], stale: Set[TP]) -> None:
        """Take the offsets that the consumer was set to after a rebalance."""
        self.tasks.expect(committed, stale)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        self.fail(exc)

    def fail(self, error: BaseException) -> None:
        """End the process: nothing half-done becomes visible; the restart goes on from the last commit."""
        message = "".join(traceback.format_exception(error))
        print(f"ledgerflow worker stops: {error!r}\n{message}", file=sys.stderr, flush=True)
        os._exit(EXIT_CRASH)


def _credentials(settings: Settings) -> Any:
    context = None
    if "SSL" in settings.security_protocol:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def create_app(settings: Settings, codec: Codec, *, worker: int = 0, app_id: str | None = None) -> App:
    """Return the app of one worker, without streams; `worker` is its number on this machine, from 0.

    The number makes its data folder and its web port, and that its identity in the group (static membership).
    """
    folder = worker_folder(settings, worker)
    folder.mkdir(parents=True, exist_ok=True)
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
        consumer_auto_offset_reset="earliest",
        # By its address: while a member is away the group keeps what it has said of itself, its address too,
        # and Faust does not take an assignment that was made out to another one.
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
    app.codec = codec
    app.partitions = settings.partitions
    app.audited = {}
    app.tasks = Tasks(app)
    app.snapshots = Snapshots(app, settings)
    app.rules = rules_version()

    @app.on_partitions_revoked.connect
    async def close_tasks(app: App, revoked: set[TP], **_: Any) -> None:
        try:
            await app.tables.recovery.give_up()
            await app.tasks.close()
        except BaseException as error:
            app.fail(error)

    return app
