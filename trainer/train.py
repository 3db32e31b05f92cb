"""The trainer's main path: photos -> features -> head -> fine-tuning -> int8 -> figures -> bundle and report."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge import __version__
from edge.bundle.manifest import Preprocessing
from edge.bundle.write import check_target
from edge.errors import DatasetError, MissingInputError, OutputExistsError
from edge.images import find_images, readable_name
from edge.storage import check_place
from trainer.dataset.groups import visit_groups
from trainer.dataset.listing import SPLITS, Listing, Photo, list_photos
from trainer.dataset.photo_set import PhotoSet
from trainer.dataset.photos import Photos, load_photos
from trainer.delivery.deliver import deliver
from trainer.delivery.records import Delivery
from trainer.learning.checkpoint import Checkpoints, NoCheckpoints, folder_of, opened
from trainer.learning.learn import Setting, computes_mixed, learn
from trainer.learning.schedule import Deadline
from trainer.learning.team import Team, form_team, lost_members
from trainer.networks.pixels import input_of, preprocessing_for
from trainer.networks.weights import find_weights, sha256_of
from trainer.options import Options, TrainReport
from trainer.prepare import Data, load
from trainer.progress import Progress
from trainer.stage_clock import Clock


def train(options: Options, progress: Progress) -> TrainReport | None:
    """Train, quantize, measure, and write bundle and report. None on members of a team other than the chief.
    Raises FieldfareError's children; leaves no half bundle."""
    clock = Clock()
    check_outputs(options)
    remark = options.network.check(options.weights)
    listing = list_photos(options.data)
    if options.group_by is not None:
        visit_groups(listing, options.group_by)  # what is wrong with it is told before the photos are read
    outside = list_outside(options.outside)
    progress.say(f"{options.network.title}, weights {options.weights}, seed {options.seed}")
    if remark:
        progress.say(remark)
    team = _start(options, progress)
    weights = find_weights(options.network, options.weights)
    clock.lap("network")
    with _checkpoints(options, team) as checkpoints, tempfile.TemporaryDirectory(prefix="fieldfare-train-") as name:
        return _train(options, listing, outside, weights, team, checkpoints, Path(name), progress, clock)


def check_outputs(options: Options) -> None:
    """Before any work: is there a place for the bundle and its report, and is it not among the photos?"""
    target, data = check_target(options.out, overwrite=options.overwrite), options.data.resolve()
    if target == data or data in target.parents or target in data.parents:
        raise OutputExistsError(f"--out {options.out} lies among the photos: choose a place outside {options.data}")
    unfinished = folder_of(target).is_dir()
    for path in report_paths(options.out):
        if path.exists() and not options.overwrite and not unfinished:
            raise OutputExistsError(f"{path} exists: choose another name or add --overwrite")
        check_place(path)


def report_paths(out: Path) -> tuple[Path, Path]:
    """Where the report of the bundle `out` goes: the page and its figures."""
    stem = out.name.removesuffix(".fieldfare")
    return out.with_name(f"{stem}-report.html"), out.with_name(f"{stem}-report.json")


def list_outside(folder: Path | None) -> Listing | None:
    """The photos in `folder`, as a listing of one class. Raises MissingInputError where there are none."""
    if folder is None:
        return None
    paths = find_images(folder)
    if not paths:
        raise MissingInputError(f"--outside {folder}: no photos there (JPEG, PNG, BMP, WebP, TIFF)")
    return Listing(folder, ("outside",), tuple(Photo(path, 0, None) for path in paths), 0)


def load_outside(
    options: Options, outside: Listing | None, spec: Preprocessing, folder: Path, progress: Progress
) -> Photos | None:
    """Decode the photos of --outside into `folder`. Done before learning: it must not end in what can be known now.
    Raises DatasetError where none can be read, StorageError."""
    if outside is None:
        return None
    count, tensor = len(outside.photos), input_of(options.network)
    with progress.stage("photos outside the classes", count) as advance:
        photos = load_photos(
            outside, spec, tensor, folder, workers=options.decoders, skip_unreadable=True, progress=advance
        )
    if not photos.listing.photos:
        photos.pixels.close()
        raise DatasetError(
            f"--outside {readable_name(outside.root)}: not one of {count} photos can be read ({photos.unreadable[0]}): "
            "mend them, or train without --outside"
        )
    for problem in photos.unreadable:
        progress.say(f"warning: --outside: left out: {problem}")
    return photos


def _start(options: Options, progress: Progress) -> Team:
    """TensorFlow, its team and its seeds. The team first: it must be there before anything is computed."""
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
    options: Options,
    listing: Listing,
    outside: Listing | None,
    weights: Path | None,
    team: Team,
    checkpoints: Checkpoints,
    folder: Path,
    progress: Progress,
    clock: Clock,
) -> TrainReport | None:
    spec = preprocessing_for(options.network, options.resize)
    strangers = load_outside(options, outside, spec, folder, progress) if team.is_chief else None
    data = load(options, listing, spec, folder, progress)
    clock.lap("photos")
    identity = _identity(options, weights, data)
    checkpoints.identify(identity)
    with lost_members(team.size):
        team.check_same("photos or options", hashlib.sha256(repr(sorted(identity.items())).encode()).digest())
        photos = PhotoSet(data.photos.pixels, data.photos.listing.labels, data.splits["train"], data.splits["val"])
        deadline = _deadline(options, clock)
        names = data.photos.listing.classes
        judged = len(data.splits["test"]), len(strangers.listing.photos) if strangers else 0
        setting = Setting(options, spec, photos, names, folder, team, checkpoints, deadline, progress, clock, *judged)
        learned = learn(setting, weights)
        if not team.is_chief:
            team.wait()
            progress.say("done: the bundle is written by the first machine of the team")
            return None
        delivery = Delivery(options, spec, data, photos, learned, weights, folder, progress, clock)
        report = deliver(delivery, strangers, report_paths(options.out))
        team.wait()
        return report


def _deadline(options: Options, clock: Clock) -> Deadline | None:
    """The end of the time budget."""
    if options.time_budget_min is None:
        return None
    return Deadline(clock.started + 60 * options.time_budget_min)


def _identity(options: Options, weights: Path | None, data: Data) -> dict[str, object]:
    """What makes a training this one and no other: given again, it goes on."""
    import keras
    import tensorflow as tf

    photos = data.photos
    content = hashlib.sha256(photos.hashes.tobytes() + photos.greys.tobytes() + photos.listing.labels.tobytes())
    for split in SPLITS:
        content.update(data.splits[split].tobytes())
    network = options.network
    return {
        "network": network.title,
        "weights": sha256_of(weights) if weights else "none",
        "classes": list(photos.listing.classes),
        "photos": content.hexdigest()[:16],
        "epochs": options.epochs,
        "time budget": options.time_budget_min,
        "seed": options.seed,
        "resize": options.resize,
        "mirror": options.mirror,
        "class weights": options.class_weights,
        "patience": options.patience,
        "precision": "mixed" if computes_mixed(options) else "float32",
        "promised precision": options.min_precision,
        "versions": f"fieldfare {__version__}, tensorflow {tf.__version__}, keras {keras.__version__}",
    }
