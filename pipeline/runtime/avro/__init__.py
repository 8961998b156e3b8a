"""Avro: decoding with a proof, encoding, the registry and writer schemas."""
