"""URLs of network cameras: which are taken, and how they may be shown."""

from urllib.parse import urlsplit

from edge.errors import ConfigError

SCHEMES = ("rtsp", "rtsps", "http", "https")


def masked(source: str) -> str:
    """A URL without what opens the camera: user and password, and whatever stands behind a `?`. Text that is no
    URL, such as a path, comes back as it is."""
    scheme, found, rest = source.partition("://")
    if not found:
        return source
    # A password may hold any sign, so all up to the last @ goes.
    _, held, place = rest.rpartition("@")
    path, query, _ = place.partition("?")
    shown = f"{scheme}://{'***@' if held else ''}{path}{'?***' if query else ''}"
    return "".join(c if c.isprintable() else "?" for c in shown)


def require_stream(url: str) -> None:
    """Raises ConfigError where `url` is not the URL of a stream."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not url.isprintable() or " " in url:
        raise ConfigError(
            f"camera.source = {masked(url)!r}: must be such as rtsp://user:password@192.168.1.20:554/stream; "
            f"it begins with {', '.join(SCHEMES)}, and in a password / ? # [ ] stand as %2F %3F %23 %5B %5D"
        )
