"""Standard input, output and error, which whoever starts a program may have closed."""

import fcntl
import os
import sys


def fill_closed() -> None:
    """Put /dev/null where a standard stream is closed: else the next file or pipe that is opened takes its number, and
    gets what is printed. Standard output is put there for reading only, so that what is lost there is an error."""
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, mode)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            os.set_inheritable(number, True)  # noqa: FBT003 - it takes no names
    if not sys.stdout:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as the interpreter's own, to the end
    if not sys.stderr:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def quieten_opencv() -> None:
    """Keep OpenCV and its FFmpeg from writing beside our own messages, as a worker's is kept; before it is imported,
    and unless the user wants to hear it."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET


def is_stdout_closed() -> bool:
    """Can nothing at all be written to standard output?"""
    try:
        return fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    except (OSError, ValueError):  # it is none of the system's files
        return False
