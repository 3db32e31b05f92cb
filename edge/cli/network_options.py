"""The options that name the network that looks at photos, and its input: a bundle's own, or that of a weights file."""

from collections.abc import Callable
from pathlib import Path

import click

from edge.cli import options
from edge.cli.numbers import FloatRange

BUNDLE = f"Bundle whose network looks at the photos. {options.BUNDLE}"

Command = Callable[..., None]


def network_options(*, bundle: str = BUNDLE, default: str = "") -> Callable[[Command], Command]:
    """Give a command --bundle, --weights, --alpha and --size.

    bundle: the help of the first. default: what holds if none of them is given, for the help.
    """
    # tests/trainer/cli/test_options.py compares the bounds with the trainer's, which this side must not import.
    added: tuple[Callable[[Command], Command], ...] = (
        click.option("--bundle", type=click.Path(path_type=Path), help=bundle),
        click.option(
            "--weights",
            metavar="imagenet|FILE",
            help="A network's weights: Keras' own, or a *_no_top.h5 file; on the desktop."
            + (f"  [default: {default}]" if default else ""),
        ),
        click.option(
            "--alpha", type=FloatRange(0.1, 1.4), default=0.35, show_default=True, help="--weights: their width."
        ),
        click.option(
            "--size",
            type=click.IntRange(32, 320),
            default=224,
            show_default=True,
            help="--weights: input side in pixels.",
        ),
    )
    return with_options(*added)


def with_options(*added: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Give a command several options, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(added):
            command = option(command)
        return command

    return decorate
