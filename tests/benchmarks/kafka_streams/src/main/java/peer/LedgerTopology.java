package peer;

import org.apache.kafka.streams.Topology;

/**
 * The full ledger; all that a command leads to is in the transaction of its commit.
 *
 * <pre>
 *  +--------------- legs ----------------+
 *  v                                     |
 * source (ledger-commands) --> Commands -+--> postings, balances, payment-events, reconciliation-items,
 *                                |            dead-letters
 *            stores: accounts, payments, legs, watermark
 * </pre>
 */
final class LedgerTopology {
  static final String ACCOUNTS = "accounts";
  static final String PAYMENTS = "payments";
  static final String LEGS = "legs";
  static final String WATERMARK = "watermark";

  private LedgerTopology() {}

  static Topology of(Job job, Meter meter) {
    var topology =
        Parts.source(job.source())
            .addProcessor(Parts.PROCESS, () -> new Commands(job, meter), Parts.SOURCE)
            .addStateStore(Parts.store(ACCOUNTS, job.caching()), Parts.PROCESS)
            .addStateStore(Parts.store(PAYMENTS, job.caching()), Parts.PROCESS)
            .addStateStore(Parts.store(LEGS, job.caching()), Parts.PROCESS)
            // One row that nearly every payment changes: ours is written once a transaction, too.
            .addStateStore(Parts.store(WATERMARK, true), Parts.PROCESS);
    Parts.sink(topology, Outputs.LEGS, job.source());
    for (String topic : Outputs.TOPICS) {
      Parts.sink(topology, topic, topic);
    }
    return topology;
  }
}
