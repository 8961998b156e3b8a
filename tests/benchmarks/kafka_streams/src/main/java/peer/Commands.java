package peer;

import java.util.HashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import ledgerflow.AccountOpened;
import ledgerflow.LegPosted;
import ledgerflow.LegRefused;
import ledgerflow.LegRequested;
import ledgerflow.PaymentDecided;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificRecordBase;
import org.apache.avro.util.Utf8;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** The ledger's processor: decodes a command by its schema id, and has the ledger apply it. */
final class Commands implements Processor<byte[], byte[], byte[], byte[]> {
  private final Job job;
  private final Meter meter;
  private final Wire wire;
  private final Map<Integer, Rule> rules = new HashMap<>();
  private ProcessorContext<byte[], byte[]> context;
  private Outputs outputs;

  private interface Rule {
    void apply(byte[] value, long timestamp);
  }

  Commands(Job job, Meter meter) {
    this.job = job;
    this.meter = meter;
    this.wire = new Wire(job.schemaIds());
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> given) {
    context = given;
    outputs = new Outputs(wire, given);
    var ledger = new Ledger(job, given, outputs);
    this.<AccountOpened>rule(
        AccountOpened.getClassSchema(), one -> subject(one.account_id), ledger::open);
    this.<PaymentDecided>rule(
        PaymentDecided.getClassSchema(),
        one -> subject(one.debtor_account_id, one.payment_id),
        ledger::decide);
    this.<LegRequested>rule(
        LegRequested.getClassSchema(),
        one -> subject(one.debtor_account_id, one.payment_id),
        ledger::postLeg);
    this.<LegPosted>rule(
        LegPosted.getClassSchema(),
        one -> subject(one.debtor_account_id, one.payment_id),
        ledger::settleRemote);
    this.<LegRefused>rule(
        LegRefused.getClassSchema(),
        one -> subject(one.debtor_account_id, one.payment_id),
        ledger::failRemote);
  }

  private static Utf8[] subject(Utf8... names) {
    return names;
  }

  private <T extends SpecificRecordBase> void rule(
      Schema schema, Function<T, Utf8[]> subject, BiConsumer<T, Cause> rule) {
    Wire.Reader<T> reader = wire.reader(schema);
    rules.put(
        reader.id,
        (value, timestamp) -> {
          T command = reader.read(value);
          Cause cause = Cause.of(command, timestamp, subject.apply(command));
          Texts.checkTenant(cause.tenant());
          rule.accept(command, cause);
        });
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    boolean last = meter.next();
    Rule rule = rules.get(Wire.idOf(record.value()));
    if (rule == null) {
      throw new IllegalArgumentException("unexpected schema id " + Wire.idOf(record.value()));
    }
    try {
      rule.apply(record.value(), record.timestamp());
    } catch (Rejected reason) {
      outputs.deadLetter(record, reason);
    }
    if (last) {
      context.commit(); // as soon as possible: the run waits for no interval at its end
    }
  }
}
