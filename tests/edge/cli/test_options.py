"""What the help repeats of the settings and of the bundle is what they hold."""

import re
from typing import get_args

import click
import pytest

from edge.bundle.manifest import Activation, Channels, Resize
from edge.cli.bench.command import bench
from edge.cli.bundle import import_, verify
from edge.cli.classify import classify
from edge.cli.run import run
from edge.config.settings import Settings
from edge.importing.importer import RANGES
from edge.inference.runtime import RuntimeName

SETTINGS = Settings(bundle="birds")
DEFAULTS = {
    "runtime": SETTINGS.engine.runtime,
    "device": SETTINGS.engine.device,
    "threads": SETTINGS.engine.threads,
    "smoothing": SETTINGS.decision.smoothing,
    "top": SETTINGS.decision.top,
    "size": f"{SETTINGS.camera.width}x{SETTINGS.camera.height}",
}


def option(command: click.Command, name: str) -> click.Option:
    (found,) = (parameter for parameter in command.params if parameter.name == name)
    assert isinstance(found, click.Option)
    return found


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *((run, name) for name in DEFAULTS),
        *((bench, name) for name in ("runtime", "device", "threads", "size")),
        *((classify, name) for name in ("runtime", "device", "threads", "top")),
        *((command, "runtime") for command in (verify, import_)),
    ],
    ids=lambda value: value.name if isinstance(value, click.Command) else value,
)
def test_the_default_in_the_help_is_that_of_the_settings(command: click.Command, name: str) -> None:
    found = option(command, name)
    shown = re.search(r"\[default: (.*)\]", found.help or "")
    assert shown is not None
    assert shown[1] == (f"{DEFAULTS[name]:g}" if isinstance(DEFAULTS[name], float) else str(DEFAULTS[name]))
    with command.make_context("fieldfare", [], resilient_parsing=True) as context:
        assert context.params[name] is None  # so that the settings' own holds


def test_the_runtimes_are_those_that_can_be_chosen() -> None:
    *others, last = get_args(RuntimeName)
    assert (option(run, "runtime").help or "").startswith(f"{', '.join(others)} or {last}.")


@pytest.mark.parametrize(
    ("name", "choices"), [("channel_order", Channels), ("resize", Resize), ("activation", Activation)]
)
def test_the_choices_of_an_import_are_those_of_the_manifest(name: str, choices: object) -> None:
    kind = option(import_, name).type
    assert isinstance(kind, click.Choice)
    assert tuple(kind.choices) == get_args(choices)


def test_the_ranges_of_an_import_are_those_that_it_knows() -> None:
    assert f"{', '.join(RANGES)} or MEAN,STD" in (option(import_, "normalize").help or "")
