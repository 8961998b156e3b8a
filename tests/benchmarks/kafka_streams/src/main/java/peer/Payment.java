package peer;

import java.nio.ByteBuffer;
import ledgerflow.PaymentDecided;
import ledgerflow.ResultCode;
import org.apache.avro.util.Utf8;

/** What the debtor's branch remembers of a payment: enough to answer a repeat and to end its life. */
final class Payment {
  /** Where a payment is in its life; the last three are ends. */
  enum State {
    IN_FLIGHT,
    SETTLED,
    REJECTED,
    FAILED
  }

  private static final byte LAYOUT = 1;
  private static final int FIXED_BYTES = 3 + 2 * Long.BYTES + 4 * Short.BYTES;
  private static final State[] STATES = State.values();
  private static final ResultCode[] CODES = ResultCode.values();

  State state = State.REJECTED;
  ResultCode code = ResultCode.ok;
  final Utf8 debtor;
  final Utf8 creditor;
  final long amount;
  final Utf8 currency;
  final Utf8 reference;
  final long occurredAt;

  private Payment(
      Utf8 debtor, Utf8 creditor, long amount, Utf8 currency, Utf8 reference, long occurredAt) {
    this.debtor = debtor;
    this.creditor = creditor;
    this.amount = amount;
    this.currency = currency;
    this.reference = reference;
    this.occurredAt = occurredAt;
  }

  static Payment of(PaymentDecided event) {
    return new Payment(
        event.debtor_account_id,
        event.creditor_account_id,
        event.amount_minor,
        event.currency,
        event.reference,
        event.occurred_at);
  }

  byte[] pack() {
    int texts =
        debtor.getByteLength()
            + creditor.getByteLength()
            + currency.getByteLength()
            + reference.getByteLength();
    var row = ByteBuffer.allocate(FIXED_BYTES + texts);
    row.put(LAYOUT).put((byte) state.ordinal()).put((byte) code.ordinal());
    row.putLong(amount).putLong(occurredAt);
    put(row, debtor);
    put(row, creditor);
    put(row, currency);
    put(row, reference);
    return row.array();
  }

  static Payment unpack(byte[] bytes) {
    var row = ByteBuffer.wrap(bytes);
    if (row.get() != LAYOUT) {
      throw new IllegalArgumentException("payment row of unknown layout " + bytes[0]);
    }
    var state = STATES[row.get()];
    var code = CODES[row.get()];
    long amount = row.getLong();
    long occurredAt = row.getLong();
    var payment = new Payment(get(row), get(row), amount, get(row), get(row), occurredAt);
    payment.state = state;
    payment.code = code;
    return payment;
  }

  private static void put(ByteBuffer row, Utf8 text) {
    if (text.getByteLength() > 0xffff) {
      throw new IllegalArgumentException("a text of " + text.getByteLength() + " bytes");
    }
    row.putShort((short) text.getByteLength());
    row.put(text.getBytes(), 0, text.getByteLength());
  }

  private static Utf8 get(ByteBuffer row) {
    var text = new byte[Short.toUnsignedInt(row.getShort())];
    row.get(text);
    return new Utf8(text);
  }
}
