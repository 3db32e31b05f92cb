"""Replace pykms, which exists on a Pi only. picamera2 imports it for its preview on a screen, which no test opens."""


class _AnyName(type):
    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_AnyName):
    """A name that picamera2 looks up while it is imported, but does not use."""
