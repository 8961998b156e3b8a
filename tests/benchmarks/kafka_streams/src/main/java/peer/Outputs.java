package peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import ledgerflow.AccountType;
import ledgerflow.BalanceUpdated;
import ledgerflow.CommandRefused;
import ledgerflow.FrozenSide;
import ledgerflow.HoldRecorded;
import ledgerflow.LegPosted;
import ledgerflow.LegRefused;
import ledgerflow.LegRequested;
import ledgerflow.PaymentDecided;
import ledgerflow.PaymentFailed;
import ledgerflow.PaymentRejected;
import ledgerflow.PaymentReserved;
import ledgerflow.PaymentSettled;
import ledgerflow.PostingRecorded;
import ledgerflow.ResultCode;
import org.apache.avro.specific.SpecificRecordBase;
import org.apache.avro.util.Utf8;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** Encodes what the ledger says and hands it to the sinks: one a topic, of its name, and one for legs. */
final class Outputs {
  static final String POSTINGS = "postings";
  static final String BALANCES = "balances";
  static final String PAYMENT_EVENTS = "payment-events";
  static final String ITEMS = "reconciliation-items";
  static final String DEAD_LETTERS = "dead-letters";
  static final List<String> TOPICS = List.of(POSTINGS, BALANCES, PAYMENT_EVENTS, ITEMS, DEAD_LETTERS);
  static final String LEGS = "legs";

  private record Announcement(SpecificRecordBase event, Wire.Writer<SpecificRecordBase> writer) {}

  private final ProcessorContext<byte[], byte[]> context;
  private final Wire.Writer<BalanceUpdated> balances;
  private final Wire.Writer<PostingRecorded> postings;
  private final Wire.Writer<HoldRecorded> holds;
  private final Wire.Writer<LegRequested> requests;
  private final Wire.Writer<LegPosted> posted;
  private final Wire.Writer<LegRefused> refused;
  private final Wire.Writer<CommandRefused> refusals;
  private final Map<Outcome, Announcement> outcomes = new EnumMap<>(Outcome.class);
  private final BalanceUpdated balance = new BalanceUpdated();

  Outputs(Wire wire, ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    this.balances = wire.writer(BalanceUpdated.getClassSchema());
    this.postings = wire.writer(PostingRecorded.getClassSchema());
    this.holds = wire.writer(HoldRecorded.getClassSchema());
    this.requests = wire.writer(LegRequested.getClassSchema());
    this.posted = wire.writer(LegPosted.getClassSchema());
    this.refused = wire.writer(LegRefused.getClassSchema());
    this.refusals = wire.writer(CommandRefused.getClassSchema());
    add(wire, Outcome.payment_reserved, new PaymentReserved());
    add(wire, Outcome.payment_settled, new PaymentSettled());
    add(wire, Outcome.payment_rejected, new PaymentRejected());
    add(wire, Outcome.payment_failed, new PaymentFailed());
  }

  private void add(Wire wire, Outcome outcome, SpecificRecordBase event) {
    outcomes.put(outcome, new Announcement(event, wire.writer(event.getSchema())));
  }

  void balance(Bytes key, Account account, Cause cause) {
    balance.event_id = new Utf8(join(cause.eventId(), key));
    balance.tenant_id = cause.tenant();
    balance.occurred_at = cause.occurredAt();
    balance.correlation_id = cause.correlationId();
    balance.causation_id = cause.eventId();
    balance.account_id = Texts.accountOf(key, cause.tenant());
    balance.account_type = account.type;
    balance.currency = account.currency;
    balance.debits_pending = account.debitsPending;
    balance.debits_posted = account.debitsPosted;
    balance.credits_pending = account.creditsPending;
    balance.credits_posted = account.creditsPosted;
    balance.available_minor = account.available();
    balance.balance_minor = account.balance();
    balance.account_sequence = account.sequence;
    balance.overdraft_limit_minor = account.overdraftLimit;
    balance.status = account.status;
    balance.frozen = FrozenSide.NONE;
    context.forward(new Record<>(key.get(), balances.write(balance), cause.timestamp()), BALANCES);
  }

  private static byte[] join(Utf8 eventId, Bytes key) {
    return Texts.join(':', eventId, new Utf8(key.get()));
  }

  /** Sends a posting; one of a nostro account is an item of the reconciliation, too. */
  void posting(PostingRecorded posting, Bytes key, Cause cause) {
    var record = new Record<>(key.get(), postings.write(posting), cause.timestamp());
    context.forward(record, POSTINGS);
    if (posting.account_type == AccountType.nostro) {
      context.forward(record, ITEMS);
    }
  }

  /** Sends what became of a hold, which the journal has, too. */
  void hold(HoldRecorded hold, Bytes key, Cause cause) {
    context.forward(new Record<>(key.get(), holds.write(hold), cause.timestamp()), POSTINGS);
  }

  /** Asks the creditor's branch for its leg of a payment. */
  void request(PaymentDecided event, Cause cause, int branch) {
    byte[] of = Texts.utf8("leg:" + event.payment_id).getBytes();
    var leg = new LegRequested();
    leg.event_id = cause.derivedId("leg_requested");
    leg.tenant_id = event.tenant_id;
    leg.occurred_at = event.occurred_at;
    leg.correlation_id = event.correlation_id;
    leg.causation_id = event.event_id;
    leg.leg_id = Cause.derivedId(Texts.join('\0', event.debtor_account_id), of);
    leg.payment_id = event.payment_id;
    leg.account_id = event.creditor_account_id;
    leg.debtor_account_id = event.debtor_account_id;
    leg.creditor_account_id = event.creditor_account_id;
    leg.amount_minor = event.amount_minor;
    leg.currency = event.currency;
    leg.origin_branch = branch;
    leg.reference = event.reference;
    Bytes key = Texts.key(leg.tenant_id, leg.creditor_account_id);
    context.forward(new Record<>(key.get(), requests.write(leg), cause.timestamp()), LEGS);
  }

  /** Answers a leg: posted, or refused with a code. */
  void answer(LegRequested leg, Cause cause, ResultCode refusal) {
    SpecificRecordBase answer = refusal == null ? new LegPosted() : new LegRefused();
    answer.put(0, cause.derivedId("leg_answer"));
    answer.put(1, leg.tenant_id);
    answer.put(2, leg.occurred_at);
    answer.put(3, leg.correlation_id);
    answer.put(4, leg.event_id);
    answer.put(5, leg.leg_id);
    answer.put(6, leg.payment_id);
    answer.put(7, leg.debtor_account_id);
    answer.put(8, leg.creditor_account_id);
    answer.put(9, leg.amount_minor);
    answer.put(10, leg.currency);
    byte[] value;
    if (answer instanceof LegRefused refusing) {
      refusing.code = refusal;
      value = refused.write(refusing);
    } else {
      value = posted.write((LegPosted) answer);
    }
    byte[] key = Texts.key(leg.tenant_id, leg.debtor_account_id).get();
    context.forward(new Record<>(key, value, cause.timestamp()), LEGS);
  }

  /** Says what became of a payment; the events of all outcomes have the same fields. */
  void outcome(Outcome what, Cause cause, Utf8 paymentId, Payment payment, ResultCode code) {
    var announcement = outcomes.get(what);
    var event = announcement.event();
    event.put(0, cause.derivedId(what.name()));
    event.put(1, cause.tenant());
    event.put(2, cause.occurredAt());
    event.put(3, cause.correlationId());
    event.put(4, cause.eventId());
    event.put(5, paymentId);
    event.put(6, payment.debtor);
    event.put(7, payment.creditor);
    event.put(8, payment.amount);
    event.put(9, payment.currency);
    event.put(10, code);
    byte[] key = Texts.key(cause.tenant(), payment.debtor).get();
    byte[] value = announcement.writer().write(event);
    context.forward(new Record<>(key, value, cause.timestamp()), PAYMENT_EVENTS);
  }

  /** Answers a command that has no effect. */
  void refuse(Cause cause, String command, Utf8 account, Utf8 paymentId, ResultCode code) {
    var event = new CommandRefused();
    event.event_id = cause.derivedId("refused:" + command);
    event.tenant_id = cause.tenant();
    event.occurred_at = cause.occurredAt();
    event.correlation_id = cause.correlationId();
    event.causation_id = cause.eventId();
    event.command = Texts.utf8(command);
    event.account_id = account;
    event.payment_id = paymentId;
    event.code = code;
    byte[] key = Texts.key(cause.tenant(), account).get();
    context.forward(new Record<>(key, refusals.write(event), cause.timestamp()), PAYMENT_EVENTS);
  }

  /** Puts a command that cannot be applied aside, as it came, with the reason in a header. */
  void deadLetter(Record<byte[], byte[]> record, Rejected reason) {
    record.headers().add("__ledgerflow.errors.code", reason.getMessage().getBytes(UTF_8));
    context.forward(record, DEAD_LETTERS);
  }
}
