package peer;

import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** The clock of a restore: first changelog partition begun -> last one read to its end, over all stores. */
final class Restores implements StateRestoreListener {
  private long records;
  private long startedNs;
  private long startedCpuNs;
  private Map<String, Object> found = Map.of(); // what a start without a changelog's records leaves

  @Override
  public synchronized void onRestoreStart(TopicPartition from, String store, long start, long end) {
    if (startedNs == 0) {
      startedNs = System.nanoTime();
      startedCpuNs = Meter.cpuNs();
    }
  }

  @Override
  public void onBatchRestored(TopicPartition from, String store, long end, long restored) {}

  @Override
  public synchronized void onRestoreEnd(TopicPartition from, String store, long restored) {
    records += restored;
    found = Meter.figures(startedNs, startedCpuNs);
    found.put("restored", records);
  }

  /** Returns what was measured; call it when everything is restored. */
  synchronized Map<String, Object> figures() {
    return found;
  }
}
