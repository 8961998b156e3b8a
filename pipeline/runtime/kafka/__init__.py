"""Kafka: transport, record batches, topics, changelogs, dead letters, membership."""
