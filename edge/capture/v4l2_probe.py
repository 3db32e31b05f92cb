"""Query a /dev/videoN before OpenCV opens it: OpenCV reports only a failure, and may need ten seconds for that."""

import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

from edge.errors import CameraError

# linux/videodev2.h: _IOR('V', 0, struct v4l2_capability) and _IOWR('V', 8, struct v4l2_requestbuffers).
_QUERYCAP, _CAPABILITY = 0x80685600, struct.Struct("=16s32s32sIII12x")
_REQBUFS, _REQUEST = 0xC0145608, struct.Struct("=IIII4x")
_VIDEO_CAPTURE, _VIDEO_CAPTURE_MPLANE, _DEVICE_CAPS = 0x1, 0x1000, 0x80000000
_BUF_TYPE_CAPTURE, _MEMORY_MMAP = 1, 1
# linux/v4l2-controls.h, and _IOWR('V', 28, struct v4l2_control).
_AUTOGAIN, _S_CTRL, _CONTROL = 0x00980912, 0xC008561C, struct.Struct("=Ii")

_FIXES = {
    errno.ENOENT: "plug it in, or see `ls /dev/video*` for what there is",
    errno.ENODEV: "it was unplugged: plug it in again",
    errno.ENXIO: "it was unplugged: plug it in again",
    errno.EACCES: "add the user to the group `video`",
    errno.EPERM: "add the user to the group `video`",
    errno.EBUSY: "another program uses it: stop that (`fuser -v` names it)",
    errno.ENOTTY: "not a camera: see `v4l2-ctl --list-devices`",
    errno.EINVAL: "not a camera that delivers pictures: see `v4l2-ctl --list-devices`",
}


def probe(device: Path) -> str:
    """Return the camera's own name. Raises CameraError if it is absent, forbidden, busy, or not a camera."""
    try:
        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise _told(device, error) from error
    try:
        card, capabilities = _query(handle)
        if not capabilities & (_VIDEO_CAPTURE | _VIDEO_CAPTURE_MPLANE):
            raise CameraError(
                f"camera {device}: {card} delivers no pictures: not a camera, or its second node: "
                "see `v4l2-ctl --list-devices`"
            )
        if capabilities & _VIDEO_CAPTURE:
            # A request for 0 buffers changes nothing, and fails if another program holds some.
            fcntl.ioctl(handle, _REQBUFS, _REQUEST.pack(0, _BUF_TYPE_CAPTURE, _MEMORY_MMAP, 0))
    except OSError as error:
        raise error if isinstance(error, CameraError) else _told(device, error) from error
    finally:
        os.close(handle)
    return card


def set_autogain(device: Path, *, on: bool) -> None:
    """Switch automatic gain on or off, if the camera has it. OpenCV has no property for this control."""
    # While it is on, the kernel accepts a gain and ignores it (vivid, Linux 6.12, 2026-11).
    with suppress(OSError):  # EINVAL: no such control, as with most USB cameras
        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(handle, _S_CTRL, _CONTROL.pack(_AUTOGAIN, on))
        finally:
            os.close(handle)


def gone_because(device: Path, wait_s: float) -> str:
    """Return why a camera that worked gives no frames any more, with the fix."""
    if not device.exists():
        return f"camera {device}: unplugged: plug it in again"
    return f"camera {device}: no frame within {wait_s:g} s: it stalled, or cable or hub fails: plug it in again"


def _query(handle: int) -> tuple[str, int]:
    answer = fcntl.ioctl(handle, _QUERYCAP, bytes(_CAPABILITY.size))
    _, card, _, _, capabilities, of_this_node = _CAPABILITY.unpack(answer)
    name = card.split(b"\0")[0].decode("utf-8", "replace")
    printable = "".join(c if c.isprintable() else "?" for c in name)
    return printable, of_this_node if capabilities & _DEVICE_CAPS else capabilities


def _told(device: Path, error: OSError) -> CameraError:
    fix = _FIXES.get(error.errno or 0, "check the cable and `dmesg`")
    return CameraError(f"camera {device}: {error.strerror or error}: {fix}")
