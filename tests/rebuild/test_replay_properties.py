"""A replay of all branches together, for any order of commands and messages, and any moments of copies."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.outputs import BETWEEN_BRANCHES
from pipeline.domain.ledger.rows import unpack_account
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.rebuild.replay import LivePartition, Replayed, replay
from pipeline.rebuild.scratch import Scratch
from pipeline.runtime.store.database import rows_of_copy
from pipeline.runtime.streams import StreamSpec
from tests.examples import examples
from tests.ledger.branches import DAY, Branches, decided, envelope, opened
from tests.rebuild.bench import Interrupted, Logs, commands_of, copy_of, journal_legs

BRANCHES, ACCOUNTS, COMMANDS = 3, 8, 40
NOW = 40 * DAY
COPIED_MS = 2 * NOW // 1000
RICH = 10**9
OLD, NEW = 90, 10
"""Days that payment ids are remembered: by the new rules a payment of 20 days ago is refused."""


def commands(rng: Random, reversals: bool) -> Iterator[Any]:
    """Yield what comes from outside: payments, some of them late, cards, captures, journals, reversals.

    Without reversals, which are refused until a payment is settled, any order comes to the same.
    """
    yield from (opened(f"o{n}", f"acc-{n}", RICH) for n in range(ACCOUNTS))
    for number in range(COMMANDS):
        debtor, creditor = rng.sample([f"acc-{n}" for n in range(ACCOUNTS)], 2)
        at = NOW - rng.choice((0, 0, 20 * DAY))
        kind = rng.randrange(8)
        if kind < 5:
            expires = 50 * DAY if kind == 4 else None
            about = {"occurred_at": at, "hold_expires_at": expires}
            yield decided(f"d{number}", f"p{number}", debtor, creditor, 100 + number, **about)
            if kind == 4:
                ids = {"payment_id": f"p{number}", "debtor_account_id": debtor, "capture_id": "c"}
                yield ev.PaymentCaptured(
                    **envelope(f"c{number}", NOW), **ids, amount_minor=60, final=rng.random() < 0.5
                )
            elif kind == 3 and reversals:
                ids = {"payment_id": f"p{number}", "debtor_account_id": debtor, "reversal_id": f"r{number}"}
                yield ev.PaymentReversed(**envelope(f"r{number}", NOW), **ids, amount_minor=7, reason="r")
            continue
        about = {"reference": "r", "reason": None, "effective_at": None, "late": "REFUSE"}
        about |= {"journal_id": f"j{number}", "hold_expires_at": None, "account_id": "acc-2"}
        yield ev.JournalSubmitted(**envelope(f"j{number}", at), **about, legs=journal_legs(number))


def played(
    seed: int, days: int, folder: Path, *, ordered: bool
) -> tuple[Branches, list[list[LivePartition]]]:
    """Return branches that have applied everything in some order, and copies of each made at some moments.

    `ordered`: with commands whose effect depends on the order, and with copies before the end.
    """
    rng = Random(seed)
    ledger = Branches(BRANCHES, LedgerRules(dedupe_window_days=days))
    ledger.recorded_at = NOW
    upcoming = list(commands(Random(seed), ordered))[::-1]
    rounds: list[list[LivePartition]] = []
    due: list[int] = []
    while upcoming or any(branch.waiting for branch in ledger.branches):
        busy = [number for number, branch in enumerate(ledger.branches) if branch.waiting]
        if upcoming and (not busy or rng.random() < 0.3):
            ledger.put(upcoming.pop())
            ledger.recorded_at += rng.randrange(2) * 1_000
        else:
            ledger.step(rng.choice(busy))
        if ordered and not due and rng.random() < 0.03:
            rounds.append([])
            due = rng.sample(range(BRANCHES), BRANCHES)
        if due and rng.random() < 0.2:
            rounds[-1].append(copied(ledger, due.pop(), folder / str(len(rounds))))
    if due:
        rounds.pop()
    rounds.append([copied(ledger, number, folder / "last") for number in range(BRANCHES)])
    return ledger, rounds


def copied(ledger: Branches, number: int, folder: Path) -> LivePartition:
    return LivePartition(number, len(ledger.branches[number].log) * 2, copy_of(ledger, number, folder))


def replayed(logs: Logs, folder: Path, live: list[LivePartition], days: int) -> Replayed:
    rules = LedgerRules(dedupe_window_days=days)
    spec = StreamSpec("ledger", "ledger-commands", Ledger(rules), "ledger", LedgerBatch(rules))
    with Scratch(folder / "scratch", {}) as scratch:
        stages = {"limit": 100, "on_progress": lambda *_: None, "on_stage": lambda _: None}
        return asyncio.run(replay({}, logs.codec, scratch, spec, live, COPIED_MS, BRANCHES, **stages))  # type: ignore[arg-type]


def balances(folder: Path) -> Counter[str]:
    """Return the balances of all accounts of a replay."""
    found: Counter[str] = Counter()
    for path in sorted((folder / "scratch").glob("ledger-?.rocks")):
        for key, row in rows_of_copy(path):
            if key.startswith(b"a\0"):
                found[key.decode().split("\0")[2]] += unpack_account(row).balance_minor
    return found


@given(st.integers(0, 2**32), st.integers(0, 60))
@examples(6)
def test_the_same_rules_find_every_message_in_its_place(seed: int, cut: int) -> None:
    """Whenever the branches were copied, wherever a replay was interrupted."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as path:
        folder, logs = Path(path), Logs(patch)
        ledger, rounds = played(seed, OLD, folder, ordered=True)
        commands_of(ledger, logs)
        logs.cut = cut
        for live in (*rounds, rounds[0], rounds[-1]):
            try:
                found = replayed(logs, folder, live, OLD)
            except Interrupted:
                logs.cut = None
                found = replayed(logs, folder, live, OLD)
            assert found.differences.shown == []
            assert tuple(found.counts) == (0, 0)
        assert found.differences.compared.total() == sum(len(one.rows.data) for one in ledger.branches)


@pytest.mark.parametrize(("written", "read"), [(OLD, NEW), (NEW, OLD)], ids=["refused", "let through"])
@given(seed=st.integers(0, 2**32), cut=st.none() | st.integers(0, 60), batch=st.sampled_from([1, 3, 1_000]))
@examples(10)
def test_other_rules_come_to_what_they_would_have_come_to(
    written: int, read: int, seed: int, cut: int | None, batch: int
) -> None:
    """Both sides of a payment, wherever its accounts are: no money is made or lost between branches."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as path:
        folder, logs = Path(path), Logs(patch)
        logs.batch, logs.cut = batch, cut
        ledger, (live,) = played(seed, written, folder, ordered=False)
        commands_of(ledger, logs)
        interrupted = False
        try:
            found = replayed(logs, folder, live, read)
        except Interrupted:
            interrupted, logs.cut = True, None
            found = replayed(logs, folder, live, read)
        other, _ = played(seed, read, folder / "other", ordered=False)
        expected = Counter[str]()
        for branch in other.branches:
            for key, row in branch.rows.scan(b"a\0"):
                expected[key.decode().split("\0")[2]] += unpack_account(row).balance_minor
        assert +balances(folder) == +expected and -balances(folder) == -expected
        if not interrupted:
            left_out, besides = found.counts
            assert besides - left_out == messages(other) - messages(ledger)
            if batch == 1_000:  # what is ahead is known, so none is left out that comes later
                assert (left_out if read > written else besides) == 0


def messages(ledger: Branches) -> int:
    """Return how much branches have sent each other."""
    return sum(type(event) in BETWEEN_BRANCHES for branch in ledger.branches for event, _ in branch.log)
