"""The trainer's main path: photos -> features -> head -> fine-tuning -> int8 -> figures -> bundle and report."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge import __version__
from edge.bundle.write import check_target
from edge.errors import OutputExistsError
from edge.storage import check_place, refuse_inputs
from trainer.cropping.record import find_record
from trainer.dataset.groups import visit_groups
from trainer.dataset.listing import SPLITS, list_photos
from trainer.dataset.photos import Photos
from trainer.delivery.deliver import deliver
from trainer.delivery.records import Delivery
from trainer.learning.average import PHOTOS_OF_START
from trainer.learning.checkpoint import Checkpoints, NoCheckpoints, folder_of, opened
from trainer.learning.frozen import unused_in_words
from trainer.learning.joining import FEW_PHOTOS, TOO_MANY
from trainer.learning.learn import computes_mixed, learn
from trainer.learning.schedule import LEAST_STEPS
from trainer.learning.team import Team, form_team, lost_members
from trainer.networks.pixels import preprocessing_for
from trainer.networks.weights import find_weights, sha256_of
from trainer.options import Options, TrainReport
from trainer.prepare import Data, find_taxonomy, list_outside, load, load_outside
from trainer.progress import Progress
from trainer.run_context import RunContext
from trainer.stage_clock import Clock


def train(options: Options, progress: Progress) -> TrainReport | None:
    """Train, quantize, measure, and write bundle and report. None on members of a team other than the chief.
    Raises FieldfareError's children; leaves no half bundle."""
    clock = Clock()
    check_outputs(options)
    remark = options.network.check(options.weights)
    # A file: before the photos are listed and TensorFlow is loaded, which takes seconds.
    weights = None if options.weights == "imagenet" else find_weights(options.network, options.weights)
    listing = list_photos(options.data, visits=options.group_by is not None and options.group_by.kind == "folder")
    if options.group_by is not None:
        # Only for its errors: a rule that matches nothing must not cost the minutes of reading the photos.
        visit_groups(listing, options.group_by)
    taxonomy, crop = find_taxonomy(listing, progress), find_record(listing.root)
    outside = list_outside(options.outside)
    progress.say(f"{options.network.title}, weights {options.weights}, seed {options.seed}")
    if remark:
        progress.say(remark)
    if options.epochs == 0 and (unused := unused_in_words(options)):
        progress.say(unused)
    team = _start(options, progress)
    weights = weights or find_weights(options.network, options.weights)
    clock.lap("network")
    # Errors of removing the folder must not hide the one that ended the training: Windows keeps files that are open.
    with (
        _checkpoints(options, team) as checkpoints,
        tempfile.TemporaryDirectory(prefix="fieldfare-train-", ignore_cleanup_errors=True) as name,
        ExitStack() as files,
    ):
        spec = preprocessing_for(options.network, options.resize, options.prepare)
        run = RunContext(options, spec, weights, Path(name), progress, clock, taxonomy, crop)
        # Before learning: if none of them can be read, the command must end now and not after the training.
        strangers = load_outside(run, outside) if team.is_chief else None
        if strangers is not None:
            files.enter_context(strangers.pixels)
        data = load(run, listing)
        files.enter_context(data.photos.pixels)
        clock.lap("photos")
        return _train(run, data, strangers, team, checkpoints)


def check_outputs(options: Options) -> None:
    """Check, before any work, that bundle and report have a place outside the photos. Raises OutputExistsError,
    StorageError."""
    target, data = check_target(options.out, overwrite=options.overwrite), options.data.resolve()
    if target == data or data in target.parents or target in data.parents:
        raise OutputExistsError(f"--out {options.out} lies among the photos: choose a place outside {options.data}")
    table = None if options.group_by is None else options.group_by.table
    weights = None if options.weights in ("imagenet", "none") else Path(options.weights)
    for written in (options.out, *report_paths(options.out)):
        refuse_inputs(written, (options.outside, table, weights))
    unfinished = folder_of(target).is_dir()
    for path in report_paths(options.out):
        if path.exists() and not options.overwrite and not unfinished:
            raise OutputExistsError(f"{path} exists: choose another name or add --overwrite")
        check_place(path)


def report_paths(out: Path) -> tuple[Path, Path]:
    """Return the paths of the report of bundle `out`: the page and its figures."""
    stem = out.name.removesuffix(".fieldfare")
    return out.with_name(f"{stem}-report.html"), out.with_name(f"{stem}-report.json")


def _start(options: Options, progress: Progress) -> Team:
    """Start TensorFlow and set its seeds."""
    # The team first: TensorFlow forms none once anything was computed.
    team = form_team(progress.say)
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    return team


@contextmanager
def _checkpoints(options: Options, team: Team) -> Iterator[Checkpoints]:
    if not team.is_chief:
        yield NoCheckpoints()
        return
    with opened(options.out.resolve(), restart=options.restart) as checkpoints:
        yield checkpoints


def _train(
    run: RunContext, data: Data, strangers: Photos | None, team: Team, checkpoints: Checkpoints
) -> TrainReport | None:
    identity = _identity(run, data)
    checkpoints.identify(identity)
    with lost_members(team.size):
        team.check_same("photos or options", hashlib.sha256(repr(sorted(identity.items())).encode()).digest())
        outside = 0 if strangers is None else len(strangers.listing.photos)
        learned = learn(run, data, team, checkpoints, outside=outside)
        if not team.is_chief:
            team.wait()
            run.progress.say("done: the bundle is written by the first machine of the team")
            return None
        report = deliver(Delivery(run, data, learned), strangers, report_paths(run.options.out))
        team.wait()
        return report


def _identity(run: RunContext, data: Data) -> dict[str, object]:
    """Return what makes a training this one and no other: given again, it goes on."""
    import keras
    import tensorflow as tf

    options, photos = run.options, data.photos
    content = hashlib.sha256(photos.hashes.tobytes() + photos.greys.tobytes() + photos.listing.labels.tobytes())
    for split in SPLITS:
        content.update(data.splits[split].tobytes())
    if len(photos.listing.machine_made):
        content.update(data.photo_set.weights_of(data.splits["train"]).tobytes())
    # Left out if not chosen: a training that began before there were such options goes on.
    later = {
        "preparation": ", ".join(options.prepare),
        "any way up": options.any_way_up,
        "mirror, vertically": options.mirror_vertical,
        "grey nights": options.nights,
    }
    return {
        "network": options.network.title,
        "weights": sha256_of(run.weights) if run.weights else "none",
        "classes": list(data.classes),
        "photos": content.hexdigest()[:16],
        "epochs": options.epochs,
        "steps of an epoch at least": LEAST_STEPS,
        "photos that the start counts for": PHOTOS_OF_START,
        "photos that are few": f"{FEW_PHOTOS} by hand of {TOO_MANY}",
        "time budget": options.time_budget_min,
        "seed": options.seed,
        "resize": options.resize,
        "mirror": options.mirror,
        "class weights": options.class_weights,
        "patience": options.patience,
        "precision": "mixed" if computes_mixed(options) else "float32",
        "promised precision": options.min_precision,
        **{name: value for name, value in later.items() if value},
        "versions": f"fieldfare {__version__}, tensorflow {tf.__version__}, keras {keras.__version__}",
    }
