package peer;

import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** What the topologies are put together from; everything in them is bytes, which nothing converts twice. */
final class Parts {
  static final String SOURCE = "source";
  static final String PROCESS = "process";
  private static final ByteArraySerializer SERIALIZER = new ByteArraySerializer();

  private Parts() {}

  /** Returns a topology that begins with a topic. */
  static Topology source(String topic) {
    var deserializer = new ByteArrayDeserializer();
    return new Topology().addSource(SOURCE, deserializer, deserializer, topic);
  }

  /** Adds a sink of the processor, to which records go by their keys' murmur2. */
  static Topology sink(Topology topology, String name, String topic) {
    return topology.addSink(name, topic, SERIALIZER, SERIALIZER, PROCESS);
  }

  /** Returns a store in RocksDB with a changelog. */
  static StoreBuilder<KeyValueStore<Bytes, byte[]>> store(String name, boolean caching) {
    var builder =
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(name), Serdes.Bytes(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of());
    return caching ? builder.withCachingEnabled() : builder.withCachingDisabled();
  }

  static byte[] toBytes(long value) {
    return ByteBuffer.allocate(Long.BYTES).putLong(value).array();
  }

  static long toLong(byte[] row) {
    return ByteBuffer.wrap(row).getLong();
  }
}
