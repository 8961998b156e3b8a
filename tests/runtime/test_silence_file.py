"""The file of a silence: whole or not there, whatever ends the process or fills the disk."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from pipeline.runtime.kafka.silence_file import SilenceFile


def test_a_silence_is_kept_once_a_full_disk_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, text: str) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = SilenceFile(tmp_path / "silent")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        for _ in range(10):
            file.keep(1_000.0)
    assert os.listdir(tmp_path) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "it is said once"
    file.keep(1_000.0)
    kept = file.kept()
    assert kept is not None and kept[0] == 1_000.0


@pytest.mark.parametrize("left", ["", "17", "yesterday"])
def test_what_another_process_left_half_done_does_not_hide_a_silence(tmp_path: Path, left: str) -> None:
    """A file that is there is not taken for a silence that is kept."""
    (tmp_path / "silent.partial").write_text(left)
    (tmp_path / "silent").write_text("")
    file = SilenceFile(tmp_path / "silent")
    file.keep(1_000.0)
    kept = file.kept()
    assert kept is not None and kept[0] == 1_000.0
    assert os.listdir(tmp_path) == ["silent"]


def test_a_file_that_is_deleted_while_kafka_is_silent_is_written_again(tmp_path: Path) -> None:
    file = SilenceFile(tmp_path / "silent")
    file.keep(1_000.0)
    (tmp_path / "silent").unlink()
    file.keep(1_000.0)
    file.keep(1_000.0)
    assert file.kept() is not None


def test_a_silence_that_lasts_stays_when_the_alert_of_an_earlier_one_is_written(tmp_path: Path) -> None:
    file = SilenceFile(tmp_path / "silent")
    file.keep(1_000.0)
    said = file.over()
    file.keep(2_000.0)
    assert file.kept() is not None and (tmp_path / "silent").read_text() == "1000.0"
    said(True)
    file.keep(2_000.0)
    assert (tmp_path / "silent").read_text() == "2000.0"
    file.over()(True)
    assert os.listdir(tmp_path) == []
