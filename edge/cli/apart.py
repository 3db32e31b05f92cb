"""Keep a command alive whatever the bundle's model does to the process that runs it."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click

from edge.cli import status_of
from edge.errors import BundleError
from edge.portable.system import SIGALRM
from edge.processes.fork import run_forked

P = ParamSpec("P")


def apart(*bundles: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Run a command in a fork of this process, so that a crash and a hang become one line and status 65.

    bundles: the names of the command's parameters that hold a bundle's path. If none is given, the command runs no
        model that may be a stranger's, and stays in this process.
    """

    def decorate(body: Callable[P, None]) -> Callable[P, None]:
        @wraps(body)
        def command(*args: P.args, **given: P.kwargs) -> None:
            context = click.get_current_context()
            if all(given[bundle] is None for bundle in bundles):
                context.invoke(body, *args, **given)
                return
            status = run_forked(lambda: status_of(lambda: context.invoke(body, *args, **given)))
            if status < 0:
                names = " or ".join(str(given[bundle]) for bundle in bundles if given[bundle] is not None)
                raise BundleError(f"bundle {names}: {_how_it_ended(-status)}")
            if status:
                raise click.exceptions.Exit(status)

        return command

    return decorate


def _how_it_ended(number: int) -> str:
    from edge.inference.model_limits import TIMEOUT_S
    from edge.processes.process import describe_exit

    if number == SIGALRM:
        return f"no answer within {TIMEOUT_S} s: not a usable model"
    return f"the process that ran its model {describe_exit(-number)}: damaged model"
