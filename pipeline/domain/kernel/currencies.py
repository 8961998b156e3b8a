"""The units that an account can be kept in: active currencies of ISO 4217, and how many decimals each has.

The table is ours, so that every worker and every replay has the same one. It has the state of PUBLISHED:
every code of ISO's list one that has a minor unit, funds' codes included. Codes without one (metals, bond
units, XDR, XTS, XXX) are none that an account is kept in. A code that ISO adds or withdraws is a change here.

A unit of three capital letters is a currency. The form of an ISIN (ASSET_FORM) is reserved for the second
class of units, securities and other assets, which settlement will bring: no account can be opened in one yet.
"""

from __future__ import annotations

import re

PUBLISHED = "2026-01-01"
"""The date of ISO 4217's list one that the table has."""

_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
        CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
        GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
        MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
        PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
        TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: dict[str, int] = {code: digits for digits, codes in _CODES.items() for code in codes.split()}
"""Decimals of the minor unit of each currency."""

_CURRENCY_FORM = re.compile("[A-Z]{3}")
ASSET_FORM = re.compile("[A-Z]{2}[A-Z0-9]{9}[0-9]")
"""An ISIN (ISO 6166): the form that is reserved for securities and other assets."""


def flaw_of(unit: str) -> str | None:
    """Return why no account can be kept in a unit, in words; None for an active currency."""
    if unit in EXPONENTS:
        return None
    if _CURRENCY_FORM.fullmatch(unit):
        return "no active ISO 4217 code with a minor unit"
    if ASSET_FORM.fullmatch(unit):
        return "units of securities and other assets are reserved, and cannot be used yet"
    return "not three capital letters"
