"""Names of picture files: their endings, and as text to be shown. No NumPy, so that any process may ask."""

from edge.printable import printable, utf8_text

# Pillow's names of the formats that Fieldfare reads, and the endings that go with them. Browsers save JPEGs as .jfif,
# .pjpeg and .pjp; old programs as .jpe and .jif; 3D cameras keep two in an .mpo.
ENDINGS = {
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo"}),
    "PNG": frozenset({".png", ".apng"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "WEBP": frozenset({".webp"}),
    "TIFF": frozenset({".tif", ".tiff"}),
}
SUFFIXES = frozenset(ending for endings in ENDINGS.values() for ending in endings)


def readable_name(name: object) -> str:
    """Return a file's name as printable text: bytes that are not UTF-8 become U+FFFD, unprintable characters question
    marks."""
    return printable(utf8_text(str(name)))
