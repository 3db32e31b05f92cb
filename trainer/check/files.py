"""Find what is wrong with single files: unreadable, misnamed, tiny, blank, dark, turned, converted."""

from collections import Counter
from collections.abc import Callable, Iterator

from edge.images import ENDINGS, readable_name
from edge.photo_files import ending_of
from trainer.check.findings import MAX_EXAMPLES, Evidence, Finding, Severity
from trainer.dataset.inspection import PhotoRecord
from trainer.pages.words import counted

# Of TrashNet's 2,521 photos none has a contrast under 7.5 or a mean outside 77..225.
BLANK_CONTRAST = 4.0
DARK, BRIGHT = 20.0, 235.0
# A lit object on black, or a drawing on white, has more contrast than this: it is not badly exposed.
EXPOSED_CONTRAST = 25.0
EXTREME_ASPECT = 4.0

# Kinds of findings that training shows by itself, before it decodes the photos.
PASSED_OVER = frozenset({"ignored-files", "loose-photos"})

_Test = Callable[[PhotoRecord], bool]


def file_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield the findings about single files, the most urgent first."""
    yield from _unreadable(evidence)
    yield from _broken_links(evidence)
    height, width = evidence.photos.pixels.shape[1:3]
    yield from _suspicious(evidence, width, height)
    yield from _wrong_endings(evidence)
    yield from _converted(evidence)
    yield from _passed_over(evidence)


def _passed_over(evidence: Evidence) -> Iterator[Finding]:
    listing = evidence.photos.listing
    if listing.passed_over:
        found = sorted(listing.passed_over, key=lambda one: (one.is_large, one.count), reverse=True)
        yield Finding(
            kind="ignored-files",
            severity="warning" if found[0].is_large else "remark",
            title=f"{counted(listing.ignored, 'file')} passed over",
            explanation="By their names these are not photos (JPEG, PNG, BMP, WebP, TIFF). If photos are among them, "
            "convert those; otherwise nothing needs to be done.",
            count=listing.ignored,
            examples=tuple(one.words() for one in found[:MAX_EXAMPLES]),
        )
    if listing.loose:
        yield Finding(
            kind="loose-photos",
            severity="warning",
            title=f"{counted(listing.loose, 'photo')} beside the class folders",
            explanation="They are in no class, and training passes them over. Put each into the folder of its class, "
            "or elsewhere.",
            count=listing.loose,
        )
    if listing.closed:
        yield Finding(
            kind="closed-folders",
            severity="remark",
            title=f"{counted(len(listing.closed), 'folder')} not looked into",
            explanation="They are hidden, or operating systems, network storage and other programs keep them for "
            "themselves: recycle bins, snapshots, thumbnails.",
            count=len(listing.closed),
            examples=tuple(readable_name(path.relative_to(listing.root)) for path in listing.closed[:MAX_EXAMPLES]),
        )


def _unreadable(evidence: Evidence) -> Iterator[Finding]:
    reasons = evidence.photos.unreadable
    if not reasons:
        return
    root = f"{evidence.photos.listing.root}/"
    yield Finding(
        kind="unreadable",
        severity="problem",
        title=f"{counted(len(reasons), 'photo')} cannot be read",
        explanation="Training stops at such files unless --skip-unreadable is given. Copy them again from the "
        "camera, convert them, or remove them.",
        count=len(reasons),
        examples=tuple(reason.removeprefix(root) for reason in reasons[:MAX_EXAMPLES]),
    )


def _broken_links(evidence: Evidence) -> Iterator[Finding]:
    listing = evidence.photos.listing
    if broken := listing.broken:
        yield Finding(
            kind="broken-links",
            severity="problem",
            title=f"{counted(len(broken), 'link to a photo leads', 'links to photos lead')} nowhere",
            explanation="Training goes on without them. Is the disk with the photos mounted? Repair or remove the "
            "links.",
            count=len(broken),
            examples=tuple(readable_name(path.relative_to(listing.root)) for path in broken[:MAX_EXAMPLES]),
        )


def _suspicious(evidence: Evidence, width: int, height: int) -> Iterator[Finding]:
    for kind, severity, what, explanation, test in _kinds(width, height):
        found = [index for index, record in enumerate(evidence.photos.records) if test(record)]
        if found:
            yield Finding(
                kind=kind,
                severity=severity,
                title=f"{counted(len(found), 'photo')} {what}",
                explanation=explanation,
                count=len(found),
                examples=evidence.names(found),
            )


def _kinds(width: int, height: int) -> list[tuple[str, Severity, str, str, _Test]]:
    """Return the kinds of findings: (kind, severity, what they are, explanation, test of one photo)."""
    return [*_exposure_kinds(), *_shape_kinds(width, height)]


def _exposure_kinds() -> list[tuple[str, Severity, str, str, _Test]]:
    return [
        (
            "blank",
            "warning",
            "blank or nearly so",
            "They seem to show nothing: a covered lens, a failed flash, fog. Look at them and remove those that show "
            "nothing.",
            lambda record: record.contrast < BLANK_CONTRAST,
        ),
        (
            "very-dark",
            "warning",
            "very dark",
            "Hardly anything can be made out. Keep them if the camera will see such pictures, too; otherwise remove "
            "them.",
            lambda record: record.brightness < DARK and BLANK_CONTRAST <= record.contrast < EXPOSED_CONTRAST,
        ),
        (
            "very-bright",
            "warning",
            "very bright",
            "They are washed out. Keep them if the camera will see such pictures, too; otherwise remove them.",
            lambda record: record.brightness > BRIGHT and BLANK_CONTRAST <= record.contrast < EXPOSED_CONTRAST,
        ),
    ]


def _shape_kinds(width: int, height: int) -> list[tuple[str, Severity, str, str, _Test]]:
    return [
        (
            "tiny",
            "warning",
            "smaller than the model's view",
            f"The model looks at {width}x{height} pixels; these have fewer and are enlarged. Are they thumbnails? Use "
            "the originals, or a smaller --size.",
            lambda record: record.width < width or record.height < height,
        ),
        (
            "extreme-shape",
            "warning",
            f"more than {EXTREME_ASPECT:g} times as long as wide",
            "They are squeezed or cut to fit the model's square view. Are they panoramas or strips? Cut out what "
            "matters.",
            lambda record: max(record.width, record.height) > EXTREME_ASPECT * min(record.width, record.height),
        ),
        (
            "turned",
            "remark",
            "turned upright by their EXIF data",
            "The camera was held upright and noted that in the file. Training and the device both turn such photos.",
            lambda record: record.orientation != 1,
        ),
        (
            "several-frames",
            "remark",
            "of several pictures in one file",
            "Only the first picture of each file is used. To use the others, save them as files of their own.",
            lambda record: record.frames > 1,
        ),
    ]


def _wrong_endings(evidence: Evidence) -> Iterator[Finding]:
    records = evidence.photos.records
    found = [
        index
        for index, (record, photo) in enumerate(zip(records, evidence.photos.listing.photos, strict=True))
        if ending_of(photo.path.name) not in ("", *ENDINGS.get(record.format, ()))
    ]
    if found:
        yield Finding(
            kind="wrong-ending",
            severity="remark",
            title=f"{counted(len(found), 'photo')} named as another format",
            explanation="Fieldfare reads them, but other programs may not: rename them, or save them again in the "
            "format that their names promise.",
            count=len(found),
            examples=tuple(f"{evidence.name(index)} is {records[index].format}" for index in found[:MAX_EXAMPLES]),
        )


def _converted(evidence: Evidence) -> Iterator[Finding]:
    ways = {index: way for index, record in enumerate(evidence.photos.records) if (way := _way(record))}
    if ways:
        told = ", ".join(f"{count:,} {way}" for way, count in Counter(ways.values()).most_common())
        yield Finding(
            kind="colour-mode",
            severity="remark",
            title=f"{counted(len(ways), 'photo')} converted to plain colour",
            explanation=f"{told}. Grey becomes three equal channels, transparent areas become white. If only one class "
            "has such photos, the model learns the format instead of the things themselves.",
            count=len(ways),
            examples=evidence.names(ways),
        )


def _way(record: PhotoRecord) -> str:
    if record.transparent:
        return "with transparency"
    if record.mode in ("P", "PA"):
        return "with a palette"
    return "grey" if record.mode in ("L", "LA", "La", "1") else ""
