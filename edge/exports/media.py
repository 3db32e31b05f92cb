"""Name the pictures of events inside an export, so that FAT takes them and they sort by their time."""

from dataclasses import dataclass

from edge.exports.copying.names import Names, safe_name
from edge.exports.times import day_of
from edge.store.records import StoredEvent, StoredPicture

_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Named:
    """A picture and its name in the export, with its folders, joined by slashes."""

    picture: StoredPicture
    name: str


def takes_all(_stored: StoredEvent, _picture: StoredPicture) -> bool:
    """Return True: every picture is wanted."""
    return True


class MediaNames:
    """Names below media/DEVICE/DAY. One folder a day: FAT32 holds about 16,000 files of long names in each."""

    def __init__(self) -> None:
        self._devices = Names()

    def of(self, stored: StoredEvent) -> list[Named]:
        """Return the pictures of an event in the order in which they were taken. Raises DataError."""
        device = self._devices.of(stored.event.device)
        ordered = sorted(stored.pictures, key=lambda picture: (picture.captured_mono_s, picture.kind))
        return [
            Named(
                picture, f"media/{device}/{day_of(stored.begin_wall_s)}/{file_name(stored, f'{number:02d}', picture)}"
            )
            for number, picture in enumerate(ordered, 1)
        ]


def file_name(stored: StoredEvent, part: str, picture: StoredPicture) -> str:
    """Return a file name that no other picture has. part: what sets it apart within its event."""
    return f"{safe_name(stored.event.name, _LONGEST)}-{part}-{picture.kind}.jpg"
