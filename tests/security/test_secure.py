"""`ledgerflow up --secure` under attack: each role tries what is another's, and strangers try everything."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError

import schemas
from pipeline.runtime.avro.connection import client
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.kafka.access import ANALYST, GATEWAY, OPERATOR, PROJECTIONS, ROLES, UPSTREAM, WORKER
from pipeline.runtime.kafka.acls import Acl, Comparison, apply, held
from pipeline.runtime.local import certificates
from pipeline.runtime.local.credentials import ADMIN, LOCAL_ROLES
from pipeline.runtime.local.stack import LocalStack, StackError
from pipeline.runtime.private_files import COMMAND_TOKEN, SNAPSHOT_KEY
from tests.conftest import settings_in
from tests.e2e.running_up import CLI, ROOT, Place, belonging, command
from tests.progress import run
from tests.security.secure_stack import WITHIN_S, Secure, a_record, read, written

COMMANDS, PAYMENTS, BALANCES = "ledger-commands", "payments", "balances"
SOURCE_OFFSETS, CHANGELOG = "ledgerflow-source-offsets", "ledgerflow-ledger-changelog"
REFUSED_TOPIC, REFUSED_GROUP = "TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED"
REFUSED_ID = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""The first request of a Kafka client: nobody who is not logged in gets more than this answered."""
TLS_ALERT = 21


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    place = Place(tmp_path_factory.mktemp("secure"))
    try:
        place.up("--secure", "--demo", "--rate", "5", "--json")
        place.endpoints()
        place.wait_for_postings()
        yield Secure(place)
    finally:
        place.kill()


def test_a_forged_decision_is_refused_by_the_broker_whoever_forges_it(secure: Secure) -> None:
    decided = a_record(secure, COMMANDS, "PaymentDecided")
    said = {role: written(secure.kafka(role), COMMANDS, decided) for role in LOCAL_ROLES if role != WORKER}
    assert said == dict.fromkeys(set(LOCAL_ROLES) - {WORKER}, REFUSED_TOPIC)


@pytest.mark.parametrize("topic", [SOURCE_OFFSETS, CHANGELOG, BALANCES, "operational-alerts"])
@pytest.mark.parametrize("role", [UPSTREAM, GATEWAY, OPERATOR])
def test_forged_rows_offsets_outputs_and_alerts_are_refused(secure: Secure, role: str, topic: str) -> None:
    like = a_record(secure, BALANCES)
    assert written(secure.kafka(role), topic, like) == REFUSED_TOPIC


def test_who_writes_inputs_and_who_writes_what_people_decided(secure: Secure) -> None:
    like = a_record(secure, BALANCES)
    for role in (WORKER, PROJECTIONS, ANALYST):
        assert written(secure.kafka(role), PAYMENTS, like) == REFUSED_TOPIC
    for role in (UPSTREAM, WORKER, PROJECTIONS, ANALYST):
        assert written(secure.kafka(role), "operator-actions", like) == REFUSED_TOPIC


def test_who_reads_what(secure: Secure) -> None:
    tail = {"group.id": "ledgerflow-tail"}
    assert read(secure.kafka(ANALYST, **tail), BALANCES) == "ok"
    for topic in (PAYMENTS, COMMANDS, CHANGELOG, "dead-letters"):
        assert read(secure.kafka(ANALYST, **tail), topic) == REFUSED_TOPIC
        assert read(secure.kafka(OPERATOR, **tail), topic) == "ok" or topic == "dead-letters"
    assert read(secure.kafka(UPSTREAM, **tail), BALANCES) in (REFUSED_TOPIC, REFUSED_GROUP)


def test_nobody_but_a_worker_joins_the_workers_group(secure: Secure) -> None:
    for role, topic in ((UPSTREAM, PAYMENTS), (OPERATOR, PAYMENTS), (ANALYST, BALANCES)):
        consumer = Consumer(secure.kafka(role, **{"group.id": "ledgerflow"}))
        consumer.subscribe([topic])
        message = consumer.poll(WITHIN_S)
        assert message is not None and message.error().name() in (REFUSED_GROUP, REFUSED_TOPIC), role
        consumer.close()


def test_nobody_takes_over_a_workers_transactions(secure: Secure) -> None:
    workers = f"ledgerflow-127.0.0.1-{secure.place.ports['web']}"
    with pytest.raises(KafkaException) as refused:
        Producer(secure.kafka(UPSTREAM, **{"transactional.id": workers})).init_transactions(WITHIN_S)
    assert refused.value.args[0].name() == REFUSED_ID
    own = Producer(secure.kafka(UPSTREAM, **{"transactional.id": "upstream:1"}))
    own.init_transactions(WITHIN_S)


@pytest.mark.parametrize("name", ["kafka", "internal", "controller"])
def test_no_listener_answers_a_client_in_the_clear(secure: Secure, name: str) -> None:
    with socket.create_connection(("127.0.0.1", secure.port(name)), WITHIN_S) as plain:
        plain.sendall(API_VERSIONS)
        try:
            answer = plain.recv(64)
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or answer[0] == TLS_ALERT


@pytest.mark.parametrize("name", ["internal", "controller"])
def test_the_inner_listeners_answer_no_client_without_a_certificate_of_the_stack(
    secure: Secure, tmp_path: Path, name: str
) -> None:
    authority = certificates.authority("ledgerflow local authority")
    forged = certificates.signed(authority, ADMIN, [certificates.CLIENT])
    (tmp_path / "forged.pem").write_bytes(forged.pem + forged.key_pem)
    for certificate in (None, tmp_path / "forged.pem"):
        context = ssl.create_default_context(cafile=secure.secrets.ca)
        if certificate is not None:
            context.load_cert_chain(certificate)
        plain = socket.create_connection(("127.0.0.1", secure.port(name)), WITHIN_S)
        with plain, pytest.raises((ssl.SSLError, ConnectionError)):
            channel = context.wrap_socket(plain, server_hostname="127.0.0.1")
            channel.sendall(API_VERSIONS)
            assert channel.recv(64) == b""  # what it has refused it says at the first answer, or just ends
            raise ConnectionAbortedError


def test_a_login_with_another_password_or_none_is_refused(secure: Secure) -> None:
    good = secure.kafka(OPERATOR)
    anonymous = {name: value for name, value in good.items() if not name.startswith("sasl.")}
    for config in (
        {**good, "sasl.password": "guessed"},
        {**good, "sasl.username": ADMIN, "sasl.password": secure.secrets.password(ADMIN)},
        {**anonymous, "security.protocol": "SSL"},
    ):
        with pytest.raises(KafkaException):
            AdminClient(config).list_topics(timeout=5)


def test_the_registry_lets_nobody_in_readers_read_and_only_the_administrator_delete(secure: Secure) -> None:
    context = ssl.create_default_context(cafile=secure.secrets.ca)
    for method, path in (
        ("GET", "/apis/ccompat/v7/subjects"),
        ("POST", "/apis/ccompat/v7/subjects/mine/versions"),
        ("DELETE", "/apis/ccompat/v7/subjects/mine"),
        ("GET", "/apis/registry/v3/system/info"),
        ("GET", "/"),
    ):
        connection = http.client.HTTPSConnection("127.0.0.1", secure.port("registry"), context=context)
        connection.request(method, path, "{}", {"Content-Type": "application/json"})
        assert connection.getresponse().status == 401, path
        connection.close()
    plain = http.client.HTTPConnection("127.0.0.1", secure.port("registry"), timeout=WITHIN_S)
    with pytest.raises((OSError, http.client.HTTPException)):
        plain.request("GET", "/apis/ccompat/v7/subjects")
        plain.getresponse()

    known, new = schemas.load()[0], Schema('{"type": "record", "name": "New", "fields": []}', "AVRO")
    for role in set(ROLES) - {OPERATOR}:
        with client(secure.settings(role).registry()) as reader:
            assert reader.lookup_schema(known.subject, Schema(known.text, "AVRO")).schema_id
            assert refused_by_registry(lambda: reader.register_schema("new", new)) == 403
    with client(secure.settings(OPERATOR).registry()) as writer:
        writer.register_schema("new", new)
        assert refused_by_registry(lambda: writer.delete_subject(known.subject)) == 403
        assert refused_by_registry(lambda: writer.set_compatibility(known.subject, "NONE")) == 403
    register_all(secure.settings(ADMIN).registry())


def refused_by_registry(ask: Any) -> int:
    """Return the status of the registry's refusal."""
    with pytest.raises(SchemaRegistryError) as refused:
        ask()
    return int(refused.value.http_status_code)


def secret_line(file: Path) -> str:
    """Return what nobody may find elsewhere of a key's or token's file: of PEM, the first line of the key."""
    lines = file.read_text().splitlines()
    return lines[1] if lines[0].startswith("-----BEGIN") else lines[0]


def written_part(path: Path) -> bytes:
    """Return what was ever written to a file: most of one of Kafka's indexes is a hole."""
    found, at = b"", 0
    with path.open("rb") as opened:
        while True:
            try:
                begin = os.lseek(opened.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing is written behind that
                return found
            at = os.lseek(opened.fileno(), begin, os.SEEK_HOLE)
            found += os.pread(opened.fileno(), at - begin, begin)


def test_secrets_are_in_their_files_alone_and_those_are_the_owners(secure: Secure) -> None:
    folder = secure.secrets.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    passwords = {secure.secrets.password(role) for role in (*LOCAL_ROLES, ADMIN)}
    assert len(passwords) == len(LOCAL_ROLES) + 1 and min(map(len, passwords)) >= 40
    keys = {secret_line(file) for suffix in ("key", "token") for file in folder.glob(f"*.{suffix}")}
    assert {secret_line(folder / name) for name in (SNAPSHOT_KEY, COMMAND_TOKEN)} < keys
    for process in [*belonging(secure.place.data_dir), psutil.Process(secure.place.process.pid)]:  # type: ignore[union-attr]
        shown = "\0".join([*process.cmdline(), *process.environ().values()])
        assert not [secret for secret in passwords | keys if secret in shown]
    for path in secure.place.data_dir.rglob("*"):
        if path.is_file() and not path.is_relative_to(folder):
            content = written_part(path)
            assert not [secret for secret in passwords | keys if secret.encode() in content], path


def test_a_process_has_the_secret_of_its_role_alone(secure: Secure) -> None:
    worker = psutil.Process(secure.place.endpoints()["workers"][0]["pid"]).environ()
    files = {value for value in worker.values() if value.startswith(str(secure.secrets.folder))}
    assert files == {str(secure.secrets.ca), str(secure.secrets.password_file(WORKER))}
    for java in secure.place.java():
        assert not [name for name in java.environ() if name.startswith("LEDGERFLOW_")]


def test_a_role_takes_its_login_from_its_file(secure: Secure) -> None:
    script = f'set -a; . {secure.secrets.folder}/analyst.env; exec "$@"'
    for topic, code in ((BALANCES, 0), (PAYMENTS, 2)):  # what an analyst may not see is not there for it
        words = ["sh", "-c", script, "sh", *CLI, "tail", topic, "--limit", "1"]
        done = run(words, cwd=ROOT)
        assert done.returncode == code, done.stderr
        assert done.stderr.count("\n") == bool(code)


@pytest.mark.long
def test_commands_find_their_login(secure: Secure) -> None:
    """The default run shows it by the commands on rights and by `tail`, for the first posting."""
    for words in (("topics",), ("tail", BALANCES, "--limit", "1"), ("dead-letters", "list")):
        assert secure.place.ask(*words)
    assert "is open" in secure.place.ask("account", "open", "north/from-the-shell", "EUR")
    assert json.loads(secure.place.ask("acls", "check", "--json"))["ok"]


def test_rights_that_were_changed_are_named_and_put_right(secure: Secure) -> None:
    place = secure.place
    admin = AdminClient(secure.kafka(ADMIN))
    lost = next(acl for acl in held(admin) if acl.principal == f"User:ledgerflow-{UPSTREAM}")
    more = Acl(f"User:ledgerflow-{ANALYST}", "topic", PAYMENTS, "literal", "Read")
    other = Acl("User:mallory", "topic", "ledger-", "prefixed", "Write")
    apply(admin, Comparison((more, other), (lost,), ()), prune=True)
    done = command("acls", "check", "--json", "--data", str(place.data_dir))
    said = json.loads(done.out)
    assert (done.code, said["ok"]) == (1, False)
    assert said["missing"] == [str(lost)]
    assert said["surplus"] == [str(more)] and said["strangers"] == [str(other)]
    mended = json.loads(place.ask("acls", "apply", "--prune", "--json"))
    assert mended == {"made": [str(lost)], "deleted": [str(more)]}
    apply(admin, Comparison((), (other,), ()), prune=True)
    assert json.loads(place.ask("acls", "check", "--json"))["ok"]


def test_after_all_attacks_everything_holds(secure: Secure) -> None:
    ended = secure.place.end(signal.SIGINT)
    summary = json.loads(ended.out)
    assert ended.code == 0 and summary["ok"] and summary["restarts"] == 0, ended.err
    assert summary["postings"] > 0 and all(summary["invariants"].values())
    refused = command("up", *secure.place.options())
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "start it with --secure" in refused.err


@pytest.mark.long
def test_an_open_directory_becomes_secure_by_an_explicit_step_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with LocalStack(settings) as open_stack:
        admin = AdminClient({"bootstrap.servers": open_stack.bootstrap_servers, "log_level": 0})
        admin.create_topics([NewTopic(BALANCES, 4, 1)])[BALANCES].result(WITHIN_S)
        producer = Producer({"bootstrap.servers": open_stack.bootstrap_servers})
        producer.produce(BALANCES, b"kept", partition=0)
        assert producer.flush(WITHIN_S) == 0
    with pytest.raises(StackError, match="--secure --migrate"):
        LocalStack(settings, secure=True).start()
    assert not (tmp_path / "secrets").exists()
    with LocalStack(settings, secure=True, migrate=True) as stack:
        tail = {**stack.settings_of(ANALYST).librdkafka(), "group.id": "ledgerflow-tail"}
        assert read(tail, BALANCES) == "ok"
        with pytest.raises(KafkaException):
            AdminClient({"bootstrap.servers": stack.bootstrap_servers, "log_level": 0}).list_topics(timeout=3)
    assert os.listdir(tmp_path / "secrets")
