package peer;

import java.util.ArrayList;
import java.util.List;
import ledgerflow.AccountStatus;
import ledgerflow.AccountType;
import ledgerflow.HoldChange;
import ledgerflow.HoldRecorded;
import ledgerflow.PostingRecorded;
import ledgerflow.PostingSide;
import ledgerflow.ResultCode;
import org.apache.avro.util.Utf8;
import org.apache.kafka.common.utils.Bytes;

/**
 * The accounts that one command touches, as copies: nothing is written before `save` or `close`, and a rule
 * that stops half-way leaves nothing behind (as pipeline/domain/ledger/books.py).
 */
final class Books {
  /** An account by its id, and the key of its row. */
  record Copy(Utf8 id, Bytes key, Account account) {}

  private final Changes<Cause> rows;
  private final Outputs outputs;
  private final int branch;
  private final Cause cause;
  private final List<Copy> copies = new ArrayList<>(4);
  private Copy debit;
  private Copy credit;

  Books(Changes<Cause> rows, Outputs outputs, int branch, Cause cause) {
    this.rows = rows;
    this.outputs = outputs;
    this.branch = branch;
    this.cause = cause;
  }

  /** Returns the copy of an account, or null where it is not known here. */
  Copy account(Utf8 id) {
    for (Copy copy : copies) {
      if (copy.id.equals(id)) {
        return copy;
      }
    }
    Bytes key = Texts.key(cause.tenant(), id);
    byte[] row = rows.get(key);
    return row == null ? null : adopt(id, key, Account.unpack(row));
  }

  /** Takes in a new account. */
  Copy adopt(Utf8 id, Bytes key, Account account) {
    var copy = new Copy(id, key, account);
    copies.add(copy);
    return copy;
  }

  /** Returns an internal account of this branch; it exists from its first use and has no limit. */
  Copy internal(Utf8 id, Utf8 currency) {
    Copy known = account(id);
    if (known != null) {
      return known;
    }
    var account = new Account(AccountType.internal, currency, AccountStatus.OPEN, null);
    return adopt(id, Texts.key(cause.tenant(), id), account);
  }

  /** Returns why an account of this branch cannot be credited, or null. */
  ResultCode creditorCode(Utf8 id, Utf8 currency) {
    Copy creditor = account(id);
    if (creditor == null || id.getBytes()[0] == '$') {
      return ResultCode.creditor_not_found;
    }
    if (creditor.account.status == AccountStatus.CLOSED) {
      return ResultCode.creditor_closed;
    }
    return creditor.account.currency.equals(currency) ? null : ResultCode.currency_mismatch;
  }

  /** Holds an amount on the debtor; returns why not (and changes nothing), or null. */
  ResultCode tryReserve(Copy from, Copy to, long amount) {
    Account debtor = from.account;
    Account counterpart = to.account;
    Long limit = debtor.overdraftLimit;
    try {
      if (limit != null && Math.subtractExact(debtor.available(), amount) < -limit) {
        return ResultCode.insufficient_funds;
      }
      long held = Math.addExact(debtor.debitsPending, amount);
      long incoming = Math.addExact(counterpart.creditsPending, amount);
      Math.addExact(debtor.debitsPosted, held);
      Math.addExact(counterpart.creditsPosted, incoming);
      debtor.debitsPending = held;
      counterpart.creditsPending = incoming;
      return null;
    } catch (ArithmeticException error) {
      return ResultCode.overflow;
    }
  }

  /** Gives back a hold. */
  void release(Copy from, Copy to, long amount) {
    from.account.debitsPending -= amount;
    to.account.creditsPending -= amount;
  }

  /** Turns a hold into an entry. */
  void settle(Copy from, Copy to, long amount) {
    release(from, to, amount);
    post(from, to, amount);
  }

  /** Posts one entry to the copies; throws ArithmeticException, and changes nothing, on an overflow. */
  void post(Copy from, Copy to, long amount) {
    long debits = Math.addExact(from.account.debitsPosted, amount);
    long credits = Math.addExact(to.account.creditsPosted, amount);
    Math.addExact(debits, from.account.debitsPending);
    Math.addExact(credits, to.account.creditsPending);
    from.account.debitsPosted = debits;
    from.account.sequence++;
    to.account.creditsPosted = credits;
    to.account.sequence++;
    debit = from;
    credit = to;
  }

  /** Says the two postings of the entry, then writes the accounts. */
  void close(String name, long amount, Utf8 paymentId, Utf8 reference) {
    Utf8 entryId = cause.derivedId(name);
    say(debit, PostingSide.DEBIT, entryId, amount, paymentId, reference);
    say(credit, PostingSide.CREDIT, entryId, amount, paymentId, reference);
    save();
  }

  /** Says that a hold outlives its command, or ends without a posting. */
  void sayHold(HoldChange change, Copy copy, long amount, Utf8 paymentId) {
    Account account = copy.account;
    var hold = new HoldRecorded();
    hold.event_id = cause.derivedId(change == HoldChange.PLACED ? "hold_placed" : "hold_released");
    hold.tenant_id = cause.tenant();
    hold.occurred_at = cause.occurredAt();
    hold.correlation_id = cause.correlationId();
    hold.causation_id = cause.eventId();
    hold.hold_id = paymentId;
    hold.account_id = copy.id;
    hold.account_type = account.type;
    hold.change = change;
    hold.amount_minor = amount;
    hold.currency = account.currency;
    hold.held_minor_after = account.debitsPending;
    hold.balance_minor = account.balance();
    hold.booked_at = cause.timestamp() * 1000;
    hold.branch = branch;
    outputs.hold(hold, copy.key, cause);
  }

  /** Writes every account touched. */
  void save() {
    for (Copy copy : copies) {
      rows.put(copy.key, copy.account.pack(), cause, cause.timestamp());
    }
  }

  private void say(
      Copy copy, PostingSide side, Utf8 entryId, long amount, Utf8 paymentId, Utf8 reference) {
    Account account = copy.account;
    var posting = new PostingRecorded();
    posting.event_id = Texts.posting(entryId, side);
    posting.tenant_id = cause.tenant();
    posting.occurred_at = cause.occurredAt();
    posting.correlation_id = cause.correlationId();
    posting.causation_id = cause.eventId();
    posting.posting_id = posting.event_id;
    posting.entry_id = entryId;
    posting.payment_id = paymentId;
    posting.account_id = copy.id;
    posting.account_type = account.type;
    posting.side = side;
    posting.amount_minor = amount;
    posting.currency = account.currency;
    posting.account_sequence = account.sequence;
    posting.balance_minor_after = account.balance();
    posting.branch = branch;
    posting.reference = reference;
    posting.booked_at = cause.timestamp() * 1000;
    posting.held_minor_after = account.debitsPending;
    outputs.posting(posting, copy.key, cause);
  }
}
