"""Every code that a dead letter can have: what it is said of, what it means, and what to do about it.

The codes are in the headers of a dead letter. The table of schemas/README.md is written from here
(`python -m tests.project.references`), and a test holds this list against the streams. The codes of answers
are in `result_codes`.
"""

from __future__ import annotations

from typing import NamedTuple


class DeadLetterCode(NamedTuple):
    """Why a record is a dead letter; the message in its headers says more."""

    error_class: str
    """The header `__ledgerflow.errors.class`: Batch, Decoding, Routing or Rejected."""
    code: str
    """The header `__ledgerflow.errors.code`."""
    said_of: str
    """The events that it is said of."""
    meaning: str
    remedy: str


_AGAIN = "Correct it and send it again with a new event_id."
_OWN = "the streams' own commands"
_REPORT = "No upstream causes it, unless it writes to a log of the streams. Report it."

_PUBLISH = "Send it by `ledgerflow rules publish` or `ledgerflow model publish`, all its parts again."

DEAD_LETTERS: tuple[DeadLetterCode, ...] = (
    DeadLetterCode(
        "Batch",
        "batch_too_large",
        "a batch",
        "A batch of records inflates beyond the bound, or holds too many records or headers. It is one dead"
        " letter for its range of offsets, without its records.",
        "Send its records in smaller batches.",
    ),
    DeadLetterCode(
        "Batch",
        "batch_unreadable",
        "a batch",
        "A batch of records is not what its codec, its checksum or Kafka's format say. It is one dead letter"
        " for its range of offsets, without its records.",
        "Find out what its producer does; send its records again.",
    ),
    DeadLetterCode(
        "Batch",
        "quarantined",
        "any record",
        "An operator has quarantined a range of offsets: the streams do not look at its records.",
        "The message names who and why. What must count has to be sent again, corrected.",
    ),
    DeadLetterCode(
        "Decoding",
        "no_value",
        "any record",
        "The record has no value.",
        "Send an event; there are no tombstones.",
    ),
    DeadLetterCode(
        "Decoding",
        "no_header",
        "any record",
        "The value is shorter than the Confluent header (a zero byte and the schema id in four bytes).",
        "Use a Confluent-compatible Avro serialiser; the message may name the setting that makes it one.",
    ),
    DeadLetterCode(
        "Decoding",
        "wrong_magic_byte",
        "any record",
        "The first byte is not zero: the value is JSON, plain Avro, or framed in another way.",
        "Use a Confluent-compatible Avro serialiser; the message may name the setting that makes it one.",
    ),
    DeadLetterCode(
        "Decoding",
        "unknown_schema_id",
        "any record",
        "The registry has no schema of this id, or it is the schema of no event here.",
        "Use this registry, ids of four bytes, and a schema that can be read as the newest version; the "
        "message says more. After `ledgerflow schemas register`, redrive.",
    ),
    DeadLetterCode(
        "Decoding",
        "recursive_schema",
        "any record",
        "A type of the record's schema holds itself, so that values may be nested without end.",
        "Register a schema without such a type, and send the event again with that.",
    ),
    DeadLetterCode(
        "Decoding",
        "schema_too_large",
        "any record",
        "The record's schema has more fields, depth, parts or bytes than is read, or a `fixed` that is too "
        "long; the message names the limit.",
        "Use the version of the catalogue, or one with fewer new fields.",
    ),
    DeadLetterCode(
        "Decoding",
        "foreign_schema",
        "any record",
        "The schema is a version that is not of the catalogue, and `LEDGERFLOW_FOREIGN_SCHEMAS` is `refuse`. "
        "The message names its new fields.",
        "Send the event with a version of the catalogue; or accept foreign ones, and redrive.",
    ),
    DeadLetterCode(
        "Decoding",
        "malformed_value",
        "any record",
        "The bytes are no value of the schema that they name; the message says where they go wrong.",
        "Mend the writer. A record that was cut or changed on its way has to be sent again.",
    ),
    DeadLetterCode(
        "Decoding",
        "too_large",
        "any record of an upstream",
        "The event has more than 262,144 bytes (256 KiB), before compression; on fraud-rules 786,432.",
        "Shorten its texts; split a journal that is too long.",
    ),
    DeadLetterCode(
        "Routing",
        "no_key",
        "any record",
        "The record has no key, so nobody can tell whether it is on the right partition.",
        "Use the key that the list of events names: `tenant_id/account_id` of most.",
    ),
    DeadLetterCode(
        "Routing",
        "wrong_key",
        "any record",
        "The key is not the one that the event's own fields make.",
        "Use the key that the list of events names.",
    ),
    DeadLetterCode(
        "Routing",
        "wrong_partition",
        "any record",
        "The key belongs to another partition: an account must not live on two.",
        "Partition by murmur2 (Java's default; `partitioner=murmur2_random` of librdkafka).",
    ),
    DeadLetterCode(
        "Routing",
        "unexpected_event",
        "any record",
        "The event is never an input of a stream.",
        "Send it to no topic; the streams write it.",
    ),
    DeadLetterCode(
        "Rejected",
        "unexpected_event",
        "any record",
        "The event does not belong on this topic.",
        "Send it to the topic that the list of events names.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_id",
        "any event of an upstream",
        "An id is empty, has more than 256 characters or a NUL; or a `/` in a tenant, account, payment, "
        "capture, journal, reversal or period. The message names the field.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "reserved_journal_id",
        "journal_submitted, journal_reversed, payment_reversed",
        "The journal, or the reversal, has the name of a correction of a break "
        "(`correction-<break>-<number>`), which reconciliation alone gives.",
        "Choose another id. A break is corrected by correction_suggested on break-actions.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_actor",
        "any event of an upstream",
        "A text of `actor` is empty, has more than 256 characters or a control character (U+0000 to U+001F, "
        "U+007F). The message names the field.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_metadata",
        "account_opened, payment_initiated, journal_submitted",
        "`metadata` has more than 16 entries, an empty key, a key of more than 64 characters, a value of "
        "more than 256, or a control character (U+0000 to U+001F, U+007F).",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_text",
        "events of break-actions",
        "A comment, a reason or an assignee is empty; or one of them, or a reference, is too long (2,000 "
        "characters, an assignee 256) or has a control character other than tab and line feed. The message "
        "names the field.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_match",
        "match_confirmed, match_rejected",
        "It names fewer than two items, an item twice, or more than 100 lines or postings.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "malformed_id",
        "trades, prices, statement items",
        "An id or the currency is empty or has a NUL.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected", "invalid_tenant_id", _OWN, "The tenant's id is empty or has a `/` or a NUL.", _REPORT
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_account_id",
        "events of accounts",
        "The id begins with `$`, which the ledger's own accounts do.",
        "Choose another id. Nobody may limit, freeze or close the ledger's own accounts.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_currency",
        "account_opened, rate_quoted",
        "The currency is no active ISO 4217 code with a minor unit (Currencies); the message says what is "
        "wrong. The form of an ISIN is reserved for securities and other assets.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_limit",
        "account_opened, account_limit_set",
        "A limit is negative, or there are a minimum balance and an overdraft together.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_rate",
        "rate_quoted",
        "The rate is not above 0, or above 1e9, or both currencies are the same.",
        "Correct it. For a currency whose unit is worth very little, quote the inverse pair.",
    ),
    DeadLetterCode(
        "Rejected",
        "too_many_limits",
        "account_limit_set",
        "The account has 100 limits that are still to begin.",
        "Wait until one has begun.",
    ),
    DeadLetterCode(
        "Rejected",
        "period_not_over",
        "period_closed",
        "`closed_through` is later than the event itself, or than the time at which Kafka got it.",
        "Close a period after its end.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_tolerance",
        "payment_initiated",
        "`capture_tolerance_bp` is not between 0 and 10000, or the payment is no hold to be captured, "
        "or is between two currencies.",
        "Correct it, or leave it null. The payment was not decided, so its id is still free.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_creditor_reference",
        "payment_initiated",
        "`creditor_reference` is no ISO 11649 reference, compact, upper case, with right check digits.",
        "Correct it, or leave it null. The payment was not decided, so its id is still free.",
    ),
    DeadLetterCode(
        "Rejected",
        "unknown_payment",
        "payment_labelled",
        "No decision on this payment of this debtor is known: it was refused before it was judged, or is"
        " older than decisions are kept for labels (120 days by default).",
        "Correct payment and debtor, and send it again with a new event_id; too late a label has no effect.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_card",
        _OWN,
        "The card in `payee_risk_changed` is no card.",
        _REPORT,
    ),
    DeadLetterCode(
        "Rejected",
        "wrong_tenant",
        "events of fraud-rules, matching_weights_published",
        "`tenant_id` is not `of_tenant`, or not `*` where that is null.",
        _PUBLISH,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_hash",
        "events of fraud-rules",
        "What should be a SHA-256 is not 64 hexadecimal digits in lower case.",
        _PUBLISH,
    ),
    DeadLetterCode(
        "Rejected",
        "wrong_hash",
        "fraud_rules_published, fraud_model_published, matching_weights_published",
        "The head, a list put together of its parts, a model or weights are not what their hash names. What "
        "was in use stays.",
        _PUBLISH,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_weights",
        "matching_weights_published",
        "The weights name a feature that this release does not know, hold a number out of bounds, or are not "
        "in canonical form.",
        "Publish the weights as they were learned, without editing them.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_part",
        "fraud_list_part_published, fraud_model_part_published",
        "The part has a number or a size that no part has, is not canonical JSON or base64, or is one of "
        "another list.",
        _PUBLISH,
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_rules",
        "fraud_rules_published",
        "The head is no set of rules in canonical form, says something else than the event, or has a rule "
        "that the features do not fit. What was in use stays.",
        "`ledgerflow rules lint FILE` says what is wrong, `ledgerflow rules publish FILE` sends it.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_model",
        "fraud_model_published",
        "The bytes are no model, or one of other features, or of a kind that the role cannot have. What was "
        "in use stays.",
        "Train it with this release, and send it by `ledgerflow model publish FILE`.",
    ),
    DeadLetterCode(
        "Rejected",
        "part_missing",
        "fraud_rules_published, fraud_model_published",
        "Not all parts of a list or of the model have come before. What was in use stays.",
        _PUBLISH,
    ),
    DeadLetterCode(
        "Rejected",
        "other_content",
        "events of fraud-rules",
        "The version of the set, or the part of what is in use, is known with another content.",
        "A version has one content: give the set a new version.",
    ),
    DeadLetterCode(
        "Rejected",
        "too_many_publications",
        "fraud_rules_published, fraud_model_published",
        "There are 256 sets of rules by tenant, or 256 roles of models by tenant; or there are eight versions"
        " of the set, or times of the role, and none of them is over.",
        "Use a set or a role that is there; let a new version begin before one that is still to come.",
    ),
    DeadLetterCode(
        "Rejected",
        "overflow",
        "account_opened, trades, prices, statement items, journal_legs_ended",
        "An amount, or a figure that follows from it, does not fit into 64 bits.",
        "Look for a wrong unit or a wrong quantity, and send the right one.",
    ),
    DeadLetterCode(
        "Rejected",
        "currency_mismatch",
        "trade_executed, statement items",
        "The currency is not the position's, or not the one of the statement's other items.",
        "Correct it. An instrument in two currencies needs two accounts.",
    ),
    DeadLetterCode(
        "Rejected",
        "quantity_must_be_positive",
        "trade_executed",
        "The quantity is zero or negative.",
        "The direction is in `side`; send the quantity without a sign.",
    ),
    DeadLetterCode(
        "Rejected",
        "price_must_not_be_negative",
        "trade_executed, price_quoted",
        "The price is negative.",
        _AGAIN,
    ),
    DeadLetterCode(
        "Rejected",
        "too_old",
        "trade_executed, posting_recorded, statement_line, statement_closed, request_claimed",
        "Another trade or request of the tenant on this partition is later by more than"
        " LEDGERFLOW_DEDUPE_WINDOW_DAYS, or another event of the account by more than"
        " LEDGERFLOW_REVERSAL_WINDOW_DAYS: whether this one came before is not known any more.",
        "Look whether it did. If not, send a trade with a new trade_id and the time of today;"
        " match an item by hand.",
    ),
    DeadLetterCode(
        "Rejected",
        "trade_exists_with_different_content",
        "trade_executed",
        "The trade's id is known, with other content.",
        "Give the new trade an id of its own. A repeat has to be the same.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_content_hash",
        "request_claimed, request_sent",
        "The hash of the content is not 64 digits of hexadecimal, in lower case.",
        "Only the gateway writes these events. Report it.",
    ),
    DeadLetterCode(
        "Rejected",
        "invalid_commands",
        "request_claimed",
        "A request asks for 1 to 1,000 commands.",
        "Only the gateway writes these events. Report it.",
    ),
    DeadLetterCode(
        "Rejected",
        "request_not_found",
        "request_sent",
        "No request of this id and content is known.",
        "Only the gateway writes these events. Report it.",
    ),
    DeadLetterCode(
        "Rejected",
        "trade_not_found",
        "trade_settled",
        "No trade of this id is known to this account.",
        "Send trade_executed first, then redrive.",
    ),
    DeadLetterCode(
        "Rejected",
        "already_settled",
        "trade_settled",
        "The trade was settled before, at another time.",
        "Find out which time is right; the first one stands.",
    ),
    DeadLetterCode(
        "Rejected", "line_no_must_not_be_negative", "statement_line", "The line number is negative.", _AGAIN
    ),
    DeadLetterCode(
        "Rejected",
        "line_count_must_not_be_negative",
        "statement_closed",
        "The number of lines is negative.",
        _AGAIN,
    ),
    DeadLetterCode("Rejected", "leg_exists", _OWN, "The leg of a payment was asked for twice.", _REPORT),
    DeadLetterCode(
        "Rejected", "leg_not_expected", _OWN, "The answer to a leg that no payment waits for.", _REPORT
    ),
    DeadLetterCode("Rejected", "legs_exist", _OWN, "The legs of a journal were asked for twice.", _REPORT),
    DeadLetterCode(
        "Rejected",
        "legs_not_expected",
        _OWN,
        "An answer, or an end, of legs that no journal waits for.",
        _REPORT,
    ),
    DeadLetterCode(
        "Rejected", "amount_must_be_positive", "postings", "A posting or a hold of no amount.", _REPORT
    ),
    DeadLetterCode(
        "Rejected",
        "held_below_zero",
        "postings",
        "A posting or a hold after which less than nothing is held.",
        _REPORT,
    ),
    DeadLetterCode(
        "Rejected", "unexpected_change", "postings", "A hold that was neither placed nor released.", _REPORT
    ),
)
"""In the order in which a record meets them: its batch, decoding, routing, rules."""
