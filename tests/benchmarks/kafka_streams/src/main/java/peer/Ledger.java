package peer;

import java.util.HashMap;
import java.util.Map;
import ledgerflow.AccountOpened;
import ledgerflow.AccountStatus;
import ledgerflow.HoldChange;
import ledgerflow.LegPosted;
import ledgerflow.LegRefused;
import ledgerflow.LegRequested;
import ledgerflow.PaymentDecided;
import ledgerflow.ResultCode;
import org.apache.avro.util.Utf8;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The ledger of one branch (partition): pipeline/domain/ledger/stream.py, but for reviews, cancellations, new limits
 * and closed accounts, which no job of the benchmark has.
 *
 * <pre>
 * payment_decided -> reserve on the debtor -> creditor on this branch: settle at once
 *                                          -> creditor elsewhere: leg_requested to its branch
 * leg_requested   -> credit the creditor against this branch's clearing account -> leg_posted / leg_refused
 * leg_posted      -> settle: debit the debtor against the clearing account
 * leg_refused     -> release the hold: the payment has failed
 * </pre>
 */
final class Ledger {
  private static final long DEDUPE_WINDOW_US = 90L * 86_400_000_000L;
  private static final Bytes WATERMARK = Bytes.wrap(new byte[] {'w'});
  private static final byte[] KNOWN = {1};

  private final int partitions;
  private final int branch;
  private final Outputs outputs;
  private final Changes<Cause> accounts;
  private final KeyValueStore<Bytes, byte[]> payments;
  private final KeyValueStore<Bytes, byte[]> legs;
  private final KeyValueStore<Bytes, byte[]> watermarks;
  private final Map<Utf8, Utf8> clearing = new HashMap<>();

  Ledger(Job job, ProcessorContext<byte[], byte[]> context, Outputs outputs) {
    this.partitions = job.partitions();
    this.branch = context.taskId().partition();
    this.outputs = outputs;
    this.accounts =
        new Changes<>(
            context,
            LedgerTopology.ACCOUNTS,
            job.caching(),
            (key, row, cause, timestamp) -> outputs.balance(key, Account.unpack(row), cause));
    this.payments = context.getStateStore(LedgerTopology.PAYMENTS);
    this.legs = context.getStateStore(LedgerTopology.LEGS);
    this.watermarks = context.getStateStore(LedgerTopology.WATERMARK);
  }

  // --- accounts

  void open(AccountOpened event, Cause cause) {
    Long limit = event.overdraft_limit_minor;
    if (!Texts.canBeOpened(event.account_id)) {
      throw new Rejected("invalid_account_id");
    }
    if (!Texts.isCurrency(event.currency)) {
      throw new Rejected("invalid_currency");
    }
    if (limit != null && limit < 0) {
      throw new Rejected("invalid_limit");
    }
    var books = new Books(accounts, outputs, branch, cause);
    var known = books.account(event.account_id);
    if (known != null) {
      ResultCode code = ResultCode.exists;
      if (!known.account().currency.equals(event.currency)) {
        code = ResultCode.exists_with_different_currency;
      } else if (known.account().type != event.account_type) {
        code = ResultCode.exists_with_different_content;
      }
      outputs.refuse(cause, "account_opened", event.account_id, null, code);
      return;
    }
    long amount = event.initial_balance_minor;
    var account = new Account(event.account_type, event.currency, AccountStatus.OPEN, limit);
    var opened = books.adopt(event.account_id, Texts.key(cause.tenant(), event.account_id), account);
    if (amount == 0) {
      books.save();
      return;
    }
    var opening = books.internal(Texts.internalId("opening", event.currency, branch), event.currency);
    try {
      long size = amount > 0 ? amount : Math.negateExact(amount);
      books.post(amount > 0 ? opening : opened, amount > 0 ? opened : opening, size);
      books.close("opening", size, null, null);
    } catch (ArithmeticException error) {
      throw new Rejected("overflow");
    }
  }

  // --- payments, on the debtor's branch

  void decide(PaymentDecided event, Cause cause) {
    Bytes key = Texts.rowKey(event.tenant_id, event.payment_id);
    byte[] known = payments.get(key);
    var payment = Payment.of(event);
    if (known != null) {
      ResultCode code = Refusals.ofRepeat(Payment.unpack(known), payment);
      outputs.refuse(cause, "payment_initiated", payment.debtor, event.payment_id, code);
      return;
    }
    if (advanceWatermark(event.occurred_at, cause.timestamp()) - event.occurred_at > DEDUPE_WINDOW_US) {
      outputs.outcome(Outcome.payment_rejected, cause, event.payment_id, payment, ResultCode.too_old);
      return;
    }
    var books = new Books(accounts, outputs, branch, cause);
    boolean local = isLocal(event.tenant_id, payment.creditor);
    ResultCode refusal = Refusals.of(event, books, local);
    Books.Copy debtor = null;
    Books.Copy counterpart = null;
    if (refusal == null) {
      debtor = books.account(payment.debtor);
      counterpart = local ? books.account(payment.creditor) : clearing(books, payment.currency);
      refusal = books.tryReserve(debtor, counterpart, payment.amount);
    }
    if (refusal != null) {
      payment.code = refusal;
      payments.put(key, payment.pack());
      outputs.outcome(Outcome.payment_rejected, cause, event.payment_id, payment, refusal);
      return;
    }
    outputs.outcome(Outcome.payment_reserved, cause, event.payment_id, payment, ResultCode.ok);
    if (local) {
      books.settle(debtor, counterpart, payment.amount);
      payment.state = Payment.State.SETTLED;
      books.close("settle", payment.amount, event.payment_id, payment.reference);
      outputs.outcome(Outcome.payment_settled, cause, event.payment_id, payment, ResultCode.ok);
    } else {
      payment.state = Payment.State.IN_FLIGHT;
      books.sayHold(HoldChange.PLACED, debtor, payment.amount, event.payment_id);
      books.save();
      outputs.request(event, cause, branch);
    }
    payments.put(key, payment.pack());
  }

  void settleRemote(LegPosted event, Cause cause) {
    Bytes key = Texts.rowKey(event.tenant_id, event.payment_id);
    var payment = inFlight(key);
    var books = new Books(accounts, outputs, branch, cause);
    books.settle(books.account(payment.debtor), clearing(books, payment.currency), payment.amount);
    payment.state = Payment.State.SETTLED;
    books.close("settle", payment.amount, event.payment_id, payment.reference);
    payments.put(key, payment.pack());
    outputs.outcome(Outcome.payment_settled, cause, event.payment_id, payment, ResultCode.ok);
  }

  void failRemote(LegRefused event, Cause cause) {
    Bytes key = Texts.rowKey(event.tenant_id, event.payment_id);
    var payment = inFlight(key);
    var books = new Books(accounts, outputs, branch, cause);
    var debtor = books.account(payment.debtor);
    books.release(debtor, clearing(books, payment.currency), payment.amount);
    books.sayHold(HoldChange.RELEASED, debtor, payment.amount, event.payment_id);
    books.save();
    payment.state = Payment.State.FAILED;
    payment.code = event.code;
    payments.put(key, payment.pack());
    outputs.outcome(Outcome.payment_failed, cause, event.payment_id, payment, event.code);
  }

  // --- legs, on the creditor's branch

  void postLeg(LegRequested event, Cause cause) {
    Bytes key = Texts.rowKey(event.tenant_id, event.leg_id);
    if (legs.get(key) != null) {
      throw new Rejected("leg_exists");
    }
    var books = new Books(accounts, outputs, branch, cause);
    ResultCode refusal = books.creditorCode(event.creditor_account_id, event.currency);
    if (refusal == null) {
      var creditor = books.account(event.creditor_account_id);
      try {
        books.post(clearing(books, event.currency), creditor, event.amount_minor);
      } catch (ArithmeticException error) {
        refusal = ResultCode.overflow;
      }
    }
    legs.put(key, KNOWN);
    if (refusal == null) {
      books.close("leg", event.amount_minor, event.payment_id, event.reference);
    }
    outputs.answer(event, cause, refusal);
  }

  // --- what the rules have in common

  private Payment inFlight(Bytes key) {
    byte[] row = payments.get(key);
    var payment = row == null ? null : Payment.unpack(row);
    if (payment == null || payment.state != Payment.State.IN_FLIGHT) {
      throw new Rejected("leg_not_expected");
    }
    return payment;
  }

  private Books.Copy clearing(Books books, Utf8 currency) {
    Utf8 id = clearing.computeIfAbsent(currency, one -> Texts.internalId("clearing", one, branch));
    return books.internal(id, currency);
  }

  private boolean isLocal(Utf8 tenant, Utf8 account) {
    int hash = Utils.toPositive(Utils.murmur2(Texts.key(tenant, account).get()));
    return hash % partitions == branch;
  }

  /** Moves the branch's event-time watermark, in microseconds, and returns it; Kafka's time bounds it. */
  private long advanceWatermark(long occurredAt, long timestampMs) {
    byte[] row = watermarks.get(WATERMARK);
    long seen = Math.min(occurredAt, timestampMs * 1000);
    if (row != null && seen <= Parts.toLong(row)) {
      return Parts.toLong(row);
    }
    watermarks.put(WATERMARK, Parts.toBytes(seen));
    return seen;
  }
}
