"""What every concept stands on: money, ids, keys and partitions, rows, outputs, columns, events."""
