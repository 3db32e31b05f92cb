"""Check the URLs of network cameras."""

from urllib.parse import urlsplit

from edge.errors import ConfigError
from edge.printable import masked

SCHEMES = ("rtsp", "rtsps", "http", "https")


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
