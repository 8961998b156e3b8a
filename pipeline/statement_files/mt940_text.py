"""The text of a booking of MT940 (:86:): free, by keywords, or in the numbered parts of German banks.

166?00GUTSCHRIFT?20EREF+INV-7?21SVWZ+RENT MAY?31DE89...?32ANNA SMITH?33-JONES
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.statement_files.form import DESCRIPTION_CHARS_MAX
from pipeline.statement_files.references import clean, described, keyed_parts

LINE_CHARS = 65
"""Of a full line of :86:. A word that ends there goes on in the next one."""
_NUMBERED = re.compile(r"([0-9]{3})?(?=([?>~^@|])[0-9]{2})")
PURPOSE = tuple(f"{number}" for number in (*range(20, 30), *range(60, 66)))


class Text(NamedTuple):
    """What a text says."""

    description: str
    parts: dict[str, str]
    """What it names by keywords, such as EREF."""
    code: str | None = None
    name: str | None = None
    account: str | None = None


def text_of(text: str) -> Text:
    """Return a text's description, as it stands, and what it names."""
    found = _NUMBERED.match(text)
    if found is not None:
        return _numbered(text.replace("\n", ""), found[1], found[2])
    whole = clean(_joined(text.split("\n")), DESCRIPTION_CHARS_MAX) or ""
    parts = keyed_parts(whole)
    party = parts.get("CNTP") or parts.get("ORDP") or parts.get("BENM") or ""
    account = name = None
    if "CNTP" in parts:  # /CNTP/account/bank/name/city
        given = [*party.split("/"), "", "", ""]
        account, name = given[0] or None, given[2] or None
    elif party:
        name = keyed_parts(f"/{'ORDP' if 'ORDP' in parts else 'BENM'}/{party}").get("NAME") or party
    return Text(whole, parts, None, parts.get("NAME") or name, account or parts.get("IBAN"))


def _joined(lines: list[str]) -> str:
    """Join lines; without a blank where a full line was only broken."""
    return "".join(line if len(line) >= LINE_CHARS else f"{line} " for line in lines)


def _numbered(text: str, code: str | None, mark: str) -> Text:
    pieces = text.split(mark)[1:]
    values: dict[str, str] = {}
    for piece in pieces:
        number, value = piece[:2], piece[2:]
        if len(number) == 2 and number.isascii() and number.isdigit():
            values[number] = values.get(number, "") + value
        elif values:
            last = next(reversed(values))
            values[last] += mark + piece  # the mark itself, in a text
    purpose = _purpose([values[number] for number in PURPOSE if number in values])
    parts = keyed_parts(purpose)
    name = (values.get("32", "") + values.get("33", "")).strip() or parts.get("ABWA") or parts.get("ABWE")
    account = values.get("31") or values.get("38") or parts.get("IBAN")
    return Text(described([values.get("00"), purpose]), parts, code, name, account)


def _purpose(pieces: list[str]) -> str:
    """Join the parts of a purpose: a blank before one that begins with a keyword, which ends a value."""
    joined = ""
    for piece in pieces:
        begins = re.match(r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP|COAM|OAMT)[+:]", piece)
        joined += f" {piece}" if begins and joined and not joined.endswith(" ") else piece
    return joined
