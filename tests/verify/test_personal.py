"""Parties as the gateway writes them are clean; a text in the clear is named by its field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel.partitions import partition_of
from pipeline.personal.protecting import PersonalData
from pipeline.verify.report import Check
from pipeline.verify.verifier import verify_log
from tests.personal.stores import store_in
from tests.personal.test_parties import REGISTERED, party
from tests.simulated_cluster import SimulatedCluster, decoder
from tests.verify.damage import value_of

KEY = b"north/p-1"


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A party, encrypted; its time as the log's writer takes it."""
    with store_in(tmp_path) as store:
        yield {**PersonalData(store, {}).protect(REGISTERED, party()), "occurred_at": 0}


def found(event: dict[str, Any]) -> Check:
    """Return what is found where a log has nothing but an event of a party."""
    log = SimulatedCluster(4, 0)
    log.append("parties", partition_of(KEY.decode(), 4), KEY, value_of("PartyRegistered", event))
    report = verify_log(log, decoder())
    assert {check.name for check in report.checks if not check.ok} <= {"personal"}
    return report.check("personal")


def test_a_party_as_the_gateway_writes_it_is_clean(encrypted: dict[str, Any]) -> None:
    check = found(encrypted)
    assert check.ok and check.counted == 6


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("names", "Anna"),
        ("names", "pt1;Anna;r=;i=;w=;c=0;o="),
        ("birth_date", "1980-02-29"),
        ("addresses", "Lindenweg 4"),
        ("account_numbers", "DE89370400440532013000"),
        ("identifiers", "C01X0006H"),
    ],
)
def test_a_text_in_the_clear_is_named_and_not_quoted(
    encrypted: dict[str, Any], field: str, text: str
) -> None:
    wrong: Any = text if field == "birth_date" else [text]
    if field == "identifiers":
        wrong = [{"scheme": "passport", "country": None, "number": text}]
    check = found({**encrypted, field: wrong})
    assert not check.ok and check.problems == [
        f"parties[{partition_of(KEY.decode(), 4)}]@0: {field} is not encrypted"
    ]


def test_words_in_the_clear_are_no_tokens(encrypted: dict[str, Any]) -> None:
    head, _, _ = encrypted["names"][0].partition(";w=")
    assert not found({**encrypted, "names": [f"{head};w=anna,muller;c=0;o="]}).ok
