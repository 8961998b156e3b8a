"""Statements of banks that do not exist, written after the public standards."""

from __future__ import annotations

from collections.abc import Sequence

IBAN = "DE89370400440532013000"
OPENED, CLOSED = "100.00", "150.00"


def camt(statements: str, version: str = "02", message: str = "camt.053", prefix: str = "") -> bytes:
    """Return a document around statements (Stmt) or notifications (Ntfctn)."""
    root = "BkToCstmrStmt" if message == "camt.053" else "BkToCstmrDbtCdtNtfctn"
    namespace = f"urn:iso:std:iso:20022:tech:xsd:{message}.001.{version}"
    head = "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-03-02T18:00:00</CreDtTm></GrpHdr>"
    text = f'<Document xmlns="{namespace}"><{root}>{head}{statements}</{root}></Document>'
    if prefix:
        text = text.replace("</", f"</{prefix}:").replace("<", f"<{prefix}:").replace(f"<{prefix}:/", "</")
        text = text.replace("xmlns=", f"xmlns:{prefix}=").replace(f"</{prefix}:{prefix}:", f"</{prefix}:")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def stmt(
    entries: str = "",
    name: str = "S1",
    opening: str = OPENED,
    closing: str = CLOSED,
    day: str = "2026-03-02",
    number: str = "",
    account: str = IBAN,
    codes: Sequence[str] = ("OPBD", "CLBD"),
) -> str:
    """Return a statement; amounts below zero are debits."""
    numbered = f"<ElctrncSeqNb>{number}</ElctrncSeqNb>" if number else ""
    balances = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='EUR'>{amount.lstrip('-')}</Amt>"
        f"<CdtDbtInd>{'DBIT' if amount.startswith('-') else 'CRDT'}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
        for code, amount in zip(codes, (opening, closing), strict=True)
    )
    return (
        f"<Stmt><Id>{name}</Id>{numbered}<CreDtTm>{day}T18:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balances}{entries}</Stmt>"
    )


def ntry(
    amount: str = "50.00",
    mark: str = "CRDT",
    details: str = "",
    more: str = "",
    currency: str = "EUR",
    status: str = "<Sts>BOOK</Sts>",
    reference: str = "B1",
    booked: str = "2026-03-02",
    value: str = "2026-03-03",
) -> str:
    """Return an entry."""
    return (
        f"<Ntry><Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>{mark}</CdtDbtInd>{more}{status}"
        f"<BookgDt><Dt>{booked}</Dt></BookgDt><ValDt><Dt>{value}</Dt></ValDt>"
        f"<AcctSvcrRef>{reference}</AcctSvcrRef>{details}</Ntry>"
    )


def tx(
    end_to_end: str = "E2E-1",
    amount: str = "",
    text: str = "",
    more: str = "",
    name: str = "",
    role: str = "Dbtr",
) -> str:
    """Return a transaction of an entry (TxDtls)."""
    amounts = f"<Amt Ccy='EUR'>{amount}</Amt>" if amount else ""
    party = f"<RltdPties><{role}><Nm>{name}</Nm></{role}></RltdPties>" if name else ""
    remittance = f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf>" if text else ""
    references = f"<Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>"
    return f"<TxDtls>{references}{amounts}{more}{party}{remittance}</TxDtls>"


def dtls(*transactions: str, batch: str = "") -> str:
    """Return the details of an entry (NtryDtls)."""
    return f"<NtryDtls>{batch}{''.join(transactions)}</NtryDtls>"


def ntfctn(entries: str, account: str = IBAN) -> str:
    """Return a notification of camt.054."""
    return f"<Ntfctn><Id>N1</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>{entries}</Ntfctn>"


def mt940(
    *bookings: str,
    reference: str = "STARTUMSE",
    number: str = "00001/001",
    opening: str = "C260301EUR100,00",
    closing: str = "C260302EUR150,00",
    kind: str = "F",
) -> str:
    """Return a statement; a booking is a :61: with what follows it."""
    lines = [f":20:{reference}", f":25:{IBAN}", f":28C:{number}", f":60{kind}:{opening}", *bookings]
    return "\n".join([*lines, f":62{kind}:{closing}", "-", ""])


BOOKING = ":61:2603020302C50,00NTRFE2E-1//B1\n:86:166?00CREDIT?20EREF+E2E-1?21SVWZ+RENT MAY?32ANNA SMITH"

BAI2 = """\
01,BANK,LEDGER,260303,0700,1,80,,2/
02,LEDGER,BANK,1,260302,,USD,2/
03,123456,USD,010,10000,,,015,12500,,/
16,475,2500,V,260303,,B1,C1,CHECK PAID, NO/SLASH/
88,MORE TEXT/
16,165,5000,S,5000,0,0,B2,INV 7/
88,ACH CREDIT/
49,30000,6/
98,30000,1,8/
99,30000,1,10/
"""

CSV = """\
My bank;exported 2026-03-03
Booking date;Value date;Amount;Currency;Purpose;Name;Balance
03.03.2026;03.03.2026;-1.020,50;EUR;"Rent; March";Landlord;129,50
02.03.2026;02.03.2026;1.000,00;EUR;RF18 5390 0754 7034;Anna Smith;1.150,00
02.03.2026;01.03.2026;50,00;EUR;EREF+INV-7 SVWZ+thanks;Ben;150,00
"""
MAPPING = """
delimiter = ";"
decimal = ","
date = "%d.%m.%Y"
skip_lines = 1

[columns]
booked = "Booking date"
value = "Value date"
amount = "Amount"
currency = "Currency"
description = ["Purpose"]
counterparty = "Name"
balance = "Balance"
"""
