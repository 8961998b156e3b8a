"""Rules, lists and models as they come: put together, or refused so that what was in use stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import msgspec
import pytest

from pipeline.domain.fraud.deciding import in_force
from pipeline.domain.fraud.expressions import compiled
from pipeline.domain.fraud.expressions.rule_sets import SEGMENTS, RuleList, RuleSet, Snooze
from pipeline.domain.fraud.model.artefact import ISOLATION
from pipeline.domain.fraud.model.encoding import encode, name_of, parse
from pipeline.domain.fraud.publishing import checks, contents
from pipeline.domain.fraud.publishing import publications as here
from pipeline.domain.fraud.publishing.in_use import Publications
from pipeline.domain.fraud.publishing.publications import keys, publish
from pipeline.domain.fraud.publishing.rows import INDEX_KEY, read_index
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import MemoryRows
from tests.fraud_deciding.payments import model_bytes
from tests.fraud_publishing.publishing import (
    FROM_US,
    in_role,
    list_parts,
    model_parts,
    published,
    rule_set,
    watch_list,
)

DAY_US = 86_400_000_000
SIZE = 900
"""Bytes of a part of the models here, which then have two to eight parts."""


def after(*events: Any) -> MemoryRows:
    """Return the rows after some events; one that is refused leaves them as they were."""
    rows = MemoryRows()
    for event in events:
        rows = applied(event, rows)[0]
    return rows


def applied(event: Any, rows: MemoryRows) -> tuple[MemoryRows, str | None]:
    """Return the rows after an event, and the code of its dead letter."""
    copied = MemoryRows()
    copied.data = dict(rows.data)
    try:
        publish(event, copied)
    except Reject as reject:
        assert copied.data == rows.data, "a dead letter has changed something"
        return rows, reject.code
    return rows if copied.data == rows.data else copied, None


def sets_at(rows: MemoryRows, tenant: str = "north") -> str:
    return Publications().deciders(rows).at(FROM_US, tenant, "retail").sets


def live_at(rows: MemoryRows, tenant: str = "north", at_us: int = FROM_US) -> str | None:
    live = Publications().deciders(rows).at(at_us, tenant, "retail").live
    return None if live is None else live.name


def test_a_set_with_two_lists_of_several_parts_is_put_together() -> None:
    rules = rule_set(1, watch_list("a", 4_500), watch_list("b", 3))
    parts = list_parts(rules)
    assert [one.number for one in parts] == [0, 1, 2, 0]
    rows = after(*parts, published(rules))
    assert sets_at(rows) == "default@1, mine@1"
    whole = Publications()._set(
        read_index(rows.get(INDEX_KEY)).sets[0], read_index(rows.get(INDEX_KEY)), rows
    )
    assert whole == rules


def test_a_model_of_several_parts_is_put_together_whatever_their_order() -> None:
    data = model_bytes(1)
    parts = model_parts(data, SIZE)
    assert 2 <= len(parts) <= 8
    rows = after(*reversed(parts), in_role(data, len(parts)))
    assert live_at(rows) == name_of(data)
    assert live_at(rows, at_us=FROM_US - 1) is None


def test_everything_again_changes_nothing() -> None:
    rules, data = rule_set(1, watch_list("a", 2_001)), model_bytes(2)
    events = [
        *list_parts(rules),
        published(rules),
        *model_parts(data, SIZE),
        in_role(data, len(model_parts(data, SIZE))),
    ]
    rows = after(*events)
    for event in events:
        assert applied(event, rows) == (rows, None)


def test_of_the_same_list_in_two_versions_the_parts_are_kept_once() -> None:
    first, second = rule_set(1, watch_list("a", 5)), rule_set(2, watch_list("a", 5))
    rows = after(*list_parts(first), published(first), published(second))
    assert sets_at(rows) == "default@1, mine@2"
    assert len(read_index(rows.get(INDEX_KEY)).contents) == 1


def test_a_part_that_is_missing_is_a_dead_letter_of_what_names_it_and_the_old_one_stays() -> None:
    old, new = rule_set(1), rule_set(2, watch_list("a", 4_500))
    data, other = model_bytes(1), model_bytes(2)
    parts, others = model_parts(data, SIZE), model_parts(other, SIZE)
    rows = after(published(old), *parts, in_role(data, len(parts)))
    for event in (list_parts(new)[0], list_parts(new)[2], others[0], *others[2:]):
        rows, code = applied(event, rows)
        assert code is None
    assert applied(published(new), rows)[1] == "part_missing"
    assert applied(in_role(other, len(others)), rows)[1] == "part_missing"
    assert applied(in_role(model_bytes(3), 1), rows)[1] == "part_missing"
    assert (sets_at(rows), live_at(rows)) == ("default@1, mine@1", name_of(data))


def test_other_bytes_under_one_number_count_until_the_whole_is_in_use() -> None:
    data = model_bytes(1)
    parts = model_parts(data, SIZE)
    wrong = msgspec.structs.replace(parts[0], part=parts[1].part)
    rows = after(wrong, *parts[1:])
    assert applied(in_role(data, len(parts)), rows)[1] == "invalid_model"
    rows, code = applied(parts[0], rows)
    assert code is None
    rows, code = applied(in_role(data, len(parts)), rows)
    assert (code, live_at(rows)) == (None, name_of(data))
    assert applied(wrong, rows)[1] == "other_content"
    assert applied(parts[0], rows) == (rows, None)
    beyond = msgspec.structs.replace(parts[0], number=7)
    assert applied(beyond, rows)[1] == "other_content"


def test_a_whole_that_has_another_hash_is_a_dead_letter() -> None:
    data, rules = model_bytes(1), rule_set(1, watch_list("a", 3))
    parts = [msgspec.structs.replace(one, model_sha256="0" * 64) for one in model_parts(data, SIZE)]
    rows = after(*parts)
    named = msgspec.structs.replace(in_role(data, len(parts)), model_sha256="0" * 64)
    assert applied(named, rows)[1] == "wrong_hash"
    (part,) = list_parts(rules)
    lie = msgspec.structs.replace(part, part=part.part.replace("acc-000001", "acc-0000015"))
    assert applied(published(rules), after(lie))[1] == "wrong_hash"


def test_parts_beyond_those_of_a_whole_are_forgotten_when_it_is_used() -> None:
    data = model_bytes(1)
    parts = model_parts(data, SIZE)
    surplus = msgspec.structs.replace(parts[0], number=len(parts))
    plain = after(*parts, in_role(data, len(parts)))
    assert after(surplus, *parts, in_role(data, len(parts))).data == plain.data


def test_a_version_has_one_content() -> None:
    rows = after(published(rule_set(1)))
    other = rule_set(1, watch_list("empty", 0))
    assert applied(published(other), rows)[1] == "other_content"
    assert sets_at(rows) == "default@1, mine@1"


def test_a_model_of_the_other_kind_or_of_other_features_is_a_dead_letter() -> None:
    strange, good = model_bytes(1, 3_000, 10_001, kind=ISOLATION), model_bytes(2)
    parts, others = model_parts(strange, SIZE), model_parts(good, SIZE)
    rows = after(*parts, *others)
    assert applied(in_role(strange, len(parts)), rows)[1] == "invalid_model"
    assert applied(in_role(good, len(others), "ANOMALY"), rows)[1] == "invalid_model"
    assert applied(in_role(strange, len(parts), "ANOMALY"), rows)[1] is None
    model = parse(good)
    unknown = encode(
        replace(model, features=(model.features[0]._replace(name="unheard_of"), *model.features[1:]))
    )
    parts = model_parts(unknown, SIZE)
    assert applied(in_role(unknown, len(parts)), after(*parts))[1] == "invalid_model"


def test_no_model_from_a_time_on_is_an_event_and_a_tenants_own_comes_before_that_of_all() -> None:
    data, own = model_bytes(1), model_bytes(2)
    parts, owns = model_parts(data, SIZE), model_parts(own, SIZE, "north")
    rows = after(
        *parts, in_role(data, len(parts)), *owns, in_role(own, len(owns), tenant="north"),
        in_role(None, 0, from_us=FROM_US + 5),
    )  # fmt: skip
    assert (live_at(rows, "north"), live_at(rows, "south")) == (name_of(own), name_of(data))
    assert live_at(rows, "south", FROM_US + 5) is None
    assert live_at(rows, "north", FROM_US + 5) == name_of(own)


def test_of_two_for_one_time_the_later_event_counts() -> None:
    first, second = model_bytes(1), model_bytes(2)
    parts, others = model_parts(first, SIZE), model_parts(second, SIZE)
    rows = after(*parts, in_role(first, len(parts)), *others, in_role(second, len(others)))
    assert live_at(rows) == name_of(second)
    assert len(read_index(rows.get(INDEX_KEY)).roles) == 1
    assert not [key for key in rows.data if name_of(first).encode() in key]


@pytest.mark.parametrize("order", [sorted, lambda numbers: sorted(numbers, reverse=True)])
def test_of_a_set_the_newest_versions_are_kept_and_the_rows_of_others_deleted(
    order: Callable[[range], list[int]],
) -> None:
    sets = [rule_set(version, watch_list("a", version)) for version in order(range(1, 21))]
    rows = after(*[event for one in sets for event in (*list_parts(one), published(one))])
    index = read_index(rows.get(INDEX_KEY))
    assert sorted(one.version for one in index.sets) == list(range(13, 21))
    used = index.in_use()
    assert {(one.family, one.sha256) for one in index.contents} >= used
    heads = [key for key in rows.data if key.startswith(b"i\0")]
    assert len(heads) == 8


def later(version: int, days: int) -> RuleSet:
    """Return a version of a set that holds from some days after it is published."""
    return msgspec.structs.replace(rule_set(version), effective_from_us=FROM_US + days * DAY_US)


def test_versions_to_come_never_drop_the_one_that_holds() -> None:
    rows = after(*(published(later(version, version - 1)) for version in range(1, 9)))
    assert sets_at(rows, "north") == "default@1, mine@1"
    before = dict(rows.data)
    assert applied(published(later(9, 8)), rows)[1] == "too_many_publications"
    assert rows.data == before
    week = msgspec.structs.replace(published(later(9, 8)), occurred_at=FROM_US + 7 * DAY_US)
    rows, code = applied(week, rows)
    assert code is None
    assert sorted(one.version for one in read_index(rows.get(INDEX_KEY)).sets) == list(range(2, 10))


def test_a_version_that_a_higher_one_replaces_before_it_begins_is_over() -> None:
    rows = after(*(published(later(version, version - 1)) for version in range(1, 9)))
    rows, code = applied(published(later(9, 0)), rows)
    assert code is None
    assert sets_at(rows, "north") == "default@1, mine@9"
    assert 1 not in [one.version for one in read_index(rows.get(INDEX_KEY)).sets]


def test_models_to_come_never_drop_the_one_that_holds() -> None:
    data, other = model_bytes(1), model_bytes(2)
    parts, others = model_parts(data, SIZE), model_parts(other, SIZE)
    to_come = [in_role(other, len(others), from_us=FROM_US + day * DAY_US) for day in range(1, 8)]
    rows = after(*parts, in_role(data, len(parts)), *others, *to_come)
    before = dict(rows.data)
    too_many = in_role(None, 0, from_us=FROM_US + 9 * DAY_US)
    assert applied(too_many, rows)[1] == "too_many_publications"
    assert rows.data == before and live_at(rows) == name_of(data)
    withdrawn = msgspec.structs.replace(in_role(None, 0, from_us=FROM_US + 5), occurred_at=FROM_US + 5)
    rows, code = applied(withdrawn, rows)
    assert code is None
    assert live_at(rows, at_us=FROM_US + 5) is None
    assert live_at(rows, at_us=FROM_US + DAY_US) == name_of(other)


def test_a_tenant_may_have_a_set_of_the_same_id() -> None:
    rows = after(published(rule_set(1)), published(rule_set(3, tenant="north")))
    assert (sets_at(rows, "north"), sets_at(rows, "south")) == (
        "default@1, mine@1, north/mine@3",
        "default@1, mine@1",
    )


def test_what_nothing_uses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "WAITING_MAX", 3)
    lists = [list_parts(rule_set(1, watch_list("a", 1, prefix=f"p{number}")))[0] for number in range(5)]
    rows = after(*lists)
    assert len(rows.data) == 1 + 3
    assert [one.sha256 for one in read_index(rows.get(INDEX_KEY)).contents] == [
        one.list_sha256 for one in lists[2:]
    ]


def test_sets_and_roles_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "KINDS_MAX", 2)
    rows = after(published(rule_set(1, set_id="a")), published(rule_set(1, set_id="b")))
    assert applied(published(rule_set(1, set_id="c")), rows)[1] == "too_many_publications"
    assert applied(published(rule_set(2, set_id="b")), rows)[1] is None
    rows = after(in_role(None, 0), in_role(None, 0, "SHADOW"))
    assert applied(in_role(None, 0, "ANOMALY"), rows)[1] == "too_many_publications"


def test_deciders_are_kept_while_the_index_is_the_same_and_models_beyond_that() -> None:
    data = model_bytes(1)
    parts = model_parts(data, SIZE)
    rows, again = after(*parts, in_role(data, len(parts))), after(*parts, in_role(data, len(parts)))
    publications = Publications()
    deciders = publications.deciders(rows)
    assert publications.deciders(again) is deciders  # another partition, equally far
    model = deciders.at(FROM_US, "north", "retail").live
    rows, _ = applied(published(rule_set(1)), rows)
    assert publications.deciders(rows) is not deciders
    assert publications.deciders(rows).at(FROM_US, "north", "retail").live is model


def test_a_part_that_comes_makes_nothing_anew_and_a_set_that_is_in_use_is_checked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []
    for module in (checks, in_force):

        def counted(rules: RuleSet, catalogue: Any, lint: Any = module.lint) -> Any:
            checked.append(rules.set_id)
            return lint(rules, catalogue)

        monkeypatch.setattr(module, "lint", counted)
    rows, publications = (
        after(published(rule_set(1, set_id="a")), published(rule_set(1, set_id="b"))),
        Publications(),
    )
    deciders = publications.deciders(rows)
    for part in list_parts(rule_set(1, watch_list("w", 5_000))):
        rows, _ = applied(part, rows)
        assert publications.deciders(rows) is deciders
    rows, _ = applied(published(rule_set(1, set_id="c")), rows)
    checked.clear()
    assert publications.deciders(rows) is not deciders
    assert checked == ["c"]


def test_a_list_of_all_tenants_is_in_memory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(one: RuleList) -> dict[str, int]:
        made.append(one.name)
        return {entry.value: 2**62 for entry in one.entries}

    for module in (in_force, compiled):
        monkeypatch.setattr(module, "entries_of", counted)
    deciders = in_force.Deciders()
    deciders.publish(rule_set(1, watch_list("a", 50), watch_list("b", 50, "x")))
    for number in range(9):
        deciders.publish(rule_set(1, tenant=f"t{number}", set_id="own"))
    seen = {id(deciders.at(FROM_US, f"t{number}", segment)) for number in range(9) for segment in SEGMENTS}
    assert (len(seen), sorted(made)) == (27, ["a", "allow", "b", "block", "watch"])  # three of the package


def test_tenants_with_a_snooze_share_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    snoozes = tuple(Snooze(f"t{number:02}", "alice", FROM_US + number) for number in range(40))
    deciders, made = in_force.Deciders(), []

    def counted(*given: Any) -> compiled.CompiledRules:
        made.append(given)
        return compiled.CompiledRules(*given)

    monkeypatch.setattr(in_force, "CompiledRules", counted)
    deciders.publish(msgspec.structs.replace(rule_set(1), snoozes=snoozes))
    found = [deciders.at(FROM_US, f"t{number:02}", "retail").rules for number in range(40)]
    assert len(made) == 1
    for number in (1, 39):
        ends = [found[number].excuses({"debtor": "alice"}, FROM_US + at) for at in (number - 1, number)]
        assert ends == [True, False]


def test_all_tenants_that_may_have_rules_of_their_own_stay_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_force, "CompiledRules", mock.Mock())  # compiling takes 7 ms each
    deciders, tenants = in_force.Deciders(), [f"t{number}" for number in range(here.KINDS_MAX)]
    for tenant in tenants:
        deciders.publish(rule_set(1, tenant=tenant), is_checked=True)
    asked = [(tenant, segment) for tenant in tenants for segment in SEGMENTS]
    first = [deciders.at(FROM_US, *one) for one in asked]
    assert all(deciders.at(FROM_US, *one) is before for one, before in zip(asked, first, strict=True))


def test_what_a_later_release_cannot_use_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = after(published(rule_set(1)), published(rule_set(2)))

    def refuses(rules: RuleSet) -> None:
        if rules.version == 2:
            raise Reject("invalid_rules")

    monkeypatch.setattr(contents, "check_rules", refuses)
    publications = Publications()
    assert publications.deciders(rows).at(FROM_US, "north", "retail").sets == "default@1, mine@1"
    newest = read_index(rows.get(INDEX_KEY)).sets[1].sha256
    assert publications.left_out[rows.get(INDEX_KEY)] == (newest,)


def test_keys_name_the_rows_that_an_event_reads_first() -> None:
    data = model_bytes(1)
    part = model_parts(data, SIZE)[0]
    assert list(keys(part)) == [INDEX_KEY, f"m\0{name_of(data)}\0".encode() + b"0000"]
    assert list(keys(in_role(data, 1))) == [INDEX_KEY]
