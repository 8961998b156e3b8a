"""The keys of a demo: two programs with roles that no one may have together, revoked when it ends."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from pipeline.cli.demo_keys import TENANT, DemoKeys
from pipeline.gateway.identity.keys import FILE_NAME, Keys, UnknownKey
from pipeline.gateway.policy.reading import default_policy
from pipeline.loadgen import demo


def test_each_program_of_a_demo_may_do_its_part_and_not_the_others(tmp_path: Path) -> None:
    made, keys = DemoKeys(tmp_path), Keys(tmp_path / FILE_NAME)
    policy, now = default_policy(), time.time_ns() // 1_000
    upstream, desk = (keys.principal(file.read_text().strip()) for file in (made.upstream, made.desk))
    for asked in ("account_opened", "payment_initiated", "trade_executed", "price_quoted"):
        assert policy.allows(upstream, TENANT, f"command:{asked}", now=now).allowed, asked
        assert not policy.allows(desk, TENANT, f"command:{asked}", now=now).allowed, asked
    for asked in ("payment_labelled", "break_commented"):
        assert policy.allows(desk, TENANT, f"command:{asked}", now=now).allowed, asked
        assert not policy.allows(upstream, TENANT, f"command:{asked}", now=now).allowed, asked
    assert demo(1, now, 10.0).tenants[0] == TENANT


def test_the_keys_are_private_and_end_with_the_demo_and_with_the_next_one_after_a_crash(
    tmp_path: Path,
) -> None:
    made, keys = DemoKeys(tmp_path), Keys(tmp_path / FILE_NAME)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (made.upstream, made.desk)} == {0o600}
    left = made.upstream.read_text().strip()
    again = DemoKeys(tmp_path)
    with pytest.raises(UnknownKey):
        keys.principal(left)
    text = again.upstream.read_text().strip()
    assert keys.principal(text).subject == "demo-upstream"
    again.end()
    with pytest.raises(UnknownKey):
        keys.principal(text)
    assert not again.upstream.exists() and not again.desk.exists()
    assert sum(key.revoked_at is None for key in keys.all()) == 0
