"""Bring the channels of a residual chain to one range, without changing the function.

An int8 tensor has one step for all of its channels. The linear outputs of MobileNetV2 and V3 blocks, and the sums
that they run into, have channels whose ranges differ tenfold, so the small ones are left a few steps. A
channel that nothing but a linear sum touches may be scaled by any number, as long as all that writes it is
multiplied and all that reads it divided (cross-layer equalization, Nagel et al. 2019; here for chains without an
activation).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.dataset.rows import RowSource
from trainer.learning.predict import InnerOutputs

# Of a channel: one that would need more is as good as empty.
MAX_SCALE = 64.0
_PASSES = ("Folded", "ZeroPadding2D", "Dropout", "SpatialDropout2D")


@dataclass(slots=True)
class Chain:
    """One set of channels.

    writers: convolutions that write it.
    readers: convolutions that read it.
    holders: layers whose outputs hold it.
    linear: whether nothing but sums stands between writers and readers.
    """

    writers: list[Any] = field(default_factory=list)
    readers: list[Any] = field(default_factory=list)
    holders: list[Any] = field(default_factory=list)
    linear: bool = True


def equalize(model: Any, spec: Preprocessing, pixels: RowSource, representative: NDArray[np.int64]) -> int:
    """Scale the channels of all linear chains of `model`, a folded Keras model, in place; return how many chains.
    pixels[representative]: uint8 (height, width, 3), on which the channels' largest values become one size."""
    chains = find_chains(model)
    if not chains:
        return 0
    for chain, largest in zip(chains, _largest(model, chains, spec, pixels, representative), strict=True):
        if largest.max() <= 0:
            continue
        scale = np.minimum(largest.max() / np.maximum(largest, 1e-9), MAX_SCALE).astype(np.float32)
        for writer in chain.writers:
            writer.set_weights([weights * scale for weights in writer.get_weights()])
        for reader in chain.readers:
            kernel, *bias = reader.get_weights()
            reader.set_weights([kernel / scale[None, None, :, None], *bias])
    return len(chains)


def find_chains(model: Any) -> list[Chain]:
    """Find the chains whose every writer is a convolution without an activation and every reader a convolution."""
    of: dict[str, str] = {}
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    broken: set[str] = set()
    for layer in model.layers:
        kind, sources = type(layer).__name__, _sources(layer)
        if kind == "Conv2D":
            of[layer.name] = root[layer.name] = layer.name
        elif kind in _PASSES and sources and sources[0] in of:
            of[layer.name] = of[sources[0]]
        elif kind == "Add":
            inside = [of[source] for source in sources if source in of]
            for other in inside[1:]:
                root[find(other)] = find(inside[0])
            if len(inside) == len(sources):
                of[layer.name] = inside[0]
            else:
                # Another term of the sum comes from no convolution: it could not be scaled with the rest.
                broken.update(inside)
    chains: dict[str, Chain] = {}
    for layer in model.layers:
        if layer.name in of:
            _note(chains.setdefault(find(of[layer.name]), Chain()), layer, of)
    for name in broken:
        chains[find(name)].linear = False
    return [chain for chain in chains.values() if chain.linear and chain.readers]


def _note(chain: Chain, layer: Any, of: dict[str, str]) -> None:
    if type(layer).__name__ == "Conv2D":
        chain.writers.append(layer)
        if layer.activation.__name__ != "linear":
            chain.linear = False
    chain.holders.append(layer)
    readers = [node.operation for node in layer._outbound_nodes]
    for reader in readers:
        kind = type(reader).__name__
        if kind == "Conv2D":
            chain.readers.append(reader)
        elif not (reader.name in of and kind in (*_PASSES, "Add")):
            chain.linear = False
    # The model's own output: nothing behind it could divide again.
    if not readers:
        chain.linear = False


def _sources(layer: Any) -> list[str]:
    if not layer._inbound_nodes:
        return []
    return [node.operation.name for node in layer._inbound_nodes[0].parent_nodes]


def _largest(
    model: Any, chains: list[Chain], spec: Preprocessing, pixels: RowSource, representative: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Return for each chain the largest size of each channel, (channels,)."""
    outputs = [holder.output for chain in chains for holder in chain.holders]
    inner = InnerOutputs(model, outputs, spec)
    sizes = [np.zeros(output.shape[-1], np.float32) for output in outputs]
    for index in representative:
        sizes = [
            np.maximum(size, np.abs(np.asarray(value)).max(axis=(0, 1, 2)))
            for size, value in zip(sizes, inner(pixels[index]), strict=True)
        ]
    largest, place = [], 0
    for chain in chains:
        largest.append(np.max(sizes[place : place + len(chain.holders)], axis=0))
        place += len(chain.holders)
    return largest
