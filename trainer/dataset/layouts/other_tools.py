"""Recognize folders as other tools lay them out: pictures in one folder, what is on them in another or in a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import DatasetError
from edge.images import readable_name
from trainer.dataset.layouts.splits import folders_in, holds_any, holds_photos, named

# In lower case, without signs between the words, in the plural: a class may be called "label" or "mask".
_PICTURES = frozenset(
    {
        *("images", "imgs", "pictures", "photos", "jpegimages", "jpgimages", "pngimages", "rgbs", "datas", "data"),
        *("leftimg8bits", "images2"),
    }
)
# What tools for boxes and outlines keep beside the pictures. Masks and annotations may be pictures themselves.
_ABOUT = {
    **dict.fromkeys(("labels", "labels2", "yololabels"), "YOLO"),
    **dict.fromkeys(
        ("annotations", "imagesets", "segmentationclass", "segmentationobject", "xmls"), "Pascal VOC or COCO"
    ),
    **dict.fromkeys(("masks", "gtfine", "groundtruth", "trimaps", "segmentations"), "masks"),
    **dict.fromkeys(("bboxes", "boxes", "boundingboxes", "attributes", "parts", "keypoints", "metadatas"), "boxes"),
}
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet", ".xml", ".yaml", ".yml")
_RECORDS = (".tfrecord", ".tfrecords", ".recordio", ".rec", ".lmdb", ".arrow", ".h5", ".hdf5", ".npz", ".npy")
_WANTED = "put the photos of each class into a folder of its name, such as photos/owl and photos/wren"
_MOST_LOOKED_AT = 1000
_DEEPEST = 4  # archive/archive/dataset/images


def check_other_layouts(root: Path, folders: Sequence[Path], *, deepest: int = _DEEPEST) -> None:
    """Raise DatasetError if `folders`, those that would be the classes in `root`, are another tool's: they would be
    learned as classes of those names. deepest: how many folders that each hold only the next are gone down."""
    pictures = [folder for folder in folders if {_plain(folder.name), f"{_plain(folder.name)}s"} & _PICTURES]
    about = {folder: tool for folder in folders if (tool := _tool_of(folder))}
    if pictures and about:
        _refuse_tool(root, pictures, about)
    if len(pictures) == len(folders) == 1 and holds_photos(pictures[0]) and (table := _table(root, pictures[0])):
        raise DatasetError(
            f"{root}: the photos of all classes are in {pictures[0].name!r}, and their classes in {table!r}, which is "
            f"not read: {_WANTED}"
        )
    if len(folders) == 1 and deepest and not holds_photos(folders[0]):
        check_other_layouts(folders[0], folders_in(folders[0]), deepest=deepest - 1)
    if not folders and (records := _first(root, _RECORDS)):
        raise DatasetError(
            f"{root}: holds records of another tool, such as {records!r}, and no photos as files: write each photo "
            f"to a file, and {_WANTED}"
        )
    if not folders and holds_photos(root) and (table := _first(root, _TABLES)):
        raise DatasetError(
            f"{root}: the photos of all classes are together, and {table!r} beside them is not read: {_WANTED}"
        )


def _refuse_tool(root: Path, pictures: Sequence[Path], about: Mapping[Path, str]) -> None:
    inside = folders_in(pictures[0])
    classes = [folder for folder in inside if holds_any(folder)]
    if len(classes) > 1 and not any(map(holds_any, about)) and not _are_splits(classes):
        return  # the message about folders without photos names the folder to give
    way = _WANTED
    if len(classes) > 1 and not _are_splits(classes):
        way = f"give {readable_name(pictures[0])}, which holds {named(folder.name for folder in classes)}"
    raise DatasetError(
        f"{root}: {named(folder.name for folder in (*pictures, *about))} are no classes but a layout of other tools "
        f"({next(iter(about.values()))}): only whole photos are learned, not boxes or outlines in them: {way}"
    )


def _tool_of(folder: Path) -> str | None:
    """Return whose folder this is by its name; None if it may be a class."""
    name = _plain(folder.name)
    found = _ABOUT.get(name) or _ABOUT.get(f"{name}s")
    return found if name in _ABOUT or not holds_any(folder) else None


def _are_splits(folders: Sequence[Path]) -> bool:
    return {folder.name.lower() for folder in folders} <= {"train", "training", "val", "valid", "validation", "test"}


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c not in "_- .")


def _table(root: Path, pictures: Path) -> str | None:
    return _first(root, _TABLES) or _first(pictures, _TABLES)


def _first(folder: Path, endings: tuple[str, ...]) -> str | None:
    """Return the name of the first file with one of the endings, also before a number as in x.tfrecord-00000-of-00004;
    None if there is none."""
    names = sorted(entry.name for entry, _ in zip(folder.iterdir(), range(_MOST_LOOKED_AT), strict=False))
    return next(
        (n for n in names if not n.startswith(".") and n.lower().partition("-0")[0].endswith(endings)),
        None,
    )
