"""fieldfare replay: show what other settings would make of a recording."""

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli import options
from edge.cli.apart import apart
from edge.cli.given import refuse_given
from edge.cli.numbers import FloatRange
from edge.cli.streams import complain, echo, echo_json, quieten_opencv
from edge.errors import MissingInputError
from edge.printable import counted

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.events.comparison import Change
    from edge.events.records import Sighting
    from edge.events.score_log import ScoreLog
    from edge.events.trial import Trial

    # How to show when an event began.
    Clock = Callable[[Sighting], str]

_SHOW_EVERY = 200  # frames
# In a score log, between what two workers logged: their clocks may be those of two boots.
_BETWEEN_LIVES_S = 60.0
_WIDEST = 24
_ROUNDING_S = 1e-6  # of sums of seconds


@click.command(
    short_help="Compare the events of two settings on a recording.",
    epilog="Example: fieldfare replay scores.log --config new.toml",
)
@click.argument("recording", type=click.Path())  # a text: an address must be refused as it was given
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The new settings.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="The settings to compare with.  [default: the new ones without their decision and events]",
)
@click.option(
    "--fps",
    type=FloatRange(0.001, 1000),
    help="Frames a second of a video or a folder.  [default: a video's own times; 10 for pictures]",
)
@options.as_json
@click.pass_context
@apart("config")
def replay(
    context: click.Context, /, recording: str, config: Path, against: Path | None, fps: float | None, as_json: bool
) -> None:
    """Show which events other settings would make of a RECORDING: a score log, a video or a folder of pictures.

    Events under the old and the new settings stand side by side: those that stay the same, change, or are
    there under one of the two only. The service writes a score log if events.scores names a file. A score
    log keeps the thresholds that it was recorded with, for settings that give none.
    """
    quieten_opencv()
    from edge.config.loading import load_settings
    from edge.events.comparison import compare
    from edge.events.score_log import is_score_log
    from edge.events.trial import Trial

    is_log = is_score_log(Path(recording))
    if is_log:
        refuse_given(context, "fps", because="a score log has the times of its frames: leave it out")
    new = load_settings(config)
    old = _with_defaults(new) if against is None else load_settings(against)
    trials = Trial(old), Trial(new)
    if is_log:
        clock = _try_on_log(Path(recording), (old, new), trials)
    else:
        clock = _try_on_pictures(recording, fps, (old, new), trials)
    changes = compare(trials[0].events, trials[1].events)
    names = "the defaults" if against is None else str(against), str(config)
    if as_json:
        echo_json(_as_json(recording, names, trials, changes))
    else:
        _show(names, trials, changes, clock)


def _with_defaults(settings: "Settings") -> "Settings":
    import msgspec

    from edge.config.keeping import Events
    from edge.config.running import Decisions

    return msgspec.structs.replace(settings, decision=Decisions(), events=Events())


def _try_on_log(recording: Path, settings: "tuple[Settings, Settings]", trials: "tuple[Trial, Trial]") -> "Clock":
    from edge.events.score_log import ScoreLog

    log = ScoreLog(recording)
    if log.unread:
        complain(f"fieldfare: {recording}: its last {log.unread} bytes are torn, as a power cut leaves them: left out")
    for one in settings:
        _check_labels(one, log)
    frames, begin_s, begins = 0, 0.0, []
    for life in log.lives:
        shift_s = begin_s - life.mono_s
        begins.append(begin_s)
        for trial in trials:
            trial.begin(life.labels, life.thresholds, shift_s=shift_s)
        for mono_s, _, scores in log.frames(life):
            for trial in trials:
                trial.look(mono_s, scores)
            frames += 1
            begin_s = mono_s + shift_s
            _show_progress(frames, begin_s)
        for trial in trials:
            trial.end()
        begin_s += _BETWEEN_LIVES_S
    log.close()
    _end_progress()
    return _wall_clock(log, begins)


def _check_labels(settings: "Settings", log: "ScoreLog") -> None:
    """Raise ConfigError if the settings name labels that neither the log nor their bundle has."""
    from edge.bundle.store import open_bundle
    from edge.events.labels import check_labels, labels_named

    labels = [label for life in log.lives for label in life.labels]
    strange = {name for names in labels_named(settings).values() for name in names} - set(labels)
    # With more than eight labels, the log has only those that were among the best eight of a frame.
    if strange and not all(life.is_whole for life in log.lives):
        try:
            labels += open_bundle(Path(settings.bundle)).labels
        except MissingInputError as error:
            names = ", ".join(sorted(strange))
            complain(f"fieldfare: not in the log, and not checked, as there is no bundle: {names} ({error})")
            return
    check_labels(settings, labels)


def _wall_clock(log: "ScoreLog", begins: list[float]) -> "Clock":
    """Return a clock that shows when an event began as `fieldfare events` does. begins: of the log's lives, in seconds
    of the recording."""
    from edge.cli.events.table import local

    def shown(event: "Sighting") -> str:
        number = max(0, bisect_right(begins, event.begin_mono_s + _ROUNDING_S) - 1)
        life = log.lives[number]
        shift_s = life.mono_s - begins[number]
        reading = log.reading(life, event.end_mono_s + shift_s)
        begin = local(event.begin_mono_s + shift_s + reading.offset_s)
        return f"{'~' if reading.quality == 'none' else ''}{begin}"

    return shown


def _try_on_pictures(
    recording: str, fps: float | None, settings: "tuple[Settings, Settings]", trials: "tuple[Trial, Trial]"
) -> "Clock":
    old, new = settings
    # One run of the model serves both, if they see the same with the same model.
    if (old.bundle, old.camera.region, old.locate) == (new.bundle, new.camera.region, new.locate):
        _look_at(recording, fps, new, trials)
    else:
        for one, trial in zip(settings, trials, strict=True):
            _look_at(recording, fps, one, (trial,))
    return lambda event: f"{int(event.begin_mono_s // 60)}:{event.begin_mono_s % 60:04.1f}"


def _look_at(recording: str, fps: float | None, settings: "Settings", trials: "tuple[Trial, ...]") -> None:
    from edge.inference.model_limits import TIMEOUT_S
    from edge.processes.fork import end_after, time_limit
    from edge.worker.assemble import open_pipeline
    from edge.worker.recording import Recording

    source = Recording(recording, fps=fps)
    with time_limit(TIMEOUT_S):
        pipeline = open_pipeline(settings)
    if pipeline.fallback is not None:
        complain(f"fieldfare: from the CPU: {pipeline.fallback}")
    for trial in trials:
        trial.begin(pipeline.bundle.labels, pipeline.bundle.thresholds)
    with time_limit(TIMEOUT_S):
        for number, (second, scores, box) in enumerate(source.scores(pipeline), 1):
            end_after(TIMEOUT_S)
            for trial in trials:
                trial.look(second, scores, box)
            _show_progress(number, second)
    _end_progress()
    for trial in trials:
        trial.end()
    source.close()
    pipeline.close()


def _show_progress(frames: int, second: float) -> None:
    if frames % _SHOW_EVERY == 0 and sys.stderr.isatty():
        click.echo(f"\r{frames} frames, {second / 60:.1f} min ", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


def _show(names: tuple[str, str], trials: "tuple[Trial, Trial]", changes: "list[Change]", clock: "Clock") -> None:
    from edge.cli.events.table import columns, padded
    from edge.events.comparison import counts

    rows = [("", "old", "new")]
    rows += [(change.verdict, _cell(change.old, clock), _cell(change.new, clock)) for change in changes]
    widths = [max(columns(row[column]) for row in rows) for column in (0, 1)]
    for verdict, old, new in rows if changes else ():
        echo(f"{padded(verdict, widths[0])}  {padded(old, widths[1])}  {new}".rstrip())
    for side, name, trial in zip(("old", "new"), names, trials, strict=True):
        found = Counter(event.label for event in trial.events).most_common()
        labels = ", ".join(f"{label} {number}" for label, number in found)
        echo(f"{side} ({name}): {counted(len(trial.events), 'event')}{': ' if labels else ''}{labels}")
    echo(", ".join(f"{number} {verdict}" for verdict, number in counts(changes).items()))


def _cell(event: "Sighting | None", clock: "Clock") -> str:
    """Describe an event: label, begin, seconds, highest score."""
    from edge.printable import printable

    if event is None:
        return "-"
    label = printable(event.label)
    label = label if len(label) <= _WIDEST else f"{label[: _WIDEST - 3]}..."
    seconds = event.end_mono_s - event.begin_mono_s
    return f"{label} {clock(event)} {seconds:.1f} s {event.peak:.2f}"


def _as_json(
    recording: str, names: tuple[str, str], trials: "tuple[Trial, Trial]", changes: "list[Change]"
) -> dict[str, Any]:
    from edge.events.comparison import counts

    sides = {
        side: {"settings": name, "events": len(trial.events), "labels": Counter(e.label for e in trial.events)}
        for side, name, trial in zip(("old", "new"), names, trials, strict=True)
    }
    rows = [{"verdict": change.verdict, "old": _event(change.old), "new": _event(change.new)} for change in changes]
    return {"recording": recording, **sides, "counts": counts(changes), "events": rows}


def _event(event: "Sighting | None") -> dict[str, Any] | None:
    if event is None:
        return None
    return {
        "label": event.label,
        "begin_s": round(event.begin_mono_s, 3),
        "end_s": round(event.end_mono_s, 3),
        "peak": event.peak,
        "mean": event.mean,
        "frames": event.frames,
        "runner_up": event.runner_up,
        "box": event.box,
    }
