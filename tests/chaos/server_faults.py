"""Faults of what the workers rest on: the broker, the settings of its topics, and the registry."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import time
from collections import Counter
from functools import partial

from pipeline.runtime.exit_codes import EXIT_TOPICS
from pipeline.runtime.kafka.pulse import BROKER_SILENT
from pipeline.runtime.kafka.topic_watch import TOPIC_SETTINGS
from tests.chaos.drift import drift, drifts, repair_topics, require_told, wait_told
from tests.chaos.keeper import Keeper
from tests.chaos.schedule import Strike

FROZEN_S = (5.0, 15.0, 30.0, 60.0)
"""Less than a session, longer, longer than a transaction may take, and as long as clients wait at most."""
DRIFTS = 2
REGISTRY_AWAY_S = 8.0


class ServerFaults:
    """Strikes the servers of a cluster."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def broker(self, strike: Strike) -> None:
        """Kill the broker and start the stack again."""
        stack = self._keeper.cluster.stack
        os.kill(stack.pids["kafka"], signal.SIGKILL)
        stack.stop()
        self._keeper.cluster.stack = dataclasses.replace(stack)
        self._keeper.cluster.stack.start()
        for number in sorted(self._keeper.wanted):
            self._keeper.wait_ready(number)

    def freeze(self, strike: Strike) -> None:
        """Let the broker stand still; every worker must say so while it does, and go on afterwards."""
        frozen_s = FROZEN_S[strike.chance % len(FROZEN_S)]
        pid = self._keeper.cluster.stack.pids["kafka"]
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(frozen_s)
            for number in sorted(self._keeper.wanted):
                require_told(self._keeper.cluster.url(number), BROKER_SILENT)
        finally:
            os.kill(pid, signal.SIGCONT)
        for number in sorted(self._keeper.wanted):
            self._keeper.wait_ready(number)

    def drift(self, strike: Strike) -> None:
        """Change settings under load, let every worker say so, and repair them by the command."""
        chance = random.Random(strike.chance)
        chosen = chance.sample(drifts(self._keeper.cluster.settings.app_id), DRIFTS)
        before = Counter(self._keeper.ended_with)
        drift(self._keeper.cluster.settings, chosen)
        try:
            for number in sorted(self._keeper.wanted):
                # One that an earlier fault has ended may not start on such topics, and says nothing then.
                own = number, EXIT_TOPICS
                refuses = partial(self._has_ended, own, before[own])
                wait_told(self._keeper.cluster.url(number), TOPIC_SETTINGS, refuses)
        finally:
            repair_topics(self._keeper.cluster.settings)
        for number in sorted(self._keeper.wanted):
            self._keeper.wait_ready(number)

    def _has_ended(self, own: tuple[int, int], times: int) -> bool:
        """Whether a worker has ended with an exit code more often than so many times."""
        return self._keeper.ended_with[own] > times

    def registry(self, strike: Strike) -> None:
        """Let the registry stand still."""
        pid = self._keeper.cluster.stack.pids["registry"]
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(REGISTRY_AWAY_S)
        finally:
            os.kill(pid, signal.SIGCONT)
