"""The options of a training, and what it reports. No TensorFlow here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edge.bundle.manifest import Resize
from trainer.dataset.decode_limits import default_workers
from trainer.dataset.groups import GroupBy
from trainer.networks.families import Network

ClassWeights = Literal["none", "sqrt", "balanced"]
# About one carried label in ten is wrong. With a linear head on TrashNet, 1 lost up to a point against 0.3.
DEFAULT_MACHINE_WEIGHT = 0.5
Precision = Literal["auto", "float32", "mixed"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `fieldfare train`, those that their names do not explain:

    weights: "imagenet", "none" or a file.
    epochs: None for 10 of fine-tuning, longer ones if photos are few, or 40 from scratch.
    time_budget_min: makes the best of so many minutes, instead of epochs.
    min_precision: the share of right answers that the bundle promises for what it does not call unknown; 0: nothing
        is called unknown.
    machine_weight: what a photo counts in training at most whose label a machine made; 0: they are left out.
    outside: photos of things that belong to no class, to judge the finished model by.
    prepare: steps of edge.bundle.preparation, in their order.
    any_way_up, mirror_vertical, nights: see trainer.learning.augment.
    restart: throw an unfinished training away instead of going on with it.
    """

    data: Path
    out: Path
    network: Network
    weights: str
    epochs: int | None = None
    time_budget_min: float | None = None
    seed: int = 0
    resize: Resize = "squash"
    prepare: tuple[str, ...] = ()
    mirror: bool = True
    mirror_vertical: bool = False
    any_way_up: bool = False
    nights: float = 0.0
    class_weights: ClassWeights = "none"
    machine_weight: float = DEFAULT_MACHINE_WEIGHT
    patience: int = 10
    precision: Precision = "auto"
    min_precision: float = 0.95
    group_by: GroupBy | None = None
    outside: Path | None = None
    edgetpu: bool = False
    compiler: str | None = None
    teachable: bool = False
    allow_partial: bool = False
    skip_unreadable: bool = False
    overwrite: bool = False
    restart: bool = False
    workers: int = 2

    @property
    def decoders(self) -> int:
        """As many of the workers as the memory can bear when all decode the largest photos at once."""
        return min(self.workers, default_workers())


class TrainReport(msgspec.Struct, frozen=True):
    """A training in short. Accuracies are shares 0..1; seconds: from the first photo to the bundle, in this run."""

    bundle: str
    bundle_id: str
    report: str
    classes: tuple[str, ...]
    photos: dict[str, int]
    unreadable: int
    val_top1_head: float | None
    val_top1_float: float
    best_epoch: int
    test_top1_float: float
    test_top1_int8: float
    calibration_error: float | None
    temperature: float
    bias: tuple[float, ...] | None
    threshold: float
    promise_shown: bool
    coverage: float
    precision: float | None
    seconds: float
    stage_seconds: dict[str, float]
    edgetpu_check: str
    edgetpu: str
