"""A folder of cursors that cannot be written: one cause is one line."""

import errno
import logging
from pathlib import Path

import pytest

from edge.outputs.unwritable import report_unwritable


def test_one_cause_is_reported_once_however_many_meet_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(4):
        report_unwritable(tmp_path, OSError(errno.EROFS, "Read-only file system"))
    assert caplog.messages == [
        f"{tmp_path}: cannot write: Read-only file system; after a restart events are sent twice"
    ]
    report_unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    report_unwritable(tmp_path / "other", OSError(errno.EROFS, "Read-only file system"))
    assert len(caplog.messages) == 3
