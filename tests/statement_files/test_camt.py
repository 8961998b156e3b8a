"""camt.053 and camt.054: what banks write, and what a reader must not make of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.statement_files.camt import read_camt
from pipeline.statement_files.checks import problems_of
from pipeline.statement_files.enriching import enrich
from pipeline.statement_files.form import DETAILS_MAX, FileRefused, Line, Statement
from pipeline.statement_files.times import day_number
from tests.statement_files.files import camt, dtls, ntfctn, ntry, stmt, tx


def one(entry: str, closing: str = "150.00") -> Line:
    """Return the line of a statement with one entry."""
    read = read_camt(camt(stmt(entry, closing=closing)))
    assert not read.refused, read.refused
    return read.statements[0].lines[0]


def whole(statements: str) -> list[Statement]:
    """Return the statements of a document that are all read."""
    read = read_camt(camt(statements))
    assert not read.refused, read.refused
    return read.statements


def refusal(entry: str) -> str:
    """Return why a statement with this entry is refused; nothing of it is kept."""
    read = read_camt(camt(stmt(entry)))
    assert not read.statements
    (said,) = read.refused
    return said


@pytest.mark.parametrize("version", ["02", "04", "06", "08", "13"])
def test_every_version_is_read(version: str) -> None:
    status = "<Sts>BOOK</Sts>" if version in ("02", "04", "06") else "<Sts><Cd>BOOK</Cd></Sts>"
    name = "<Dbtr><Nm>Anna</Nm></Dbtr>" if version < "08" else "<Dbtr><Pty><Nm>Anna</Nm></Pty></Dbtr>"
    entry = ntry(details=dtls(tx(more=f"<RltdPties>{name}</RltdPties>")), status=status)
    (statement,) = read_camt(camt(stmt(entry, number="7"), version)).statements
    assert (statement.opening_minor, statement.closing_minor, statement.currency) == (10_000, 15_000, "EUR")
    assert statement.statement_id == "S1@2026-03-02#7"
    (line,) = statement.lines
    assert (line.amount_minor, line.counterparty_name, line.end_to_end_id) == (5_000, "Anna", "E2E-1")
    assert not list(problems_of([statement]))


def test_names_may_have_a_prefix() -> None:
    read = read_camt(camt(stmt(ntry()), prefix="ns2"))
    assert [len(statement.lines) for statement in read.statements] == [1]


def test_booking_and_value_date_are_both_kept() -> None:
    line = one(ntry(booked="2026-03-02", value="2026-03-05"))
    assert line.booked_us == int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
    assert line.value_day == day_number(datetime(2026, 3, 5, tzinfo=UTC).date())


def test_an_entry_of_several_transactions_is_one_line_with_details() -> None:
    entry = ntry("50.00", details=dtls(tx("E1", "20.00", "first"), tx("NOTPROVIDED", "30.00", "second")))
    line = one(entry)
    assert (line.amount_minor, line.entry_kind) == (5_000, "BATCH")
    assert [(d.amount_minor, d.reference, d.description) for d in line.details] == [
        (2_000, "E1", "first"),
        (3_000, None, "second"),
    ]
    assert line.end_to_end_id is None


def test_a_batch_without_details_is_a_batch() -> None:
    line = one(ntry(details=dtls(batch="<Btch><NbOfTxs>12</NbOfTxs></Btch>")))
    assert (line.entry_kind, line.details, line.amount_minor) == ("BATCH", (), 5_000)


def test_details_have_a_bound() -> None:
    line = one(ntry(details=dtls(*(tx(f"E{n}", "0.01", "t" * 200) for n in range(1_500)))))
    assert len(line.details) == DETAILS_MAX
    assert sum(len(d.description or "") + len(d.reference or "") for d in line.details) <= 128 * 1024


@pytest.mark.parametrize(("mark", "minor"), [("CRDT", 5_000), ("DBIT", -5_000)])
def test_a_reversal_has_the_sign_of_its_own_booking(mark: str, minor: int) -> None:
    line = one(ntry(mark=mark, more="<RvslInd>true</RvslInd>"))
    assert (line.amount_minor, line.is_reversal, line.entry_kind) == (minor, True, "REVERSAL")


def test_several_statements_of_one_file() -> None:
    statements = whole(stmt(ntry()) + stmt(ntry("25.00", "DBIT"), "S2", "150.00", "125.00", "2026-03-03"))
    assert [s.statement_id for s in statements] == ["S1@2026-03-02~10000", "S2@2026-03-03~15000"]
    assert [s.lines[0].amount_minor for s in statements] == [5_000, -2_500]
    assert not list(problems_of(statements))


def test_zeros_after_the_decimals_of_a_currency_are_allowed_and_nothing_else() -> None:
    assert one(ntry("50.00000")).amount_minor == 5_000
    said = refusal(ntry("50.001"))
    assert "more decimals than EUR" in said and "Ntry 1" in said and "line " in said


def test_a_yen_has_no_decimals() -> None:
    text = stmt(ntry("500.00", currency="JPY")).replace("EUR", "JPY")
    (statement,) = whole(text)
    assert (statement.lines[0].amount_minor, statement.opening_minor) == (500, 100)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (ntry("9" * 25), "larger than any"),
        (ntry("12,5.0"), "is no amount"),
        (ntry("-"), "is no amount"),
        (ntry("٣"), "is no amount"),
        (ntry(mark="DEBIT"), "CRDT nor DBIT"),
        (ntry(currency="XAU"), "no currency"),
        (ntry(currency="USD"), "the entry is in USD, the statement in EUR"),
        (ntry(booked="2026-02-30"), "no day or time"),
        (ntry().replace("BookgDt", "X").replace("ValDt", "Y"), "neither a booking date"),
    ],
)
def test_what_cannot_be_read_refuses_the_statement_with_its_place(entry: str, said: str) -> None:
    assert said in refusal(entry)


def test_a_refused_statement_leaves_the_others() -> None:
    read = read_camt(camt(stmt(ntry() + ntry("x")) + stmt(ntry(), "S2")))
    assert [s.statement_id for s in read.statements] == ["S2@2026-03-02~10000"]
    assert len(read.refused) == 1 and "Ntry 2" in read.refused[0]


def test_what_is_not_booked_is_no_line_and_is_said() -> None:
    read = read_camt(camt(stmt(ntry() + ntry("5.00", status="<Sts><Cd>PDNG</Cd></Sts>"))))
    assert len(read.statements[0].lines) == 1
    assert "1 entries are not booked yet" in read.notes[0]


def test_an_entry_of_zero_is_information() -> None:
    assert one(ntry("0.00")).entry_kind == "INFORMATION"


def test_an_instructed_amount_of_another_currency_is_kept_beside() -> None:
    instructed = "<AmtDtls><InstdAmt><Amt Ccy='USD'>54.10</Amt></InstdAmt></AmtDtls>"
    line = one(ntry(mark="DBIT", details=dtls(tx(more=instructed))))
    assert (line.amount_minor, line.currency) == (-5_000, "EUR")
    assert (line.original_amount_minor, line.original_currency) == (-5_410, "USD")


def test_charges_and_fees() -> None:
    charges = "<Chrgs><Rcrd><Amt Ccy='EUR'>1.50</Amt></Rcrd><Rcrd><Amt Ccy='EUR'>0.25</Amt></Rcrd></Chrgs>"
    assert one(ntry(more=charges)).fee_minor == 175
    code = "<BkTxCd><Domn><Cd>ACMT</Cd><Fmly><Cd>MDOP</Cd><SubFmlyCd>CHRG</SubFmlyCd></Fmly></Domn></BkTxCd>"
    line = one(ntry(mark="DBIT", more=code))
    assert (line.transaction_code, line.entry_kind) == ("ACMT.MDOP.CHRG", "FEE")


def test_references_are_found_and_placeholders_are_none() -> None:
    line = one(ntry(details=dtls(tx("NOTPROVIDED", text="invoice RF18 5390 0754 7034 thank you"))))
    assert (line.external_reference, line.end_to_end_id) == ("RF18539007547034", None)
    structured = "<RmtInf><Strd><CdtrRefInf><Ref>INV-9</Ref></CdtrRefInf></Strd></RmtInf>"
    line = one(ntry(details=dtls(tx("E2E-9", more=structured))))
    assert (line.external_reference, line.end_to_end_id) == ("INV-9", "E2E-9")  # the payer's id says less
    line = one(ntry(mark="DBIT", details=dtls(tx("E2E-9", more=structured))))
    assert line.external_reference == "E2E-9"  # ours
    assert "INV-9" in line.description


def test_a_statement_opens_where_the_one_before_has_closed() -> None:
    (statement,) = whole(stmt(ntry(), codes=("PRCD", "CLBD")))
    assert (statement.opening_minor, statement.closing_minor) == (10_000, 15_000)


def test_balances_below_zero() -> None:
    (statement,) = whole(stmt(ntry(), opening="-100.00", closing="-50.00"))
    assert (statement.opening_minor, statement.closing_minor) == (-10_000, -5_000)


def test_a_notification_tells_more_about_a_line_and_adds_none() -> None:
    statements = whole(stmt(ntry(details=dtls(batch="<Btch><NbOfTxs>2</NbOfTxs></Btch>"))))
    entry = ntry(details=dtls(tx("E1", "20.00", name="Anna"), tx("E2", "30.00", name="Ben")))
    stranger = ntry("70.00", reference="B9")
    read = read_camt(camt(ntfctn(entry + stranger), message="camt.054"))
    assert (read.format, read.statements, len(read.notices)) == ("camt.054", [], 2)
    enriched = enrich(statements, read.notices)
    (line,) = enriched.statements[0].lines
    assert [(d.amount_minor, d.reference, d.counterparty) for d in line.details] == [
        (2_000, "E1", "Anna"),
        (3_000, "E2", "Ben"),
    ]
    before = statements[0].lines[0]
    for name in ("external_reference", "amount_minor", "currency", "booked_us", "value_day", "description"):
        assert getattr(line, name) == getattr(before, name)
    assert enriched.changed == {0: {0}}
    (left,) = enriched.left
    assert "no booking has the reference 'B9'" in left and "give the statement" in left


def test_a_notification_that_fits_two_bookings_tells_about_none() -> None:
    statements = whole(stmt(ntry() + ntry(), closing="200.00"))
    read = read_camt(camt(ntfctn(ntry(details=dtls(tx(name="Anna")))), message="camt.054"))
    enriched = enrich(statements, read.notices)
    assert enriched.statements == statements and "several bookings" in enriched.left[0]


def test_a_report_within_the_day_is_none() -> None:
    text = b"<Document><BkToCstmrAcctRpt><Rpt><Id>R</Id></Rpt></BkToCstmrAcctRpt></Document>"
    with pytest.raises(FileRefused, match=r"camt\.052"):
        read_camt(text)


def test_pages_are_statements_of_their_own() -> None:
    text = stmt(ntry(), number="5", codes=("OPBD", "ITBD"))
    paged = text.replace(
        "<CreDtTm>", "<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn><CreDtTm>"
    )
    (statement,) = whole(paged)
    assert (statement.page, statement.statement_id) == (1, "S1@2026-03-02#5.1")
    assert (statement.opening_minor, statement.closing_minor) == (10_000, 15_000)
