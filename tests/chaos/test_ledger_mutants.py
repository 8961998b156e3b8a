"""Rules of holds, journals, reversals, limits and periods, broken on purpose: the checker finds each of them.

The stories of the load meet every one of these rules. `test_checker_on_load` does the same for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from pipeline.domain.kernel.retention import Windows
from pipeline.domain.ledger import books as ledger_books
from pipeline.domain.ledger import captures as ledger_captures
from pipeline.domain.ledger import exchange as ledger_exchange
from pipeline.domain.ledger import freezes as ledger_freezes
from pipeline.domain.ledger import (
    held_pairs,
    journal_ends,
    journal_home,
    journal_legs,
    leg_shares,
    link_commands,
)
from pipeline.domain.ledger import holds as ledger_holds
from pipeline.domain.ledger import limits as ledger_limits
from pipeline.domain.ledger import links as ledger_links
from pipeline.domain.ledger import payments as ledger_payments
from pipeline.domain.ledger import rates as ledger_rates
from pipeline.domain.ledger import retention as ledger_retention
from pipeline.domain.ledger import reversals as ledger_reversals
from pipeline.domain.ledger import rows as ledger_rows
from pipeline.domain.ledger import sides as ledger_sides
from pipeline.domain.ledger import stream as ledger_stream
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.holds import Hold
from pipeline.domain.ledger.value_times import ValueTime
from tests.chaos.load_in_memory import first_problem
from tests.chaos.mutants import any_age, any_rate, short_memory
from tests.chaos.sound_load import Set, SoundLoad
from tests.ledger.branches import Branches
from tests.ledgers.engines import first_difference_of
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales

SHORT = 40
"""Payments of a load that tells every story once."""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> SoundLoad:
    return SoundLoad(tmp_path_factory.mktemp("short") / "planted.jsonl", payments=SHORT)


@cache
def told(*files: str) -> list[tuple[Branches, Any]]:
    """Return what the model makes of the tales of some files, and their settings."""
    tales = [tale for tale in read_tales() if tale.place.startswith(files)]
    return [(Player(tale, "model").play(), tale.settings) for tale in tales]


def captures_more_than_is_held(patch: Set) -> None:
    patch(Hold, "remaining", lambda hold, payment: 0 if hold.ended else payment.amount_minor)


def keeps_the_rest_of_a_hold(patch: Set) -> None:
    patch(ledger_holds.HeldPayment, "release", lambda held, *about: None)


def lets_no_hold_expire(patch: Set) -> None:
    patch(ledger_holds, "expire", lambda *about: None)


def lets_no_journal_expire(patch: Set) -> None:
    patch(journal_ends, "expire", lambda *about: None)


def posts_in_parts_more_than_is_held(patch: Set) -> None:
    patch(journal_ends, "part_code", lambda *about: None)


def posts_a_part_again(patch: Set) -> None:
    patch(journal_ends, "confirmation_code", lambda *about: None)


def releases_what_was_to_stay_held(patch: Set) -> None:
    post = journal_legs.post_part_here
    for user in (journal_ends, journal_legs):
        patch(
            user, "post_part_here", lambda part, now, rest, final, *about: post(part, now, rest, True, *about)
        )


def takes_back_of_a_journal_what_is_only_held(patch: Set) -> None:
    patch(ledger_reversals, "posted_legs", lambda journal: journal.legs)


def captures_whatever_has_come_since(patch: Set) -> None:
    patch(ledger_captures, "moved_on", lambda *about: None)


def keeps_what_a_reversal_of_another_state_took(patch: Set) -> None:
    uncount = journal_home.uncount_reversed

    def kept(tenant: str, journal: Any, rows: Any) -> None:
        if journal.rest:
            uncount(tenant, journal, rows)

    patch(journal_home, "uncount_reversed", kept)


def gives_each_share_its_own_rounding(patch: Set) -> None:
    patch(
        leg_shares,
        "_shared",
        lambda whole, parts: {leg_no: whole * part // 1_000_000 for leg_no, part in parts.items()},
    )


def gives_missing_units_to_the_first_legs(patch: Set) -> None:
    def shared(whole: int, parts: Any) -> dict[int, int]:
        amounts = {leg_no: whole * part // 1_000_000 for leg_no, part in parts.items()}
        missing = whole * sum(parts.values()) // 1_000_000 - sum(amounts.values())
        return {no: amount + (place < missing) for place, (no, amount) in enumerate(sorted(amounts.items()))}

    patch(leg_shares, "_shared", shared)


def rounds_the_tolerance_up(patch: Set) -> None:
    def capturable(payment: Any, hold: Hold) -> int:
        more = -(-payment.amount_minor * (payment.capture_tolerance_bp or 0) // 10_000)
        return hold.remaining(payment) + more

    patch(ledger_captures, "_capturable", capturable)


def captures_more_than_there_is(patch: Set) -> None:
    def hold_more(event: Any, held: Any, amount: int) -> None:
        payment, books = held.payment, held.books
        more = amount - held.hold.remaining(payment)
        if more > 0:
            debtor = payment.debtor_account_id
            books.hold(debtor, books.counterpart(payment), payment.currency, more)
            books.emit_hold(held.out, "PLACED", event.payment_id, debtor, more, "hold_placed")

    patch(ledger_captures, "_hold_more", hold_more)


def keeps_what_was_held_for_a_refused_leg(patch: Set) -> None:
    patch(Hold, "held", lambda hold, payment: hold.remaining(payment) + hold.captured)


def posts_all_but_a_leg(patch: Set) -> None:
    post = held_pairs.post_pairs
    for user in (journal_home, journal_legs):
        patch(user, "post_pairs", lambda pairs, *about, **more: post(pairs[1:], *about, **more))


def does_not_look_at_the_balance_of_legs(patch: Set) -> None:
    patch(journal_home, "refusal_of", lambda *about: None)


def takes_a_journal_back_twice(patch: Set) -> None:
    patch(ledger_reversals, "count_reversed", lambda *about: None)


def takes_a_payment_back_twice(patch: Set) -> None:
    patch(ledger_reversals, "count_reversed_payment", lambda *about: None)


def lets_frozen_accounts_pay(patch: Set) -> None:
    code_of = Books.debtor_code

    def debtor_code(self: Books, *about: Any) -> str | None:
        code = code_of(self, *about)
        return None if code == "debtor_frozen" else code

    patch(Books, "debtor_code", debtor_code)


def has_no_maximum_balance(patch: Set) -> None:
    code_of = Books.creditor_code
    patch(Books, "creditor_code", lambda self, account, unit, *about: code_of(self, account, unit))


def begins_no_limit_later(patch: Set) -> None:
    patch(ledger_limits, "begin_limit", lambda *about: None)


def ends_no_freeze(patch: Set) -> None:
    patch(ledger_freezes, "end_freeze", lambda *about: None)


def books_into_a_closed_period(patch: Set) -> None:
    patch(Books, "value_time", lambda self, asked_at=None, not_before=None: ValueTime(asked_at))


@pytest.mark.parametrize(
    "mutant",
    [
        captures_more_than_is_held,
        keeps_the_rest_of_a_hold,
        lets_no_hold_expire,
        lets_no_journal_expire,
        posts_all_but_a_leg,
        does_not_look_at_the_balance_of_legs,
        takes_a_journal_back_twice,
        takes_a_payment_back_twice,
        lets_frozen_accounts_pay,
        has_no_maximum_balance,
        begins_no_limit_later,
        ends_no_freeze,
        books_into_a_closed_period,
    ],
)
def test_a_ledger_is_found_that(
    mutant: Callable[[Set], None], short: SoundLoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = short.broken(mutant, monkeypatch.setattr)
    assert first_problem(topics, short.manifest) is not None


def lets_an_older_limit_take_the_place_of_a_newer_one(patch: Set) -> None:
    put = ledger_limits._put_in_effect

    def kept(limit: Any, account: Any, limits: Any, *place: Any) -> None:
        waiting = [one for one in limits.waiting if one != limit]
        put(limit, account, limits, *place)
        limits.waiting = waiting
        place[-1].put(ledger_limits._key(*place[:2]), ledger_limits.LIMIT_ROW.pack(limits))

    patch(ledger_limits, "_put_in_effect", kept)


def takes_limits_of_one_time_by_their_ids(patch: Set) -> None:
    read = ledger_limits.read_limits

    def by_id(*place: Any) -> Any:
        limits = read(*place)
        limits.waiting.sort()
        return limits

    patch(ledger_limits, "read_limits", by_id)


def ends_what_is_due_in_order_of_time_alone(patch: Set) -> None:
    patch(ledger_stream, "touched", lambda event, rows: [])


def ends_nothing_that_brings_money(patch: Set) -> None:
    places_of = ledger_holds.payment_places
    for user in (ledger_holds, ledger_payments):
        patch(user, "payment_places", lambda *about: places_of(*about)[:1])


def lets_any_number_of_holds_be_open(patch: Set) -> None:
    patch(ledger_payments, "is_crowded", lambda *about: False)


def decides_by_what_is_not_known_yet(patch: Set) -> None:
    patch(ledger_books, "is_behind", lambda *about: False)


def converts_by_a_rate_of_the_future(patch: Set) -> None:
    since = ledger_rates._since
    patch(ledger_rates, "_since", lambda rows, *about: since(rows, *about[:3], 2**62))


def cuts_off_instead_of_rounding(patch: Set) -> None:
    patch(ledger_exchange, "half_even", lambda numerator, denominator: numerator // denominator)


def rounds_halves_up(patch: Set) -> None:
    patch(ledger_exchange, "half_even", lambda whole, by: (2 * whole + by) // (2 * by))


def keeps_the_position_of_a_refused_leg(patch: Set) -> None:
    end = ledger_sides.end_hold
    patch(ledger_payments, "end_hold", lambda *about: end(*about[:-1], 0))


def takes_the_rate_of_today_for_a_capture(patch: Set) -> None:
    patch(ledger_captures, "converted", lambda amount, *about: amount)


def takes_back_more_than_was_credited(patch: Set) -> None:
    patch(ledger_reversals, "half_even", lambda numerator, denominator: -(-numerator // denominator))


def deletes_what_is_held(patch: Set) -> None:
    patch(ledger_rows, "ENDED_STATES", ledger_rows.ENDED_STATES | {"HELD", "AUTHORISED"})


def deletes_links_that_wait(patch: Set) -> None:
    patch(ledger_links, "OPEN_STATES", ())


def keeps_links_for_ever(patch: Set) -> None:
    patch(ledger_links, "ended", lambda rows, key: None)


def knows_links_that_are_too_old(patch: Set) -> None:
    reject = link_commands.reject_too_old

    def rejected(event: Any, rows: Any, out: Any) -> None:
        if not link_commands.answer_known(event, rows, out):
            reject(event, rows, out)

    patch(link_commands, "reject_too_old", rejected)


def finds_too_old_what_it_does_not_know(patch: Set) -> None:
    answer = ledger_stream.answer_too_old

    def answered(retention: Any, event: Any, at: Any, rows: Any, out: Any) -> bool:
        payment_id = getattr(event, "payment_id", None)
        known = payment_id and rows.get(ledger_rows.payment_key(event.tenant_id, payment_id))
        return not known and answer(retention, event, at, rows, out)

    patch(ledger_stream, "answer_too_old", answered)


def forgets_to_delete_what_has_ended(patch: Set) -> None:
    patch(ledger_rows, "ended", lambda rows, key: ledger_rows.read_watermark(rows))


def keeps_no_original_for_its_reversal(patch: Set) -> None:
    write = ledger_reversals.write_payment

    def written(rows: Any, tenant_id: str, payment_id: str, payment: Any) -> None:
        payment.reversing = 0
        write(rows, tenant_id, payment_id, payment)

    patch(ledger_reversals, "write_payment", written)


def takes_legs_by_the_time_of_their_creditor(patch: Set) -> None:
    def is_late(self: Any, event: Any, at: Any, rows: Any) -> bool:
        watermark = ledger_rows.read_watermark(rows)
        return watermark is not None and watermark - event.occurred_at > self.keep_us

    patch(ledger_retention.Retention, "is_late", is_late)


def forgets_as_soon_as_repeats_are_too_old(patch: Set) -> None:
    patch(Windows, "both_days", property(max))


def takes_no_leg_anew_before_90_days_are_over(patch: Set) -> None:
    forget = ledger_retention.Retention._forget_of_home

    def forgotten(self: Any, key: bytes, event: Any, at: Any, rows: Any) -> None:
        row = rows.get(key)
        asked_at = None if row is None else ledger_retention.ending(key, row).at
        if asked_at is None or event.occurred_at - asked_at > ledger_stream.dedupe_window(None):
            forget(self, key, event, at, rows)

    patch(ledger_retention.Retention, "_forget_of_home", forgotten)


@pytest.mark.parametrize(
    "mutant",
    [
        converts_by_a_rate_of_the_future,
        cuts_off_instead_of_rounding,
        rounds_halves_up,
        keeps_the_position_of_a_refused_leg,
        takes_the_rate_of_today_for_a_capture,
        any_rate,
        takes_back_more_than_was_credited,
    ],
)
def test_a_ledger_is_found_by_the_logs_of_tales_between_currencies_that(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the load does not do, but tales of one file do."""
    logs = told("exchange.txt")
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(ledger, settings) is not None for ledger, settings in logs)


@pytest.mark.parametrize(
    "mutant",
    [
        deletes_what_is_held,
        deletes_links_that_wait,
        keeps_links_for_ever,
        knows_links_that_are_too_old,
        finds_too_old_what_it_does_not_know,
        forgets_to_delete_what_has_ended,
        keeps_no_original_for_its_reversal,
        takes_legs_by_the_time_of_their_creditor,
        forgets_as_soon_as_repeats_are_too_old,
        takes_no_leg_anew_before_90_days_are_over,
        any_age,
        short_memory,
    ],
)
def test_a_ledger_is_found_by_the_logs_of_tales_of_retention_that(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No load goes on for 400 days of event time."""
    logs = told("retention.txt")
    assert [first_difference_of(ledger, settings) for ledger, settings in logs] == [None] * len(logs)
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(ledger, settings) is not None for ledger, settings in logs)


@pytest.mark.parametrize(
    "mutant",
    [
        posts_in_parts_more_than_is_held,
        posts_a_part_again,
        releases_what_was_to_stay_held,
        takes_back_of_a_journal_what_is_only_held,
        rounds_the_tolerance_up,
        gives_each_share_its_own_rounding,
        gives_missing_units_to_the_first_legs,
        captures_whatever_has_come_since,
        keeps_what_a_reversal_of_another_state_took,
        captures_more_than_there_is,
        keeps_what_was_held_for_a_refused_leg,
    ],
)
def test_a_ledger_is_found_by_the_logs_of_tales_of_parts_that(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the load does not do, but tales of these files do."""
    files = ("partial_confirmations.txt", "tolerance.txt", "expected_sequence.txt", "shares.txt")
    logs = told(*files)
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(ledger, settings) is not None for ledger, settings in logs)


@pytest.mark.parametrize(
    "mutant",
    [
        lets_an_older_limit_take_the_place_of_a_newer_one,
        takes_limits_of_one_time_by_their_ids,
        ends_what_is_due_in_order_of_time_alone,
        ends_nothing_that_brings_money,
        lets_any_number_of_holds_be_open,
        decides_by_what_is_not_known_yet,
    ],
)
def test_a_ledger_is_found_by_the_logs_of_tales_that(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a load seldom meets: more than 100 things due at once, limits that overtake each other."""
    logs = told("limits.txt", "falling_due.txt")
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(ledger, settings) is not None for ledger, settings in logs)
