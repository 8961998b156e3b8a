"""What a payment's texts say, in normal form: references, placeholders, word tokens."""
