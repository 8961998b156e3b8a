"""Reads a file of any format: finds out which it is, within bounds."""

from __future__ import annotations

import os
import re
import stat
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pipeline.statement_files.bai2 import read_bai2
from pipeline.statement_files.camt import read_camt
from pipeline.statement_files.csv_file import read_csv
from pipeline.statement_files.csv_mapping import Mapping
from pipeline.statement_files.form import FILE_BYTES_MAX, FileRefused, Read, refused
from pipeline.statement_files.mt940 import read_mt940
from pipeline.statement_files.mt940_line import require_fields

FORMATS = ("auto", "camt", "mt940", "bai2", "csv")
LOOKED_AT = 64 * 1024
_MT940 = re.compile(r"^:20:", re.MULTILINE)


class Content(NamedTuple):
    """A file as it is on disk."""

    name: str
    data: bytes
    sha256: str


def content_of(path: Path) -> Content:
    """Return a file's content. Raises FileRefused, with the file's name, and OSError."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise refused(str(path), "this is no file")
    with os.fdopen(opened, "rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise refused(str(path), f"it has more than {FILE_BYTES_MAX // 2**20} MiB: divide it")
    return Content(str(path), data, sha256(data).hexdigest())


def read_content(
    content: Content, form: str = "auto", mapping: Mapping | None = None, encoding: str = ""
) -> Read:
    """Return what a file has. Raises FileRefused, with the file's name."""
    try:
        return _read(content.data, form, mapping, encoding)
    except FileRefused as error:
        raise refused(content.name, str(error)) from None


def text_of(data: bytes, encoding: str = "") -> tuple[str, str]:
    """Return the text of a file, and its encoding. Raises FileRefused."""
    if encoding:
        tried = [encoding]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        tried = ["utf-16"]
    else:
        tried = ["utf-8-sig", "windows-1252"]
    for name in tried:
        try:
            text = data.decode(name)
        except (UnicodeError, LookupError, ValueError, TypeError):
            continue
        if "\0" in text:
            raise refused("", "it has NUL characters: it is damaged, or no text")
        return text.removeprefix("\ufeff"), name
    said = f"it is not in {encoding[:40]!r}" if encoding else "it is neither UTF-8 nor Windows-1252"
    raise refused("", f"{said}: say which encoding it has (--encoding)")


def _read(data: bytes, form: str, mapping: Mapping | None, encoding: str) -> Read:
    if not data.strip():
        raise refused("", "it is empty")
    if form == "camt" or (form == "auto" and _is_xml(data)):
        return read_camt(data)
    text, found = text_of(
        data, encoding or (mapping.encoding if mapping is not None and form != "mt940" else "")
    )
    form = _format(text, mapping) if form == "auto" else form
    if form == "mt940":
        require_fields()
        read = read_mt940(text)
    elif form == "bai2":
        read = read_bai2(text)
    elif mapping is None:
        raise refused(
            "", "a CSV file needs a mapping (--columns): `ledgerflow statements preview FILE` proposes one"
        )
    else:
        read = read_csv(text, mapping)
    if found == "windows-1252" and not encoding and not text.isascii():
        read.notes.append("it is no UTF-8, so it was read as Windows-1252: --encoding says what it is")
    return read


def _is_xml(data: bytes) -> bool:
    head = data[:LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<"))


def _format(text: str, mapping: Mapping | None) -> str:
    head = text[:LOOKED_AT].lstrip()
    if re.match(r"01\s*,", head):
        return "bai2"
    if _MT940.search(head) is not None or head.startswith("{1:"):
        return "mt940"
    if mapping is not None:
        return "csv"
    raise refused(
        "",
        "this is neither camt.053, camt.054, MT940 nor BAI2; of a CSV file say what is what (--columns)",
    )
