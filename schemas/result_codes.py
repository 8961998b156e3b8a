"""Every code that an event of payment-events or journal-events can have in its field `code`.

Each with the events that say it, what it means, and what to do about it. The table of schemas/README.md is
written from here (`python -m tests.project.references`), and tests hold this list against the streams. The
codes of dead letters are in `dead_letter_codes`.
"""

from __future__ import annotations

from typing import NamedTuple


class Result(NamedTuple):
    """What one symbol of the Avro enum ResultCode means."""

    code: str
    said_in: tuple[str, ...]
    """The events, by their snake_case names."""
    meaning: str
    remedy: str


_NEW_PAYMENT = "A payment id keeps its answer: pay again with a new payment_id."
_REPEAT = "Nothing. If it is not a repeat, give the new one an id of its own."
_REJECTED = "payment_rejected"
_FAILED = "payment_failed"
_REFUSED = "command_refused"
_JOURNAL = "journal_updated"
_COMMAND = (_REFUSED,)

RESULTS: tuple[Result, ...] = (
    Result(
        "ok",
        ("payment_reserved", "payment_settled", "payment_captured", "payment_extended", _JOURNAL),
        "It was done.",
        "Nothing.",
    ),
    Result(
        "exists",
        _COMMAND,
        "The same command came before, with the same content; it had its effect then. Of account_frozen: "
        "that side is frozen already; of period_closed: the books are closed that far.",
        "Nothing: this is how a retry is answered.",
    ),
    Result(
        "exists_with_different_limit",
        _COMMAND,
        "The account was opened with another overdraft limit.",
        "Nothing was changed. A limit is changed by account_limit_set.",
    ),
    Result(
        "exists_with_different_amount",
        _COMMAND,
        "The payment, capture or reversal id is known, with another amount.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_currency",
        _COMMAND,
        "The payment or account id is known, in another currency.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_debtor", _COMMAND, "The payment id is known, with another debtor.", _REPEAT
    ),
    Result(
        "exists_with_different_creditor", _COMMAND, "The payment id is known, with another creditor.", _REPEAT
    ),
    Result(
        "exists_with_different_content",
        _COMMAND,
        "The account is known with another type; or the event_id of a change of the account, with another "
        "change.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_hold",
        _COMMAND,
        "The payment or journal id is known: one of the two has a `hold_expires_at`, the other has none; or "
        "another `capture_tolerance_bp`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_final",
        _COMMAND,
        "The capture or confirmation id is known, with another `final`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_target",
        _COMMAND,
        "The id is known: of a reversal of another payment or journal, or one of the two is no reversal.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_expiry",
        _COMMAND,
        "The payment or journal id is known, with another `hold_expires_at`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_legs",
        _COMMAND,
        "The journal, confirmation or reversal id is known, with other legs.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_reference",
        _COMMAND,
        "The payment or journal id is known, with another reference.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_reason",
        _COMMAND,
        "The journal or reversal id is known, with another reason.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_type",
        _COMMAND,
        "The payment id is known, with another `payment_type`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_effective_time",
        _COMMAND,
        "The journal or reversal id is known, with another `effective_at`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_late_rule",
        _COMMAND,
        "The journal or reversal id is known, with another `late`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_metadata",
        _COMMAND,
        "The payment or journal id is known, with other `metadata`.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_execution_time",
        _COMMAND,
        "The payment or journal id is known, with another `execute_at`.",
        _REPEAT,
    ),
    Result(
        "sequence_mismatch",
        (_REJECTED, _REFUSED, _JOURNAL),
        "The keyed account has had another number of postings than `expected_sequence`; `account_sequence` "
        "of the answer is the present one.",
        "Look at the account again, and decide anew. A payment or journal then has another id.",
    ),
    Result(
        "debtor_not_found",
        (_REJECTED, _JOURNAL),
        "The account that is to be debited is not open in the ledger (yet).",
        "Open it and wait until `/balances/{tenant}/{account}` answers: accounts and payments come by two "
        "topics, which have no order between them. A payment id keeps its answer: pay again with a new "
        "payment_id.",
    ),
    Result(
        "creditor_not_found",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "The account that is to be credited is not open in the ledger (yet), or is the ledger's own.",
        "As debtor_not_found.",
    ),
    Result(
        "debtor_closed",
        (_REJECTED, _JOURNAL),
        "The account to be debited is closed.",
        "Reopen it, or use another.",
    ),
    Result(
        "creditor_closed",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "The account to be credited is closed.",
        "Reopen it, or use another.",
    ),
    Result(
        "debtor_frozen",
        (_REJECTED, _REFUSED, _JOURNAL),
        "The debit side of the account is frozen. What is held already is still posted, but no more.",
        "Unfreeze it, where you may.",
    ),
    Result(
        "creditor_frozen",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "The credit side of the account is frozen, and nothing is held for this credit on its branch.",
        "Unfreeze it, where you may.",
    ),
    Result(
        "currency_mismatch",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "The account is in another currency. A payment never converts.",
        "Use an account in the currency. An exchange is a journal with an entry in each currency.",
    ),
    Result(
        "insufficient_funds",
        (_REJECTED, _REFUSED, _JOURNAL),
        "The amount is more than the balance less what is held, with the overdraft; or would go below the "
        "minimum balance. Of account_opened: its initial balance is below zero by more than its overdraft.",
        "Fund the account or raise its limit. A payment id keeps its answer: pay again with a new "
        "payment_id.",
    ),
    Result(
        "maximum_balance_exceeded",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "The creditor's balance, with what is on its way to it, would exceed its maximum.",
        "Pay less, or raise the limit.",
    ),
    Result(
        "amount_must_be_positive",
        (_REJECTED, _REFUSED, _JOURNAL),
        "The amount is zero or negative.",
        "The direction is in debtor and creditor, or in `side`; send the amount without a sign.",
    ),
    Result(
        "accounts_must_differ",
        (_REJECTED, _JOURNAL),
        "Debtor and creditor are one account; or an entry debits and credits one account.",
        "Correct it.",
    ),
    Result(
        "overflow",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "A sum of the account would not fit into 64 bits.",
        "Look for a wrong unit or amount.",
    ),
    Result(
        "declined",
        (_REJECTED,),
        "The fraud rules declined the payment, or a reviewer did not approve it.",
        "See fraud-alerts or `/alerts` for the reasons.",
    ),
    Result(
        "cancelled",
        ("payment_cancelled", _REFUSED, _JOURNAL),
        "The payment was cancelled, or the journal voided; or the command came after that. Of a journal that "
        "is POSTED: what was left of it.",
        "Nothing; what was held is free again.",
    ),
    Result(
        "expired",
        ("payment_expired", _REJECTED, _REFUSED, _JOURNAL),
        "The time to hold or freeze until is past in the branch's event time; or the command came after it.",
        "Authorise or freeze again, with a later `hold_expires_at` or `until`. Extend a hold before its end.",
    ),
    Result(
        "too_old",
        (_REJECTED, _REFUSED, _FAILED, _JOURNAL),
        "`occurred_at` lies so far behind the branch's event time that ids of then are forgotten "
        "(`LEDGERFLOW_DEDUPE_WINDOW_DAYS`). It is said by the time alone, of known ids, too: it "
        "tells nothing of what the command names.",
        "Check whether it had its effect before. If not, send it with a present `occurred_at`.",
    ),
    Result(
        "not_yet",
        (_REJECTED, _REFUSED),
        "`occurred_at` lies further ahead of the time at which Kafka got the command than clocks may differ "
        "(`LEDGERFLOW_CLOCK_AHEAD_SECONDS`). Nothing was done, and no id is remembered.",
        "Mend the clock, or send the command again when it is time, with the same ids.",
    ),
    Result("account_not_found", _COMMAND, "The account is not known to the ledger (yet).", "Open it first."),
    Result("account_closed", _COMMAND, "The account is closed.", "Reopen it first."),
    Result("account_not_closed", _COMMAND, "account_reopened of an account that is open.", "Nothing."),
    Result(
        "account_not_empty",
        _COMMAND,
        "account_closed while the balance is not zero, or something is held or on its way.",
        "Settle or cancel what is held, move the balance, then close.",
    ),
    Result("account_not_frozen", _COMMAND, "account_unfrozen of a side that is not frozen.", "Nothing."),
    Result(
        "payment_not_found",
        _COMMAND,
        "No payment of this id is known to this debtor: not yet, or it was over for so long that its id is "
        "forgotten (`LEDGERFLOW_REVERSAL_WINDOW_DAYS`).",
        "Check both ids; send payment_initiated first. To give back an old payment, send a new one.",
    ),
    Result("payment_not_held", _COMMAND, "payment_reviewed of a hold that waits for no review.", "Nothing."),
    Result(
        "payment_in_flight",
        _COMMAND,
        "The payment, or the last of its hold, is on its way to another branch, and cannot be stopped.",
        "Wait for payment_settled or payment_failed; take a settled one back by payment_reversed.",
    ),
    Result(
        "already_settled",
        _COMMAND,
        "The payment is settled, the hold used up, or the journal posted.",
        "Take it back by payment_reversed or journal_reversed.",
    ),
    Result("already_failed", _COMMAND, "The payment has ended without being settled.", _NEW_PAYMENT),
    Result(
        "payment_not_authorised",
        _COMMAND,
        "payment_captured or payment_extended of a payment that is no hold to be captured.",
        "Capture only payments that were initiated with `hold_expires_at`.",
    ),
    Result(
        "payment_under_review",
        _COMMAND,
        "payment_captured while the hold waits for its review.",
        "Review it first, then capture again.",
    ),
    Result(
        "exceeds_held_amount",
        _COMMAND,
        "payment_captured of more than is left of the hold (with its tolerance); journal_confirmed "
        "of more of a leg than is still held, or of a leg that the journal has not.",
        "Capture or confirm less; what is left out means all that is left.",
    ),
    Result(
        "too_many_captures",
        _COMMAND,
        "The hold has 100 captures, or the journal 100 confirmations.",
        "Cancel or void the rest, hold anew.",
    ),
    Result(
        "expiry_not_later",
        _COMMAND,
        "payment_extended to a time that is not later than the present one.",
        "Give a later time.",
    ),
    Result(
        "not_settled",
        _COMMAND,
        "payment_reversed of a payment, journal_reversed of a journal of which nothing is posted yet.",
        "Cancel a payment that is held; void a journal that is held.",
    ),
    Result(
        "exceeds_settled_amount",
        _COMMAND,
        "A reversal of more than was posted, less what other reversals took.",
        "Reverse less.",
    ),
    Result(
        "invalid_legs",
        (_REFUSED, _JOURNAL),
        "Fewer than 2 legs or more than 100, a `leg_no` twice or negative, or no leg of the journal's "
        "account. Of journal_confirmed: `legs` is empty, or has a `leg_no` twice. Of "
        "`shares`: more than the whole, two rests, a share of nothing or of shares, of a leg with an amount.",
        "Correct it and submit it with a new journal_id, or confirm it again.",
    ),
    Result(
        "invalid_link",
        _COMMAND,
        "payments_linked with no payment, with more than 100, or with one payment id twice. Nothing is "
        "remembered.",
        "Correct it and send it again.",
    ),
    Result(
        "linked_payment_failed",
        (_REJECTED, _FAILED),
        "Another payment of the same link is the reason: it has the code that says why.",
        "See the other payments of the link. All of them are sent again as a new link, with new ids.",
    ),
    Result(
        "link_mismatch",
        _COMMAND,
        "A review or cancellation of a payment in a link that does not name this link; or it names a link, "
        "and the payment is in none.",
        "Name the link in `link_id`: all of its payments are meant.",
    ),
    Result(
        "debtor_exists",
        (_REJECTED, _FAILED),
        "payments_linked with `open_account`, and the debtor's account is there already.",
        "Send the payments without `open_account`, with new ids.",
    ),
    Result(
        "invalid_opening",
        (_REJECTED,),
        "payments_linked with an `open_account` that no account can have: id, currency, limit or balance.",
        "Correct it and send it with new ids.",
    ),
    Result(
        "exists_with_different_link",
        _COMMAND,
        "The payment id is known, as that of a payment alone or of another link.",
        _REPEAT,
    ),
    Result(
        "exists_with_different_opening",
        _COMMAND,
        "The link id is known, with another `open_account` or without one.",
        _REPEAT,
    ),
    Result("exists_with_different_payments", _COMMAND, "The link id is known, with other payments.", _REPEAT),
    Result(
        "legs_not_balanced",
        (_REFUSED, _JOURNAL),
        "The debits of an entry are not its credits, in each currency; of journal_confirmed, what is to be "
        "posted now.",
        "Correct it and submit it with a new journal_id, or confirm it again.",
    ),
    Result(
        "period_closed",
        (_REFUSED, _JOURNAL),
        "The journal counts in a closed period, and has `late` = REFUSE. Of journal_confirmed: it is still "
        "held.",
        "Submit it with `late` = NEXT_PERIOD, or a later `effective_at`, and a new journal_id. Void one that "
        "is held, or, if it has no `effective_at`, confirm it with a later `occurred_at`.",
    ),
    Result(
        "journal_not_found",
        _COMMAND,
        "No journal of this id is known to this account: not yet, or it was over for so long that its id is "
        "forgotten (`LEDGERFLOW_REVERSAL_WINDOW_DAYS`).",
        "`account_id` has to be the one that it was submitted with. Take back an old one by a new one.",
    ),
    Result(
        "journal_not_held",
        _COMMAND,
        "journal_confirmed or journal_voided of a journal that is not held: it is still being prepared, or "
        "was refused, voided or expired.",
        "Wait for journal_updated HELD.",
    ),
    Result(
        "too_many_holds",
        (_REJECTED, _FAILED, _REFUSED, _JOURNAL),
        "The account has as many open holds as one may have (`holds_max`, 1,000): of its money, and with a "
        "maximum balance of money for it. Or more of its holds have just ended than one command releases.",
        "Capture or end some of its holds, or wait until they end. If they just have: send it again under a "
        "new id.",
    ),
    Result(
        "back_dated",
        (_REJECTED, _REFUSED),
        "It would count more than five minutes before its branch's event time, and the setting refuses that.",
        "Send it with the present time and a new id, or let an operator allow it (LEDGERFLOW_BACKDATING).",
    ),
    Result(
        "rate_not_found",
        (_REJECTED,),
        "The payment names no rate, and the topic rates has none between its currencies for its time.",
        "Have the rate quoted (rate_quoted), or name it; then pay with a new payment_id.",
    ),
    Result(
        "rate_too_old",
        (_REJECTED,),
        "The newest rate for the time of the payment counts for longer than a rate may (86,400 s).",
        "Have a new rate quoted, or name it; then pay with a new payment_id.",
    ),
    Result(
        "rate_out_of_tolerance",
        (_REJECTED,),
        "The rate that the payment names is further from the quoted one than is allowed (1 %).",
        "Agree on another rate; then pay with a new payment_id.",
    ),
    Result(
        "invalid_rate",
        (_REJECTED,),
        "The payment names a rate that is not above 0, or above 1e9, or one without another currency.",
        _NEW_PAYMENT,
    ),
    Result(
        "exists_with_different_rate",
        _COMMAND,
        "The payment id is known, with another named rate, or with one where there was none.",
        _REPEAT,
    ),
    Result(
        "limit_superseded",
        _COMMAND,
        "account_limit_set names a time before that of the limit in effect, so it would never count.",
        "Nothing, if it was late. To change the limit now, leave out `effective_at`.",
    ),
    Result(
        "actor_required",
        _COMMAND,
        "The command needs two people, or is an approval or a rejection, and names nobody (`actor`).",
        "Send it on behalf of the person who asks for it.",
    ),
    Result(
        "person_required",
        _COMMAND,
        "The command needs two people, or is a rejection, and its actor is no person: a person has a "
        "`session_id` and no `key_id`.",
        "A person has to propose it, in a session of their own.",
    ),
    Result(
        "awaits_approval",
        _COMMAND,
        "The same command came before, with the same content: it waits for a second person.",
        "Nothing: its proposal stands, with its maker and its end. `/proposals` shows it.",
    ),
    Result(
        "too_many_proposals",
        _COMMAND,
        "As many commands as may be (100) wait for a second person on this account.",
        "Approve or reject some of them first.",
    ),
    Result(
        "proposal_too_large",
        _COMMAND,
        "The command is too large to be kept until a second person approves it (64 KiB).",
        "Split it, or shorten its texts.",
    ),
    Result(
        "proposal_not_found",
        _COMMAND,
        "No proposal of this id is known to this account (yet), or it was decided longer ago than ids are "
        "kept.",
        "`account_id` and `proposal_id` are those of command_proposed.",
    ),
    Result(
        "proposal_changed",
        _COMMAND,
        "What is proposed is not what this names: its content was changed since, or the hash is wrong.",
        "Look at what is proposed now (`/proposals`), and decide about that.",
    ),
    Result(
        "proposal_expired",
        _COMMAND,
        "Nobody has approved the proposal in time.",
        "Propose it again, with a new event_id.",
    ),
    Result(
        "already_decided",
        _COMMAND,
        "The proposal was approved or rejected before. Of a proposed command: it was decided, and "
        "needs a new event_id to be proposed again.",
        "Nothing, if it is a repeat.",
    ),
    Result(
        "programs_cannot_approve",
        _COMMAND,
        "An approval by a program's key, or without a session: only a person approves.",
        "A second person has to approve it, in a session of their own.",
    ),
    Result(
        "maker_cannot_approve",
        _COMMAND,
        "The person who approves has proposed it, or has changed it last.",
        "Another person has to approve it.",
    ),
    Result(
        "payment_scheduled",
        _COMMAND,
        "A capture, extension, review or reversal of a payment that waits for its time (`execute_at`).",
        "Send it when the payment is executed; payment_cancelled takes back one that waits.",
    ),
    Result(
        "too_far_ahead",
        _COMMAND,
        "`execute_at` lies more than 400 days ahead of the event time of its partition.",
        "Send it again later, with the same id: it was not remembered.",
    ),
    Result(
        "too_many_scheduled",
        _COMMAND,
        "1,000 payments of the debtor, or journals of the account, wait for their time.",
        "Send it again when one of them has been executed or cancelled: it was not remembered.",
    ),
    Result(
        "quota_exceeded",
        _COMMAND,
        "The tenant has initiated more payments than its quota allows.",
        "Send the same payment again, with the same id, after 10 s: it was not remembered.",
    ),
    Result(
        "tenant_closed",
        (_REJECTED, _REFUSED),
        "The tenant is closed: it takes no new payments and accounts.",
        "Ask the operator (`LEDGERFLOW_TENANTS`).",
    ),
    Result(
        "currency_not_allowed",
        (_REJECTED, _REFUSED),
        "The tenant may not open accounts in this currency.",
        "Ask the operator (`LEDGERFLOW_TENANTS`).",
    ),
)
"""All but `unspecified`, for which a reader takes a symbol that is newer than it."""
