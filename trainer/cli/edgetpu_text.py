"""What the commands for the Edge TPU print: verdicts on models, and what compiled ones hold."""

import click

from edge.cli.streams import echo
from edge.edgetpu.package import TEACHABLE, amount
from edge.edgetpu.twin import CompiledModel
from edge.printable import counted
from trainer.edgetpu.compatibility import Verdict


def show_verdict(title: str, verdict: Verdict) -> None:
    """Print the headline, a row for each kind of operator, and what follows from them."""
    echo(f"{title}: {_headline(verdict)}")
    click.echo()
    table = [("operator", "version", "count", "runs on", "why")]
    for row in verdict.rows:
        version = "" if verdict.compiled else f"{row.version}{'' if row.seen else ' (not seen)'}"
        why = "" if row.maps else ": ".join(text for text in (row.status, row.detail) if text)
        table.append((row.operator, version, str(row.count), "Edge TPU" if row.maps else "CPU", why))
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line[:4], widths, strict=True)]
        echo("  ".join((*cells, line[4])).rstrip())
    click.echo()
    if verdict.splits_at is not None:
        show_line("splits at", f"{verdict.splits_at}; what needs its result stays on the CPU")
    if verdict.parameters is not None:
        show_line("parameters", _memory(verdict))
    for number, change in enumerate(verdict.changes):
        show_line("change" if not number else "", change)
    for number, guess in enumerate(verdict.not_seen):
        show_line("not seen" if not number else "", guess)


def show_package(package: CompiledModel) -> None:
    """Print what a compiled model holds."""
    if package.teachable:
        show_line("last layer", TEACHABLE)
    show_line("runtime", f"of the Edge TPU, {package.min_runtime} or newer")
    show_line("memory", memory_of(package))
    for side, layers in (("input", package.inputs), ("output", package.outputs)):
        for number, layer in enumerate(layers):
            shape = "x".join(map(str, layer.shape))
            numbers = f"scale {layer.scale:.6g}, zero point {layer.zero_point}"
            show_line(side if not number else "", f"{layer.name[:60]} {shape} ({numbers}, counted unsigned)")


def memory_of(package: CompiledModel) -> str:
    """Return how much of its parameters a compiled model keeps on the chip, in words."""
    return (
        f"parameters: {amount(package.on_chip_bytes)} on the chip, {amount(package.streamed_bytes)} streamed at each "
        "inference"
    )


def _headline(verdict: Verdict) -> str:
    if verdict.compiled:
        parts = "one part" if verdict.edgetpu_parts == 1 else f"{verdict.edgetpu_parts} parts"
        many = f"{counted(verdict.on_cpu, 'operator')} {'is' if verdict.on_cpu == 1 else 'are'}"
        left = f"{many if verdict.on_cpu else 'nothing is'} left on the CPU"
        return f"compiled, {parts} for the Edge TPU, {left}"
    total = (verdict.on_tpu or 0) + verdict.on_cpu
    if verdict.outcome == "whole":
        return f"maps as a whole, {total} operators (predicted without the compiler)"
    if verdict.outcome == "partial":
        return f"maps in part, {verdict.on_tpu} of {total} operators (predicted without the compiler)"
    return f"does not map: {verdict.refusal} (predicted without the compiler)"


def _memory(verdict: Verdict) -> str:
    parameters = verdict.parameters
    assert parameters is not None
    if parameters.fits == "yes":
        return (
            f"{_mib(parameters.size)}, fit the on-chip memory (7.0 to 7.9 MiB are usable, less with large activations)"
        )
    low, high = parameters.streamed
    return (
        f"{_mib(parameters.size)}, on-chip 7.0 to 7.9 MiB: {_mib(low)} to {_mib(high)} are streamed at each inference"
    )


def show_line(title: str, text: str) -> None:
    """Print one line with its title."""
    echo(f"{title:<11} {text}")


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"
