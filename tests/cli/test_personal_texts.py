"""Commands that send events encrypt what their tenant marks, as the gateway does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pipeline.cli.personal_texts import protection
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.statement_producer import _Run
from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.events import StatementLine
from pipeline.runtime.settings import Settings, load_settings

AT = dt.datetime(2026, 12, 3, tzinfo=dt.UTC)
LINE = StatementLine(
    tenant_id="north",
    occurred_at=AT,
    statement_id="s-1",
    account_id="nostro",
    line_no=1,
    amount_minor=100,
    currency="EUR",
    booked_at=AT,
    value_date=AT.date(),
    description="RENT ANNA MULLER",
)


def settings_in(folder: Path, marks: str | None) -> Settings:
    if marks is None:
        return load_settings(data_dir=folder)
    file = folder / "tenants.toml"
    file.write_text(f"[default]\npersonal = [{marks}]\n")
    return load_settings(data_dir=folder, tenants=file)


def test_a_marked_text_is_encrypted_with_a_key_that_is_made_for_it(tmp_path: Path) -> None:
    with protection(settings_in(tmp_path, "'statement_line.description'")) as protected:
        record = protected(LINE)
        assert protected(LINE) == record
    assert protected_text(record["description"]) is not None
    assert {name for name, value in LINE.to_avro().items() if record[name] != value} == {"description"}
    assert (tmp_path / "personal" / "kek").exists()


@pytest.mark.parametrize("marks", [None, "'payment_initiated.reference'"])
def test_where_nothing_is_marked_no_key_is_needed(tmp_path: Path, marks: str | None) -> None:
    with protection(settings_in(tmp_path, marks)) as protected:
        assert protected(LINE) == LINE.to_avro()
    assert not (tmp_path / "personal").exists()


def test_without_keys_and_for_a_bad_mark_nothing_is_sent(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "'statement_line.description'")
    away = settings.model_copy(update={"kek": str(tmp_path / "kek")})
    with protection(away) as protected, pytest.raises(Failed, match="cannot be encrypted") as told:
        _Run(None, None, protected).produce(LINE)
    assert "ANNA" not in str(told.value)
    long = LINE.model_copy(update={"description": "ANNA " * 5_000})
    with protection(settings) as protected, pytest.raises(BadInput, match="at most 16,384") as refused:
        protected(long)
    assert "ANNA" not in str(refused.value)
    with (
        pytest.raises(BadInput, match=r"'statement_line\.amount' cannot be marked"),
        protection(settings_in(tmp_path, "'statement_line.amount'")),
    ):
        pass
