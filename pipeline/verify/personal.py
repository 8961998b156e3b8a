"""What `parties` says of persons is encrypted: no text of theirs is in the log.

What is wrong is named by its field: the text itself is in no report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipeline.verify.findings import Findings, Problem
from pipeline.verify.model.record import Record

_ENVELOPE = r"p1\.[A-Za-z0-9_-]{16}\.[1-9][0-9]{0,8}\.[A-Za-z0-9_-]{83,}"
"""At least a nonce of 12 bytes, 34 of padded text and a tag of 16."""
_TOKEN = "[A-Za-z0-9_-]{22}"
_ENCRYPTED = {
    "names": re.compile(f"pt1;{_ENVELOPE};r=;i=;w=(?:{_TOKEN}(?:,{_TOKEN})*)?;c=0;o="),
    "addresses": re.compile(_ENVELOPE),
}
_NUMBER = re.compile(f"pt1;{_ENVELOPE};r={_TOKEN};i=;w=;c=0;o=")
"""Of everything else: one token."""
_SAYING = ("PartyRegistered", "PartyChanged")


def check_personal(findings: Findings, parties: Iterable[Record]) -> None:
    """Say which texts of parties are in the clear."""
    for record in parties:
        if record.event not in _SAYING:
            continue
        for field, text in _texts(record):
            findings.count("personal")
            if text and not _ENCRYPTED.get(field, _NUMBER).fullmatch(text):
                place = record.topic, record.partition, record.offset
                said = f"{field} is not encrypted"
                findings.wrong(Problem("personal", *place, said, record.timestamp_ms))


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    said = record.fields
    for field in ("names", "addresses", "account_numbers"):
        yield from ((field, text) for text in said[field])
    if said["birth_date"] is not None:
        yield "birth_date", said["birth_date"]
    yield from (("identifiers", one["number"]) for one in said["identifiers"])
