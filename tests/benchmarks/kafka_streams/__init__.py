"""The peer Kafka Streams: a Maven project beside this file, built once and run as a process of its own.

reason = missing()                      # None, or why it cannot be built here
jars = build(cache_dir)                 # compiled against schemas/; kept as long as no source changes
found = run(jars, job(...), log)        # seconds, cpu_s, records, ...; rss_mib
with start(jars, job(...), log) as process:
    ...                                 # it runs, and is killed at the end of the block
"""

from tests.benchmarks.kafka_streams.maven import BuildFailed, build, missing
from tests.benchmarks.kafka_streams.peer import job, run, start

__all__ = ["BuildFailed", "build", "job", "missing", "run", "start"]
