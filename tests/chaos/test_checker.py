"""The checker proven: the model on short logs written by hand, and every kind of damage turns it red."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker import (
    ALERTS,
    DEAD_LETTERS,
    ERROR,
    FORWARDED,
    INPUTS,
    LOGS,
    OUTPUTS,
    POSITION_COMMANDS,
    SOURCES,
    UNMODELLED,
    Comparison,
    clearing_not_zero,
    compare_alerts,
    compare_causes,
    compare_dead_letters,
    compare_planted,
    compare_sequence,
    compare_versions,
    compare_view,
    duplicated_ids,
    fold_journal,
    predict_alerts,
    predict_forwarding,
)
from tests.chaos.ledger_model import (
    BALANCES,
    COMMANDS,
    DAY_US,
    ITEMS,
    LONG_MAX,
    LONG_MIN,
    PAYMENT_EVENTS,
    POSTINGS,
    TABLE,
    Branch,
    Expected,
    home_of,
)
from tests.chaos.log_reader import Record, Schemas, Slice

CHECKER_FILES = ("log_reader", "ledger_model", "checker")
NOW_US = 1_790_000_000_000_000
CHANGELOG = "ledgerflow-ledger-changelog"


def test_the_checker_imports_nothing_of_the_product() -> None:
    allowed = sys.stdlib_module_names | {"confluent_kafka", "fastavro"}
    for name in CHECKER_FILES:
        for node in ast.walk(ast.parse(Path(__file__).with_name(f"{name}.py").read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for module in names:
                own = module in {f"tests.chaos.{file}" for file in CHECKER_FILES}
                assert own or module.partition(".")[0] in allowed, f"{name} imports {module}"


# --- records by hand


def record(
    event: str, fields: dict[str, Any], offset: int = 0, partition: int = 0, topic: str = COMMANDS
) -> Record:
    """Return a record of an event; its key is what the wire contract says."""
    account = fields.get("account_id") or fields.get("debtor_account_id") or fields.get("instrument_id")
    key = f"{fields['tenant_id']}/{account}".encode()
    value = repr((event, sorted(fields.items()))).encode()
    return Record(topic, partition, offset, NOW_US // 1000, key, value, {}, event, fields, None)


def envelope(event_id: str, **fields: Any) -> dict[str, Any]:
    about = {"tenant_id": "north", "occurred_at": NOW_US, "correlation_id": "c", "causation_id": None}
    return {"event_id": event_id, **about, **fields}


def opened(account: str, balance: int = 0, limit: int | None = 0, **other: Any) -> tuple[str, dict[str, Any]]:
    fields = {"account_type": "checking", "currency": "EUR", "initial_balance_minor": balance, **other}
    return "AccountOpened", envelope(
        f"open {account}", account_id=account, overdraft_limit_minor=limit, **fields
    )


def decided(
    payment: str, debtor: str, creditor: str, amount: int, outcome: str = "APPROVE", **other: Any
) -> tuple[str, dict[str, Any]]:
    parties = {"debtor_account_id": debtor, "creditor_account_id": creditor, "reference": "r"}
    fields = {"amount_minor": amount, "currency": "EUR", "outcome": outcome, **parties, **other}
    return "PaymentDecided", envelope(
        fields.pop("event_id", f"decide {payment}"), payment_id=payment, **fields
    )


def about(kind: str, payment: str, debtor: str = "alice", **other: Any) -> tuple[str, dict[str, Any]]:
    return kind, envelope(f"{kind} {payment}", payment_id=payment, debtor_account_id=debtor, **other)


def leg(kind: str, payment: str, amount: int = 5, **other: Any) -> tuple[str, dict[str, Any]]:
    parties = {"debtor_account_id": "alice", "creditor_account_id": "bob"}
    fields = {"leg_id": f"leg {payment}", "amount_minor": amount, "currency": "EUR", **parties, **other}
    if kind == "LegRequested":
        fields |= {"account_id": "bob", "origin_branch": 1, "reference": "r"}
    return kind, envelope(f"{kind} {payment}", payment_id=payment, **fields)


ALICE, BOB = opened("alice", 100), opened("bob")
HELD = decided("p", "alice", "bob", 30, "REVIEW")

ANSWERS: list[tuple[str, list[tuple[str, dict[str, Any]]], list[str]]] = [
    ("an account opens with nothing", [BOB], []),
    ("an account is opened twice", [BOB, BOB], ["exists"]),
    ("again in another currency", [BOB, opened("bob", currency="USD")], ["exists_with_different_currency"]),
    (
        "again as another type",
        [BOB, opened("bob", account_type="savings")],
        ["exists_with_different_content"],
    ),
    ("an account of the ledger's own", [opened("$bob")], ["dead:invalid_account_id"]),
    ("a currency of two letters", [opened("bob", currency="EU")], ["dead:invalid_currency"]),
    ("a negative limit", [opened("bob", limit=-1)], ["dead:invalid_limit"]),
    ("a balance beyond 64 bits", [opened("bob", LONG_MIN)], ["dead:overflow"]),
    ("opening sums beyond 64 bits", [ALICE, opened("bob", LONG_MAX)], ["dead:overflow"]),
    ("a payment settles", [ALICE, BOB, decided("p", "alice", "bob", 30)], ["ok", "ok"]),
    ("the last cent", [ALICE, BOB, decided("p", "alice", "bob", 100)], ["ok", "ok"]),
    ("a cent too much", [ALICE, BOB, decided("p", "alice", "bob", 101)], ["insufficient_funds"]),
    ("no debtor", [BOB, decided("p", "alice", "bob", 1)], ["debtor_not_found"]),
    ("no creditor", [ALICE, decided("p", "alice", "bob", 1)], ["creditor_not_found"]),
    ("nothing", [ALICE, BOB, decided("p", "alice", "bob", 0)], ["amount_must_be_positive"]),
    ("to oneself", [ALICE, decided("p", "alice", "alice", 1)], ["accounts_must_differ"]),
    (
        "another currency",
        [ALICE, BOB, decided("p", "alice", "bob", 1, currency="USD")],
        ["currency_mismatch"],
    ),
    ("declined", [ALICE, BOB, decided("p", "alice", "bob", 1, "DECLINE")], ["declined"]),
    (
        "too old, and forgotten",
        [
            ALICE,
            BOB,
            decided("q", "alice", "bob", 1),
            decided("p", "alice", "bob", 1, occurred_at=NOW_US - 91 * DAY_US),
            decided("p", "alice", "bob", 1),
        ],
        ["ok", "ok", "too_old", "ok", "ok"],
    ),
    ("held and released", [ALICE, BOB, HELD, about("PaymentReviewed", "p", approved=True)], ["ok", "ok"]),
    (
        "held and stopped",
        [ALICE, BOB, HELD, about("PaymentReviewed", "p", approved=False)],
        ["ok", "declined"],
    ),
    ("held and cancelled", [ALICE, BOB, HELD, about("PaymentCancelled", "p")], ["ok", "cancelled"]),
    (
        "another debtor's review",
        [ALICE, BOB, HELD, about("PaymentReviewed", "p", "bob", approved=True)],
        ["ok", "payment_not_found"],
    ),
    (
        "cancelled too late",
        [ALICE, BOB, decided("p", "alice", "bob", 1), about("PaymentCancelled", "p")],
        ["ok", "ok", "already_settled"],
    ),
    (
        "a failed id stays failed",
        [ALICE, BOB, decided("p", "alice", "bob", 999), decided("p", "alice", "bob", 999)],
        ["insufficient_funds", "exists"],
    ),
    (
        "an id for another amount",
        [ALICE, BOB, decided("p", "alice", "bob", 1), decided("p", "alice", "bob", 2)],
        ["ok", "ok", "exists_with_different_amount"],
    ),
    (
        "an account that is not empty stays",
        [ALICE, ("AccountClosed", envelope("x", account_id="alice"))],
        ["account_not_empty"],
    ),
    (
        "a closed account gets nothing",
        [ALICE, BOB, ("AccountClosed", envelope("x", account_id="bob")), decided("p", "alice", "bob", 1)],
        ["creditor_closed"],
    ),
    (
        "a limit lets the balance fall",
        [
            ALICE,
            BOB,
            ("AccountLimitSet", envelope("x", account_id="alice", overdraft_limit_minor=1)),
            decided("p", "alice", "bob", 101),
        ],
        ["ok", "ok"],
    ),
    ("a leg is posted", [BOB, leg("LegRequested", "p")], ["LegPosted"]),
    (
        "a leg comes twice",
        [BOB, leg("LegRequested", "p"), leg("LegRequested", "p")],
        ["LegPosted", "dead:leg_exists"],
    ),
    ("a leg for nobody", [leg("LegRequested", "p")], ["LegRefused"]),
    ("an answer to nobody", [leg("LegPosted", "p")], ["dead:leg_not_expected"]),
    ("a tenant that no key can carry", [opened("bob", tenant_id="")], ["dead:invalid_tenant_id"]),
    ("another log's event", [("TradeExecuted", envelope("x", account_id="a"))], ["dead:unexpected_event"]),
]


@pytest.mark.parametrize("log, answers", [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_the_model_answers_each_command_as_the_rules_say(
    log: list[tuple[str, dict[str, Any]]], answers: list[str]
) -> None:
    branch, said = Branch(0, 1), []
    for offset, (event, fields) in enumerate(log):
        dead, out = branch.apply(record(event, fields, offset))
        said += [f"dead:{dead}"] if dead else []
        said += [wanted.fields["code"] for wanted in out if wanted.topic == PAYMENT_EVENTS]
        said += [wanted.event for wanted in out if wanted.topic == COMMANDS]
    assert said == answers
    assert sum(account.balance for account in branch.accounts.values()) == 0


def test_the_model_keeps_each_posting_and_each_hold() -> None:
    branch = Branch(0, 1)
    out = []
    for offset, (event, fields) in enumerate((ALICE, BOB, HELD)):
        out += branch.apply(record(event, fields, offset))[1]
    alice = branch.accounts["north", "alice"]
    assert (alice.debits_pending, alice.balance, alice.sequence) == (30, 100, 1)
    released = branch.apply(record(*about("PaymentReviewed", "p", approved=True), 3))[1]
    postings = [wanted.fields for wanted in out + released if wanted.topic == POSTINGS]
    columns = ("account_id", "side", "amount_minor", "balance_minor_after", "account_sequence")
    assert [tuple(map(posting.get, columns)) for posting in postings] == [
        ("$opening:EUR:0", "DEBIT", 100, -100, 1),
        ("alice", "CREDIT", 100, 100, 1),
        ("alice", "DEBIT", 30, 70, 2),
        ("bob", "CREDIT", 30, 30, 1),
    ]
    assert alice.debits_pending == 0


def test_a_record_out_of_its_place_is_a_dead_letter() -> None:
    home = home_of("north/bob", 4)
    wrong = record(*BOB, partition=(home + 1) % 4)
    cases = {
        "wrong_partition": wrong,
        "wrong_key": record(*BOB, partition=home)._replace(key=b"north/eve"),
        "no_key": record(*BOB, partition=home)._replace(key=None),
        "malformed_value": wrong._replace(event=None, fault="malformed_value"),
    }
    for code, misplaced in cases.items():
        assert Branch(misplaced.partition, 4).apply(misplaced) == (code, [])


@pytest.mark.parametrize("key", ["", "a", "ab", "abc", "north/alice", "nord/Zoë", "north/$clearing:EUR:0"])
def test_the_model_places_keys_as_kafka_does(key: str) -> None:
    from aiokafka.partitioner import murmur2

    assert home_of(key, 12) == (murmur2(key.encode()) & 0x7FFFFFFF) % 12


def test_a_value_without_a_frame_is_no_event() -> None:
    schemas = Schemas("http://nobody.invalid")
    found = [schemas.decode(value)[2] for value in (None, b"", b"\0\0", b"\1\0\0\0\1x")]
    assert found == ["no_value", "no_value", "no_header", "wrong_magic_byte"]


# --- a whole small cluster, made by the model; each kind of damage must be seen


class Bank:
    """Two branches with payments within and between them, from inputs to outputs, as slices."""

    def __init__(self) -> None:
        self.topics: dict[str, dict[int, list[Record]]] = {
            name: {0: [], 1: []} for name in (*SOURCES, *OUTPUTS, *UNMODELLED, CHANGELOG)
        }
        names = [f"a{number}" for number in range(8)]
        self.first, self.second = (
            [name for name in names if home_of(f"north/{name}", 2) == branch][:2] for branch in (0, 1)
        )
        (a, b), (c, d) = self.first, self.second
        for name, balance in ((a, 100), (b, 0), (c, 50), (d, 0)):
            kind = "nostro" if name == d else "checking"
            self.put("accounts", *opened(name, balance, account_type=kind))
        self.put("accounts", *BOB, partition=1 - home_of("north/bob", 2))  # a dead letter
        for number, (debtor, creditor, amount) in enumerate(
            ((a, b, 10), (a, c, 20), (c, d, 5), (d, a, 1), (c, "nobody", 3), (b, a, 2), (a, d, 4), (c, a, 9))
        ):
            self.pay(f"p{number}", debtor, creditor, amount, "REVIEW" if number in (1, 6) else "APPROVE")
        self.put("payments", "PaymentReviewed", about("", "p1", a, approved=True)[1])
        self.put("payments", "PaymentCancelled", about("", "p6", a)[1])
        self.put("prices", "PriceQuoted", envelope("price", instrument_id="i"))
        self.forward()
        self.post()

    def put(self, topic: str, event: str, fields: dict[str, Any], partition: int | None = None) -> None:
        made = record(event, fields, topic=topic)
        number = home_of((made.key or b"").decode(), 2) if partition is None else partition
        log = self.topics[topic][number]
        log.append(made._replace(partition=number, offset=len(log)))

    def pay(self, payment: str, debtor: str, creditor: str, amount: int, outcome: str) -> None:
        fields = decided(payment, debtor, creditor, amount)[1]
        fields.pop("outcome")
        self.put("payments", "PaymentInitiated", fields | {"event_id": f"pay {payment} {outcome}"})

    def add(self, wanted: Expected, partition: int, **more: Any) -> None:
        log = self.topics[wanted.topic][partition]
        fields = {**wanted.fields, **more}
        value = wanted.value or repr((wanted.event, sorted(fields.items()))).encode()
        log.append(
            Record(
                wanted.topic,
                partition,
                len(log),
                NOW_US // 1000,
                wanted.key,
                value,
                {},
                wanted.event,
                fields,
                None,
            )
        )

    def bury(self, source: Record, code: str) -> None:
        said = {
            "topic": source.topic,
            "partition": source.partition,
            "offset": source.offset,
            "code": code,
        }
        headers = {ERROR + name: str(value).encode() for name, value in said.items()}
        log = self.topics[DEAD_LETTERS][source.partition]
        log.append(source._replace(topic=DEAD_LETTERS, offset=len(log), headers=headers, event=None))

    def forward(self) -> None:
        for name in (*FORWARDED, "payments", "prices"):
            for number, log in self.topics[name].items():
                dead, passed, causes = predict_forwarding(log, 2)
                for offset, code in dead.items():
                    self.bury(log[offset], code)
                for wanted, cause in zip(passed, causes, strict=True):
                    more: dict[str, Any] = {}
                    if wanted.event == "PaymentDecided":
                        outcome = cause.fields["event_id"].split()[-1]
                        more = {"outcome": outcome, "score": 50, "reasons": [], "rules_version": "1"}
                    if name == "prices":
                        for target in (0, 1):
                            self.add(wanted._replace(topic=POSITION_COMMANDS), target)
                        continue
                    self.add(wanted, number, **more)
                if name == "payments":
                    for alert in predict_alerts(causes, self.topics[COMMANDS][number][-len(causes) :]):
                        self.add(alert, number)

    def post(self) -> None:
        """Run both branches until no leg is under way."""
        branches = [Branch(0, 2), Branch(1, 2)]
        done = [0, 0]
        while any(done[number] < len(self.topics[COMMANDS][number]) for number in (0, 1)):
            for number, branch in enumerate(branches):
                for command in self.topics[COMMANDS][number][done[number] :]:
                    done[number] += 1
                    dead, out = branch.apply(command)
                    assert dead is None
                    for wanted in out:
                        home = home_of(wanted.key.decode(), 2) if wanted.topic == COMMANDS else number
                        self.add(wanted._replace(topic=CHANGELOG) if wanted.topic == TABLE else wanted, home)

    def problems(self, quiet: bool = True, unread: int = 0) -> list[str]:
        """Return the checks that fail. `unread`: commands of branch 0 that the group has not committed."""
        slices = {
            name: {number: Slice(log, len(log), True) for number, log in parts.items()}
            for name, parts in self.topics.items()
        }
        ends = {(name, number): len(self.topics[name][number]) for name in SOURCES for number in (0, 1)}
        ends[COMMANDS, 0] -= unread
        seen = {name: slices[name] for name in (*OUTPUTS, *UNMODELLED, *LOGS, CHANGELOG)}
        inputs = {name: slices[name] for name in (*INPUTS, *LOGS)}
        found = Comparison(seen, inputs, ends, ends, quiet, CHANGELOG).run(90, (), ())
        return sorted({problem.check for problem in found})


def test_a_bank_without_damage_has_no_problem() -> None:
    bank = Bank()
    assert bank.problems() == [] and bank.problems(quiet=False) == []
    sizes = {name: sum(map(len, parts.values())) for name, parts in bank.topics.items()}
    idle = {"statements", "trades", *UNMODELLED}
    assert {name for name, size in sizes.items() if not size} == idle, "else the damages prove nothing"


Damage = Callable[[list[Record]], None]


def lose_tail(log: list[Record]) -> None:
    log.pop()


def lose_middle(log: list[Record]) -> None:
    log.pop(len(log) // 2 - 1)


def repeat_last(log: list[Record]) -> None:
    log.append(log[-1]._replace(offset=len(log)))


def swap(log: list[Record]) -> None:
    log[0], log[1] = log[1]._replace(offset=0), log[0]._replace(offset=1)


def alter_amount(log: list[Record]) -> None:
    for index, made in enumerate(log):
        for name in ("amount_minor", "balance_minor", "score"):
            if name in made.fields:
                changed = {**made.fields, name: made.fields[name] + 1}
                log[index] = made._replace(fields=changed, value=repr(changed).encode())
                return


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
    (PAYMENT_EVENTS, swap, "model"),
    (PAYMENT_EVENTS, alter_amount, "model"),
    (BALANCES, lose_tail, "balances"),
    (BALANCES, repeat_last, "balances"),
    (BALANCES, alter_amount, "balances"),
    (CHANGELOG, lose_tail, "table"),
    (CHANGELOG, repeat_last, "table"),
    (CHANGELOG, alter_row, "table"),
    (COMMANDS, lose_tail, "legs"),
    (COMMANDS, alter_amount, "passed on from payments"),
    (COMMANDS, lambda log: log.insert(0, log[0]), "passed on from accounts"),
    (DEAD_LETTERS, lose_tail, "dead_letters"),
    (DEAD_LETTERS, repeat_last, "dead_letters"),
    (ALERTS, lose_tail, "alerts"),
    (ALERTS, repeat_last, "alerts"),
    (ALERTS, alter_amount, "alerts"),
    (ITEMS, lose_tail, "nostro"),
    (ITEMS, repeat_last, "nostro"),
    (POSITION_COMMANDS, lose_tail, "prices"),
    (POSITION_COMMANDS, repeat_last, "prices"),
    ("accounts", lambda log: log.pop(0), "passed on from accounts"),
    ("payments", lose_tail, "passed on from payments"),
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


def test_a_record_that_was_never_read_is_a_problem_when_it_is_quiet() -> None:
    assert "input" in Bank().problems(unread=1)


def test_while_it_runs_what_is_not_committed_yet_may_be_missing_but_nothing_may_be_too_much() -> None:
    place = (POSTINGS, 0)
    expected = [Expected(POSTINGS, b"k", "E", {"event_id": str(number)}, number) for number in range(3)]
    actual = [record("E", envelope(str(number), account_id="x"), number) for number in range(4)]
    actual = [made._replace(key=b"k") for made in actual]
    assert compare_sequence("model", place, actual[:1], expected, 1) == []
    assert compare_sequence("model", place, actual[:3], expected, 1) == []
    assert "lost tail" in compare_sequence("model", place, actual[:1], expected, 2)[0].text
    assert "nothing has caused" in compare_sequence("model", place, actual, expected, 1)[0].text
    assert "gap" in compare_sequence("model", place, actual[1:3], expected)[0].text
    swapped = [actual[1], actual[0], actual[2]]
    assert "out of order" in compare_sequence("model", place, swapped, expected)[0].text
    doubled = [actual[0], actual[0], actual[1]]
    assert "duplicate" in compare_sequence("model", place, doubled, expected)[0].text
    assert duplicated_ids(place, doubled, expected) != []


def test_a_state_may_be_left_out_but_not_go_back_and_not_be_the_last_one_missing() -> None:
    place, versions = (BALANCES, 0), {b"k": [1, 2, 3]}
    assert compare_versions("b", place, [(b"k", 1, 0), (b"k", 3, 1)], versions, {b"k": 3}) == []
    for actual in ([(b"k", 2, 0), (b"k", 1, 1), (b"k", 3, 2)], [(b"k", 2, 0)], [], [(b"x", 1, 0)]):
        assert compare_versions("b", place, actual, versions, {b"k": 3}) != []


def test_money_in_flight_is_a_problem_when_it_is_quiet() -> None:
    bank = Bank()
    folds = [fold_journal(bank.topics[POSTINGS][number])[0] for number in (0, 1)]
    assert clearing_not_zero(folds) == []
    assert clearing_not_zero(folds[:1]) != []


def test_the_same_id_raises_one_alert_and_one_more_when_its_content_changes() -> None:
    def payment(event_id: str, amount: int, outcome: str) -> tuple[Record, Record]:
        event, fields = decided("p", "alice", "bob", amount, outcome, event_id=event_id)
        fields |= {"score": 1, "reasons": [], "rules_version": "1"}
        return record("PaymentInitiated", fields, topic="payments"), record(event, fields)

    def alerts(*cases: tuple[str, int, str]) -> list[str]:
        pairs = [payment(*case) for case in cases]
        found = predict_alerts([cause for cause, _ in pairs], [decision for _, decision in pairs])
        return [alert.fields["causation_id"] for alert in found]

    assert alerts(("1", 5, "REVIEW"), ("2", 5, "REVIEW")) == ["1"]
    assert alerts(("1", 5, "APPROVE"), ("2", 5, "APPROVE")) == []
    assert alerts(("1", 5, "APPROVE"), ("2", 6, "REVIEW"), ("3", 6, "REVIEW")) == ["2"]
    cause, decision = payment("1", 5, "DECLINE")
    expected = predict_alerts([cause], [decision])
    raised = record("FraudAlertRaised", expected[0].fields, topic=ALERTS)
    assert compare_alerts((ALERTS, 0), [raised], expected) == []
    assert compare_alerts((ALERTS, 0), [raised, raised], expected) != []
    assert compare_alerts((ALERTS, 0), [], expected) != []


def test_an_output_without_a_model_must_have_a_cause_and_come_once() -> None:
    log = [record("StatementLine", envelope("cause", account_id="a"))]
    made = record("BreakOpened", envelope("break", account_id="a") | {"causation_id": "cause"})
    place = ("reconciliation-results", 0)
    assert compare_causes(place, [made], log) == []
    assert compare_causes(place, [made, made], log) != []
    assert compare_causes(place, [made], []) != []


def test_a_dead_letter_that_names_no_record_of_its_partition_is_a_problem() -> None:
    for header, value in (("topic", b"postings"), ("partition", b"9"), ("offset", b"x"), ("offset", b"999")):
        bank = Bank()
        log = next(log for log in bank.topics[DEAD_LETTERS].values() if log)
        log[0] = log[0]._replace(headers={**log[0].headers, ERROR + header: value})
        assert "dead_letters" in bank.problems(quiet=False)


def test_a_record_that_was_applied_may_not_be_a_dead_letter_too() -> None:
    bank = Bank()
    number, log = next((number, log) for number, log in bank.topics["accounts"].items() if len(log) > 1)
    dead = predict_forwarding(log, 2)[0]
    applied = next(made for made in log if made.offset not in dead)
    bank.bury(applied, "wrong_key")
    letters = [made for made in bank.topics[DEAD_LETTERS][number] if made.key == applied.key]
    assert "must have: no dead letter" in compare_dead_letters(letters, log, {})[0].text
    altered = [letters[0]._replace(value=b"other")]
    assert "other bytes" in compare_dead_letters(altered, log, {applied.offset: "wrong_key"})[0].text


def test_a_view_must_show_every_account_with_its_last_state() -> None:
    branch = Branch(0, 1)
    (balance,) = [out for out in branch.apply(record(*BOB))[1] if out.topic == BALANCES]
    latest = {balance.key: balance.fields}
    row = balance.fields | {"tenant_id": "north"}
    assert compare_view("url", [row], latest) == []
    assert compare_view("url", [], latest) != []
    assert compare_view("url", [row | {"balance_minor": 1}], latest) != []
    assert compare_view("url", [row, row | {"account_id": "eve"}], latest) != []


def test_each_planted_cause_has_its_effect_once() -> None:
    alert = record("FraudAlertRaised", envelope("x", payment_id="p", account_id="a"), topic=ALERTS)
    said = record("PaymentRejected", envelope("y", payment_id="p", account_id="a", code="declined"))
    item = {"name": "n", "tenant_id": "north", "records": [["payments", 0, 0]]}
    planted = [
        item | {"expected": {"alert": ["p"]}},
        item | {"expected": {"outcome": {"payment_id": "p", "code": "declined", "event": None}}},
    ]
    assert compare_planted(planted, [alert], [], [said]) == []
    assert len(compare_planted(planted, [alert, alert], [], [])) == 2
    assert compare_planted([item | {"expected": {"dead_letter": True}}], [], [], []) != []
