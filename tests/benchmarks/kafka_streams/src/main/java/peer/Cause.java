package peer;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.UUID;
import org.apache.avro.specific.SpecificRecordBase;
import org.apache.avro.util.Utf8;

/**
 * A command as the cause of events: the envelope they take over, and ids derived from its name (UUIDv5).
 *
 * @param timestamp of its record, milliseconds
 * @param name tenant, account, payment and event id, NUL-separated (as routing.cause_name)
 */
record Cause(
    Utf8 eventId, Utf8 tenant, long occurredAt, Utf8 correlationId, long timestamp, byte[] name) {
  private static final byte[] NAMESPACE = bytes(UUID.fromString("6f2a1f0e-3d0b-5a86-9a3c-2f9b4c1d7e55"));
  private static final byte[] DIGITS = "0123456789abcdef".getBytes(US_ASCII);
  private static final MessageDigest SHA_1 = Digest.hash("SHA-1"); // there is one stream thread

  /** Returns a command as a cause: its first fields are every event's; subject: account, payment. */
  static Cause of(SpecificRecordBase command, long timestamp, Utf8... subject) {
    var eventId = (Utf8) command.get(0);
    var tenant = (Utf8) command.get(1);
    byte[] name =
        subject.length == 1
            ? Texts.join('\0', tenant, subject[0], eventId)
            : Texts.join('\0', tenant, subject[0], subject[1], eventId);
    return new Cause(
        eventId, tenant, (long) command.get(2), (Utf8) command.get(3), timestamp, name);
  }

  /** Returns the id of an event that this one gives rise to. */
  Utf8 derivedId(String of) {
    return derivedId(name, of.getBytes(US_ASCII));
  }

  static Utf8 derivedId(byte[] cause, byte[] of) {
    SHA_1.update(NAMESPACE);
    SHA_1.update(cause);
    SHA_1.update((byte) 0);
    byte[] hash = SHA_1.digest(of);
    hash[6] = (byte) (hash[6] & 0x0f | 0x50);
    hash[8] = (byte) (hash[8] & 0x3f | 0x80);
    var text = new byte[36];
    int at = 0;
    for (int i = 0; i < 16; i++) {
      if (i == 4 || i == 6 || i == 8 || i == 10) {
        text[at++] = '-';
      }
      text[at++] = DIGITS[hash[i] >> 4 & 0x0f];
      text[at++] = DIGITS[hash[i] & 0x0f];
    }
    return new Utf8(text);
  }

  private static byte[] bytes(UUID uuid) {
    var bytes = ByteBuffer.allocate(2 * Long.BYTES);
    return bytes.putLong(uuid.getMostSignificantBits()).putLong(uuid.getLeastSignificantBits()).array();
  }
}
