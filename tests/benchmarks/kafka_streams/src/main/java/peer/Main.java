package peer;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/**
 * The peer: the benchmarks' jobs on Kafka Streams. Its argument is a job as JSON (see Job). It prints
 * JSON lines: `ready` once it runs, and, unless it only serves, what was measured, with `done`.
 */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    Job job = Job.of(arguments[0]);
    Meter meter = new Meter(job.records(), job.warmupRecords());
    var streams = new KafkaStreams(topology(job, meter), Tuning.of(job), new Clients(meter));
    var restores = new Restores();
    var running = new CountDownLatch(1);
    streams.setGlobalStateRestoreListener(restores);
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) {
            running.countDown();
          }
        });
    streams.setUncaughtExceptionHandler(Main::halt);
    streams.start();
    running.await();
    say(Map.of("ready", true));
    Map<String, Object> found =
        switch (job.mode()) {
          case "count" -> withDigest(meter.await(), streams, job);
          case "restore" -> restores.figures();
          case "serve" -> {
            new CountDownLatch(1).await(); // until it is killed
            yield Map.of();
          }
          default -> throw new IllegalArgumentException("unknown mode: " + job.mode());
        };
    // Leaves the group: the next run of this application need not wait for this one's session to expire.
    streams.close(CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
    sayDone(found);
  }

  private static Topology topology(Job job, Meter meter) {
    return switch (job.job()) {
      case "sum" -> Sum.topology(job, meter);
      case "ledger" -> LedgerTopology.of(job, meter);
      default -> throw new IllegalArgumentException("unknown job: " + job.job());
    };
  }

  private static StreamThreadExceptionResponse halt(Throwable error) {
    error.printStackTrace();
    Runtime.getRuntime().halt(1);
    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT; // not reached
  }

  private static void sayDone(Map<String, Object> found) throws IOException {
    var said = new LinkedHashMap<>(found);
    said.put("done", true);
    say(said);
  }

  private static void say(Map<String, Object> found) throws IOException {
    System.out.println(new JsonMapper().writeValueAsString(found));
  }

  /** Adds the digest of the sums, as digest.py makes it. */
  private static Map<String, Object> withDigest(
      Map<String, Object> found, KafkaStreams streams, Job job) {
    if (job.job().equals("sum")) {
      ReadOnlyKeyValueStore<Bytes, byte[]> store =
          streams.store(
              StoreQueryParameters.fromNameAndType(Sum.STORE, QueryableStoreTypes.keyValueStore()));
      var sums = new TreeSet<String>();
      try (var rows = store.all()) {
        rows.forEachRemaining(row -> sums.add(Digest.line(row.key, row.value)));
      }
      found.put("digest", Digest.of(sums));
    }
    return found;
  }
}
