"""Shared assertions of the stream tests say what differs, as those in the tests do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.streams.poison", "tests.streams.stream_bench")
