"""`ledgerflow up` as a user meets it: a demo that verifies itself, the documents' examples, parts that die.

The tests build on each other, in this order. Stacks side by side: test_side_by_side.py."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.gateway.identity.keys import FILE_NAME, Keys
from tests.conftest import free_ports
from tests.e2e import documented
from tests.e2e.running_up import CLI, DEMO, ROOT, Ended, Place, belonging, command
from tests.progress import run, wait_until_gone, wait_until_still


class Shown(NamedTuple):
    """A first `up --demo` on a directory, of which a worker was killed; Ctrl-C ended it."""

    place: Place
    workers: list[dict[str, Any]]
    """As endpoints.json has them, before a worker was killed."""
    workers_after: list[dict[str, Any]]
    doors: tuple[dict[str, Any], dict[str, Any]]
    """The gateway before it was killed and after."""
    balance: dict[str, Any]
    """As the worker answers that was started again."""
    second_on_its_directory: Ended
    second_on_its_kafka_port: Ended
    ended: Ended


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    place = Place(tmp_path_factory.mktemp("up"))
    other = Place(tmp_path_factory.mktemp("other"))
    try:
        place.up(*DEMO, "--workers", "2")
        workers = place.endpoints()["workers"]
        place.wait_for(lambda: place.counted().get("postings"), "postings")
        place.wait_for(lambda: place.counted().get("requests", 0) > 4, "calls of the gateway")
        door = place.endpoints()["gateway"]
        os.kill(workers[1]["pid"], signal.SIGKILL)
        os.kill(door["pid"], signal.SIGKILL)
        found = place.endpoints(lambda found: found["workers"] != workers and found["gateway"] != door)
        after = found["workers"]
        refused = command("up", *place.options())
        taken = command("up", *other.options(kafka=place.ports["kafka"]))
        balance = place.wait_for(lambda: get(f"{after[1]['url']}/balances/north/c1-1"), "a balance")
        everything = wait_until_still(lambda: belonging(place.data_dir))
        assert len(everything) == 13, "up; with a guardian each two Javas, two workers, gateway, load"
        ended = place.end(signal.SIGINT)
        wait_until_gone(everything)
        yield Shown(place, workers, after, (door, found["gateway"]), balance, refused, taken, ended)
    finally:
        place.kill()


def get(url: str) -> dict[str, Any] | None:
    """Return what a table view answers, None where that is an error."""
    try:
        with urllib.request.urlopen(url) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except OSError:
        return None


@pytest.fixture
def place(shown: Shown) -> Iterator[Place]:
    """Where that run was; what a test that fails leaves there ends with it."""
    yield shown.place
    shown.place.kill()


def test_a_worker_and_a_gateway_that_are_killed_are_started_again_where_they_were(shown: Shown) -> None:
    before, after = shown.workers, shown.workers_after
    assert [worker["url"] for worker in after] == [worker["url"] for worker in before]
    assert after[0] == before[0] and after[1]["pid"] != before[1]["pid"]
    assert shown.balance["data"]["currency"] == "EUR"
    door, door_after = shown.doors
    assert door["url"] == door_after["url"] and door["pid"] != door_after["pid"]
    assert json.loads(shown.ended.out)["restarts"] == 2
    assert "no administrator yet: within 15 minutes, open http://localhost:" in shown.ended.err


def test_a_demo_that_is_interrupted_says_that_everything_holds(shown: Shown) -> None:
    assert shown.ended.code == 0, shown.ended.err
    summary = json.loads(shown.ended.out)
    assert summary["ok"] and summary["first_run"] and summary["error"] is None
    assert len(summary["invariants"]) > 20 and all(summary["invariants"].values())
    assert min(summary[name] for name in ("events_in", "postings", "balances")) > 0
    assert summary["lag"] == summary["broken"] == 0
    assert not (shown.place.data_dir / "endpoints.json").exists()
    assert belonging(shown.place.data_dir) == []


def test_a_demo_calls_the_gateway_with_keys_of_its_own_also_after_it_was_killed(shown: Shown) -> None:
    said = (shown.place.data_dir / "logs" / "load.log").read_text()
    (told,) = [line for line in said.splitlines() if line.startswith("gateway: ")]
    counts = {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r"([a-z ]+) ([0-9,]+)(?:, |$)", told[9:])
    }
    assert min(counts[name] for name in ("again", "done", "repeat", "refused", "conflict")) > 0, counts
    assert "forbidden" not in counts
    keys = Keys(shown.place.data_dir / FILE_NAME).all()
    assert {key.subject for key in keys} == {"demo-upstream", "demo-desk"}
    assert all(key.revoked_at is not None for key in keys)


def test_a_directory_and_a_port_in_use_are_refused_in_one_line(shown: Shown) -> None:
    refused, taken = shown.second_on_its_directory, shown.second_on_its_kafka_port
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert f"uses {shown.place.data_dir}: stop it" in refused.err
    assert (taken.code, taken.err.count("\n")) == (1, 1)
    assert f"port {shown.place.ports['kafka']} cannot be used" in taken.err
    assert "LEDGERFLOW_KAFKA_PORT" in taken.err


@pytest.fixture(scope="module")
def quiet(shown: Shown) -> Iterator[Place]:
    """A later run on the same directory, without traffic: what the documents' examples meet."""
    place = shown.place
    place.ports["web"] = str(free_ports()[3])  # the group still knows the worker under its old address
    place.up()
    place.endpoints()
    yield place
    place.kill()


@pytest.fixture(scope="module")
def first_payment(quiet: Place, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return documented.python(quiet, tmp_path_factory.mktemp("python"))


def test_the_readmes_example_ends_in_a_settled_payment(first_payment: Ended) -> None:
    assert first_payment == (0, documented.promised() + "\n", "")


def test_every_command_of_the_readme_works(quiet: Place, first_payment: Ended) -> None:
    said = {line: documented.shell(quiet, line) for line in documented.shell_lines()}
    assert len(said) >= 7 and all(said.values())
    (payment,) = [text for line, text in said.items() if line.startswith("ledgerflow payment")]
    assert "settled" in payment


def test_the_java_example_pays(quiet: Place, first_payment: Ended, tmp_path: Path) -> None:
    ended = documented.java(quiet, tmp_path)
    if ended is None:
        pytest.skip("there is no javac here")
    assert ended.code == 0, ended
    address = f"http://127.0.0.1:{quiet.ports['web']}/payments/north/p-2"
    paid = quiet.wait_for(lambda: is_settled(get(address)), "the payment")
    assert paid["amount_minor"] == 12_50 and paid["creditor_account_id"] == "bob"


@pytest.mark.long
def test_a_person_opens_funds_and_pays_from_the_shell(quiet: Place) -> None:
    for name in ("carol", "dave"):
        opened = json.loads(quiet.ask("account", "open", f"north/{name}", "EUR", "--json"))
        assert opened["answer"]["account_id"] == name
    refused = command("account", "open", "north/carol", "EUR", "--data", str(quiet.data_dir))
    assert refused.code == 1 and "already" in refused.err
    for amount in ("60", "40.00"):  # the second time the account that it comes from is there
        assert "from funding-EUR" in quiet.ask("account", "fund", "north/carol", amount, "EUR")
    line = ("payment", "send", "north/carol", "dave", "12.50", "EUR", "--reference", "lunch")
    assert quiet.ask(*line, "--dry-run").count('"topic": "payments"') == 1
    paid = json.loads(quiet.ask(*line, "--json"))
    assert (paid["answer"]["state"], paid["answer"]["amount"]) == ("settled", "12.50")
    poor = command("payment", "send", "north/dave", "carol", "99", "EUR", "--data", str(quiet.data_dir))
    assert poor.code == 1 and "insufficient_funds" in poor.out

    def stated() -> list[dict[str, str]] | None:
        rows = list(csv.DictReader(quiet.ask("statement", "north/carol", "--csv").splitlines()))
        return rows if rows[-1]["balance"] == "87.50" else None  # the history follows the ledger

    first, *bookings, last = quiet.wait_for(stated, "the statement")
    assert (first["kind"], last["kind"], last["balance_minor"]) == ("OPENING", "CLOSING", "8750")
    parties = {row["counterparty_account_id"] for row in bookings if row["payment_id"].startswith("p-")}
    assert parties == {"dave"} and {row["currency"] for row in bookings} == {"EUR"}


def test_a_worker_is_restored_while_up_is_stopped(quiet: Place) -> None:
    """It stops the stack that the others look at, and starts it again."""
    quiet.ask("snapshot")
    before = get(f"http://127.0.0.1:{quiet.ports['web']}/balances?tenant=north&limit=1000")
    where = ["--worker", "0", "--replace", "--data", str(quiet.data_dir)]
    refused = command("restore", *where)
    assert refused.code == 1 and "stop that first" in refused.err
    assert quiet.end(signal.SIGTERM).code == 0
    ports = {f"LEDGERFLOW_{name.upper()}_PORT": port for name, port in quiet.ports.items()}
    done = run([*CLI, "restore", *where, "--json"], cwd=ROOT, env={**os.environ, **ports})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["partitions"] > 0
    quiet.up("--json")
    quiet.endpoints()
    after = get(f"http://127.0.0.1:{quiet.ports['web']}/balances?tenant=north&limit=1000")
    assert before is not None and after is not None and after["data"] == before["data"]


def is_settled(answer: dict[str, Any] | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None if answer is None else answer["data"]
    return found if found is not None and found["state"] == "settled" else None


def test_when_kafka_dies_everything_ends_and_one_line_says_so(quiet: Place) -> None:
    quiet.java()[0].kill()
    ended = quiet.end()
    summary = json.loads(ended.out)
    assert (ended.code, ended.out.count("\n"), summary["ok"], summary["first_run"]) == (1, 1, False, False)
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert said == [f"error: {summary['error']}"] == [ended.err.splitlines()[-1]]
    assert "kafka ended with exit code 137 (SIGKILL" in said[0]
    assert belonging(quiet.data_dir) == []
    assert not (quiet.data_dir / "endpoints.json").exists()


def test_ctrl_c_while_it_starts_leaves_nothing(place: Place) -> None:
    place.up()
    everything = place.wait_for(lambda: place.java() and belonging(place.data_dir), "a Java process")
    ended = place.end(signal.SIGINT)
    assert (ended.code, ended.err) == (130, "error: stopped before it was ready\n")
    wait_until_gone(everything)
    assert belonging(place.data_dir) == []


@pytest.mark.parametrize(
    ("options", "hint"),
    [(["--web-port", "70000"], "--web-port"), (["--demoo"], "up --help"), (["--rate", "0"], "--rate")],
)
def test_a_bad_option_ends_in_one_line(options: list[str], hint: str) -> None:
    ended = command("up", *options)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert hint in ended.err
