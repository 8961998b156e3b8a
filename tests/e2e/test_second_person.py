"""What only time and a second person bring, on a running stack: payments for later, and corrected balances.

It ends as its owner does. Its event time is the clock's, and ticks are on.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from confluent_kafka import Producer

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.settings import Settings
from tests.e2e.running_up import CLI, ROOT, Place, belonging
from tests.progress import SILENCE_S, run, wait_for, wait_until_gone, wait_until_still

TICK_SECONDS = 10
DAY_US = 24 * 3_600 * 1_000_000
WAIT = ("--wait", str(int(SILENCE_S)))


class Bank(Place):
    """A stack with accounts of one tenant."""

    def page(self, path: str) -> Any:
        """Return what a view of the worker shows; None where there is no such row yet."""
        (worker,) = self.endpoints()["workers"]
        try:
            with urllib.request.urlopen(f"{worker['url']}{path}", timeout=SILENCE_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            assert error.code == HTTPStatus.NOT_FOUND, error.read()
            return None

    def balance(self, account: str) -> int:
        """Return what an account has, minor units."""
        return int(self.page(f"/balances/north/{account}")["balance_minor"])

    def command(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run a command with settings of its own; return its exit code and all that it says."""
        done = run(
            [*CLI, *arguments, "--data", str(self.data_dir)], cwd=ROOT, env={**os.environ, **environment}
        )
        return done.returncode, done.stdout + done.stderr

    def produce(self, topic: str, event: Any) -> None:
        """Write an event as an upstream does."""
        found = self.endpoints()
        settings = Settings(
            bootstrap_servers=found["bootstrap_servers"], schema_registry_url=found["schema_registry_url"]
        )
        codec = Codec(Registry(settings.registry(), self.data_dir / "schemas of a test"))
        producer, key = Producer({**settings.librdkafka(), "log_level": 0}), record_key(event)
        producer.produce(
            topic, codec.encode([event])[0], key.encode(), partition_of(key, settings.partitions)
        )
        assert producer.flush(SILENCE_S) == 0


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    place = Bank(tmp_path_factory.mktemp("bank"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEDGERFLOW_TICK_SECONDS", str(TICK_SECONDS))
        place.up()
    try:
        place.endpoints()
        for account in ("alice", "bob"):
            place.ask("account", "open", f"north/{account}", "EUR", *WAIT)
        own = ("--type", "internal", "--overdraft", "1000")
        place.ask("account", "open", "north/corrections", "EUR", *own, *WAIT)
        place.ask("account", "fund", "north/alice", "100", "EUR", *WAIT)
        yield place
    finally:
        place.kill()


def test_a_payment_for_later_is_settled_at_its_time_where_nothing_else_happens(bank: Bank) -> None:
    due = datetime.now(UTC) + timedelta(seconds=TICK_SECONDS)
    due_us = round(due.timestamp() * 1e6)
    about = ("later", "north", due_us - TICK_SECONDS * 1_000_000, "c", None, "later", "alice", "bob", 1_000)
    bank.produce("payments", ev.PaymentInitiated(*about, "EUR", "transfer", "of a test", execute_at=due_us))

    def settled() -> dict[str, Any] | None:
        shown: dict[str, Any] | None = bank.page("/payments/north/later")
        return shown if shown is not None and shown["state"] == "settled" else None

    steps = {one["event"]: one for one in wait_for(settled, "the payment, settled")["steps"]}
    assert next(iter(steps)) == "payment_scheduled"
    moments = {event: datetime.fromisoformat(one["occurred_at"]) for event, one in steps.items()}
    assert abs(moments["payment_settled"] - due) < timedelta(milliseconds=1), "its time is the one asked for"
    assert datetime.fromisoformat(steps["payment_settled"]["recorded_at"]) > due
    assert (bank.balance("alice"), bank.balance("bob")) == (9_000, 1_000)


@pytest.mark.long
def test_corrections_after_a_change_of_rules_are_sent_once_and_booked_by_a_second_person(bank: Bank) -> None:
    """A journal counts in a past in which its account was empty. Other rules would have refused it."""
    before = (bank.balance("alice"), bank.balance("bob"))
    now_us = time.time_ns() // 1_000
    sides = (("alice", "DEBIT"), ("bob", "CREDIT"))
    legs = tuple(ev.JournalLeg(no, 0, who, side, 3_000, "EUR") for no, (who, side) in enumerate(sides, 1))
    past = now_us - 5 * DAY_US
    bank.produce(
        "journals",
        ev.JournalSubmitted(
            "past", "north", now_us, "c", None, "past", "alice", legs, "", None, past, "REFUSE"
        ),
    )
    changed = (before[0] - 3_000, before[1] + 3_000)
    wait_for(lambda: (bank.balance("alice"), bank.balance("bob")) == changed, "the journal, booked")
    assert bank.command("rebuild", "--from", "commands")[0] == 0

    def propose() -> tuple[int, Any]:
        asked = ("rebuild", "--from", "commands", "--propose", "--yes", "--against", "north=corrections")
        code, said = bank.command(*asked, "--json", LEDGERFLOW_BACKDATING="refuse")
        return code, json.loads(next(line for line in said.splitlines() if line.startswith("{")))

    code, first = propose()
    assert (code, len(first["corrections"]), first["not_corrected"]) == (0, 2, [])
    wait_for(lambda: len(proposals(bank)) == 2, "both proposals")
    code, second = propose()
    assert (code, second["corrections"]) == (1, [])
    assert [one["why"].split(" ", 1)[1] for one in second["not_corrected"]] == ["waits to be decided"] * 2
    for one in proposals(bank):
        account, hashed = f"north/{one['account_id']}", ("--hash", one["content_hash"])
        code, said = bank.command("approve", account, one["proposal_id"], *hashed, *WAIT)
        assert code == 2 and "another person has to approve it" in said
        other = bank.command("approve", account, one["proposal_id"], *hashed, *WAIT, LOGNAME="another")
        assert other[0] == 0, other[1]
    wait_for(lambda: (bank.balance("alice"), bank.balance("bob")) == before, "the corrections, booked")
    assert propose()[1]["ok"]


def test_everything_dies_with_its_owner(bank: Bank) -> None:
    """The last one of this stack."""
    everything = wait_until_still(lambda: belonging(bank.data_dir))
    assert len(everything) == 9, "up; and with a guardian each two Javas, a worker and the gateway"
    bank.kill()
    wait_until_gone(everything)


def proposals(bank: Bank) -> list[dict[str, Any]]:
    """Return what waits for a second person."""
    return list(bank.page("/proposals?tenant=north"))
