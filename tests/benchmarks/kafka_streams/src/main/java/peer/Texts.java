package peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import ledgerflow.PostingSide;
import org.apache.avro.util.Utf8;
import org.apache.kafka.common.utils.Bytes;

/** Keys and ids put together from UTF-8 that is never decoded. */
final class Texts {
  private static final Utf8 DEBIT = utf8("D");
  private static final Utf8 CREDIT = utf8("C");

  private Texts() {}

  /** Returns the parts with a byte between each two. */
  static byte[] join(char between, Utf8... parts) {
    int length = parts.length - 1;
    for (Utf8 part : parts) {
      length += part.getByteLength();
    }
    var joined = new byte[length];
    int at = 0;
    for (Utf8 part : parts) {
      if (at > 0) {
        joined[at++] = (byte) between;
      }
      System.arraycopy(part.getBytes(), 0, joined, at, part.getByteLength());
      at += part.getByteLength();
    }
    return joined;
  }

  /** Returns `tenant/account`, the key of records and of an account's row. */
  static Bytes key(Utf8 tenant, Utf8 account) {
    return Bytes.wrap(join('/', tenant, account));
  }

  /** Returns the key of a payment's or a leg's row. */
  static Bytes rowKey(Utf8 tenant, Utf8 id) {
    return Bytes.wrap(join('\0', tenant, id));
  }

  /** Returns the id of one of a branch's own accounts: `$clearing:EUR:2`. */
  static Utf8 internalId(String name, Utf8 currency, int branch) {
    return utf8("$" + name + ":" + currency + ":" + branch);
  }

  /** Returns the part of a key after the tenant. */
  static Utf8 accountOf(Bytes key, Utf8 tenant) {
    int start = tenant.getByteLength() + 1;
    byte[] all = key.get();
    var account = new byte[all.length - start];
    System.arraycopy(all, start, account, 0, account.length);
    return new Utf8(account);
  }

  /** Returns the id of one side of an entry. */
  static Utf8 posting(Utf8 entryId, PostingSide side) {
    return new Utf8(join(':', entryId, side == PostingSide.DEBIT ? DEBIT : CREDIT));
  }

  static Utf8 utf8(String text) {
    return new Utf8(text.getBytes(UTF_8));
  }

  /** Whether an id can be a customer's: a key can carry it, and it is not the ledger's own. */
  static boolean canBeOpened(Utf8 account) {
    return fitsKey(account) && account.getBytes()[0] != '$';
  }

  /** Throws Rejected for a tenant whose keys could be another one's. */
  static void checkTenant(Utf8 tenant) {
    if (!fitsKey(tenant)) {
      throw new Rejected("invalid_tenant_id");
    }
  }

  static boolean isCurrency(Utf8 currency) {
    byte[] bytes = currency.getBytes();
    for (int i = 0; i < currency.getByteLength(); i++) {
      if (bytes[i] < 'A' || bytes[i] > 'Z') {
        return false;
      }
    }
    return currency.getByteLength() == 3;
  }

  private static boolean fitsKey(Utf8 id) {
    byte[] bytes = id.getBytes();
    for (int i = 0; i < id.getByteLength(); i++) {
      if (bytes[i] == '/' || bytes[i] == 0) {
        return false;
      }
    }
    return id.getByteLength() > 0;
  }
}
