"""The settings of tenants: read from text, checked, taken over from the default, named by their content."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.cli.entry import main
from pipeline.domain.tenants.settings import (
    UNRESTRICTED,
    FourEyes,
    Tenant,
    Tenants,
    TenantsError,
    account_refusal,
    parse_tenants,
)
from pipeline.runtime.settings import ENV_PREFIX, SettingsError, load_settings
from tests.progress import run
from topologies import replay, tenants
from topologies.configuration import Configuration

FILE = """
[default]
currencies = ["EUR", "USD"]
payments_per_second = 200
burst = 1000

[tenants.north]
currencies = ["CHF"]

[tenants.south]
payments_per_second = 5

[tenants."old bank"]
closed = true
"""


def test_a_tenant_has_what_it_says_and_else_what_the_default_says() -> None:
    read = parse_tenants(FILE)
    assert read.of("north") == Tenant(currencies=("CHF",), payments_per_second=200, burst=1000)
    # A burst belongs to its rate: 1,000 at once would be 200 seconds of this one.
    assert read.of("south") == Tenant(currencies=("EUR", "USD"), payments_per_second=5)
    assert read.of("old bank").closed
    assert read.of("nobody has named it") == read.default


def test_what_needs_two_people_is_a_tenants_own_table_or_the_defaults() -> None:
    read = parse_tenants(
        "[default.four_eyes]\ncorrections = true\n"
        "[tenants.north.four_eyes]\nreviews = { EUR = 5 }\n[tenants.south]"
    )
    assert read.of("south").four_eyes == FourEyes(corrections=True)
    assert read.of("north").four_eyes == FourEyes(reviews={"EUR": 5})
    assert [read.review_needs_two("north", "EUR", amount) for amount in (4, 5, 6)] == [False, True, True]
    assert not read.review_needs_two("north", "USD", 9) and not read.review_needs_two("south", "EUR", 9)
    assert read.review_may_need_two("north", 5) and not read.review_may_need_two("north", 4)
    assert read.some_reviews_need_two and not parse_tenants(FILE).some_reviews_need_two


def test_a_file_without_four_eyes_keeps_the_name_that_an_earlier_version_gave_it() -> None:
    assert parse_tenants(FILE).version == "1-1ebb8d8df9ef"
    assert (
        parse_tenants(f"{FILE}[tenants.x.four_eyes]\n").version
        != parse_tenants(f"{FILE}[tenants.x]\n").version
    )


def test_which_texts_are_personal_is_a_tenants_own_list_and_no_part_of_the_version() -> None:
    marked = "personal = ['payment_initiated.reference']\n"
    read = parse_tenants(f"[default]\n{marked}[tenants.north]\n[tenants.open]\npersonal = []\n")
    assert read.of("north").personal == read.of("south").personal == ("payment_initiated.reference",)
    assert read.of("open").personal == ()
    assert read.version == parse_tenants("[tenants.north]\n[tenants.open]\n").version


def test_a_closed_default_closes_whom_the_file_does_not_name() -> None:
    read = parse_tenants("[default]\nclosed = true\n[tenants.north]\n")
    assert read.of("south").closed
    assert not read.of("north").closed


def test_an_empty_file_restricts_nothing() -> None:
    assert parse_tenants("") == UNRESTRICTED
    assert UNRESTRICTED.of("north") == Tenant()
    assert account_refusal(UNRESTRICTED, "north", "XYZ") is None


def test_accounts_are_refused_by_currency_and_where_the_tenant_is_closed() -> None:
    read = parse_tenants(FILE)
    assert account_refusal(read, "north", "CHF") is None
    assert account_refusal(read, "north", "EUR") == "currency_not_allowed"
    assert account_refusal(read, "nobody", "USD") is None
    assert account_refusal(read, "old bank", "EUR") == "tenant_closed"


def test_the_version_names_the_values_and_not_the_text() -> None:
    shuffled = "# the same\n[tenants.'old bank']\nclosed = true\n" + FILE.split('[tenants."old')[0]
    assert parse_tenants(shuffled).version == parse_tenants(FILE).version
    assert parse_tenants("[tenants.north]").version != parse_tenants("").version == Tenants().version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defualt]", "unknown setting `defualt`, did you mean `default`?"),
        ("[north]", "unknown setting `north`; known: default, tenants"),
        ("[default]\nburts = 3", "unknown setting `burts` - at `$.default`, did you mean `burst`?"),
        ("[tenants.north]\ncurrency = ['EUR']", "at `$.tenants[...]`, did you mean `currencies`?"),
        ("[default]\ncurrencies = ['eur']", "'eur' is no ISO 4217 code"),
        ("[default]\ncurrencies = []", "currencies must name one at least"),
        ("[default]\npayments_per_second = 0", "payments_per_second must be from 1 to 1000000000, not 0"),
        ("[default]\npayments_per_second = 1.5", "Expected `int | null`"),
        ("[default]\nburst = 5", "default: burst without payments_per_second"),
        ("[tenants.north]\nburst = 5", "north: burst without payments_per_second"),
        ("[tenants.'a/b']", "'a/b' cannot be a tenant's id"),
        ("[tenants.'']", "'' cannot be a tenant's id"),
        ("[tenants", "end of a table declaration"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, message: str) -> None:
    with pytest.raises(TenantsError) as failure:
        parse_tenants(text)
    assert message in str(failure.value)


def test_a_wrong_file_is_named_with_its_variable(tmp_path: Path) -> None:
    wrong = tmp_path / "tenants.toml"
    for content, reason in ((None, "No such file"), (b"\xff", "utf-8"), (b"burst = 1", "unknown setting")):
        if content is not None:
            wrong.write_bytes(content)
        with pytest.raises(SettingsError, match=f"^{ENV_PREFIX}TENANTS={wrong}: .*{reason}"):
            tenants.tenants(Configuration(load_settings(tenants=wrong)))


def test_a_replay_begins_anew_where_the_content_of_the_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(FILE)
    before = replay.rules_of(Configuration(load_settings(tenants=file)))
    file.write_text(f"# the same\n{FILE}")
    assert replay.rules_of(Configuration(load_settings(tenants=file))) == before
    file.write_text(FILE.replace("CHF", "SEK"))
    assert replay.rules_of(Configuration(load_settings(tenants=file))) != before


@pytest.mark.parametrize("command", ["up", "worker"])
def test_a_wrong_file_is_told_before_anything_is_started(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("burst = 5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{ENV_PREFIX}TENANTS", str(wrong))
    assert main([command]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"error: {ENV_PREFIX}TENANTS={wrong}: ") and told.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [wrong]


def test_a_worker_with_a_wrong_file_ends_with_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "tenants.toml"
    wrong.write_text("[default]\nburst = 5\n")
    environment = {"PATH": "", f"{ENV_PREFIX}TENANTS": str(wrong), f"{ENV_PREFIX}DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "topologies.worker"]
    done = run(command, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {ENV_PREFIX}TENANTS={wrong}: default: burst without")
    assert done.stderr.count("\n") == 1
