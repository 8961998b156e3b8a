package peer;

import ledgerflow.AccountStatus;
import ledgerflow.AccountType;
import ledgerflow.BalanceUpdated;
import ledgerflow.FrozenSide;
import ledgerflow.PaymentInitiated;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/**
 * The sum job: amount_minor per debtor's account, which the record's key names.
 *
 * <pre>
 * source (payment_initiated) ---> Sum --> balances (balance_updated)
 *                                   |
 *                              store: sum
 * </pre>
 */
final class Sum implements Processor<byte[], byte[], byte[], byte[]> {
  static final String STORE = "sum";

  private final Job job;
  private final Meter meter;
  private final Wire.Reader<PaymentInitiated> payments;
  private final Wire.Writer<BalanceUpdated> balances;
  private final BalanceUpdated balance = new BalanceUpdated();
  private ProcessorContext<byte[], byte[]> context;
  private Changes<PaymentInitiated> sums;

  private Sum(Job job, Meter meter) {
    this.job = job;
    this.meter = meter;
    var wire = new Wire(job.schemaIds());
    this.payments = wire.reader(PaymentInitiated.getClassSchema());
    this.balances = wire.writer(BalanceUpdated.getClassSchema());
  }

  static Topology topology(Job job, Meter meter) {
    var topology =
        Parts.source(job.source())
            .addProcessor(Parts.PROCESS, () -> new Sum(job, meter), Parts.SOURCE)
            .addStateStore(Parts.store(STORE, job.caching()), Parts.PROCESS);
    return Parts.sink(topology, Outputs.BALANCES, Outputs.BALANCES);
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> given) {
    context = given;
    sums = new Changes<>(given, STORE, job.caching(), this::announce);
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    boolean last = meter.next();
    PaymentInitiated payment = payments.read(record.value());
    Bytes key = Bytes.wrap(record.key());
    byte[] row = sums.get(key);
    long sum = Math.addExact(row == null ? 0 : Parts.toLong(row), payment.amount_minor);
    sums.put(key, Parts.toBytes(sum), payment, record.timestamp());
    if (last) {
      context.commit(); // as soon as possible: the run waits for no interval at its end
    }
  }

  private void announce(Bytes key, byte[] row, PaymentInitiated latest, long timestamp) {
    long sum = Parts.toLong(row);
    balance.event_id = latest.event_id;
    balance.tenant_id = latest.tenant_id;
    balance.occurred_at = latest.occurred_at;
    balance.correlation_id = latest.correlation_id;
    balance.causation_id = latest.event_id;
    balance.account_id = latest.debtor_account_id;
    balance.account_type = AccountType.checking;
    balance.currency = latest.currency;
    balance.debits_posted = sum;
    balance.available_minor = -sum;
    balance.balance_minor = -sum;
    balance.status = AccountStatus.OPEN;
    balance.frozen = FrozenSide.NONE;
    context.forward(new Record<>(key.get(), balances.write(balance), timestamp));
  }
}
