"""The checker proven: every kind of damage to a small cluster turns it red, and no healthy one does."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipeline.verify.dead import HEADER
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    ALERTS,
    BALANCES,
    CLEARING_TOTALS,
    COMMANDS,
    DEAD_LETTERS,
    HISTORY_ALERTS,
    INVARIANT_ALERTS,
    ITEMS,
    JOURNAL_EVENTS,
    PAYMENT_ALERTS,
    PAYMENT_EVENTS,
    POSITION_COMMANDS,
    POSITIONS,
    POSTINGS,
    RESULTS,
    SOURCE_OFFSET,
)
from tests.chaos.by_hand import record
from tests.chaos.small_bank import CHANGELOGS, Bank

READING = {
    *(f"pipeline.runtime.{name}" for name in ("addresses", "connections", "secret_files")),
    *(
        f"pipeline.runtime.avro.{name}"
        for name in ("check", "connection", "references", "schema_limits", "steps")
    ),
    *(
        f"pipeline.runtime.kafka.{name}"
        for name in (
            *("batches", "bounded", "closing", "fetched"),
            *("inflating", "log_ends", "messages", "patches", "quarantine"),
        )
    ),
}
"""What every reader of the product shares: it knows batches, bytes and schemas, and no event."""
LIBRARIES = {
    "aiokafka", "confluent_kafka", "cramjam", "fastavro", "pyarrow", "pydantic", "pydantic_settings"
}  # fmt: skip


@cache
def _sound() -> Bank:
    return Bank()


def a_bank() -> Bank:
    """Return a sound bank whose logs may be damaged."""
    return _sound().copy()


def test_the_checker_imports_nothing_of_the_streams() -> None:
    allowed = sys.stdlib_module_names | LIBRARIES
    root = Path(__file__).parents[2]
    names, checked = ["tests.chaos.checker"], set[str]()
    while names:
        name = names.pop()
        checked.add(name)
        for node in ast.walk(ast.parse(root.joinpath(*name.split(".")).with_suffix(".py").read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                package = root.joinpath(*(node.module or "").split("."))
                modules = [
                    f"{node.module}.{alias.name}"
                    if (package / f"{alias.name}.py").exists()
                    else node.module or ""
                    for alias in node.names
                ]
            for module in modules:
                own = module.startswith(("tests.chaos.", "pipeline.verify.")) or module in READING
                assert own or module.partition(".")[0] in allowed, f"{name} imports {module}"
                if own and module not in checked:
                    names.append(module)
    model = {f"pipeline.verify.model.{name}" for name in ("ledger", "positions", "match_judge")}
    assert model | {"tests.chaos.log_reader"} <= checked


def test_a_bank_without_damage_has_no_problem() -> None:
    bank = a_bank()
    assert bank.problems() == [] and bank.problems(quiet=False) == []
    silent = {name for name, parts in bank.topics.items() if not any(parts.values())}
    assert silent == {INVARIANT_ALERTS}, "else the damages prove nothing"
    said = Counter(made.event for log in bank.topics[RESULTS].values() for made in log)
    assert said.keys() == {
        *("ItemMatched", "BreakOpened", "BreakResolved", "BreakChanged", "CorrectionProposed"),
        "BreakActionRefused",
    }


def is_foretold(topic: str, made: Record) -> bool:
    """Whether a model says a record; of the rows of reconciliation those of event times alone."""
    if topic == CHANGELOGS["reconciliation"]:
        return (made.key or b"").startswith(b"w\0")
    return made.key != SOURCE_OFFSET


Damage = Callable[[list[Record]], None]


def lose_first(log: list[Record]) -> None:
    log.pop(0)


def lose_tail(log: list[Record]) -> None:
    log.pop()


def lose_middle(log: list[Record]) -> None:
    log.pop(len(log) // 2 - 1)


def lose_posting(log: list[Record]) -> None:
    postings = [made for made in log if made.event == "PostingRecorded"]
    log.remove(postings[len(postings) // 2])


def lose_hold(log: list[Record]) -> None:
    log.remove(next(made for made in log if made.event == "HoldRecorded"))


def lose_period(log: list[Record]) -> None:
    log.remove(next(made for made in log if made.event == "PeriodClosed"))


def repeat_last(log: list[Record]) -> None:
    log.append(log[-1]._replace(offset=len(log)))


def swap(log: list[Record]) -> None:
    log[0], log[1] = log[1]._replace(offset=0), log[0]._replace(offset=1)


def swap_causes(log: list[Record]) -> None:
    """Swap the first two results that stand beside each other and have two causes."""
    causes = [made.fields["causation_id"] for made in log]
    at = next(at for at in range(1, len(log)) if causes[at] != causes[at - 1])
    log[at - 1], log[at] = log[at]._replace(offset=at - 1), log[at - 1]._replace(offset=at)


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
    (POSTINGS, lose_tail, "lives"),
    (POSTINGS, lose_posting, "fold"),
    (POSTINGS, lose_hold, "holds"),
    (POSTINGS, repeat_last, "fold"),
    (POSTINGS, swap, "accounts"),
    (POSTINGS, alter_amount, "fold"),
    (PAYMENT_EVENTS, lose_tail, "lives"),
    (PAYMENT_EVENTS, lose_middle, "lives"),
    (PAYMENT_EVENTS, repeat_last, "lives"),
    (PAYMENT_EVENTS, swap, "inputs_ledger"),
    (PAYMENT_EVENTS, alter_amount, "inputs_ledger"),
    (PAYMENT_EVENTS, alter_last_amount, "lives"),
    (PAYMENT_EVENTS, lose_first, "inputs_ledger"),
    (PAYMENT_ALERTS, lose_tail, "stuck"),
    (PAYMENT_ALERTS, repeat_last, "stuck"),
    (PAYMENT_ALERTS, swap, "stuck"),
    (PAYMENT_ALERTS, alter_amount, "stuck"),
    (BALANCES, lose_tail, "accounts"),
    (BALANCES, repeat_last, "accounts"),
    (BALANCES, alter_amount, "accounts"),
    (BALANCES, swap_states, "accounts"),
    (POSITIONS, lose_tail, "positions"),
    (POSITIONS, repeat_last, "positions"),
    (POSITIONS, swap_states, "positions"),
    (POSITIONS, alter_amount, "positions"),
    (RESULTS, lose_tail, "breaks"),
    (RESULTS, lose_middle, "corrections"),
    (RESULTS, repeat_last, "claims"),
    (RESULTS, swap_causes, "matches"),
    (RESULTS, alter_amount, "breaks"),
    *((name, lose_tail, "table") for name in CHANGELOGS.values()),
    *((name, repeat_last, "table") for name in CHANGELOGS.values()),
    *((name, alter_row, "table") for name in CHANGELOGS.values()),
    (CLEARING_TOTALS, lose_tail, "clearing_totals"),
    (CLEARING_TOTALS, repeat_last, "clearing_totals"),
    (COMMANDS, lose_tail, "legs"),
    (COMMANDS, alter_amount, "inputs_ledger"),
    (COMMANDS, lambda log: log.insert(0, log[0]), "inputs_ledger"),
    (COMMANDS, lose_period, "inputs_ledger"),
    (JOURNAL_EVENTS, lose_tail, "journals"),
    (JOURNAL_EVENTS, repeat_last, "journals"),
    ("journals", lose_first, "inputs_ledger"),
    (DEAD_LETTERS, lose_tail, "dead_letters"),
    (DEAD_LETTERS, repeat_last, "dead_letters"),
    (ALERTS, lose_tail, "alerts"),
    (ALERTS, repeat_last, "alerts"),
    (ALERTS, alter_amount, "alerts"),
    (ITEMS, lose_tail, "nostro_postings"),
    (ITEMS, repeat_last, "nostro_postings"),
    (POSITION_COMMANDS, lose_tail, "inputs_positions"),
    (POSITION_COMMANDS, repeat_last, "inputs_positions"),
    ("accounts", lose_first, "inputs_ledger"),
    ("payments", lose_tail, "inputs_ledger"),
    ("trades", lose_first, "inputs_positions"),
    ("statements", lose_first, "inputs_reconciliation"),
    ("prices", lose_tail, "inputs_positions"),
    ("approvals", lose_tail, "inputs_ledger"),
    ("rates", lose_tail, "inputs_ledger"),
    (HISTORY_ALERTS, lose_tail, "history_alerts"),
    (HISTORY_ALERTS, repeat_last, "history_alerts"),
    (HISTORY_ALERTS, alter_amount, "history_alerts"),
    (ITEMS, lose_first, "inputs_reconciliation"),
    (POSITION_COMMANDS, lose_first, "inputs_positions"),
]


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "running"])
@pytest.mark.parametrize(
    "topic, damage, check", DAMAGES, ids=[f"{topic} {damage.__name__}" for topic, damage, _ in DAMAGES]
)
def test_every_damage_is_seen(topic: str, damage: Damage, check: str, quiet: bool) -> None:
    bank = a_bank()
    logs = bank.topics[topic].values()
    is_on_one = topic in (ITEMS, CHANGELOGS["reconciliation"])
    log = max(logs, key=len) if is_on_one else next(log for log in logs if log)
    if topic == POSTINGS and damage is swap:
        del log[2:]  # the rest would be wrong as well
    last_row = max(place for place, one in enumerate(log) if is_foretold(topic, one))
    log.append(log.pop(last_row))  # an offset may stand twice, a state may not
    damage(log)
    assert check in bank.problems(quiet)


@pytest.mark.parametrize("value", [b"0", b"x", b"-1", b"", b"9" * 5_000])
def test_a_source_offset_that_goes_back_or_is_none_is_seen_in_a_changelog(value: bytes) -> None:
    bank = a_bank()
    log = bank.topics["ledgerflow-ledger-changelog"][0]
    place = max(place for place, one in enumerate(log) if one.key == SOURCE_OFFSET)
    log.insert(place, log[place]._replace(value=value))
    assert bank.problems() == ["table"]


def test_a_changelog_without_its_newest_source_offset_is_seen() -> None:
    bank = a_bank()
    log = bank.topics["ledgerflow-ledger-changelog"][0]
    del log[max(place for place, one in enumerate(log) if one.key == SOURCE_OFFSET)]
    assert bank.problems(quiet=True) == bank.problems(quiet=False) == ["table"]


OF_MATCHING = {"matches", "claims", "breaks", "corrections"}
AS_SAID = {"detail", "materiality", "since", "line_id", "counterpart_lines", "other_lines"}
"""What the judge of matches takes as it is said: words, what tenants find large, days of statements, the keys
of lines where they are named first, and lists that are compared by their items."""


EACH_RECORD = [
    pytest.param(False, id="the first record of each form"),
    pytest.param(True, id="each record", marks=pytest.mark.long),
]


@pytest.mark.parametrize("each", EACH_RECORD)
@pytest.mark.parametrize(
    "topic, checks", [(RESULTS, OF_MATCHING), (POSITIONS, {"positions"}), (PAYMENT_ALERTS, {"stuck"})]
)
def test_every_field_of_what_is_judged_is_compared(topic: str, checks: set[str], each: bool) -> None:
    """By default one record of each event, and of each kind of break, is changed."""
    sound = a_bank()
    seen = set[Any]()
    for number, log in sound.topics[topic].items():
        for index, made in enumerate(log):
            form = made.event, made.fields.get("kind")
            if form in seen and not each:
                continue
            seen.add(form)
            for name in set(made.fields).difference(AS_SAID):
                if (name, made.fields.get("kind")) == ("amount_minor", "SEQUENCE_GAP"):
                    continue  # no amount is missing
                bank = sound.copy()
                changed = {**made.fields, name: other_than(made.fields[name])}
                bank.topics[topic][number][index] = made._replace(fields=changed)
                assert checks & {*bank.problems()}, f"{made.event}.{name}"


def other_than(value: Any) -> Any:
    """Return another value of the same form."""
    if isinstance(value, dict):
        return {name: f"other {one}" for name, one in value.items()}
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return [] if isinstance(value, list) and value else "other"


def test_an_alert_is_a_problem_whatever_it_says() -> None:
    bank = a_bank()
    bank.topics[INVARIANT_ALERTS][0].append(record("InvariantBroken", {"tenant_id": "north"}))
    assert bank.problems() == bank.problems(quiet=False) == ["invariant_alerts"]


def test_every_dead_letter_is_missed() -> None:
    named = set()
    for number, log in a_bank().topics[DEAD_LETTERS].items():
        for index, letter in enumerate(log):
            bank = a_bank()
            del bank.topics[DEAD_LETTERS][number][index]
            assert bank.problems() == ["dead_letters"]
            named.add(letter.headers[HEADER + "topic"].decode())
    assert named == {"accounts", ITEMS, POSITION_COMMANDS}


def test_a_record_that_was_never_read_is_a_problem_when_it_is_quiet() -> None:
    assert "input" in a_bank().problems(unread=1)


def test_a_dead_letter_that_names_no_record_of_its_partition_is_a_problem() -> None:
    for header, value in (("topic", b"postings"), ("partition", b"9"), ("offset", b"x"), ("offset", b"999")):
        bank = a_bank()
        log = next(log for log in bank.topics[DEAD_LETTERS].values() if log)
        log[0] = log[0]._replace(headers={**log[0].headers, HEADER + header: value})
        assert "dead_letters" in bank.problems(quiet=False)
