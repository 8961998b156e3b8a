"""How many examples a costly property is tried on: few by default, ten times as many in the long form.

python -m tests --long, or pytest tests --hypothesis-profile=long
"""

from __future__ import annotations

from hypothesis import settings

from tests.conftest import LONG

LONGER = 10


def examples(count: int) -> settings:
    """Return the settings of a property that has `count` examples in the default run."""
    long = settings.get_current_profile_name() == LONG
    return settings(max_examples=count * LONGER if long else count, deadline=None)
