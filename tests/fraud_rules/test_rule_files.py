"""Files of rules: what is read, and where in the file a problem is said to be."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from random import Random
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions import rule_files
from pipeline.domain.fraud.expressions.rule_files import read_file
from pipeline.domain.fraud.expressions.rule_sets import Entry, Snooze
from pipeline.domain.fraud.expressions.toml_places import Place, characters_of, places_of
from tests.fraud_rules.sample import SAMPLE

HEAD = 'set = "mine"\nversion = 2\neffective_from = 2026-12-01T00:00:00Z\n'
RULE = '[[rules]]\nid = "a"\nversion = 1\nwhen = {}\nscore = 5\nreason = "x"\n'
WHOLE = (
    HEAD
    + 'tenant = "north"\n\n'
    + RULE.format('"payments_1h>10"')
    + 'state = "shadow"\nsegments = ["retail", "payroll"]\neffective_from = 2026-12-02T00:00:00+01:00\n'
    + '[[lists]]\nname = "watch"\nkind = "watch"\nof = "payee"\n'
    + 'entries = ["b", { value = "a", expires = 1970-01-01T00:00:01Z }]\n'
    + '[[snoozes]]\ntenant = "north"\naccount = "alice"\nuntil = 1970-01-01T00:00:02Z\n'
)


def said(text: str) -> list[str]:
    """Return the problems of a file, with their places."""
    return [f"{one.line}:{one.column}: {one.message}" for one in read_file(text, SAMPLE).problems]


def test_a_file_is_read_into_a_set() -> None:
    rules = read_file(WHOLE, SAMPLE).rules
    assert rules is not None
    assert (rules.set_id, rules.version, rules.tenant_id) == ("mine", 2, "north")
    assert rules.effective_from_us == 1_796_083_200_000_000
    (rule,) = rules.rules
    assert (rule.state, rule.segments, rule.score) == ("shadow", ("payroll", "retail"), 5)
    assert rule.effective_from_us == rules.effective_from_us + 23 * 3_600_000_000
    assert rules.lists[0].entries == (Entry("a", 1_000_000), Entry("b"))
    assert rules.snoozes == (Snooze("north", "alice", 2_000_000),)
    assert read_file(WHOLE.replace("\n", "\r\n"), SAMPLE).rules == rules


PLACES = [
    ('"amont > 5 EUR"', "8:9: a: unknown feature `amont`, did you mean `amount`?"),
    ("'amont > 5 EUR'", "8:9: a: unknown feature `amont`, did you mean `amount`?"),
    (
        '"""\n  is_new_payee\n  and amont > 5 EUR\n"""',
        "10:7: a: unknown feature `amont`, did you mean `amount`?",
    ),
    ("'''is_new_payee and\namont > 5 EUR'''", "9:1: a: unknown feature `amont`, did you mean `amount`?"),
    ('"channel == \\"web\\" and amont > 5 EUR"', "8:32: a: unknown feature `amont`, did you mean `amount`?"),
    (
        '"\\u0063hannel == \\"web\\" and amont > 5 EUR"',
        "8:37: a: unknown feature `amont`, did you mean `amount`?",
    ),
    (
        '"""is_new_payee and \\\n   amont > 5 EUR"""',
        "9:4: a: unknown feature `amont`, did you mean `amount`?",
    ),
    ('"amount >" # "', "8:17: a: expected a feature, a number, a text, `not`, `-` or `(`, found the end"),
]


@pytest.mark.parametrize(("when", "place"), PLACES)
def test_a_problem_is_said_where_it_stands_in_the_file(when: str, place: str) -> None:
    before = "# [[rules]] id\n"
    assert said(HEAD + before + RULE.format(when)) == [place]


FLAWS = [
    (HEAD + RULE.format("true"), "7:8: Expected `str`, got `bool`"),
    (HEAD + RULE.format('"true"').replace("score", "scor"), "8:8: unknown key `scor`, did you mean `score`?"),
    (HEAD + RULE.format('"true"').replace("score = 5\n", ""), "4:1: a: a rule has a score, or an outcome"),
    (HEAD + RULE.format('"true"').replace('id = "a"\n', ""), "4:1: missing key `id`"),
    (HEAD + "rule = 5\n", "4:8: unknown key `rule`, did you mean `rules`?"),
    (HEAD.replace("2", '"2"', 1), "2:11: Expected `int`, got `str`"),
    (HEAD.replace("00Z", "00"), "3:18: Expected `datetime` with a timezone component"),
    (HEAD.replace('set = "mine"\n', ""), "1:1: missing key `set`"),
    (HEAD + 2 * RULE.format('"true"'), "10:1: the rule a stands there twice"),
    (HEAD + "x = ", "4:3: not TOML: Invalid value"),
    (HEAD + "[[rules]\n", "4:8: not TOML"),
    (HEAD + "x = " + "9" * 5_000, "1:1: not TOML: a number has thousands of digits"),
    (HEAD.replace("version = 2", "version = 0"), "2:11: version must be from 1"),
    (HEAD.replace("mine", "Mine"), "1:1: 'Mine' cannot name a set"),
    (
        HEAD.replace("2026-12-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
        "3:18: effective_from must be from 0",
    ),
    (HEAD.replace("2026-12-01T00:00:00Z", "9999-12-31T23:59:59-01:00"), "1:1: 9999-12-31T23:59:59-01:00: in"),
    (
        HEAD + RULE.format('"true"') + "effective_from = 9999-12-31T23:59:59-01:00\n",
        "4:1: 9999-12-31T23:59:59-01:00: in UTC that is after the year 9999",
    ),
    (HEAD + 'tenant = "*"\n', "4:10: no tenant is called *: leave `tenant` out"),
    (HEAD + RULE.format('"true"').replace("score = 5", "score = 0"), "8:9: a: score must be from 1 to 100"),
    (HEAD + RULE.format('"true"') + 'state = "off"\n', "10:9: a: state: 'off' is none of"),
    ("set = \x00", "1:7: not TOML"),
]


@pytest.mark.parametrize(("text", "begins"), FLAWS)
def test_a_file_that_is_no_set_says_where(text: str, begins: str) -> None:
    found = read_file(text, SAMPLE)
    assert found.rules is None and not found.is_usable
    assert said(text)[0].startswith(begins), said(text)


def test_a_set_that_no_event_can_carry_is_an_error_of_the_file() -> None:
    snooze = '[[snoozes]]\ntenant = "north"\naccount = "{}"\nuntil = 2027-01-01T00:00:00Z\n'
    text = HEAD + "".join(snooze.format(f"{number:0256}") for number in range(2_400))
    assert [one.split(" bytes")[-1] for one in said(text)] == [
        ", at most 655360; lists hold more, since they travel in parts"
    ]
    assert not read_file(text, SAMPLE).is_usable
    assert read_file(HEAD + "".join(snooze.format(f"{one:0256}") for one in range(2_000)), SAMPLE).is_usable


def test_carets_stand_under_what_is_meant_in_the_file() -> None:
    (problem,) = read_file(HEAD + RULE.format('"true and amont > 5 EUR"'), SAMPLE).problems
    assert problem.excerpt == '  when = "true and amont > 5 EUR"\n                   ^^^^^'


def test_rules_in_an_inline_table_have_no_place_and_are_judged_all_the_same() -> None:
    text = HEAD + 'rules = [{ id = "a", version = 1, when = "amont > 5", score = 1, reason = "x" }]\n'
    assert said(text) == ["1:1: a: unknown feature `amont`, did you mean `amount`?"]


def test_a_hostile_file_is_refused_in_bounded_time() -> None:
    began = time.process_time()
    for text in (
        "a=" + "[" * 50_000,
        "a=" + '{a="' * 50_000,
        "[" * 50_000,
        '"' * 50_000,
        "\0" * 100,
        "a." * 20_000 + "c=1",
    ):
        assert not read_file(text, SAMPLE).is_usable
    assert time.process_time() - began < 5
    many = HEAD + "".join(RULE.format('"true"').replace('"a"', f'"a{number}"') for number in range(201))
    assert said(many) == ["1:1: 201 rules, at most 200"]


@given(st.integers(0, 2**63))
def test_a_file_that_is_broken_somewhere_is_read_or_refused(seed: int) -> None:
    random = Random(seed)
    text = list(WHOLE)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(text))
        text[place : place + random.randint(0, 3)] = random.choice(
            ["", '"', "'", "[", "]", "\n", "#", "=", "\\", "é", "9"]
        )
    found = read_file("".join(text), SAMPLE)
    assert (found.rules is not None) or found.problems
    assert all(one.line >= 1 and one.column >= 1 for one in found.problems)


@given(st.integers(0, 2**63))
def test_places_are_those_of_the_values(seed: int) -> None:
    """What stands at a place is read by itself as what TOML says of the key."""
    random = Random(seed)
    kinds = [
        '"a # b"',
        "'c = \"'",
        '"""\nd\n[[e]]\n"""',
        "'''f''g'''",
        "[1, # x\n 2]",
        "{ a = 1 }",
        '"\\u0041\\n"',
        "5",
    ]
    lines, expected = ["# top"], []
    for number in range(random.randint(1, 5)):
        lines.append(random.choice(["[[t]]", "  [[ t ]] # [[t]]"]))
        for key in random.sample(["k", "l", '"m"'], 2):
            value = random.choice(kinds)
            lines.append(f"{key} = {value}{random.choice(['', '  # k = 1'])}")
            expected.append((Place("t", number, key.strip('"')), value))
    text = "\n".join(lines)
    read = tomllib.loads(text)["t"]
    places = places_of(text)
    for place, value in expected:
        at = places[place]
        assert text.startswith(value, at)
        if isinstance(read[place.number][place.key], str):
            assert characters_of(text, at)[0] == read[place.number][place.key]


def test_the_example_of_the_module_is_a_file_of_rules() -> None:
    example = dedent((rule_files.__doc__ or "").partition("\n\n")[2])
    found = read_file(example, SAMPLE)
    assert found.problems == [] and found.rules is not None and len(found.rules.rules) == 1


def test_no_file_of_the_package_is_read_by_the_domain() -> None:
    """It is given texts: reading is the command's."""
    folder = Path(__file__).parents[2] / "pipeline/domain/fraud/expressions"
    assert not [
        path.name
        for path in folder.glob("*.py")
        if "open(" in path.read_text() or "Path(" in path.read_text()
    ]
