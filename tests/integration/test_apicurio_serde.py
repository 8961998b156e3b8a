"""The Java example with Apicurio's serde: a schema that it registers with references, and a value that is
read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry, register_all
from pipeline.runtime.local.stack import LocalStack
from tests.e2e.documented import HOW_TOS, example

FETCH_WITHIN_S = 300
NEEDED = ("mvn", "javac", "java")


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory, stack: LocalStack) -> str:
    """Return the class path of the compiled example; skip where it cannot be built."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} here")
    folder = tmp_path_factory.mktemp("apicurio")
    source = folder / "src/main/java"
    source.mkdir(parents=True)
    ports = {"127.0.0.1:19092": stack.bootstrap_servers, "http://127.0.0.1:18081/apis": root_of(stack)}
    text = example(HOW_TOS, "java", "class PayByApicurio {")
    for usual, here in ports.items():
        text = text.replace(usual, here)
    (source / "PayByApicurio.java").write_text(text, "utf-8")
    (folder / "pom.xml").write_text(example(HOW_TOS, "xml"), "utf-8")
    line = ["mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]
    built = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=FETCH_WITHIN_S)
    if built.returncode and re.search("Could not (transfer|resolve|find)", built.stdout):
        pytest.skip("Maven cannot fetch Apicurio's serde here")
    assert built.returncode == 0, built.stdout
    return os.pathsep.join([str(folder / "target/classes"), (folder / "classpath").read_text("utf-8")])


def root_of(stack: LocalStack) -> str:
    """Return the address of the registry's APIs."""
    return stack.schema_registry_url.partition("/ccompat")[0]


def test_a_payment_of_apicurios_serde_is_read(class_path: str, stack: LocalStack, tmp_path: Path) -> None:
    register_all(stack.schema_registry_url)
    client = {"bootstrap.servers": stack.bootstrap_servers}
    admin = AdminClient(client)  # kept: it may not go while it is asked
    for made in admin.create_topics([NewTopic("payments", stack.settings.partitions)]).values():
        if made.exception() is not None:
            assert "exists" in str(made.exception())
    ran = subprocess.run(
        ["java", "-cp", class_path, "PayByApicurio"], capture_output=True, text=True, timeout=FETCH_WITHIN_S
    )
    assert ran.returncode == 0, ran.stderr
    consumer = Consumer({**client, "group.id": "apicurio", "enable.partition.eof": True})
    numbers = set(admin.list_topics("payments", timeout=FETCH_WITHIN_S).topics["payments"].partitions)
    consumer.assign([TopicPartition("payments", number, OFFSET_BEGINNING) for number in numbers])
    values: list[bytes | None] = []
    try:
        while numbers and (message := consumer.poll(FETCH_WITHIN_S)) is not None:
            if message.error() is None:
                values.append(message.value())
            else:
                numbers.discard(message.partition())
    finally:
        consumer.close()
    assert values, "the example has sent nothing"
    registry = Registry(stack.schema_registry_url, tmp_path)
    decoded = Codec(registry).decode(values)
    (paid,) = [event for event in decoded.events if getattr(event, "payment_id", None) == "p-3"]
    assert paid.amount_minor == 12_50 and paid.payment_type == "transfer"
