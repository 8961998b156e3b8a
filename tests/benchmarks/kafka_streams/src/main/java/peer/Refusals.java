package peer;

import ledgerflow.AccountStatus;
import ledgerflow.DecisionOutcome;
import ledgerflow.PaymentDecided;
import ledgerflow.ResultCode;

/** Why a payment is refused, the first reason that holds. */
final class Refusals {
  private Refusals() {}

  /** Returns why a payment cannot be reserved, or null. */
  static ResultCode of(PaymentDecided event, Books books, boolean local) {
    if (event.outcome == DecisionOutcome.DECLINE) {
      return ResultCode.declined;
    }
    if (event.outcome == DecisionOutcome.REVIEW) {
      throw new IllegalArgumentException("a payment under review: no job of the benchmark has one");
    }
    if (event.amount_minor <= 0) {
      return ResultCode.amount_must_be_positive;
    }
    if (event.debtor_account_id.equals(event.creditor_account_id)) {
      return ResultCode.accounts_must_differ;
    }
    var debtor = books.account(event.debtor_account_id);
    if (debtor == null || !Texts.canBeOpened(event.debtor_account_id)) {
      return ResultCode.debtor_not_found;
    }
    if (debtor.account().status == AccountStatus.CLOSED) {
      return ResultCode.debtor_closed;
    }
    if (!debtor.account().currency.equals(event.currency)) {
      return ResultCode.currency_mismatch;
    }
    if (!Texts.canBeOpened(event.creditor_account_id)) {
      return ResultCode.creditor_not_found;
    }
    return local ? books.creditorCode(event.creditor_account_id, event.currency) : null;
  }

  /** Returns how a payment id that is known compares to what it came with before. */
  static ResultCode ofRepeat(Payment known, Payment again) {
    if (!known.debtor.equals(again.debtor)) {
      return ResultCode.exists_with_different_debtor;
    }
    if (!known.creditor.equals(again.creditor)) {
      return ResultCode.exists_with_different_creditor;
    }
    if (known.amount != again.amount) {
      return ResultCode.exists_with_different_amount;
    }
    return known.currency.equals(again.currency)
        ? ResultCode.exists
        : ResultCode.exists_with_different_currency;
  }
}
