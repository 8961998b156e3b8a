package peer;

import static org.apache.kafka.streams.StreamsConfig.mainConsumerPrefix;
import static org.apache.kafka.streams.StreamsConfig.producerPrefix;
import static org.apache.kafka.streams.StreamsConfig.restoreConsumerPrefix;

import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** How Kafka Streams is set; the benchmarks' README.md says what was tried. */
final class Tuning {
  private static final int MIB = 1 << 20;
  private static final int POLL_MS_MAX = 5;

  private Tuning() {}

  static Properties of(Job job) {
    var set = new Properties();
    set.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.bootstrapServers());
    set.put(StreamsConfig.APPLICATION_ID_CONFIG, job.applicationId());
    set.put(StreamsConfig.STATE_DIR_CONFIG, job.stateDir());
    set.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    set.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    set.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    set.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, job.commitIntervalMs());
    // So large that only a commit flushes it; without caching no store uses it.
    set.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L * MIB);
    // A poll that waits for records holds back the commit of those before.
    set.put(StreamsConfig.POLL_MS_CONFIG, POLL_MS_MAX);
    set.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
    set.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
    set.put(mainConsumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    set.put(mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
    set.put(mainConsumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 * MIB);
    set.put(restoreConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 100_000);
    set.put(restoreConsumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 * MIB);
    set.put(producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), MIB / 4);
    set.put(producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L * MIB);
    return set;
  }
}
