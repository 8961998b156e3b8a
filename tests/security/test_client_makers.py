"""Every client of Kafka and of the registry is made from `Settings`: a contract, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [file for folder in ("pipeline", "topologies") for file in sorted((ROOT / folder).rglob("*.py"))]
CONNECTIONS = "pipeline/runtime/connections.py"
LOCAL = "pipeline/runtime/local/"
"""What starts a broker and a registry on this machine asks by itself whether they answer."""
KAFKA_CLIENTS = {
    "Producer", "Consumer", "AdminClient", "DeserializingConsumer", "SerializingProducer",
    "AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaClient", "AIOKafkaAdminClient", "MemberProducer",
    "BoundedConsumer",
}  # fmt: skip
REGISTRY_CLIENTS = {"SchemaRegistryClient", "AsyncSchemaRegistryClient", "CachedSchemaRegistryClient"}
HTTP_TO_VIEWS = {
    "pipeline/cli/asking.py", "pipeline/cli/worker_answers.py", "pipeline/cli/switch.py",
    "pipeline/cli/supervisor.py",
    "pipeline/verify/views.py", "pipeline/web/answers.py", "pipeline/web/host.py", "pipeline/web/pages.py",
    "pipeline/gateway/app.py", "pipeline/gateway/door.py", "pipeline/gateway/views_client.py",
    "pipeline/gateway/identity/provider.py", "pipeline/loadgen/gateway_client.py",
}  # fmt: skip
"""What asks workers for views, the gateway, or an OpenID provider; nothing else speaks HTTP by itself."""
HTTP_LIBRARIES = {"urllib.request", "http.client", "httpx", "requests", "aiohttp.ClientSession"}
HOW_IT_CONNECTS = ("bootstrap.servers", "security.protocol", "sasl.", "ssl.", "basic.auth.")
AS_ARGUMENTS = (
    "bootstrap_servers",
    "security_protocol",
    "sasl_mechanism",
    "ssl_context",
    "sasl_plain_password",
)
FROM_SETTINGS = {"librdkafka", "aiokafka"}
NAMED_SO = {"connection", "_connection", "_client", "settings"}
"""What may stand for the result of `Settings.librdkafka()` or `.aiokafka()` in a call."""


def sources(*but: str) -> Iterator[tuple[str, ast.Module]]:
    for file in SOURCES:
        name = file.relative_to(ROOT).as_posix()
        if not name.startswith((CONNECTIONS, LOCAL, *but)):
            yield name, ast.parse(file.read_text("utf-8"))


def called(node: ast.Call) -> str:
    """Return the last part of a called name, where its class is one of a library: `x.Consumer` is not."""
    return node.func.id if isinstance(node.func, ast.Name) else ""


def last(node: ast.expr) -> str:
    """Return the last part of a name, or of what a call calls."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def spreads(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what is spread into dicts and arguments anywhere in a call, and a whole configuration by name."""
    for part in ast.walk(node):
        if isinstance(part, ast.Dict):
            yield from (value for key, value in zip(part.keys, part.values, strict=True) if key is None)
        if isinstance(part, ast.Call):
            yield from (keyword.value for keyword in part.keywords if keyword.arg is None)
    if isinstance(node, ast.Call):
        yield from node.args


def is_from_settings(call: ast.Call) -> bool:
    return any(last(given) in FROM_SETTINGS | NAMED_SO for given in spreads(call))


def test_every_client_of_kafka_takes_its_connection_from_the_settings() -> None:
    made = 0
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) in KAFKA_CLIENTS:
                made += 1
                assert is_from_settings(node), f"{name}:{node.lineno}: make it from Settings.librdkafka()"
    assert made > 10


def test_one_function_makes_the_clients_of_the_registry() -> None:
    """Others take the class for annotations at most."""
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and last(node.func) in REGISTRY_CLIENTS:
                assert name == "pipeline/runtime/avro/connection.py", f"{name}:{node.lineno}: use `client`"
            if isinstance(node, ast.Call) and last(node.func) in {
                "register_all",
                "registry_schemas",
                "Registry",
            }:
                assert node.args and last(node.args[0]) in {"registry", "connection"}, f"{name}:{node.lineno}"


def test_how_a_connection_is_made_is_written_in_one_place() -> None:
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith(HOW_IT_CONNECTS), f"{name}:{node.lineno}: {node.value}"


def test_nothing_else_speaks_http_by_itself() -> None:
    for name, tree in sources(*HTTP_TO_VIEWS):
        for node in ast.walk(tree):
            found = []
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found = [f"{node.value.id}.{node.attr}"]
            assert not set(found) & HTTP_LIBRARIES, f"{name}:{node.lineno}: {found}"


@pytest.mark.parametrize(
    ("source", "ok"),
    [
        ("Consumer({**settings.librdkafka(), 'group.id': 'x'})", True),
        ("Consumer({'bootstrap.servers': 'x', 'group.id': 'x'})", False),
        ("AdminClient({**options})", False),
        ("AIOKafkaConsumer(bootstrap_servers='x')", False),
        ("AIOKafkaConsumer(**connection, isolation_level='x')", True),
    ],
)
def test_the_contract_sees_the_difference(source: str, ok: bool) -> None:
    (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)][:1]
    assert is_from_settings(call) is ok
