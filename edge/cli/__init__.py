"""Run the command `fieldfare`; sub-commands are imported when they are needed."""

import importlib
import io
import os
import sys
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Any

import click

from edge import __version__
from edge.cli.streams import complain, fill_closed, is_stdout_closed, name_stdout
from edge.errors import ConfigError, FieldfareError, StorageError, UnavailableError
from edge.portable.system import is_linux

_BUILT_IN = {
    "bench": "edge.cli.bench.command:bench",
    "bundle": "edge.cli.bundle:bundle",
    "classify": "edge.cli.classify:classify",
    "device": "edge.cli.device.command:device",
    "doctor": "edge.cli.doctor:doctor",
    "embed": "edge.cli.embed:embed",
    "events": "edge.cli.events.command:events",
    "export": "edge.cli.export:export",
    "kit": "edge.cli.kit:kit",
    "label": "edge.cli.label.command:label",
    "outputs": "edge.cli.outputs.command:outputs",
    "replay": "edge.cli.replay:replay",
    "run": "edge.cli.run:run",
    "serve": "edge.cli.serve.command:serve",
    "status": "edge.cli.status:status",
    "teach": "edge.cli.teach.command:teach",
}
# The device's: they are built on Linux' sockets, files in memory, users and devices.
_NEED_LINUX = frozenset({"bench", "doctor", "events", "export", "outputs", "replay", "run", "serve", "status", "teach"})
_INTERRUPTED = 130


class Commands(click.Group):
    """Built-in commands, and those that other packages name under `fieldfare.commands`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split the words, as click.Group does. Raises UsageError for one that can name no file and be no value."""
        if any("\0" in word for word in args):  # only another program can pass it; the system's calls refuse it
            raise click.UsageError("a word holds a NUL character", ctx)
        if (place := _empty(args)) is not None:
            # As a path it would mean the present folder, and no option has a use for it: `--out "$OUT"` in a script
            # that never set OUT.
            raise click.UsageError(f"{place} is empty: give a value there (was a variable never set?)", ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List their names, as click.Group does."""
        return sorted(_targets())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words name, as click.Group does. Raises UnavailableError if it needs Linux, and
        this is another system."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in _NEED_LINUX and not is_linux() and not {"-h", "--help"} & set(rest):
            raise UnavailableError(
                f"{name} needs Linux, as it is the device's: run it on the Raspberry Pi, or here in WSL "
                "(docs/windows-and-mac.md)"
            )
        return name, command, rest

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one, as click.Group does; None if there is no such command."""
        # Not those of other packages first: to find them took a tenth of the time to the first frame.
        target = _BUILT_IN.get(cmd_name) or _targets().get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command: Any = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None


def _empty(words: list[str]) -> str | None:
    """Return where the first word is that is empty or blank, or an option without the value behind its `=`."""
    options = words[: words.index("--")] if "--" in words else words
    for number, (before, word) in enumerate(zip(["", *words], words, strict=False), 1):
        if not word.strip():
            return f"the word after {before}" if before.startswith("--") else f"word {number}"
        if number <= len(options) and word.startswith("--") and word.rstrip().endswith("="):
            return f"the value of {word.rstrip()[:-1]}"
    return None


@cache
def _targets() -> dict[str, str]:
    from importlib.metadata import entry_points

    # Kept, since `--help` needs it once for each command, and each look goes through all installed packages.
    plugged = {entry.name: entry.value for entry in entry_points(group="fieldfare.commands")}
    return {**plugged, **_BUILT_IN}


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit statuses: 0 done, 2 wrong usage, 65 bad data, 66 input not there, 69 camera or engine not "
    "available, 72 a library is missing, 73 output exists, 74 writing failed, 78 wrong settings, "
    "130 interrupted.",
)
@click.version_option(__version__, prog_name="fieldfare")
def cli() -> None:
    """Turn a folder of photos into a camera that knows what it sees.

    \b
    On a desktop:   fieldfare train PHOTOS --out birds
    One picture:    fieldfare classify birds owl.jpg
    A camera:       fieldfare run --bundle birds --source picamera2
    What it saw:    fieldfare events --since yesterday
    """


def main() -> None:
    """Run the command line and exit; an error of ours is one line and an exit status, never a traceback."""
    fill_closed()
    name_stdout()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # labels in any script, terminals in any encoding
    sys.excepthook = _show_unforeseen
    sys.exit(_run(sys.argv[1:]))


def _run(words: list[str]) -> int:
    def invoke() -> None:
        with cli.make_context("fieldfare", words) as context:
            cli.invoke(context)

    return status_of(invoke)


def status_of(work: Callable[[], object]) -> int:
    """Return the exit status of a command's work; an error of ours is printed as one line."""
    # Not click's own main(): it would turn a reader that left (head, a pager) into exit status 1.
    try:
        work()
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except ConfigError as error:
        _fail(error.heading, error.exit_status)
        for fault in error.faults:
            complain(f"  {fault}")
        return error.exit_status
    except FieldfareError as error:
        return _fail(str(error), error.exit_status)
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except BrokenPipeError:
        _abandon_stdout()
        return 0
    except OSError as error:
        return _fail(_where(error), StorageError.exit_status)
    except (KeyboardInterrupt, click.exceptions.Abort, EOFError):
        complain("fieldfare: interrupted")
        return _INTERRUPTED


def _where(error: OSError) -> str:
    """Return in words what could not be written or read, and why."""
    why = error.strerror or str(error)
    if is_stdout_closed():
        return "standard output: closed"
    return why if error.filename is None else f"{error.filename}: {why}"


def _fail(message: str, status: int) -> int:
    complain(f"fieldfare: {' '.join(message.split())}")
    if status == StorageError.exit_status:
        _abandon_stdout()
    return status


def _show(error: click.ClickException) -> None:
    """Print what click complains of, which may quote any word of the command line."""
    shown = io.StringIO()
    error.show(file=shown)
    usage, complains, _ = shown.getvalue().partition("Error: ")
    for line in usage.removesuffix("\n").split("\n") if usage else ():
        complain(line)
    if complains:
        complain(f"Error: {error.format_message()}")


def _show_unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # Imported late: `--help` needs no log.
    from edge.processes.logs import hook_uncaught

    hook_uncaught()
    sys.excepthook(kind, error, trace)


def _abandon_stdout() -> None:
    """Keep the interpreter from flushing into nowhere, or a full disk, at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
