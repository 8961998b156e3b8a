"""The local stack: Kafka and the registry without Docker or Java, as child processes."""
