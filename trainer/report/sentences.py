"""Put the report's figures into sentences: what each means and what to do, for people with a camera and a question.

Plain text; the page escapes it.
"""

from typing import NamedTuple

from edge.edgetpu.package import amount
from trainer.learning.choice import in_words
from trainer.learning.epochs import History
from trainer.learning.left_out import LeftOut
from trainer.measuring.metrics import ClassFigures
from trainer.measuring.threshold import Threshold
from trainer.pages.words import between, called, counted, percent
from trainer.report.records import DataSummary, Measured, Memory, Model, OutsideFigures, Quantized, Report

FEW_PHOTOS = 100
FEW_PER_CLASS = 10
FEW_TO_CALIBRATE = 50
MEGABYTE = 1_000_000


class Said(NamedTuple):
    """A figure in words: what it means, and what to do (empty: nothing)."""

    means: str
    do: str


def headline(test: Measured) -> Said:
    """Describe the share of right answers."""
    right = round(test.top1.value * test.photos)
    which = "that it never saw while learning" if test.split == "test" else "in this measurement"
    means = (
        f"Of {counted(test.photos, 'photo')} {which}, it named {right:,} rightly. "
        f"On new photos of the same kind, expect {between(test.top1)}."
    )
    few = test.photos < FEW_PHOTOS
    return Said(means, "Add test photos: that is a wide range." if few else "")


def confusion(test: Measured) -> Said:
    """Describe the commonest mistake."""
    if not test.pairs:
        return Said("Not one mistake on these photos.", "Try it on harder ones: other days, other light, other places.")
    top = test.pairs[0]
    means = f"The commonest mistake: {called(top.truth)} is taken for {called(top.answer)}, {top.photos} of {top.of}."
    do = "Could you tell those two apart in the photos below? If so, more photos of both help; if not, join the classes"
    return Said(means, do + " or photograph them differently.")


def classes(test: Measured) -> Said:
    """Describe the best and the weakest class."""
    known = [entry for entry in test.classes if entry.recall is not None]
    weak = weakest(test)
    best = max(known, key=_recall)
    if weak is None or _recall(best) == _recall(weak):
        means = f"Every class is found equally often: {percent(_recall(best))}."
    else:
        means = (
            f"It finds {called(best.name)} best ({percent(_recall(best))}) and {called(weak.name)} worst "
            f"({percent(_recall(weak))})."
        )
    thin = sum(entry.support < FEW_PER_CLASS for entry in test.classes)
    if thin > 1 and thin >= len(test.classes) / 2:
        few = (
            f"{thin:,} of {counted(len(test.classes), 'class', 'classes')} have fewer than {FEW_PER_CLASS} photos here"
        )
        return Said(means, f"{few}: do not trust the figures of single classes; add test photos.")
    if weak is not None and weak.support < FEW_PER_CLASS:
        return Said(
            means,
            f"{called(weak.name)} has only {counted(weak.support, 'photo')} here: its figures are rough; add photos.",
        )
    do = "" if weak is None else f"More photos of {called(weak.name)}, taken as the camera will see it, help most."
    return Said(means, do)


def weakest(test: Measured) -> ClassFigures | None:
    """Return the class with the lowest recall under 1."""
    known = [entry for entry in test.classes if entry.recall is not None and entry.recall.value < 1]
    return min(known, key=_recall) if known else None


def worst(test: Measured) -> Said:
    """Describe the gallery of sure mistakes."""
    if not test.worst:
        return Said("There are none: every photo was named rightly.", "")
    return Said(
        "Wrong, and sure of it: these mistakes cost most.",
        "Look at each: if the label is wrong, move the photo to its class; if it shows nothing, delete it; "
        "if the class just looks different here, add photos like it.",
    )


UNSURE = Said(
    "Right or wrong, these are the answers with the lowest scores.",
    "Photos like these teach most: take more of them, label them and train again.",
)


def calibration(test: Measured) -> Said:
    """Describe whether a score can be taken for a probability."""
    excess = test.calibration.excess or 0.0
    points = f"{abs(excess) * 100:.0f} points"
    if test.photos < FEW_TO_CALIBRATE:
        return Said(f"{counted(test.photos, 'photo')} are too few to judge by.", "Put more photos aside for the test.")
    if abs(excess) < 0.03:
        return Said(
            "A score can be taken at its word: of the photos with a score of about 80 %, about 80 % are right. "
            "The closer the dots lie to the dashed line, the better.",
            "Nothing: take a score as the chance that the name is right.",
        )
    if excess > 0:
        return Said(
            f"Scores promise too much: on average they are {points} higher than the share that is right.",
            "Do not read a score as a probability here; more validation photos make the correction better.",
        )
    return Said(
        f"Scores are modest: on average they are {points} lower than the share that is right.",
        "Nothing is lost, but a threshold needs to be lower than you would think.",
    )


def coverage(test: Measured, threshold: Threshold) -> Said:
    """Describe the effect of the threshold."""
    reached = test.at_threshold
    if reached is None or threshold.threshold == 0:
        why = threshold.note[:1].upper() + threshold.note[1:]
        curve = "The curve shows how many photos could be left unnamed, and what that would gain."
        if threshold.promise is None:
            return Said(f"{why}. {curve}", "To choose a threshold, train with `--min-precision 0.95`.")
        do = (
            "Nothing; promise more with `--min-precision` if"
            if threshold.shown
            else "Add validation photos, or promise less if"
        )
        return Said(f"{why}. {curve}", f"{do} photos should be called unknown.")
    if reached.precision is None:
        return Said(
            f"At the threshold of {threshold.threshold:.3g}, all of these photos are called unknown.",
            "Promise less, or look whether these photos are like those it learned from.",
        )
    named = f"At the threshold of {threshold.threshold:.3g} it names {percent(reached.coverage)} of the photos"
    means = f"{named}, and {percent(reached.precision.value)} of those names are right; the rest it calls unknown."
    if threshold.promise is None:
        return Said(means, "If that names too few photos, or too many wrongly, take another threshold from the table.")
    if reached.precision.value < threshold.promise - 0.02:
        return Said(
            f"{means} That is less than the {percent(threshold.promise)} promised.",
            "The test photos differ from the validation photos, or both are few: look at the mistakes below.",
        )
    do = "To have more photos named, promise less with `--min-precision`; to have fewer mistakes, promise more."
    return Said(f"{means} Promised were {percent(threshold.promise)}.", do)


def outside(entry: OutsideFigures, threshold: Threshold) -> Said:
    """Describe the answers to photos of no class."""
    means = f"Of {counted(entry.photos, 'photo')}, {percent(entry.unknown)} were called unknown"
    if entry.answers:
        means += "; the others were mostly taken for " + " and ".join(called(n) for n, _ in entry.answers[:2])
    if entry.unknown >= 0.9:
        return Said(means + ".", "Nothing: such things are kept apart well. Try others, too.")
    if threshold.threshold == 0:
        return Said(means + ".", "Without a threshold everything gets a name: train with `--min-precision 0.95`.")
    return Said(
        means + ".", "If such things pass in front of your camera, make a class of their own from photos like these."
    )


def left_out(rows: tuple[LeftOut, ...]) -> Said:
    """Describe how classes fared while they were hidden."""
    mean = sum(row.unknown for row in rows) / len(rows)
    return Said(
        f"For each line a classifier was made without that class and then shown its photos: on average "
        f"{percent(mean)} of them were called unknown.",
        "If the last column is high, such a newcomer would be given a wrong name with certainty.",
    )


def quantized(figures: Quantized) -> Said:
    """Compare float with int8."""
    loss = figures.float_top1.value - figures.int8_top1.value
    means = f"The whole-number model gives the same name as the full one for {percent(figures.agreement)} of the photos"
    if abs(loss) < 0.01:
        return Said(f"{means}; it is as good.", "Nothing.")
    if loss < 0:
        return Said(f"{means} and happens to be right {-loss * 100:.1f} points more often.", "Nothing.")
    do = "Train with another `--seed` or a wider network (`--alpha`); the table below names the layers that lose it."
    return Said(
        f"{means}, but is right {loss * 100:.1f} points less often.",
        do if loss >= 0.02 else "Nothing: that little is usual.",
    )


def model(figures: Model) -> Said:
    """Describe the model's file."""
    means = f"The model takes {figures.size / MEGABYTE:.1f} MB"
    if figures.parameters:
        means += f" and has {figures.parameters / 1e6:.2f} million parameters"
    return Said(means + ".", "Nothing, unless the device is too slow: `--alpha` and `--size` make it smaller.")


def memory(figures: Memory) -> Said:
    """Describe where an Edge TPU keeps the model's parameters."""
    verb = "keeps" if figures.compiled else "is expected to keep"
    means = (
        f"On an Edge TPU, the model {verb} {amount(figures.on_chip)} of parameters on the chip, which has room "
        "for 7 to 8 MiB."
    )
    low, high = (amount(size) for size in figures.streamed)
    if not figures.streamed[1]:
        return Said(f"{means} Nothing is sent to it again for each picture.", "")
    sent = high if low == high else f"{low} to {high}"
    return Said(
        f"{means} {sent} more are sent to it again for each picture, which takes time.",
        "Nothing, unless the device is too slow: `--alpha` makes the model smaller.",
    )


def history(figures: History) -> Said:
    """Describe how it learned."""
    kept = next((entry for entry in figures.epochs if entry.number == figures.kept), None)
    if figures.choice is None or kept is None:
        means = "Only the head was trained." if figures.choice is None else in_words(figures.choice)
        if figures.joined:
            means += (
                f" As photos are few, it learned at the end from the {figures.joined} validation photos, too. Scores "
                "and threshold come from before that."
            )
        return Said(means, "More photos are what helps fine-tuning.")
    means = f"{in_words(figures.choice)} Epoch {kept.number} named {percent(kept.val_accuracy, 1)} of them rightly"
    if figures.head_accuracy is not None:
        means += f", the head {percent(figures.head_accuracy, 1)}"
    if figures.joined:
        means += (
            f". As photos are few, it was trained once more in the same way, with these {figures.joined} among those "
            "that it learned from, and is a mean of both. Scores and threshold come from before that"
        )
    if len(figures.epochs) > 1 and figures.choice.rival == figures.epochs[-1].number:
        return Said(means + ".", "It was still improving at the end: try more `--epochs`.")
    return Said(means + ".", "Nothing: it had stopped improving. What helps now is more photos, not more epochs.")


def data(summary: DataSummary) -> Said:
    """Describe the photos."""
    totals = [sum(values) for values in zip(*summary.counts.values(), strict=True)]
    means = f"{counted(sum(totals), 'photo')} of {counted(len(totals), 'class', 'classes')}"
    least, most = min(totals), max(totals)
    rare = called(summary.classes[totals.index(least)])
    if least == most:
        means += f", {most:,} in each."
    else:
        means += f"; the rarest class, {rare}, has {least:,}, the commonest {most:,}."
    if made := summary.machine_labels:
        means += (
            f" A machine made {counted(made.labels, 'label')}, sure to {made.sure_median:.2f} (median), at least "
            f"{made.sure_least:.2f}: {made.in_training:,} were learned from, each counted at most {made.weight:g} of "
            "one made by hand; none is in validation and test."
        )
    return Said(means, f"Add photos of {rare}: rare classes are learned worst." if most >= 3 * max(1, least) else "")


def next_steps(report: Report) -> tuple[str, ...]:
    """Return at most four things to do, the most useful first."""
    steps = []
    if report.data is not None:
        problems = [entry for entry in report.data.findings if entry.severity == "problem"]
        steps += [f"{entry.title}: {entry.explanation}" for entry in problems[:2]]
        if report.data.torn:
            torn = counted(report.data.torn, "group")
            steps.append(f"{torn} of near-equal photos stand in two splits: put each into one, or the figures flatter.")
    weak = weakest(report.test)
    if weak is not None and _recall(weak) < 0.9:
        steps.append(classes(report.test).do)
    if report.test.photos < FEW_PHOTOS:
        steps.append(f"{counted(report.test.photos, 'test photo')} prove little: put more aside for the test.")
    if report.threshold.promise is not None and not report.threshold.shown:
        steps.append("Add validation photos: the promise could not be shown with these.")
    if not report.outside and not report.left_out:
        steps.append("Find out what it calls things that belong to no class: `--outside FOLDER`.")
    return tuple(step for step in steps if step)[:4]


def _recall(entry: ClassFigures) -> float:
    return entry.recall.value if entry.recall is not None else 0.0
