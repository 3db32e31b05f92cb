"""Tables on standard output: a pipe gets the bytes of names, a terminal nothing that acts on it."""

import os
import sys

import pytest

from trainer.cli.csv_table import echo_csv

EVIL = os.fsdecode(b"owl\x1b[2J\xff\n1.jpg")


def test_a_pipe_gets_the_bytes_of_a_name(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    echo_csv([("file", "size"), (EVIL, 3)])
    assert capsysbinary.readouterr().out == b'file,size\r\n"owl\x1b[2J\xff\n1.jpg",3\r\n'


def test_a_terminal_gets_no_control_character(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    echo_csv([("file", "size"), (EVIL, 3)])
    assert capsysbinary.readouterr().out.decode() == "file,size\r\nowl?[2J\ufffd?1.jpg,3\r\n"
