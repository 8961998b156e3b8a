package peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecordBase;

/** Events to bytes and back: a zero, the schema's id in four bytes, the Avro value. For one thread. */
final class Wire {
  private static final int HEADER_BYTES = 5;

  private final Map<String, Integer> ids;

  Wire(Map<String, Integer> ids) {
    this.ids = ids;
  }

  /** Returns the id of the schema that a value was written with. */
  static int idOf(byte[] value) {
    if (value == null || value.length < HEADER_BYTES || value[0] != 0) {
      throw new IllegalArgumentException("a value that is not framed as Confluent's");
    }
    return ByteBuffer.wrap(value, 1, 4).getInt();
  }

  /** Returns the registered id of a record. */
  int idOf(Schema schema) {
    Integer id = ids.get(schema.getFullName());
    if (id == null) {
      throw new IllegalArgumentException("no schema id is given for " + schema.getFullName());
    }
    return id;
  }

  <T extends SpecificRecordBase> Reader<T> reader(Schema schema) {
    return new Reader<>(idOf(schema), schema);
  }

  <T extends SpecificRecordBase> Writer<T> writer(Schema schema) {
    return new Writer<>(idOf(schema), schema);
  }

  /** Reads one kind of event, written with its newest schema; other ids are refused. */
  static final class Reader<T extends SpecificRecordBase> {
    final int id;
    private final SpecificDatumReader<T> reader;
    private BinaryDecoder decoder;

    private Reader(int id, Schema schema) {
      this.id = id;
      this.reader = new SpecificDatumReader<>(schema);
    }

    T read(byte[] value) {
      if (idOf(value) != id) {
        throw new IllegalArgumentException("schema id " + idOf(value) + " where " + id + " is read");
      }
      int length = value.length - HEADER_BYTES;
      decoder = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, length, decoder);
      try {
        return reader.read(null, decoder);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  /** Writes one kind of event. */
  static final class Writer<T extends SpecificRecordBase> {
    private final byte[] header;
    private final SpecificDatumWriter<T> writer;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
    private BinaryEncoder encoder;

    private Writer(int id, Schema schema) {
      this.header = ByteBuffer.allocate(HEADER_BYTES).put((byte) 0).putInt(id).array();
      this.writer = new SpecificDatumWriter<>(schema);
    }

    byte[] write(T event) {
      bytes.reset();
      bytes.write(header, 0, HEADER_BYTES);
      encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
      try {
        writer.write(event, encoder);
        encoder.flush();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
      return bytes.toByteArray();
    }
  }
}
