"""A Faust app that is not ours, on our transport and our store."""

import os

import faust

app = faust.App(
    "ten-lines",
    broker=os.environ["BROKER"],
    store="transactional://",
    datadir=os.environ["DATADIR"],
    topic_partitions=2,
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=6.0,
)
words = app.topic("words", value_serializer="columnar", key_serializer="raw", partitions=2)
counts = app.Table("counts", default=int, partitions=2)


@app.agent(words)
async def count(stream):
    async for batch in stream:
        for record in batch.records:
            counts[record.key.decode()] += 1
        print(sorted(counts.items()), flush=True)


if __name__ == "__main__":
    app.main()
