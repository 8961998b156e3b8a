"""What is looked at in a pair of a posting and a line: features, each with a few buckets.

The evidence of a pair is one bucket number a feature. Weights are one integer a bucket. New buckets go to the
end of a feature, new features to the end of FEATURES, so that weights that were published stay readable.
"""

from __future__ import annotations

from typing import NamedTuple

Evidence = tuple[int, ...]
"""The bucket of each feature, in the order of FEATURES."""


class Feature(NamedTuple):
    """A feature: its name, and its buckets in words."""

    name: str
    buckets: tuple[str, ...]

    def at(self, bucket: str) -> int:
        """Return the number of a bucket."""
        return self.buckets.index(bucket)


BASE = Feature("base", ("a pair of candidates",))
AMOUNT = Feature(
    "amount",
    (
        "equal",
        "equal to the instructed amount",
        "less by what looks like a fee",
        "within 0.1 %",
        "within 0.5 %",
        "within 1 %",
        "within 2 %",
        "within 3 %",
        "within 5 %",
        "within 8 %",
        "within 15 %",
        "further away",
        "equal at the day's rate",
        "within 5 % of the day's rate",
        "equal with the sign turned",
        "in another currency",
        "equal, and round",
    ),
)
DAYS = Feature(
    "days",
    (
        "booked before the usual day, more than 3 days",
        "booked 2 or 3 days before the usual day",
        "booked a day before the usual day",
        "booked on the usual day",
        "booked a day after the usual day",
        "booked 2 days after it",
        "booked 3 days after it",
        "booked 4 days after it",
        "booked 5 or 6 days after it",
        "booked 7 to 9 days after it",
        "booked 10 to 14 days after it",
        "booked 15 to 21 days after it",
        "booked 22 to 31 days after it",
        "booked later",
    ),
)
BEFORE = Feature(
    "before",
    (
        "booked on the posting's day or later",
        "booked a day before the posting",
        "booked 2 or 3 days before the posting",
        "booked more than 3 days before the posting",
    ),
)
VALUE = Feature(
    "value",
    (
        "value day is booking day",
        "value day is the posting's day",
        "value day is a day off the posting's",
        "value day is up to 5 days off",
        "value day is further off",
    ),
)
COMMON = Feature(
    "common words",
    (
        "nothing to compare",
        "no common word",
        "common words of under 2 bits",
        "common words of 2 to 4 bits",
        "common words of 4 to 6 bits",
        "common words of 6 to 8 bits",
        "common words of 8 to 10 bits",
        "common words of 10 to 13 bits",
        "common words of 13 to 17 bits",
        "common words of 17 to 22 bits",
        "common words of 22 to 28 bits",
        "common words of 28 to 36 bits",
        "common words of 36 bits and more",
    ),
)
SIMILAR = Feature(
    "similar words",
    (
        "nothing to compare",
        "under a tenth of all words is common",
        "a tenth to a quarter of all words is common",
        "a quarter to two fifths of all words are common",
        "two to three fifths of all words are common",
        "three to four fifths of all words are common",
        "more than four fifths of all words are common",
        "the words are the same",
    ),
)
CONTAINED = Feature(
    "contained words",
    (
        "nothing to compare",
        "under a fifth of the shorter text is common",
        "one to two fifths of the shorter text are common",
        "two to three fifths of the shorter text are common",
        "three to four fifths of the shorter text are common",
        "more than four fifths of the shorter text are common",
        "the shorter text is within the longer",
    ),
)
REFERENCE = Feature(
    "reference",
    (
        "a side has none",
        "the same id of the payment",
        "the same reference",
        "a reference is in the text",
        "different references",
    ),
)
COUNTERPARTY = Feature(
    "counterparty",
    ("a side has none", "the same", "partly the same", "named in the text", "different"),
)
KIND = Feature("kind", ("a plain line", "a fee", "a reversal", "a batch", "information"))

FEATURES = (
    BASE, AMOUNT, DAYS, BEFORE, VALUE, COMMON, SIMILAR, CONTAINED, REFERENCE, COUNTERPARTY, KIND,
)  # fmt: skip
"""All features, in the order of evidence."""
