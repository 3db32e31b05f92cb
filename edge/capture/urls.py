"""Check the URLs of network cameras, and hide what is secret in them."""

from urllib.parse import urlsplit

from edge.errors import ConfigError

SCHEMES = ("rtsp", "rtsps", "http", "https")


def masked(source: str) -> str:
    """Return a URL without its secrets: user and password, and everything after a `?`. Text that is not a URL, such
    as a path, is returned unchanged."""
    scheme, found, rest = source.partition("://")
    if not found:
        return source
    # A password may contain any character, so everything up to the last @ is hidden.
    _, held, place = rest.rpartition("@")
    path, query, _ = place.partition("?")
    shown = f"{scheme}://{'***@' if held else ''}{path}{'?***' if query else ''}"
    return "".join(c if c.isprintable() else "?" for c in shown)


def require_stream(url: str) -> None:
    """Raise ConfigError if `url` is not the URL of a stream."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not url.isprintable() or " " in url:
        raise ConfigError(
            f"camera.source = {masked(url)!r}: must be a URL such as rtsp://user:password@192.168.1.20:554/stream; "
            f"it begins with {', '.join(SCHEMES)}, and in a password / ? # [ ] are written %2F %3F %23 %5B %5D"
        )
