"""RocksDB: a partition's rows, Faust's tables over them, restoring from a snapshot."""
