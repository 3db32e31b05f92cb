"""The log: one line a record, each with its priority, whatever stands in the message."""

import logging
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.printable import printable
from edge.processes.logs import LineFormatter

FORMATTER = LineFormatter(lambda record: f"<{record.levelno}>")
LOG_IT = (
    "import logging, sys\n"
    "from edge.processes.logs import hook_uncaught, log_to_stderr\n"
    "log_to_stderr(); hook_uncaught()\n"
    "logging.info('bundle %s', sys.argv[1])\n"
    "try: raise ValueError(sys.argv[1])\n"
    "except ValueError: logging.exception('a fault')\n"
    "raise RuntimeError(sys.argv[1])\n"
)


def lines_of(variables: dict[str, str]) -> list[str]:
    clean = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
    words = [sys.executable, "-c", LOG_IT, "birds\n<0>kernel: \x1b[2J rtsp://me:hush@cam/x"]
    done = subprocess.run(words, env={**clean, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "hush" not in done.stderr
    assert "\x1b" not in done.stderr
    return done.stderr.splitlines()


@given(st.text(), st.text())
def test_nothing_in_a_message_begins_a_line(text: str, cause: str) -> None:
    record = logging.LogRecord("edge", 30, "here", 1, "%s", (text,), (ValueError, ValueError(cause), None))
    lines = FORMATTER.format(record).split("\n")
    assert len(lines) >= 2
    assert all(line.startswith("<30>") and line == printable(line) for line in lines)


def test_under_systemd_every_line_has_its_priority() -> None:
    lines = lines_of({"JOURNAL_STREAM": "1:1"})
    assert lines[0].startswith("<6>INFO bundle birds <0>kernel")
    assert len(lines) > 6
    assert all(line.startswith("<3>") for line in lines[1:])
    assert "<3>RuntimeError: birds" in lines


def test_elsewhere_a_line_has_the_time_and_no_priority() -> None:
    first, second, *_ = lines_of({})
    assert re.match(r"\d\d:\d\d:\d\d INFO bundle", first)
    assert re.match(r"\d\d:\d\d:\d\d ERROR a fault", second)


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_a_child_marks_its_own_lines(level: str) -> None:
    code = (
        f"import logging; from edge.processes.logs import log_to_parent; log_to_parent(); logging.{level.lower()}('x')"
    )
    variables = {**os.environ, "FIELDFARE_LOG_MARK": "abc "}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stderr == f"abc {level} x\n"
