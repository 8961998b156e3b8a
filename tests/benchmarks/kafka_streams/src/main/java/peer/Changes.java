package peer;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.internals.InternalProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.internals.WrappedStateStore;

/**
 * A store whose changes are announced: at once, or with caching once per changed row and commit.
 *
 * <p>With caching the store's flush tells, as it does for the tables of the DSL (KStreamAggregate): Kafka
 * Streams flushes caches as the first step of a commit, so that what is said then is in its transaction. The
 * Processor API has no public way to hear of it; this is the one place that uses Kafka Streams' internals.
 *
 * @param <C> what caused a change; the last cause of a row is kept until the row is announced
 */
final class Changes<C> {
  /** Says that a row has changed. */
  interface Announce<C> {
    void changed(Bytes key, byte[] row, C cause, long timestamp);
  }

  private final KeyValueStore<Bytes, byte[]> store;
  private final boolean caching;
  private final Announce<C> announce;
  private final Map<Bytes, C> causes = new HashMap<>();

  Changes(ProcessorContext<byte[], byte[]> context, String name, boolean caching, Announce<C> announce) {
    this.store = context.getStateStore(name);
    this.caching = caching;
    this.announce = announce;
    if (caching) {
      listen((InternalProcessorContext<?, ?>) context);
    }
  }

  byte[] get(Bytes key) {
    return store.get(key);
  }

  void put(Bytes key, byte[] row, C cause, long timestamp) {
    if (caching) {
      causes.put(key, cause);
      store.put(key, row);
    } else {
      store.put(key, row);
      announce.changed(key, row, cause, timestamp);
    }
  }

  @SuppressWarnings("unchecked")
  private void listen(InternalProcessorContext<?, ?> context) {
    var node = context.currentNode();
    boolean heard =
        ((WrappedStateStore<?, Bytes, byte[]>) store)
            .setFlushListener(
                change -> {
                  var before = context.currentNode();
                  context.setCurrentNode(node);
                  try {
                    C cause = causes.remove(change.key());
                    announce.changed(change.key(), change.value().newValue, cause, change.timestamp());
                  } finally {
                    context.setCurrentNode(before);
                  }
                },
                false);
    if (!heard) {
      throw new IllegalStateException(store.name() + " has no cache");
    }
  }
}
