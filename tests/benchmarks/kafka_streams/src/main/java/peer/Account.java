package peer;

import java.nio.ByteBuffer;
import ledgerflow.AccountStatus;
import ledgerflow.AccountType;
import org.apache.avro.util.Utf8;

/** One account of the ledger; amounts are minor units of its currency. A row is fixed-width, 55 bytes. */
final class Account {
  private static final int CURRENCY_BYTES = 3;
  private static final int ROW_BYTES = 4 + CURRENCY_BYTES + 6 * Long.BYTES;
  private static final byte LAYOUT = 1;
  private static final AccountType[] TYPES = AccountType.values();
  private static final AccountStatus[] STATUSES = AccountStatus.values();

  final AccountType type;
  final Utf8 currency;
  final AccountStatus status;

  /** How far the balance may go below zero; null: without limit. */
  final Long overdraftLimit;

  long debitsPending;
  long debitsPosted;
  long creditsPending;
  long creditsPosted;

  /** The number of postings so far. */
  long sequence;

  Account(AccountType type, Utf8 currency, AccountStatus status, Long overdraftLimit) {
    this.type = type;
    this.currency = currency;
    this.status = status;
    this.overdraftLimit = overdraftLimit;
  }

  /** Credits posted minus debits posted. */
  long balance() {
    return creditsPosted - debitsPosted;
  }

  /** The balance less what is held. */
  long available() {
    return creditsPosted - debitsPosted - debitsPending;
  }

  byte[] pack() {
    var row = ByteBuffer.allocate(ROW_BYTES);
    row.put(LAYOUT);
    row.put((byte) status.ordinal());
    row.put((byte) type.ordinal());
    row.put((byte) (overdraftLimit == null ? 1 : 0));
    row.put(currency.getBytes(), 0, CURRENCY_BYTES);
    row.putLong(overdraftLimit == null ? 0 : overdraftLimit);
    row.putLong(debitsPending).putLong(debitsPosted);
    row.putLong(creditsPending).putLong(creditsPosted);
    row.putLong(sequence);
    return row.array();
  }

  static Account unpack(byte[] bytes) {
    var row = ByteBuffer.wrap(bytes);
    if (row.get() != LAYOUT) {
      throw new IllegalArgumentException("account row of unknown layout " + bytes[0]);
    }
    var status = STATUSES[row.get()];
    var type = TYPES[row.get()];
    boolean unlimited = row.get() == 1;
    var currency = new byte[CURRENCY_BYTES];
    row.get(currency);
    long limit = row.getLong();
    var account = new Account(type, new Utf8(currency), status, unlimited ? null : limit);
    account.debitsPending = row.getLong();
    account.debitsPosted = row.getLong();
    account.creditsPending = row.getLong();
    account.creditsPosted = row.getLong();
    account.sequence = row.getLong();
    return account;
  }
}
