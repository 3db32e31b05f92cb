"""Build the keeper from the settings."""

import logging
import random

from edge.bundle.store import Bundle
from edge.config.settings import Settings
from edge.errors import FieldfareError
from edge.events.detect import Detector
from edge.events.labels import background_of, thresholds_of
from edge.events.score_log import ScoreLogWriter
from edge.inference.model_limits import MEMORY_BYTES
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.processes.fork import memory_limit
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.bursts import Bursts
from edge.worker.keeping.harvest import Chooser, Harvester, Judge
from edge.worker.keeping.jpeg import JpegEncoder
from edge.worker.keeping.keeper import Keeper
from edge.worker.keeping.scores import ScoreSender
from edge.worker.keeping.second_opinion import SecondOpinion
from edge.worker.keeping.sending import PictureSender, Send
from edge.worker.keeping.sightings import Sightings
from edge.worker.pipeline import Pipeline

_log = logging.getLogger(__name__)


def open_keeper(settings: Settings, pipeline: Pipeline, send: Send) -> Keeper:
    """Build what the settings want kept, and start its thread.

    send: Channel.send, or what stands for it; any thread may call it.
    """
    bundle, events = pipeline.bundle, settings.events
    thresholds = thresholds_of(bundle.labels, settings.decision, bundle.thresholds)
    background = background_of(bundle.labels, settings.decision.background)
    thread = BackgroundThread("keep")
    sightings = harvester = None
    if events.store is not None:
        detector = Detector(bundle.labels, thresholds, background, events)
        sender = _picture_sender(settings, send)
        sightings = Sightings(detector, send, sender, thread, settings.pictures, pipeline.part)
        if settings.harvest.max_mb:
            judge = Judge(bundle.labels, thresholds, background)
            harvester = _harvester(settings, pipeline, detector, judge, sender, thread)
    scores = None
    if events.scores is not None:
        scores = ScoreSender(ScoreLogWriter(bundle.labels, bundle.bundle_id, thresholds), send, thread)
    return Keeper(thread, sightings=sightings, harvester=harvester, scores=scores)


def _picture_sender(settings: Settings, send: Send) -> PictureSender:
    pictures = settings.pictures
    encoder = JpegEncoder(max_side=pictures.max_side, quality=pictures.quality)
    bursts = Bursts(pictures, settings.events) if pictures.before or pictures.after else None
    return PictureSender(send, encoder, pictures, bursts)


def _harvester(
    settings: Settings,
    pipeline: Pipeline,
    detector: Detector,
    judge: Judge,
    sender: PictureSender,
    thread: BackgroundThread,
) -> Harvester:
    chooser = Chooser(settings.harvest, judge, lambda: detector.smoothed, random.Random())
    opinion = None
    if settings.harvest.disagreement and pipeline.on_edgetpu:
        opinion = _open_second_opinion(settings, pipeline.bundle)
    return Harvester(chooser, judge, sender, thread, pipeline.part, opinion)


def _open_second_opinion(settings: Settings, bundle: Bundle) -> SecondOpinion | None:
    """Open the bundle's model for the CPU beside the one on the Edge TPU; None if that fails."""
    manifest = bundle.manifest
    try:
        with memory_limit(MEMORY_BYTES):
            # One thread: it runs beside the stages, and may take its time.
            classifier = TfliteClassifier(load_runtime(settings.engine.runtime), bundle.model, threads=1)
            check_details(classifier, manifest)
    except FieldfareError as error:
        _log.warning("frames are not compared between the engines: %s", error)
        return None
    preprocessor = Preprocessor(manifest.preprocessing, manifest.input, region=settings.camera.region)
    return SecondOpinion(classifier, preprocessor, manifest)
