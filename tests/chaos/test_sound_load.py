"""A load that is repeated in part is the load: what streams repeat is what they would say and write."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel import outbox
from pipeline.domain.ledger import stream as ledger
from pipeline.domain.ledger.books import Books
from tests.chaos.sound_load import SoundLoad, stream_of


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> SoundLoad:
    return SoundLoad(tmp_path_factory.mktemp("load") / "planted.jsonl", payments=10)


def test_a_load_that_is_repeated_is_the_same(load: SoundLoad) -> None:
    assert load.repeated(set()) == load.topics


def test_streams_that_stop_repeating_go_on_as_they_would_have(load: SoundLoad) -> None:
    assert load.repeated(set(), steps=100) == load.topics


def test_a_stream_whose_rules_are_wrong_repeats_nothing(
    load: SoundLoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger.Ledger, "apply", lambda *about: None)
    assert load.repeated(set()) == load.topics
    assert not any(load.repeated({"ledger"})["postings"].values())


def test_a_rule_of_no_stream_alone_is_of_all() -> None:
    assert [stream_of(one) for one in (ledger, Books, outbox, pytest)] == ["ledger", "ledger", None, None]
