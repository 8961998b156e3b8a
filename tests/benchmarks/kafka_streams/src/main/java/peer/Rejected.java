package peer;

/** A command that is a dead letter, thrown before its first write; the message is the reason's code. */
final class Rejected extends RuntimeException {
  Rejected(String code) {
    super(code, null, false, false);
  }
}
