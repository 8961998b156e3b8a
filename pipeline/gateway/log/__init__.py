"""The gateway at Kafka: what it writes, and what it hears of what the streams say."""
