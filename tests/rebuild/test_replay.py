"""A replay beside the live table: the same rules give the same rows, other rules show what they change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.rows import HOLD_ROW, account_key, unpack_account
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.rebuild.replay import LivePartition, Replayed, fields, named, replay
from pipeline.rebuild.scratch import Scratch
from pipeline.runtime.streams import StreamSpec
from tests.ledger.branches import DAY, TENANT, Branches, decided
from tests.rebuild.bench import PARTITIONS, Interrupted, Logs, bank, commands_of, copy_of

COPIED_MS = 100 * DAY // 1000


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    return Logs(monkeypatch)


def spec_of(days: int = 90) -> StreamSpec:
    rules = LedgerRules(dedupe_window_days=days)
    return StreamSpec("ledger", "ledger-commands", Ledger(rules), "ledger", LedgerBatch(rules))


def replayed(logs: Logs, folder: Path, live: list[LivePartition], days: int = 90) -> Replayed:
    with Scratch(folder / "scratch", {"rules": str(days)}) as scratch:
        shown = {"limit": 100, "on_progress": lambda *_: None, "on_stage": lambda _: None}
        return asyncio.run(
            replay({}, logs.codec, scratch, spec_of(days), live, COPIED_MS, PARTITIONS, **shown)
        )  # type: ignore[arg-type]


def live_of(ledger: Branches, logs: Logs, folder: Path) -> list[LivePartition]:
    ends = [logs.end("ledger-commands", number) for number in range(PARTITIONS)]
    return [
        LivePartition(number, ends[number], copy_of(ledger, number, folder)) for number in range(PARTITIONS)
    ]


def test_the_same_rules_give_the_same_rows(logs: Logs, tmp_path: Path) -> None:
    ledger = bank()
    commands_of(ledger, logs)
    found = replayed(logs, tmp_path, live_of(ledger, logs, tmp_path / "live"))
    assert (found.differences.found, found.differences.shown) == (0, [])
    rows = [dict(branch.rows.data) for branch in ledger.branches]
    assert found.differences.compared.total() == sum(map(len, rows)) > 20
    kinds = {"account", "payment", "leg", "watermark", "hold", "journal", "journal_part", "next_due"}
    kinds |= {"due in order", "due of account", "open holds", "opening", "ended queue", "walk"}
    assert set(found.differences.compared) == kinds
    assert found.records == sum(len(branch.log) for branch in ledger.branches)


def test_other_rules_show_what_they_would_have_made(logs: Logs, tmp_path: Path) -> None:
    """With a window of 10 days the payment of 20 days ago is refused, and its money stays where it was."""
    ledger = bank()
    commands_of(ledger, logs)
    found = replayed(logs, tmp_path, live_of(ledger, logs, tmp_path / "live"), days=10)
    changes = {(one.kind, one.name, one.field): (one.live, one.rebuilt) for one in found.differences.shown}
    for account, change in (("acc-4", +11), ("acc-5", -11)):
        row = ledger.account(account)
        assert row is not None
        balance = changes["account", f"{TENANT}/{account}", "balance_minor"]
        assert balance == (row.balance_minor, row.balance_minor + change)
    assert changes["payment", f"{TENANT}/late", "state"][1] is None
    assert found.counts == (2, 0)  # the leg, and its answer
    (leg,) = (name for kind, name, _ in changes if kind == "leg")
    queues = {name for kind, name, _ in changes if kind == "ended queue"}
    assert queues == {"", "1"}, "what has ended by the time of the branch itself, and of the home of the leg"
    assert {name for kind, name, _ in changes if kind != "ended queue"} == {
        *(f"{TENANT}/{account}" for account in ("acc-4", "acc-5", "late")),
        *(f"{TENANT}/$clearing:EUR:{number}" for number in range(PARTITIONS)),
        leg,
    }


def test_a_branch_hears_the_answer_that_the_rules_give_now(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leg that was posted is refused now: the debtor has its money back, on the other branch."""
    ledger = bank()
    ledger.run(decided("over", "over", "acc-2", "acc-5", 13))
    commands_of(ledger, logs)
    live, code = live_of(ledger, logs, tmp_path / "live"), Books.creditor_code

    def refuses(books: Books, account_id: str, currency: str, amount_minor: int = 0) -> str | None:
        return "creditor_frozen" if amount_minor == 13 else code(books, account_id, currency, amount_minor)

    monkeypatch.setattr(Books, "creditor_code", refuses)
    found = replayed(logs, tmp_path, live)
    changes = {(one.name, one.field): (one.live, one.rebuilt) for one in found.differences.shown}
    for account, change in (("acc-2", +13), ("acc-5", -13)):
        row = ledger.account(account)
        assert row is not None
        balance = changes[f"{TENANT}/{account}", "balance_minor"]
        assert balance == (row.balance_minor, row.balance_minor + change)
    assert changes[f"{TENANT}/over", "state"] == ("SETTLED", "FAILED")
    assert found.counts == (0, 0)


@pytest.mark.parametrize("cut", [0, 2, 5])
def test_an_interrupted_replay_goes_on_where_it_stood(logs: Logs, tmp_path: Path, cut: int) -> None:
    ledger = bank()
    commands_of(ledger, logs)
    live = live_of(ledger, logs, tmp_path / "live")
    logs.cut = cut
    with pytest.raises(Interrupted):
        replayed(logs, tmp_path, live)
    logs.cut = None
    found = replayed(logs, tmp_path, live)
    assert found.differences.found == 0
    assert found.records == sum(len(branch.log) for branch in ledger.branches) - 3 * cut


def test_a_later_snapshot_continues_the_replay(logs: Logs, tmp_path: Path) -> None:
    ledger = bank()
    commands_of(ledger, logs)
    replayed(logs, tmp_path, live_of(ledger, logs, tmp_path / "first"))
    before = [len(branch.log) for branch in ledger.branches]
    ledger.run(decided("more", "more", "acc-2", "acc-6", 5), decided("less", "less", "acc-6", "acc-7", 3))
    logs.records.clear()
    commands_of(ledger, logs)
    found = replayed(logs, tmp_path, live_of(ledger, logs, tmp_path / "second"))
    assert found.differences.found == 0
    assert found.records == sum(len(branch.log) for branch in ledger.branches) - sum(before) > 0


def test_an_earlier_snapshot_begins_the_replay_anew(logs: Logs, tmp_path: Path) -> None:
    ledger = bank()
    commands_of(ledger, logs)
    earlier = live_of(ledger, logs, tmp_path / "first")
    ledger.run(decided("more", "more", "acc-2", "acc-6", 5))
    logs.records.clear()
    commands_of(ledger, logs)
    replayed(logs, tmp_path, live_of(ledger, logs, tmp_path / "second"))
    assert replayed(logs, tmp_path, earlier).differences.found == 0


def test_a_live_row_that_was_changed_by_hand_is_found(logs: Logs, tmp_path: Path) -> None:
    ledger = bank()
    commands_of(ledger, logs)
    for number, branch in enumerate(ledger.branches):
        row = branch.rows.get(account_key(TENANT, "acc-3"))
        if row is not None:
            account, where = unpack_account(row), number
            account.credits_posted += 1
            branch.rows.put(account_key(TENANT, "acc-3"), account.pack())
    found = replayed(logs, tmp_path, live_of(ledger, logs, tmp_path / "live"))
    assert found.differences.found == 1
    assert {(one.branch, one.name, one.field) for one in found.differences.shown} == {
        (where, f"{TENANT}/acc-3", "credits_posted"),
        (where, f"{TENANT}/acc-3", "balance_minor"),
    }


def test_rows_are_named_as_people_do() -> None:
    assert named(b"a\0north\0alice") == ("account", "north/alice")
    assert named(b"w") == ("watermark", "")
    assert named(b"Z\0\xff") == ("Z", "\ufffd")


def test_the_same_row_in_another_layout_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HOLD_ROW, "_upgrades", (bytes,))
    monkeypatch.setattr(HOLD_ROW, "layout", 2)
    monkeypatch.setattr(HOLD_ROW, "head", b"\2")
    assert fields("hold", b"\1content") == fields("hold", b"\2content") == {"row": b"\2content".hex()}


def test_a_row_of_an_unknown_layout_is_shown_as_it_is() -> None:
    for kind in ("account", "payment", "hold"):
        assert fields(kind, b"\x63content") == {"row": b"\x63content".hex()}
