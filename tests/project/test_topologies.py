"""What topology files, topics and settings declare fits together, and an operator's file is read once."""

from __future__ import annotations

import inspect
from collections import defaultdict
from pathlib import Path

import pytest

import schemas
from pipeline.domain.kernel.routing import KEY_FIELDS
from pipeline.domain.kernel.settings import ConceptSettings, parameters
from pipeline.runtime.kafka.topics import DEAD_LETTERS, READ, TOPICS, UPSTREAM
from pipeline.runtime.settings import Settings, concepts, load_settings
from schemas import topics as declarations
from topologies import fraud, ledger
from topologies.app import STREAMS, VIEWS, specs
from topologies.configuration import Configuration
from topologies.fitting import require_fit
from topologies.tenants import tenants
from topologies.topology import Topology, TopologyError

DECLARED = {topic.name: topic for topic in TOPICS}


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_a_stream_reads_and_writes_declared_topics_and_shows_its_own_table(stream: Topology) -> None:
    assert {stream.source, *stream.outputs} <= set(DECLARED)
    assert not UPSTREAM & set(stream.outputs), "upstream topics are the upstreams' alone"
    assert {view.table for view in stream.views} <= {stream.table}
    assert set(stream.settings) <= set(concepts())


def test_a_topic_names_the_streams_that_write_it() -> None:
    writers: dict[str, dict[str, None]] = defaultdict(dict)
    for stream in STREAMS:
        for topic in stream.outputs:
            writers[topic].setdefault(stream.name.partition("-")[0])
    for topic in TOPICS:
        if topic.stage in ("log", "output") and topic is not DEAD_LETTERS:
            assert topic.written_by == ", ".join(writers[topic.name]), topic.name


def test_what_no_upstream_writes_is_written_or_read_by_a_stream() -> None:
    used = {stream.source for stream in STREAMS} | {out for stream in STREAMS for out in stream.outputs}
    others = {topic.name for topic in TOPICS if topic.stage in ("operations", "reference")}
    assert others and not others & used
    assert used == set(DECLARED) - {DEAD_LETTERS.name} - others


def test_every_event_of_a_topic_that_a_stream_or_another_process_reads_by_key_has_one() -> None:
    sources = {stream.source for stream in STREAMS}
    assert sources == set(READ)
    planned = {topic.name for topic in set(declarations.topics(planned=True)) - set(declarations.topics())}
    assert not planned & {topic.name for topic in TOPICS}  # nobody makes them
    reference = {topic.name for topic in TOPICS if topic.stage == "reference"}
    keyed = sources | planned | reference
    names = {schema.record_name for schema in schemas.load() if schema.topic in keyed}
    assert names == set(declarations.routing())
    assert len(names) == len(KEY_FIELDS)


def test_names_of_streams_tables_and_views_are_unique() -> None:
    names = [stream.name for stream in STREAMS]
    tables = [stream.table for stream in STREAMS if stream.table]
    assert len(set(names)) == len(names) and len(set(tables)) == len(tables)
    assert len({id(view) for view in VIEWS}) == len(VIEWS)


def test_a_variable_has_the_default_and_the_meaning_of_its_concept() -> None:
    found = [parameter for concept in concepts() for parameter in parameters(concept)]
    assert len({parameter.variable for parameter in found}) == len(found) >= 8
    for parameter in found:
        field = Settings.model_fields[parameter.variable]
        assert (field.default, field.description) == (parameter.default, parameter.about)
        assert parameter.about


def test_settings_of_a_concept_keep_their_bounds_wherever_they_are_made() -> None:
    for concept in concepts():
        for parameter in parameters(concept):
            for wrong in (parameter.low, parameter.high):
                if wrong is not None:
                    value = wrong - 1 if wrong == parameter.low else wrong + 1
                    with pytest.raises(ValueError, match=f"{parameter.field} must be from"):
                        concept(**{parameter.field: value})


def test_a_file_that_changes_while_a_process_starts_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[tenants.north]\ncurrencies = ["EUR"]\n')
    configuration = Configuration(load_settings(tenants=file))
    specs(configuration)
    version = tenants(configuration).version
    file.write_text("[tenants.north]\nclosed = true\n")
    specs(configuration)
    assert tenants(configuration).version == version
    assert tenants(Configuration(configuration.settings)).version != version


def test_a_topology_file_is_one_page_and_has_a_diagram() -> None:
    for module in (fraud, ledger):
        assert "-->" in (module.__doc__ or "")
        assert len(inspect.getsource(module).splitlines()) < 80


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "payments: a topic has a topic.toml"),
        ("stage = 'middle'", "payments/topic.toml: Invalid enum value 'middle'"),
        ("stage = 'input'", "payments/topic.toml: Object missing required field"),
        ("stage = 'input'\nwritten_by = 'x'\nholds = ''\nkeys = 'a'", "unknown field `keys`"),
        ("stage = 'input'\nwritten_by = 'x'\nholds = ''\n[events.nothing]", "there is no event nothing"),
        ("stage = 'input'\nwritten_by = 'x'\nholds = ''\nkey = 'nothing'", "has no field nothing"),
    ],
)
def test_a_wrong_declaration_is_named(
    text: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "payments"
    folder.mkdir()
    if text is not None:
        (folder / declarations.FILE).write_text(text)
    cached = (declarations.topics, declarations.routing, declarations._declared)
    monkeypatch.setattr(declarations, "files", lambda _: tmp_path)
    for function in cached:
        function.cache_clear()
    try:
        with pytest.raises(ValueError, match="payments") as raised:
            declarations.routing()
        assert said in str(raised.value)
    finally:
        for function in cached:
            function.cache_clear()


HISTORY = next(stream for stream in STREAMS if stream.name == "history")
ANOTHER = HISTORY._replace(name="another", table="another", views=())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (ANOTHER._replace(name="ledger"), "stream ledger is declared 2 times"),
        (ANOTHER._replace(table="ledger"), "table ledger is declared 2 times"),
        (ANOTHER._replace(name="a b"), "stream 'a b': a name has small letters, digits and dashes"),
        (ANOTHER._replace(source="nothing"), "stream another: there is no topic 'nothing' in schemas/"),
        (ANOTHER._replace(outputs=("nothing",)), "stream another: there is no topic 'nothing' in schemas/"),
        (ANOTHER._replace(outputs=(DEAD_LETTERS.name,)), "there is no topic 'dead-letters' in schemas/"),
        (ANOTHER._replace(outputs=("accounts",)), "stream another: accounts is written by upstreams alone"),
        (ANOTHER._replace(source="balances"), "balances/topic.toml gives ledgerflow.BalanceUpdated no key"),
        (ANOTHER._replace(views=HISTORY.views[:1]), "is of the table history, and its own is another"),
        (ANOTHER._replace(table=None, views=fraud.STREAMS[0].views), "its own is None"),
        (ANOTHER._replace(settings=(ConceptSettings,)), "ConceptSettings is not `SETTINGS` of its concept's"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused_in_one_line(wrong: Topology, said: str) -> None:
    with pytest.raises(TopologyError) as raised:
        require_fit((*STREAMS, wrong))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_page_that_two_views_have_is_refused() -> None:
    table = ledger.STREAMS[0].views
    with pytest.raises(TopologyError, match="no parameter selects one of its views"):
        require_fit((*STREAMS, ANOTHER._replace(table="another", views=table)))


def test_the_streams_of_the_product_fit_together() -> None:
    require_fit(STREAMS)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("postings", ["history", "invariants", "intake-postings"]),
        ("accounts", ["intake-accounts", "intake-accounts-beside"]),
        ("rates", ["intake-rates", "intake-rates-beside", "intake-rates-items"]),
    ],
)
def test_what_is_passed_on_besides_stands_behind_the_stream_that_says_what_is_wrong(
    source: str, names: list[str]
) -> None:
    """The first stream of a log makes its dead letters."""
    readers = [stream for stream in STREAMS if stream.source == source]
    assert [stream.name for stream in readers] == names
    assert len({stream.delay_tolerant for stream in readers}) == 1, "one that is not makes all commit often"
