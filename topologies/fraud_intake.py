"""What the log of fraud decisions gets of other topics, besides payments, labels and rules.

accounts --> intake-accounts-beside --> fraud-commands: account_opened, how old an account is
rates    --> intake-rates-beside    --> fraud-commands (every partition): what a currency is worth
postings --> intake-postings        --> fraud-commands: debits of payments, credits of journals to customers

Each reads a log behind another stream, which says what is wrong with a record: intake-accounts, intake-rates,
history.
"""

from __future__ import annotations

from pipeline.domain.intake.postings import PostingsBatch, PostingsIntake
from pipeline.domain.intake.stream import FRAUD_ALSO, IntakeBeside
from topologies.topology import Topology

TARGET = "fraud-commands"
POSTINGS = PostingsIntake(TARGET), PostingsBatch(TARGET)


def _beside(source: str) -> Topology:
    rules = IntakeBeside(source, TARGET, FRAUD_ALSO)
    return Topology(f"intake-{source}-beside", source, lambda _: (rules, None), outputs=(TARGET,))


STREAMS = (
    _beside("accounts"),
    _beside("rates"),
    Topology("intake-postings", "postings", lambda _: POSTINGS, outputs=(TARGET,), delay_tolerant=True),
)
