"""How a worker ends, for whoever starts it: 0 after a signal, or one of these."""

from __future__ import annotations

EXIT_UNUSABLE = 1
"""Kafka, its topics, an address or a folder cannot be used."""
EXIT_BAD_SETTING = 2
"""A setting is wrong, which a restart cannot mend."""
EXIT_TOPICS = 3
"""A topic was deleted, or has settings that the streams cannot stand on: to be put right at the cluster."""
EXIT_CRASH = 70
"""An error that could cost an event, or a stop that took too long: a restart resumes at the last commit."""
