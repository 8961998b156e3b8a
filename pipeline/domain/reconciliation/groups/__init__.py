"""What is not one line for one posting: groups, batches, partial payments, reversals; the kinds of breaks."""
