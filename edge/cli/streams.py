"""Make standard input, output and error usable, also if the parent process has closed them."""

import io
import os
import re
import sys
from typing import Any

import click

from edge.portable.system import module_or_none
from edge.printable import one_line, printable_json, utf8_text

# A word of the command line may have 100,000 characters; no path that a message must show in full has so many.
_LONG_WORD = re.compile(r"(\S{300})\S+")


def fill_closed() -> None:
    """Open /dev/null in place of each standard stream that is closed."""
    # Otherwise the next file or pipe that is opened takes its number, and what is printed goes into that. Standard
    # output is opened for reading only, so that printing to it is an error and not a silent loss.
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, mode)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            os.set_inheritable(number, True)  # noqa: FBT003 - it takes no names
    if not sys.stdout:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as the interpreter's own, to the end
    if not sys.stderr:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


class _NamedOutput(io.FileIO):
    """A file whose errors of writing name it: those of a disk that is full have no name of their own."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = "standard output: cannot write"
            raise


def name_stdout() -> None:
    """Let errors of writing to standard output name it."""
    if not isinstance(sys.stdout, io.TextIOWrapper) or is_stdout_closed():
        return
    raw = _NamedOutput(sys.stdout.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=sys.stdout.encoding,
        line_buffering=sys.stdout.line_buffering,
        write_through=sys.stdout.write_through,
    )


def quieten_opencv() -> None:
    """Keep OpenCV and its FFmpeg from writing between our own messages, unless the user has set these variables.

    Call it before OpenCV is imported. A worker does the same.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what it cannot do, it returns, too
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET


def echo(line: str) -> None:
    """Print one line to standard output, whatever the names in it hold (edge.printable)."""
    click.echo(one_line(line))


def echo_json(value: Any) -> None:
    """Print one JSON object to standard output, with everything in it that is not printable escaped. What is not UTF-8
    in the name of a file becomes U+FFFD: JSON has no other way to show it."""
    import msgspec

    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_in_utf8(msgspec.to_builtins(value)))
    click.echo(printable_json(data).decode())


def _in_utf8(value: Any) -> Any:
    """Return what msgspec.to_builtins made, with utf8_text in place of each text."""
    if isinstance(value, str):
        return utf8_text(value)
    if isinstance(value, dict):
        return {_in_utf8(key): _in_utf8(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_in_utf8(inner) for inner in value]
    return value


def complain(message: str) -> None:
    """Print one line to standard error, under systemd as an error; it never shows a password."""
    from logging import ERROR

    from edge.processes.logs import priority

    line = _LONG_WORD.sub(r"\1...", one_line(message))
    click.echo(f"{priority(ERROR)}{line}", err=True)


def is_stdout_closed() -> bool:
    """Return whether nothing at all can be written to standard output."""
    fcntl = module_or_none("fcntl")
    if fcntl is None:  # Windows
        return False
    try:
        return bool(fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY)
    except (OSError, ValueError):  # it has no file descriptor, as under a test
        return False
