"""Personal data: encrypted before it enters Kafka, with keyed tokens for what streams compare."""
