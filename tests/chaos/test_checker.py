"""The checker proven: every kind of damage to a small cluster turns it red, and no healthy one does."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.by_hand import record
from tests.chaos.comparisons import ERROR
from tests.chaos.log_reader import Record
from tests.chaos.small_bank import CHANGELOGS, Bank
from tests.chaos.wire import (
    ALERTS,
    BALANCES,
    CLEARING_TOTALS,
    COMMANDS,
    DEAD_LETTERS,
    INVARIANT_ALERTS,
    ITEMS,
    JOURNAL_EVENTS,
    PAYMENT_ALERTS,
    PAYMENT_EVENTS,
    POSITION_COMMANDS,
    POSITIONS,
    POSTINGS,
    RESULTS,
)


def test_the_checker_imports_nothing_of_the_product() -> None:
    allowed = sys.stdlib_module_names | {"confluent_kafka", "fastavro"}
    names, checked = ["checker"], set[str]()
    while names:
        name = names.pop()
        checked.add(name)
        for node in ast.walk(ast.parse(Path(__file__).with_name(f"{name}.py").read_text("utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                own = module.startswith("tests.chaos.")
                assert own or module.partition(".")[0] in allowed, f"{name} imports {module}"
                if own and module.removeprefix("tests.chaos.") not in checked:
                    names.append(module.removeprefix("tests.chaos."))
    assert {"ledger_model", "position_model", "reconciliation_model", "log_reader"} <= checked


def test_a_bank_without_damage_has_no_problem() -> None:
    bank = Bank()
    assert bank.problems() == [] and bank.problems(quiet=False) == []
    silent = {name for name, parts in bank.topics.items() if not any(parts.values())}
    assert silent == {INVARIANT_ALERTS}, "else the damages prove nothing"
    said = Counter(made.event for log in bank.topics[RESULTS].values() for made in log)
    assert said == {"ItemMatched": 1, "BreakOpened": 3, "BreakResolved": 1}


Damage = Callable[[list[Record]], None]


def lose_first(log: list[Record]) -> None:
    log.pop(0)


def lose_tail(log: list[Record]) -> None:
    log.pop()


def lose_middle(log: list[Record]) -> None:
    log.pop(len(log) // 2 - 1)


def lose_period(log: list[Record]) -> None:
    log.remove(next(made for made in log if made.event == "PeriodClosed"))


def repeat_last(log: list[Record]) -> None:
    log.append(log[-1]._replace(offset=len(log)))


def swap(log: list[Record]) -> None:
    log[0], log[1] = log[1]._replace(offset=0), log[0]._replace(offset=1)


def alter_amount(log: list[Record]) -> None:
    for index, made in enumerate(log):
        for name in ("amount_minor", "balance_minor", "score", "realised_pnl_e8"):
            if name in made.fields:
                changed = {**made.fields, name: made.fields[name] + 1}
                log[index] = made._replace(fields=changed, value=repr(changed).encode())
                return


def alter_last_amount(log: list[Record]) -> None:
    log.reverse()
    alter_amount(log)
    log.reverse()


def swap_states(log: list[Record]) -> None:
    """Let a key go back to its first state after its last one."""
    index = next(index for index, made in enumerate(log) if made.key == log[-1].key)
    log[index], log[-1] = log[-1]._replace(offset=index), log[index]._replace(offset=len(log) - 1)


def alter_row(log: list[Record]) -> None:
    log[-1] = log[-1]._replace(value=(log[-1].value or b"") + b"!")


DAMAGES: list[tuple[str, Damage, str]] = [
    (POSTINGS, lose_tail, "model"),
    (POSTINGS, lose_middle, "model"),
    (POSTINGS, repeat_last, "duplicates"),
    (POSTINGS, swap, "entries"),
    (POSTINGS, alter_amount, "running_balance"),
    (PAYMENT_EVENTS, lose_tail, "model"),
    (PAYMENT_EVENTS, lose_middle, "model"),
    (PAYMENT_EVENTS, repeat_last, "duplicates"),
    (PAYMENT_EVENTS, swap, "screenings"),
    (PAYMENT_EVENTS, alter_amount, "screenings"),
    (PAYMENT_EVENTS, alter_last_amount, "model"),
    (PAYMENT_EVENTS, lose_first, "screenings"),
    (PAYMENT_ALERTS, lose_tail, "model"),
    (PAYMENT_ALERTS, repeat_last, "duplicates"),
    (PAYMENT_ALERTS, swap, "model"),
    (PAYMENT_ALERTS, alter_amount, "model"),
    (BALANCES, lose_tail, "balances"),
    (BALANCES, repeat_last, "balances"),
    (BALANCES, alter_amount, "balances"),
    (BALANCES, swap_states, "balances"),
    (POSITIONS, lose_tail, "positions"),
    (POSITIONS, repeat_last, "positions"),
    (POSITIONS, swap_states, "positions"),
    (POSITIONS, alter_amount, "positions"),
    (RESULTS, lose_tail, "model"),
    (RESULTS, lose_middle, "model"),
    (RESULTS, repeat_last, "duplicates"),
    (RESULTS, swap, "model"),
    (RESULTS, alter_amount, "model"),
    *((name, lose_tail, "table") for name in CHANGELOGS.values()),
    *((name, repeat_last, "table") for name in CHANGELOGS.values()),
    *((name, alter_row, "table") for name in CHANGELOGS.values()),
    (CLEARING_TOTALS, lose_tail, "clearing-totals"),
    (CLEARING_TOTALS, repeat_last, "clearing-totals"),
    (COMMANDS, lose_tail, "legs"),
    (COMMANDS, alter_amount, "decisions"),
    (COMMANDS, lambda log: log.insert(0, log[0]), "passed on from accounts"),
    (COMMANDS, lose_period, "periods"),
    (JOURNAL_EVENTS, lose_tail, "model"),
    (JOURNAL_EVENTS, repeat_last, "duplicates"),
    ("journals", lose_first, "passed on from journals"),
    (DEAD_LETTERS, lose_tail, "dead_letters"),
    (DEAD_LETTERS, repeat_last, "dead_letters"),
    (ALERTS, lose_tail, "model"),
    (ALERTS, repeat_last, "model"),
    (ALERTS, alter_amount, "model"),
    (ITEMS, lose_tail, "nostro"),
    (ITEMS, repeat_last, "nostro"),
    (POSITION_COMMANDS, lose_tail, "prices"),
    (POSITION_COMMANDS, repeat_last, "prices"),
    ("accounts", lose_first, "passed on from accounts"),
    ("payments", lose_tail, "decisions"),
    ("trades", lose_first, "passed on from trades"),
    ("statements", lose_first, "passed on from statements"),
    ("prices", lose_tail, "prices"),
    (ITEMS, lose_first, "passed on from statements"),
    (POSITION_COMMANDS, lose_first, "passed on from trades"),
]


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "running"])
@pytest.mark.parametrize(
    "topic, damage, check", DAMAGES, ids=[f"{topic} {damage.__name__}" for topic, damage, _ in DAMAGES]
)
def test_every_damage_is_seen(topic: str, damage: Damage, check: str, quiet: bool) -> None:
    bank = Bank()
    log = next(log for log in bank.topics[topic].values() if log)
    if topic == POSTINGS and damage is swap:
        del log[2:]  # the rest would be wrong as well
    damage(log)
    assert check in bank.problems(quiet)


@pytest.mark.parametrize(
    "topic, check", [(RESULTS, "model"), (POSITIONS, "positions"), (PAYMENT_ALERTS, "model")]
)
def test_every_field_of_what_has_a_model_is_compared(topic: str, check: str) -> None:
    whole = Bank().topics[topic]
    for number, log in whole.items():
        for index, made in enumerate(log):
            for name in made.fields:
                bank = Bank()
                changed = {**made.fields, name: "other"}
                bank.topics[topic][number][index] = made._replace(fields=changed)
                assert check in bank.problems(), f"{made.event}.{name}"


def test_an_alert_is_a_problem_whatever_it_says() -> None:
    bank = Bank()
    bank.topics[INVARIANT_ALERTS][0].append(record("InvariantBroken", {"tenant_id": "north"}))
    assert bank.problems() == bank.problems(quiet=False) == ["invariants"]


def test_every_dead_letter_is_missed() -> None:
    named = set()
    for number, log in Bank().topics[DEAD_LETTERS].items():
        for index, letter in enumerate(log):
            bank = Bank()
            del bank.topics[DEAD_LETTERS][number][index]
            assert bank.problems() == ["dead_letters"]
            named.add(letter.headers[ERROR + "topic"].decode())
    assert named == {"accounts", ITEMS, POSITION_COMMANDS}


def test_a_record_that_was_never_read_is_a_problem_when_it_is_quiet() -> None:
    assert "input" in Bank().problems(unread=1)


def test_a_dead_letter_that_names_no_record_of_its_partition_is_a_problem() -> None:
    for header, value in (("topic", b"postings"), ("partition", b"9"), ("offset", b"x"), ("offset", b"999")):
        bank = Bank()
        log = next(log for log in bank.topics[DEAD_LETTERS].values() if log)
        log[0] = log[0]._replace(headers={**log[0].headers, ERROR + header: value})
        assert "dead_letters" in bank.problems(quiet=False)
