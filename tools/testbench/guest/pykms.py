"""picamera2 imports pykms for its preview on a screen, which no test opens; the package exists on a Pi only."""


class _AnyName(type):
    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_AnyName):
    """Looked up while picamera2 is imported, and not used."""
