"""The policy file: errors name line, key and the nearest name; the version names the content."""

from __future__ import annotations

from importlib.resources import files

import pytest

from pipeline.gateway.policy.reading import (
    DEFAULT_FILE,
    FILE_CHARS_MAX,
    PolicyError,
    default_policy,
    parse_policy,
)
from topologies.app import VIEWS

FIELDS: dict[str, set[str]] = {}
for of_one in VIEWS:
    FIELDS.setdefault(of_one.name, set()).update(of_one.columns)
ROLE = '[roles.a]\nabout = "x"\n'


def test_the_default_file_names_views_and_fields_that_exist() -> None:
    text = files("pipeline.gateway.policy").joinpath(DEFAULT_FILE).read_text("utf-8")
    assert parse_policy(text, FIELDS) == default_policy()


def test_the_default_file_has_the_roles_of_the_design() -> None:
    assert set(default_policy().roles) == {
        *("customer", "upstream", "analyst", "operator", "investigator", "reconciler"),
        *("approver", "compliance", "auditor", "regulator", "administrator"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[roles.a\n", "no TOML: .*line 1"),
        ("", "missing required field `roles`"),
        ("roles = 1", "roles: Expected `object`, got `int`"),
        ("[roles]\n", "1 to 100 roles, not 0"),
        ("step = 1\n" + ROLE, "line 1: step: there is no such key, did you mean `step_up`"),
        ("step_up_within_s = 0\n" + ROLE, "line 1: step_up_within_s: must be from 1"),
        (
            'step_up = ["commands:x"]\n' + ROLE,
            "line 1: step_up: `commands` is no kind of permission.*`command`",
        ),
        (ROLE + "comands = []", "line 3: roles.a: comands: there is no such key, did you mean `commands`"),
        (ROLE + "commands = [1]", "line 3: roles.a: commands: Expected `str`, got `int`"),
        (ROLE + 'commands = ["payment_initated"]', "line 3: .*did you mean `payment_initiated`"),
        (ROLE + 'commands = ["payment.*"]', r"line 3: .*did you mean `payments\.\*`"),
        (
            ROLE + 'queries = ["balance"]',
            "line 3: roles.a: queries: there is no view `balance`, did you mean",
        ),
        (ROLE + 'live = ["payments"]', "there is no topic to follow `payments`"),
        (ROLE + 'manage = ["key"]', "there is no thing to manage `key`, did you mean `keys`"),
        (ROLE + 'never = ["command:tradez.*"]', r"never: there is no command `tradez\.\*`, did you mean"),
        (ROLE + "grant_days_max = 401", "line 3: roles.a: grant_days_max: must be from 1 to 400"),
        ('[roles.A]\nabout = "x"', "line 1: roles.A: a role's name has"),
        (ROLE + '[roles.a.masks]\n"iban" = "hidden"', "line 4: roles.a.masks: iban: a mask's key is"),
        (ROLE + '[roles.a.masks]\n"*.currency" = "hide"', r"line 4: .*`hide` is no mask.*did you mean"),
        (
            ROLE + '[roles.a.masks]\n"balance.currency" = "hidden"',
            "line 4: .*no view `balance`, did you mean",
        ),
        (
            ROLE + '[roles.a.masks]\n"balances.curency" = "hidden"',
            "line 4: .*no field `curency`, did you mean",
        ),
        ("#" * (FILE_CHARS_MAX + 1), "more than 262,144 characters"),
    ],
)
def test_an_error_names_its_place(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as raised:
        parse_policy(text, FIELDS)
    assert "\n" not in str(raised.value)


def test_the_version_is_of_the_values() -> None:
    first = parse_policy(ROLE + 'commands = ["trades.*", "prices.*"]')
    assert len(first.version) == 16
    assert parse_policy("# note\n" + ROLE + 'commands = ["prices.*", "trades.*"]').version == first.version
    assert parse_policy(ROLE + 'commands = ["prices.*"]').version != first.version
