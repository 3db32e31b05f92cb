"""Turn labels and devices into file names that FAT, Windows, Camtrap DP and the trainer all accept."""

import hashlib
import re
import unicodedata

from edge.photo_files import is_everyday, is_out_of_bounds

# What FAT and Windows refuse. A tilde or a dot first, and two dots anywhere, are no path for Camtrap DP.
_REFUSED = re.compile(r'[<>:"/\\|?*]|\.{2,}')
_ENDS = " .~\u200c\u200d"
_JOINERS = "\u200c\u200d"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)")
_LONGEST = 80
_HASH_DIGITS = 8


def safe_name(text: str, longest: int = _LONGEST) -> str:
    """Return a name of at most `longest` bytes that a folder or, with an ending put to it, a file can have anywhere.

    A text that had to be changed gets a piece of its hash, so that no two texts share a name by it.
    """
    name = _REFUSED.sub("_", unicodedata.normalize("NFC", text))
    name = "".join(c if c.isprintable() or c in _JOINERS else "_" for c in name).strip(_ENDS)
    passed_over = is_out_of_bounds(name) and not is_everyday(name)  # by the trainer
    if _RESERVED.match(name) or name.startswith("-") or not name or passed_over:
        name = f"_{name}"
    if name == text and len(name.encode()) <= longest:
        return name
    return f"{_cut(name, longest - _HASH_DIGITS - 1)}-{_hash(text)}"


def _cut(name: str, longest: int) -> str:
    return name.encode()[:longest].decode(errors="ignore").strip(_ENDS)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASH_DIGITS]


class Names:
    """Names for folders side by side, no two of which differ only by case: FAT would make them one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, text: str) -> str:
        """Return the name for this text, always the same."""
        if text not in self._names:
            name = safe_name(text)
            if name.casefold() in self._taken:
                name = f"{_cut(name, _LONGEST - _HASH_DIGITS - 1)}-{_hash(text)}"
            self._taken.add(name.casefold())
            self._names[text] = name
        return self._names[text]
