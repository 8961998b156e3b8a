package peer;

/** What becomes of a payment, by the name of the event that says so. */
enum Outcome {
  payment_reserved,
  payment_settled,
  payment_rejected,
  payment_failed
}
