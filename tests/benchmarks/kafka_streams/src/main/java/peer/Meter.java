package peer;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/**
 * The clock of a run: first record about to be decoded -> all records committed.
 *
 * <p>Records are counted, and transactions committed, by the one stream thread. What it has counted when a
 * commit returns is therefore in that transaction or in an earlier one: exact to the record, with no polling.
 */
final class Meter {
  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private final long records;
  private final long warmupRecords;
  private final CountDownLatch done = new CountDownLatch(1);
  private long applied;
  private long startedNs;
  private long startedCpuNs;
  private Map<String, Object> found;

  Meter(long records, long warmupRecords) {
    this.records = records;
    this.warmupRecords = warmupRecords;
  }

  /** Notes that a record is about to be applied; returns whether it is the last one. */
  boolean next() {
    if (applied == warmupRecords) {
      startedNs = System.nanoTime();
      startedCpuNs = cpuNs();
    }
    applied++;
    return applied == records;
  }

  /** Notes that a transaction was committed. */
  void committed() {
    if (applied >= records && done.getCount() > 0) {
      found = figures(startedNs, startedCpuNs);
      found.put("records", applied - warmupRecords);
      done.countDown(); // what was written before it is seen after `await`
    }
  }

  /** Waits until all records are committed; returns what was measured since the warm-up. */
  Map<String, Object> await() throws InterruptedException {
    done.await();
    return found;
  }

  /** Returns the clock's and the processor's time since a start; started_at, ended_at: monotonic clock. */
  static Map<String, Object> figures(long startedNs, long startedCpuNs) {
    long endedNs = System.nanoTime();
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("started_at", startedNs / 1e9);
    figures.put("ended_at", endedNs / 1e9);
    figures.put("seconds", (endedNs - startedNs) / 1e9);
    figures.put("cpu_s", (cpuNs() - startedCpuNs) / 1e9);
    return figures;
  }

  /** CPU time of this process so far, nanoseconds. */
  static long cpuNs() {
    return SYSTEM.getProcessCpuTime();
  }
}
