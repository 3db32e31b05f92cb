"""Count what is passed over in a folder of photos, by the endings of the names, and put it into words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.photo_files import Tree, ending_of, is_nobodys

_MOST_ENDINGS = 5
_MOST_CLASSES = 10
# From here on, training warns: a tenth of a class is more than an accident.
_LARGE_SHARE = 0.1

_ADVICE = {
    "convert them to JPEG": (
        # pictures that Fieldfare does not read
        *(".heic", ".heif", ".hif", ".avif", ".jxl", ".gif", ".jp2", ".j2k", ".jpx", ".jxr", ".psd", ".tga", ".pcx"),
        *(
            ".ppm",
            ".pgm",
            ".pbm",
            ".pnm",
            ".exr",
            ".hdr",
            ".qoi",
            ".xcf",
            ".svg",
            ".ico",
            ".eps",
            ".ai",
            ".pdf",
            ".fits",
        ),
        # raw files of cameras
        *(".dng", ".raw", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".sr2", ".orf", ".rw2", ".raf", ".pef"),
        *(".srw", ".x3f", ".rwl", ".3fr", ".iiq", ".erf", ".kdc", ".mrw", ".gpr"),
    ),
    "take single pictures from them": (
        *(".mp4", ".mov", ".avi", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm", ".3gp", ".mts", ".m2ts", ".mjpeg"),
        *(".flv", ".ts", ".insv"),
    ),
    "unpack them": (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"),
    "finish these downloads": (".part", ".crdownload", ".partial", ".download", ".opdownload"),
}
_ADVICE_FOR = {ending: advice for advice, endings in _ADVICE.items() for ending in endings}
# What lies beside photos and holds none: notes, edits and previews of cameras and programs, labels of other programs.
_BESIDE = frozenset(
    {
        *(".txt", ".md", ".rst", ".html", ".htm", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml"),
        *(
            ".log",
            ".aae",
            ".xmp",
            ".thm",
            ".lrv",
            ".pp3",
            ".dop",
            ".on1",
            ".ini",
            ".db",
            ".lnk",
            ".url",
            ".nfo",
            ".mat",
        ),
        *(".npy", ".pickle", ".pkl", ".py", ".ipynb", ".sh", ".bat", ".wav", ".mp3", ".m4a", ".gpx", ".kml", ".doc"),
        *(".docx", ".xls", ".xlsx", ".ods", ".odt", ".bak", ".tmp", ".lock", ".sha256", ".md5", ".exe"),
    }
)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Files of one class that are no photos by their names; hidden files and a system's own do not count.

    name: the class.
    photos: how many photos it has.
    endings: how often each ending occurs among the files, the most frequent first; '' for names without one.
    """

    name: str
    photos: int
    endings: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """How many files are passed over."""
        return sum(number for _, number in self.endings)

    @property
    def is_large(self) -> bool:
        """Whether the files that may hold pictures are a large share of the class."""
        pictures = sum(number for ending, number in self.endings if ending not in _BESIDE)
        return pictures > 0 and pictures >= _LARGE_SHARE * (self.photos + pictures)

    def words(self) -> str:
        """Return it as a line: 'robin: 40 of 48 files passed over: 40 .heic (convert them to JPEG)'."""
        return f"{self.name}: {self.shares()}"

    def shares(self) -> str:
        """Return the line without the name of the class."""
        shown = [_kind(ending, number) for ending, number in self.endings[:_MOST_ENDINGS]]
        if more := sum(number for _, number in self.endings[_MOST_ENDINGS:]):
            shown.append(f"{more:,} of other kinds")
        return f"{self.count:,} of {self.photos + self.count:,} files passed over: {', '.join(shown)}"


def passed_over(name: str, photos: int, files: Iterable[str]) -> PassedOver:
    """Count the endings of the names `files`, which are no photos."""
    return PassedOver(name, photos, tuple(Counter(map(ending_of, files)).most_common()))


def others_of(tree: Tree, photos: Sequence[Path]) -> list[str]:
    """Return the names of the files of `tree` that are none of its `photos`, and not a system's own or hidden."""
    taken = set(photos)
    return [file.name for file in tree.files if file not in taken and not is_nobodys(file.name) and file.is_file()]


def in_words(found: Sequence[PassedOver]) -> list[str]:
    """Return a line for each of the classes of which the most is passed over, and one for all others. Lines about a
    large share begin with 'warning: '."""
    ordered = sorted(found, key=lambda one: (one.is_large, one.count), reverse=True)
    lines = [f"{'warning: ' if one.is_large else ''}{one.words()}" for one in ordered[:_MOST_CLASSES]]
    if rest := ordered[_MOST_CLASSES:]:
        more = sum(one.count for one in rest)
        large = "warning: " if any(one.is_large for one in rest) else ""
        lines.append(f"{large}{more:,} files passed over in {len(rest):,} more classes")
    return lines


def _kind(ending: str, number: int) -> str:
    advice = _ADVICE_FOR.get(ending)
    return f"{number:,} {ending or 'without an ending of a format'}" + (f" ({advice})" if advice else "")
