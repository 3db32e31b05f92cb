"""Any words on the command line: one line and a status, never a traceback, a control character or a password."""

import itertools
import os
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import cli

PARTS = [
    *("\x1b[2J", "\udcff", "\ufeff", "\u202e", "\n<0>x", "9" * 5000, "f" * 5000, "-", "--", "é", "=", "[", "{0}", "%s"),
    *("nan", "inf", "1e999", "-1", "0x10", "rtsp://me:hush42@cam/x", "rtsp:/me:hush42@cam", "x?pwd=hush42", "\0"),
    *("--json", "--config", "--source", "--size", "--fps", "--threads", "--device", "--seconds", "--run-dir", "--top"),
    *("/dev/zero", "/dev/null", "a" * 300, "x", "."),
]
WORD = st.one_of(
    st.sampled_from(PARTS), st.lists(st.sampled_from(PARTS), max_size=3).map("".join), st.text(max_size=20)
)
# Not `doctor`, which looks at this machine for 20 s, and no source or device that exists.
COMMANDS = [
    "",
    "run",
    "bench",
    "classify",
    "status",
    "bundle",
    "bundle show",
    "bundle verify",
    "bundle pack",
    "nothing",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(COMMANDS), words=st.lists(WORD, max_size=4))
def test_any_words_are_one_line_and_a_status(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    # In this process, or what it prints is lost on the way.
    monkeypatch.setattr("edge.cli.apart.run_forked", lambda work: work())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status = cli._run([*command.split(), *words])
    seen = capsys.readouterr()
    lines = (seen.out + seen.err).split("\n")
    assert all(line.isprintable() for line in lines)
    assert "hush42" not in seen.out + seen.err
    complaints = [line for line in lines if line.startswith(("fieldfare: ", "Error: "))]
    asks_for_help = {"-h", "--help", "--version"} & {*words}
    if status and not asks_for_help and not (status == 2 and "Usage:" in seen.err and not complaints):
        (complaint,) = complaints
        assert len(complaint) < 2000
        halves = complaint.split(": ")
        assert not any(a and a == b for a, b in itertools.pairwise(halves)), complaint


@pytest.mark.parametrize("option", ["--config", "--bundle"])
def test_a_pipe_that_nobody_writes_into_does_not_hang(
    option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.storage._PIPE_S", 0.2)
    os.mkfifo(tmp_path / "pipe")
    words = {"--config": ["run", "--config"], "--bundle": ["bundle", "show"]}[option]
    assert cli._run([*words, str(tmp_path / "pipe")]) in (65, 66)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_is_no_line_and_no_priority_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert cli._run(["bundle", "show", "birds\n<0>kernel: on fire"]) == 66
    assert cli._run(["birds\n<0>kernel: on fire"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("<3>") for line in lines)
