package peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import org.apache.kafka.common.utils.Bytes;

/** One line for a whole table, the same as digest.py's. */
final class Digest {
  private Digest() {}

  /** Returns `account=sum` of a row; its key is `tenant/account`. */
  static String line(Bytes key, byte[] row) {
    String name = new String(key.get(), UTF_8);
    return name.substring(name.indexOf('/') + 1) + "=" + Parts.toLong(row);
  }

  /** Returns the hash of lines that come in their order. */
  static String of(Collection<String> lines) {
    return HexFormat.of().formatHex(hash("SHA-256").digest(String.join("\n", lines).getBytes(UTF_8)));
  }

  /** Returns a hash function that every Java has. */
  static MessageDigest hash(String name) {
    try {
      return MessageDigest.getInstance(name);
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }
}
