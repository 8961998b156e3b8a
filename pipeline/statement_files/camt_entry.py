"""An entry (Ntry) of camt.053 and camt.054 as a line.

CdtDbtInd says how the account moves, of a reversal (RvslInd), too: the line has that sign. An entry of
several transactions (TxDtls) stays one line, with its transactions as details: the balances count entries.
"""

from __future__ import annotations

from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.statement_files.amounts import checked_currency, minor_of
from pipeline.statement_files.details import bounded_details
from pipeline.statement_files.form import (
    BATCH,
    FEE,
    INFORMATION,
    REVERSAL,
    Detail,
    FileRefused,
    Line,
    refused,
)
from pipeline.statement_files.references import (
    clean,
    creditor_reference,
    described,
    external_reference,
    keyed_parts,
    reference,
)
from pipeline.statement_files.times import day_number, iso_moment
from pipeline.statement_files.xml_tree import Element

FEE_CODES = frozenset({"CHRG", "FEES", "COMM", "COME", "COMI", "COMT"})
"""Sub-families of ISO 20022's bank transaction codes that are fees."""


def is_booked(entry: Element) -> bool:
    """Return whether an entry counts in the balances: not one that is pending or for information."""
    return (entry.told("Sts/Cd", "Sts/Prtry", "Sts") or "BOOK").upper() == "BOOK"


def line_of(entry: Element, place: str) -> Line:
    """Return an entry as a line. Raises FileRefused."""
    currency, minor = _amount(entry, place)
    transactions = list(entry.all("NtryDtls/TxDtls"))
    booked = entry.told("BookgDt/DtTm", "BookgDt/Dt") or entry.told("ValDt/DtTm", "ValDt/Dt")
    value = entry.told("ValDt/DtTm", "ValDt/Dt") or booked
    if booked is None or value is None:
        raise refused(place, "it has neither a booking date (BookgDt) nor a value date (ValDt)")
    one = transactions[0] if len(transactions) == 1 else None
    is_batch = len(transactions) > 1 or _batch_size(entry) > 1
    is_reversal = entry.told("RvslInd") in ("true", "1")
    party = _Party.of(one, is_credit=minor >= 0)
    code = _code(entry) or (None if one is None else _code(one))
    kind = _kind(minor, is_reversal, is_batch, code)
    original = _original(one if one is not None else entry, currency, minor, place)
    texts = _texts(one) if one is not None else []
    end_to_end = None if one is None else reference(one.told("Refs/EndToEndId"))
    description = described(
        [*texts, entry.told("AddtlNtryInf"), None if one is None else one.told("AddtlTxInf")]
    )
    named = keyed_parts(description)
    end_to_end = end_to_end or reference(named.get("EREF"))
    return Line(
        place=place,
        amount_minor=minor,
        currency=currency,
        booked_us=iso_moment(booked, place)[0],
        value_day=day_number(iso_moment(value, place)[1]),
        description=description,
        external_reference=external_reference(
            minor >= 0, end_to_end, *_structured(one), creditor_reference(description)
        ),
        end_to_end_id=end_to_end,
        bank_reference=reference(entry.told("AcctSvcrRef"))
        or (None if one is None else reference(one.told("Refs/AcctSvcrRef")))
        or reference(entry.told("NtryRef")),
        transaction_code=code,
        counterparty_name=party.name,
        counterparty_account=party.account,
        is_reversal=True if is_reversal else None,
        entry_kind=kind,
        original_amount_minor=original[0],
        original_currency=original[1],
        fee_minor=_fee(entry, one, currency, place),
        details=bounded_details(_detail(each, minor >= 0, currency, place) for each in transactions)
        if is_batch
        else (),
    )


def _amount(entry: Element, place: str) -> tuple[str, int]:
    amount = entry.first("Amt")
    if amount is None:
        raise refused(place, "it has no amount (Amt)")
    currency = checked_currency(amount.attributes.get("Ccy", ""), place)
    minor = minor_of(amount.text, currency, place)
    sign = entry.told("CdtDbtInd")
    if sign not in ("CRDT", "DBIT"):
        raise refused(place, "CdtDbtInd says neither CRDT nor DBIT: whether money came or went is not known")
    return currency, -minor if sign == "DBIT" else minor


def _kind(minor: int, is_reversal: bool, is_batch: bool, code: str | None) -> str | None:
    if minor == 0:
        return INFORMATION
    if is_reversal:
        return REVERSAL
    if code is not None and code.rpartition(".")[2] in FEE_CODES:
        return FEE
    return BATCH if is_batch else None


def _batch_size(entry: Element) -> int:
    sizes = [one.text.strip() for one in entry.all("NtryDtls/Btch/NbOfTxs")]
    return sum(int(size) for size in sizes if size.isascii() and size.isdigit() and len(size) < 10)


def _code(element: Element) -> str | None:
    domain = element.first("BkTxCd/Domn")
    if domain is not None:
        parts = domain.told("Cd"), domain.told("Fmly/Cd"), domain.told("Fmly/SubFmlyCd")
        if all(parts):
            return clean(".".join(filter(None, parts)), 64)
    return clean(element.told("BkTxCd/Prtry/Cd"), 64)


class _Party:
    """Who is at the other end: of a credit the debtor, of a debit the creditor."""

    def __init__(self, name: str | None, account: str | None) -> None:
        self.name, self.account = name, account

    @classmethod
    def of(cls, transaction: Element | None, *, is_credit: bool) -> _Party:
        """Return who a transaction names."""
        if transaction is None:
            return cls(None, None)
        who = "Dbtr" if is_credit else "Cdtr"
        base = f"RltdPties/{who}"
        name = transaction.told(f"{base}/Nm", f"{base}/Pty/Nm", f"{base}/Agt/FinInstnId/Nm")
        name = name or transaction.told(f"RltdPties/Ultmt{who}/Nm", f"RltdPties/Ultmt{who}/Pty/Nm")
        account = transaction.told(f"{base}Acct/Id/IBAN", f"{base}Acct/Id/Othr/Id")
        return cls(clean(name), clean(account))


def _texts(transaction: Element) -> list[str | None]:
    """Return the remittance information as it stands: free texts, then structured references."""
    return [
        *(one.text for one in transaction.all("RmtInf/Ustrd")),
        *(one.text for one in transaction.all("RmtInf/Strd/CdtrRefInf/Ref")),
        *(one.text for one in transaction.all("RmtInf/Strd/RfrdDocInf/Nb")),
        *(one.text for one in transaction.all("RmtInf/Strd/AddtlRmtInf")),
    ]


def _structured(transaction: Element | None) -> tuple[str | None, str | None]:
    """Return the structured reference: the creditor's, else the number of a document."""
    if transaction is None:
        return None, None
    return transaction.told("RmtInf/Strd/CdtrRefInf/Ref"), transaction.told("RmtInf/Strd/RfrdDocInf/Nb")


def _original(element: Element, currency: str, minor: int, place: str) -> tuple[int, str] | tuple[None, None]:
    """Return what was instructed, where that is in another currency that can be counted in."""
    amount = element.first("AmtDtls/InstdAmt/Amt") or element.first("AmtDtls/TxAmt/Amt")
    if amount is None:
        return None, None
    code = amount.attributes.get("Ccy", "").upper()
    if code == currency or code not in EXPONENTS:
        return None, None
    try:
        instructed = abs(minor_of(amount.text, code, place))
    except FileRefused:
        return None, None
    return (-instructed if minor < 0 else instructed), code


def _fee(entry: Element, transaction: Element | None, currency: str, place: str) -> int | None:
    """Return what the bank charged: the total that it says, else the sum of its records."""
    for element in filter(None, (entry, transaction)):
        total = element.first("Chrgs/TtlChrgsAndTaxAmt")
        amounts = (
            [total] if total is not None else [*element.all("Chrgs/Rcrd/Amt"), *element.all("Chrgs/Amt")]
        )
        try:
            fees = [abs(minor_of(one.text, currency, place)) for one in amounts if _is_in(one, currency)]
        except FileRefused:
            return None
        if fees and sum(fees) < 2**61:
            return sum(fees)
    return None


def _is_in(amount: Element, currency: str) -> bool:
    return amount.attributes.get("Ccy", currency).upper() == currency


def _detail(transaction: Element, is_credit: bool, currency: str, place: str) -> Detail:
    """Return one transaction of a batch; an amount that cannot be counted is none."""
    amount = transaction.first("Amt") or transaction.first("AmtDtls/TxAmt/Amt")
    minor = code = None
    if amount is not None:
        code = amount.attributes.get("Ccy", currency).upper()
        try:
            minor = abs(minor_of(amount.text, code, place)) if code in EXPONENTS else None
        except FileRefused:
            minor = None
        is_in = {"CRDT": True, "DBIT": False}.get(transaction.told("CdtDbtInd") or "", is_credit)
        minor = minor if minor is None or is_in else -minor
    described_as = described(_texts(transaction))
    end_to_end = reference(transaction.told("Refs/EndToEndId"))
    found = external_reference(
        is_credit, end_to_end, *_structured(transaction), creditor_reference(described_as)
    )
    party = _Party.of(transaction, is_credit=is_credit)
    return Detail(
        minor, None if minor is None else code, found, described_as or None, party.name or party.account
    )
