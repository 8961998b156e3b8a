"""The command line without a cluster: what it says to bad input, and the parts of `up` that decide."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import endpoints, letters, reach, redriving
from pipeline.cli.amounts import minor_units, money, rate_e8
from pipeline.cli.balance import shown
from pipeline.cli.dashboard import Rates
from pipeline.cli.endpoints import Endpoints, WorkerEndpoint
from pipeline.cli.entry import main
from pipeline.cli.load import next_seed
from pipeline.cli.problems import BadInput
from pipeline.cli.records import TopicRecord, as_json, as_line, key_text
from pipeline.cli.supervisor import CRASHES_MAX, Child, SupervisionError, Supervisor, environment
from pipeline.cli.up import for_made_up_time
from pipeline.runtime.kafka.access import OPERATOR
from pipeline.runtime.kafka.dead_letters import HEADER_ATTEMPT
from pipeline.runtime.local.credentials import make_credentials
from pipeline.runtime.local.secure import SecureForm
from pipeline.runtime.settings import load_settings
from pipeline.verify.decode import Event
from tests.progress import eventually

NOWHERE = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory, and do not wait for what does not answer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reach, "ANSWER_WITHIN_S", 0.3)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it wrote."""
    code = main(list(arguments))
    written = capsys.readouterr()
    return code, written.out, written.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["up", "--kafka-port", "99999"], "--kafka-port"),
        (["up", "--kafka-port", "kafka"], "--kafka-port"),
        (["up", "--workers", "0"], "--workers"),
        (["up", "--duration", "-1"], "--duration"),
        (["up", "--wokers", "2"], "ledgerflow up --help"),
        (["up", "--kafka-port", "7000", "--registry-port", "7000"], "must differ"),
        (["up", "--data", "/dev/null"], "--data"),
        (["upp"], "ledgerflow --help"),
        (["tail"], "ledgerflow tail --help"),
        (["balance", "c1-7"], "TENANT/ACCOUNT"),
        (["payment", "p-1"], "TENANT/PAYMENT"),
        (["load", "--malformed", "101"], "--malformed"),
        (["verify", "--manifest", "nothing.jsonl"], "nothing.jsonl"),
        (["dead-letters", "list", "--topic", "payment"], "ledgerflow topics"),
        (["snapshot", "--list", "--table", "ledger"], "--list"),
        (["restore"], "there is no snapshot in"),
        (["restore", "20261122T090000Z"], "ledgerflow snapshot --list"),
        (["restore", "--worker", "-1"], "--worker"),
        (["rebuild", "--from", "balances"], "--from"),
        (["rebuild", "--snapshot", "20261122T090000Z"], "--from commands"),
        (["rebuild", "--from", "commands", "--snapshot", "no-such"], "ledgerflow snapshot --list"),
        (["rebuild", "--limit", "10001"], "--limit"),
        (["schemas", "register", "--schema-registry-url", "localhost"], "SCHEMA_REGISTRY_URL"),
    ],
)
def test_bad_input_is_told_in_one_line_with_what_to_do(
    capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    code, out, err = said(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and hint in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics"],
        ["tail", "postings"],
        ["load", "--count", "1"],
        ["verify"],
        ["worker"],
        ["restore", "."],
        ["rebuild"],
        ["rebuild", "--from", "commands"],
        ["dead-letters", "list"],
        ["dead-letters", "redrive", "--yes"],
    ],
)
def test_a_broker_that_does_not_answer_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, err = said(capsys, *arguments, "--bootstrap-servers", NOWHERE)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert NOWHERE in err and "ledgerflow up" in err


def test_a_registry_and_a_worker_that_do_not_answer_are_told_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = said(capsys, "schemas", "register", "--schema-registry-url", f"http://{NOWHERE}")
    assert (code, err.count("\n")) == (1, 1)
    for command in (["balance", "north/c1-1"], ["snapshot"]):
        code, _, err = said(capsys, *command, "--url", f"http://{NOWHERE}")
        assert (code, err.count("\n")) == (1, 1)


def test_up_refuses_a_web_port_that_is_taken_before_it_starts_anything(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, err = said(capsys, "up", "--web-port", port, "--data", str(tmp_path / "d"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"port {port} of worker 0 cannot be used" in err and "--web-port" in err
    assert list((tmp_path / "d").iterdir()) == []


def test_up_refuses_a_directory_that_is_locked_and_not_one_whose_owner_has_gone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The process id in a file that a crash left may have become another process's."""
    Endpoints("127.0.0.1:1", "http://127.0.0.1:1", (), os.getpid()).write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken, (tmp_path / "lock").open("w") as lock:
        arguments = ["up", "--data", str(tmp_path), "--web-port", str(taken.getsockname()[1])]
        assert "worker 0 cannot be used" in said(capsys, *arguments)[2]
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = said(capsys, *arguments)
    assert (code, err.count("\n")) == (1, 1)
    assert f"another stack (process {os.getpid()}) uses {tmp_path}" in err


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ["up", "worker", "load", "topics", "tail", "balance", "statement", "payment", "version"]
    commands += ["verify", "snapshot", "restore", "rebuild", "switch"]
    for command in [*commands, "dead-letters list", "dead-letters redrive", "schemas check"]:
        code, out, _ = said(capsys, *command.split(), "--help")
        assert code == 0 and f"Usage: ledgerflow {command}" in out


def test_schemas_and_versions_are_there_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "schemas", "list", "--json")
    events = {event["record_name"]: event["versions"] for event in json.loads(out)}
    assert events["ledgerflow.AccountOpened"] == [1, 2, 3]
    code, out, _ = said(capsys, "schemas", "check", "--json")
    assert code == 0 and json.loads(out)["ok"]
    _, out, _ = said(capsys, "version", "--json")
    assert json.loads(out).keys() == {"ledgerflow", "python", "faust", "kafka", "registry"}


def test_a_command_finds_the_stack_that_runs_on_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Endpoints(
        "127.0.0.1:7000", "http://127.0.0.1:7001", (WorkerEndpoint(1, "http://w"),), os.getpid()
    )
    running.write(tmp_path)
    assert endpoints.read(tmp_path) == running
    assert reach.settings_for(tmp_path).bootstrap_servers == "127.0.0.1:7000"
    monkeypatch.setenv("LEDGERFLOW_INSECURE", "kafka")
    assert reach.settings_for(tmp_path, "other:1").bootstrap_servers == "other:1"
    assert reach.worker_urls(reach.settings_for(tmp_path)) == ["http://w"]


@pytest.mark.parametrize("secure", [False, True])
def test_migrate_leaves_a_stack_that_runs_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], secure: bool
) -> None:
    """It joins the workers' group: beside workers that run it would take their partitions away."""
    if secure:
        assert SecureForm(load_settings(data_dir=tmp_path), make_credentials(tmp_path))
    scheme = "https" if secure else "http"
    Endpoints("127.0.0.1:1", f"{scheme}://127.0.0.1:1/apis/ccompat/v7", (), os.getpid()).write(tmp_path)
    code, _, err = said(capsys, "migrate", "--data", str(tmp_path))
    assert code == 1 and "stop it first" in err and err.count("\n") == 1


@pytest.mark.parametrize("ports", [("7000", "7001"), ("7000", "7009"), ("7009", "7001")])
def test_variables_that_say_where_the_secure_stack_is_take_no_login_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ports: tuple[str, str]
) -> None:
    """`up` takes its ports from variables, too: commands in that shell must still log in."""
    stack = load_settings(data_dir=tmp_path, kafka_port=7000, registry_port=7001)
    form = SecureForm(stack, make_credentials(tmp_path))
    Endpoints("127.0.0.1:7000", "https://127.0.0.1:7001/apis/ccompat/v7", (), os.getpid()).write(tmp_path)
    monkeypatch.setenv("LEDGERFLOW_KAFKA_PORT", ports[0])
    monkeypatch.setenv("LEDGERFLOW_REGISTRY_PORT", ports[1])
    if ports != ("7000", "7001"):
        with pytest.raises(BadInput, match="leads to"):
            reach.settings_for(tmp_path)
        monkeypatch.setenv("LEDGERFLOW_DATA_DIR", str(tmp_path))
        assert reach.settings_for(None).security_protocol == "PLAINTEXT"
        return
    found = reach.settings_for(tmp_path)
    assert found.librdkafka() == form.settings_of(OPERATOR).librdkafka()
    assert found.registry() == form.settings_of(OPERATOR).registry()


@pytest.mark.parametrize("content", ["", "{}", '{"workers": 3}', None])
def test_endpoints_that_nobody_keeps_do_not_count(tmp_path: Path, content: str | None) -> None:
    if content is None:
        Endpoints("a:1", "http://a", (), 2**22 + 1).write(tmp_path)  # above any process id
    else:
        (tmp_path / endpoints.FILE_NAME).write_text(content)
    assert endpoints.read(tmp_path) is None


def test_the_settings_reach_a_child_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "my data",
        cache_dir=tmp_path,
        workers=3,
        security_protocol="SASL_SSL",
        sasl_username="u",
        sasl_password="p w",
    )
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_in_the_demo_no_payment_is_stuck_because_an_hour_passes_in_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TICK_SECONDS", "STUCK_AFTER_SECONDS"):
        monkeypatch.delenv(f"LEDGERFLOW_{name}", raising=False)
    shown = for_made_up_time(load_settings(), demo=True)
    assert (shown.tick_seconds, shown.stuck_after_seconds) == (0, 86_400)  # type: ignore[attr-defined]
    alone = for_made_up_time(load_settings(), demo=False)
    assert (alone.tick_seconds, alone.stuck_after_seconds) == (0, 3_600)  # type: ignore[attr-defined]
    monkeypatch.setenv("LEDGERFLOW_STUCK_AFTER_SECONDS", "60")
    told = for_made_up_time(load_settings(tick_seconds=30), demo=True)
    assert (told.tick_seconds, told.stuck_after_seconds) == (30, 60)  # type: ignore[attr-defined]


def test_each_load_of_a_data_directory_has_a_seed_of_its_own(tmp_path: Path) -> None:
    assert [next_seed(tmp_path) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456, "EUR", "1,234.56 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (-100, "JPY", "-100 JPY"),
        (1, "KWD", "0.001 KWD"),
        (-12345, "CLF", "-1.2345 CLF"),
        (-1_234, "ABC", "-1,234 minor units of ABC"),
        (2**63 - 1, "USD", "92,233,720,368,547,758.07 USD"),
    ],
)
def test_money_is_shown_exactly(minor: int, currency: str, text: str) -> None:
    assert money(minor, currency) == text


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12", "EUR", 1200),
        ("12.5", "EUR", 1250),
        ("0.001", "KWD", 1),
        ("7", "JPY", 7),
        ("92233720368547758.07", "USD", 2**63 - 1),
    ],
)
def test_an_amount_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert minor_units(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "rate"), [("1.08", 108_000_000), ("160", 160 * 10**8), ("0.00000001", 1), ("1000000000", 10**17)]
)
def test_a_rate_is_read_exactly(text: str, rate: int) -> None:
    assert rate_e8(text) == rate


@pytest.mark.parametrize("text", ["0", "-1.08", "1.080000001", "1,08", "", "1000000000.00000001"])
def test_what_is_no_rate_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadInput, match="is no rate"):
        rate_e8(text)


@pytest.mark.parametrize(
    ("text", "currency", "said"),
    [
        ("12.505", "EUR", "more decimals than EUR, which has 2"),
        ("12.0", "JPY", "more decimals than JPY, which has 0"),
        ("-1", "EUR", "no sign"),
        ("1,000", "EUR", "is no amount"),
        ("12.", "EUR", "is no amount"),
        ("", "EUR", "is no amount"),
        ("1e3", "EUR", "is no amount"),
        ("92233720368547758.08", "USD", "more than an event can carry"),
        ("1", "ABC", "'ABC' is no currency"),
    ],
)
def test_what_is_no_amount_is_refused_in_words(text: str, currency: str, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        minor_units(text, currency)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("overdraft_limit_minor", None, "unlimited"),
        ("minimum_balance_minor", None, "none"),
        ("maximum_balance_minor", None, "none"),
        ("known_at", None, "none"),
        ("debits_posted", 0, "0.00 EUR"),
        ("account_sequence", 7, "7"),
    ],
)
def test_a_limit_that_is_not_set_is_no_bound_of_its_kind(name: str, value: object, text: str) -> None:
    assert shown(name, value, "EUR") == text


def test_rates_are_those_of_the_last_seconds() -> None:
    rates = Rates()
    looks = [(0.0, 0), (1.0, 100), (5.0, 500), (6.0, 1_500)]
    assert [rates.take(now, {"in": count})["in"] for now, count in looks] == [0.0, 100.0, 100.0, 280.0]


class FakeChild(Child):
    """A child without a process; ends when the test says so."""

    def __init__(self, number: int) -> None:
        self.name, self.log, self.pid = f"worker {number}", Path(f"worker-{number}.log"), 1
        self.code: int | None = None
        self.ended = self.killed = False

    def exit_code(self) -> int | None:
        return self.code

    def end(self) -> None:
        self.ended = True

    def wait(self) -> int:
        return 0

    def kill(self) -> None:
        self.killed = True
        self.end()

    def why_it_ended(self) -> str:
        return "why"


class Workers:
    """A supervisor on fake children and a clock that the test moves."""

    def __init__(self, count: int = 1, start: bool = True) -> None:
        self.now = 100.0
        self.spawned: list[FakeChild] = []
        self.said: list[str] = []
        self.supervisor = Supervisor(
            ["http://w"] * count,
            self._spawn,
            self.said.append,
            is_ready=lambda _: True,
            clock=lambda: self.now,
        )
        if start:
            self.supervisor.start()

    def _spawn(self, number: int) -> FakeChild:
        self.spawned.append(FakeChild(number))
        return self.spawned[-1]

    def check_after(self, seconds: float) -> None:
        self.now += seconds
        self.supervisor.check()


def test_a_worker_that_dies_is_started_again_at_once_and_then_after_growing_pauses() -> None:
    workers = Workers()
    pauses = []
    for _ in range(CRASHES_MAX):
        workers.spawned[-1].code = 70
        workers.check_after(0.0)
        died_at, before = workers.now, len(workers.spawned)
        while len(workers.spawned) == before:
            workers.check_after(0.05)
        pauses.append(workers.now - died_at)
    assert workers.supervisor.restarts == CRASHES_MAX
    assert pauses[0] <= 0.06 and pauses == sorted(pauses) and pauses[-1] < 5
    with pytest.raises(SupervisionError, match="6 times within 60 s"):
        workers.spawned[-1].code = 70
        workers.check_after(0.0)


def test_what_is_not_started_yet_is_not_restarted() -> None:
    later = Workers(start=False)
    later.check_after(100.0)
    assert later.spawned == [] and later.supervisor.restarts == 0
    later.supervisor.start()
    later.check_after(1.0)
    assert len(later.spawned) == 1 and later.supervisor.all_ready


def test_a_worker_may_die_now_and_then_for_ever() -> None:
    workers = Workers()
    for _ in range(4 * CRASHES_MAX):
        workers.spawned[-1].code = -9
        workers.check_after(15.0)
        workers.check_after(5.0)
    assert workers.supervisor.restarts == 4 * CRASHES_MAX


def test_a_worker_with_a_bad_setting_ends_everything_at_once() -> None:
    workers = Workers()
    workers.spawned[0].code = 2
    with pytest.raises(SupervisionError, match="worker 0 ended with exit code 2: why"):
        workers.check_after(0.0)


def test_a_restarted_worker_is_not_ready_until_it_says_so() -> None:
    workers = Workers(count=2)
    workers.check_after(1.0)
    assert workers.supervisor.all_ready
    workers.spawned[1].code = 70
    workers.check_after(1.0)
    assert [worker.state for worker in workers.supervisor.workers] == ["ready", "down"]
    workers.check_after(1.0)
    assert [worker.state for worker in workers.supervisor.workers] == ["ready", "recovering"]
    workers.supervisor.stop()
    assert [child.ended for child in workers.spawned] == [True, False, True]


def test_without_kafka_workers_are_not_waited_for() -> None:
    workers = Workers(count=2)
    workers.supervisor.stop(at_once=True)
    assert [child.killed for child in workers.spawned] == [True, True]


def python(tmp_path: Path, program: str) -> Child:
    """Start a Python program as a child of `up`."""
    return Child("a child", [sys.executable, "-c", program], tmp_path / "logs" / "child.log", {})


def test_a_child_that_does_not_listen_can_be_killed(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
        "time.sleep(600)",
    )
    eventually(child.log.read_text)
    child.kill()
    assert child.wait() == 128 + signal.SIGKILL
    child.kill()  # once more does no harm


def test_a_child_that_is_asked_to_end_takes_its_own_time_and_its_own_exit_code(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));"
        "print('listening', flush=True); time.sleep(600)",
    )
    eventually(child.log.read_text)
    child.ask_to_end()
    assert child.wait() == 7
    child.ask_to_end()  # once more does no harm


def test_the_last_words_of_a_child_are_one_line_of_this_run(tmp_path: Path) -> None:
    python(tmp_path, "print('of an earlier run')").wait()
    silent = python(tmp_path, "")
    silent.wait()
    assert silent.why_it_ended() == f"it wrote nothing (log: {silent.log})"
    failed = python(tmp_path, "print('first\\nerror: the reason\\n\\n')")
    failed.wait()
    assert failed.why_it_ended() == f"error: the reason (log: {failed.log})"
    killed = python(tmp_path, "import os, signal; print('noise', flush=True); os.kill(os.getpid(), 9)")
    assert killed.why_it_ended() == f"SIGKILL (log: {killed.log})"


def letter(topic: str, partition: int, key: bytes | None = b"t/a", **more: Any) -> TopicRecord:
    """Return a dead letter of a record of `topic`."""
    prefix = "__ledgerflow.errors."
    headers = [(f"{prefix}topic", topic.encode()), (f"{prefix}partition", str(partition).encode())]
    headers += [
        (f"{prefix}code", b"wrong_partition"),
        (f"{prefix}stage", b"ledger"),
        (f"{prefix}attempt", b"2"),
    ]
    return TopicRecord("dead-letters", 3, 7, 1_000, key, b"value", [("trace", b"x"), *headers], **more)


def test_a_redriven_record_is_the_same_with_its_attempts_and_the_place_of_its_dead_letter() -> None:
    assert redriving.redriven(letter("payments", 1)) == {
        "topic": "payments",
        "key": b"t/a",
        "value": b"value",
        "timestamp": 1_000,
        "headers": [("trace", b"x"), (HEADER_ATTEMPT, b"2"), (letters.REDRIVEN_HEADER, b"dead-letters[3]@7")],
    }


@pytest.mark.parametrize(
    ("topic", "key", "partition"),
    [
        ("payments", b"t/a", None),
        ("payments", None, 1),
        ("ledger-commands", b"t/a", 1),
        ("position-commands", b"t/i", 1),
    ],
)
def test_a_redriven_record_goes_to_its_keys_partition_unless_a_stream_placed_it(
    topic: str, key: bytes | None, partition: int | None
) -> None:
    assert redriving.redriven(letter(topic, 1, key)).get("partition") == partition


def test_a_record_is_one_line_whatever_its_bytes_are() -> None:
    record = TopicRecord("payments", 0, 5, 1_700_000_000_000, b"t/\n\x1b[31m\xff", b"\0", [])
    event = Event("X", {"tenant_id": "t", "at": 1, "sent_at": 0, "text": "a\n\x1b[31mb", "none": None})
    line = as_line(record, event, lambda text, _: text)
    assert line == (
        "2023-11-14 22:13:20.000 payments[0]@5 t/\\n\\u001b[31m\\xff X at=1 sent_at=1970-01-01T00:00:00Z"
        " text='a\\n\\u001b[31mb'"
    )
    legs = [
        {"leg_no": 1, "entry_no": 0, "account_id": "a", "side": "DEBIT", "amount_minor": 1_250}
        | {"currency": "EUR", "purpose": None, "rate_e8": None},
        {"leg_no": 2, "entry_no": 1, "account_id": "b\n", "side": "CREDIT", "amount_minor": 5}
        | {"currency": "JPY", "purpose": "fx", "rate_e8": 108_000_000},
    ]
    journal = Event("JournalSubmitted", {"legs": legs, "closed_through": -1})
    assert as_line(record, journal, lambda text, _: text).endswith(
        " JournalSubmitted legs=[1/0 a -12.50 EUR, 2/1 'b\\n' +5 JPY fx at 1.08000000]"
        " closed_through=1969-12-31T23:59:59.999999Z"
    )
    paid = {"amount_minor": 12_50, "balance_minor_after": -5, "currency": "EUR", "no_minor": "x"}
    assert as_line(record, Event("P", paid), lambda text, _: text).endswith(
        " P amount_minor=1250 (12.50) balance_minor_after=-5 (-0.05) currency=EUR no_minor=x"
    )
    unknown = {"amount_minor": 12_50, "currency": "ABC"}
    assert as_line(record, Event("P", unknown), lambda text, _: text).endswith(
        " amount_minor=1250 currency=ABC"
    )
    assert key_text(None) == "(no key)"
    assert as_json(record, None)["key_base64"] == "dC8KG1szMW3/"
    assert as_json(record, None)["value_base64"] == "AA=="
