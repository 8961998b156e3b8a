"""What every partition is told: rates, and weights of matching; for a tenant or for all, from a time on.

No account is touched: what is decided after that, in the order of the log, is decided by it. A run of events
of accounts ends before such an event.
"""

from __future__ import annotations

from hashlib import sha256

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rates import RATE_MAX_E8, UNIT_E8, is_rate
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.desk.knowledge import rates_key, weights_key, with_rate, with_weights
from pipeline.domain.reconciliation.desk.rows import PublishedWeights, Rates, pack, read
from pipeline.domain.reconciliation.scoring.weights import from_json

ALL_TENANTS = "*"
LIVE = "LIVE"
"""The role of weights that decide; others have no effect here."""
Broadcast = ev.RateQuoted | ev.MatchingWeightsPublished


def take_broadcast(event: Broadcast, rows: Rows) -> None:
    """Keep a rate, or weights.

    Raises Reject, with nothing written: wrong_tenant, wrong_hash, invalid_weights, invalid_rate.
    """
    if isinstance(event, ev.RateQuoted):
        _take_rate(event, rows)
    else:
        _take_weights(event, rows)


def key_of(event: Broadcast) -> bytes:
    """Return the key of the row in which an event is kept."""
    return rates_key(event.tenant_id) if isinstance(event, ev.RateQuoted) else weights_key(event.tenant_id)


def _take_rate(event: ev.RateQuoted, rows: Rows) -> None:
    """Keep a rate both ways, from minor units to minor units; of two for one day the later one counts."""
    if not is_rate(event.rate_e8) or event.base_currency == event.quote_currency:
        raise Reject("invalid_rate")
    base, quote = event.base_currency, event.quote_currency
    if base not in EXPONENTS or quote not in EXPONENTS:
        return
    key, day = key_of(event), event.effective_from // MICROSECONDS_PER_DAY
    rates = read(rows, key, Rates) or Rates()
    of_base, of_quote = 10 ** EXPONENTS[base], 10 ** EXPONENTS[quote]
    there = event.rate_e8 * of_quote // of_base
    back = UNIT_E8 * UNIT_E8 * of_base // (event.rate_e8 * of_quote)
    for source, target, rate_e8 in ((base, quote, there), (quote, base, back)):
        if 0 < rate_e8 <= RATE_MAX_E8:
            rates = with_rate(rates, source, target, day, rate_e8)
    rows.put(key, pack(rates))


def check_weights(event: ev.MatchingWeightsPublished) -> None:
    """Check weights by themselves. Raises Reject: wrong_tenant, wrong_hash, invalid_weights."""
    if event.tenant_id != (event.of_tenant or ALL_TENANTS):
        raise Reject("wrong_tenant")
    if event.weights is None:
        if event.sha256 is not None:
            raise Reject("wrong_hash", "no weights have no hash")
        return
    text = event.weights.encode()
    if sha256(text).hexdigest() != event.sha256:
        raise Reject("wrong_hash", "sha256")
    try:
        weights = from_json(text)
    except ValueError:
        raise Reject("invalid_weights", "no weights of this version") from None
    if weights.canonical() != text:
        raise Reject("invalid_weights", "no canonical form")


def _take_weights(event: ev.MatchingWeightsPublished, rows: Rows) -> None:
    check_weights(event)
    if event.role != LIVE:
        return
    key = key_of(event)
    published = read(rows, key, PublishedWeights) or PublishedWeights()
    rows.put(key, pack(with_weights(published, event.effective_from, event.weights or "")))
