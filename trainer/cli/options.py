"""Options that several commands of the trainer share, each described once."""

from collections.abc import Callable

import click

from trainer.dataset.decode_limits import default_workers

seed = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed.")
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output instead of text."
)


def workers(what: str = "Processes that decode photos") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return --workers. what: the workers are, for the help."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=default_workers,
        help=f"{what}.  [default: all cores, fewer if memory is short]",
    )
