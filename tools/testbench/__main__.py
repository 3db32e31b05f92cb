"""Run Fieldfare with real camera stacks, a real systemd and other processors, on a PC (docs/testbench.md).

    python tools/testbench tree FOLDER       in a plain folder with Debian 13: libcamera's virtual cameras
    python tools/testbench machine FOLDER    in a virtual machine: systemd, vivid, vimc
    python tools/testbench arm64 FOLDER      emulated, with LiteRT
    python tools/testbench armhf FOLDER      emulated, with tflite-runtime
    python tools/testbench virtual FOLDER    the virtual device: a kit installed, in trouble, without power
    python tools/testbench build NAME        only build: device, bare, arm64 or armhf

The first four put Fieldfare's wheel into FOLDER and run FOLDER/run there, with the folder as /bench. For arm64 and
armhf `run` is a Python program that can import Fieldfare. Its output is printed, and its exit status is the exit status
here. `virtual` needs an empty FOLDER, prints its steps, and ends with 1 if one was not passed. For all of them
69 means that the bench is not available on this machine, 70 that the bench itself failed. What is built stays in
FIELDFARE_TESTBENCH_CACHE, or in the user's cache.
"""

import argparse
import signal
import sys
from pathlib import Path

import arm
import boot
import device
import enter
import host
import product

_UNAVAILABLE, _FAILED = 69, 70


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="testbench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("tree", "machine", "arm64", "armhf", "virtual", "build"))
    parser.add_argument("where", metavar="FOLDER|NAME")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="limit of the run, without building")
    parser.add_argument("--resets", type=int, default=2, metavar="N", help="virtual: how often the power fails")
    parser.add_argument("--processor", choices=("amd64", "arm64"), default="amd64", help="virtual: the machine's")
    parser.add_argument("--only", nargs="+", default=[], metavar="STEP", help="virtual: these steps and what they need")
    words = parser.parse_args()
    # Whoever is told to end must not leave a machine behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_FAILED))
    try:
        if words.what == "build":
            print(_build(words.where))
            return 0
        if words.what == "virtual":
            return 0 if _try_virtual(words) else 1
        return _run(words.what, Path(words.where).resolve(), words.timeout)
    except host.Unavailable as error:
        print(f"testbench: {error}", file=sys.stderr)
        return _UNAVAILABLE
    except host.Failed as error:
        print(f"testbench: {error}", file=sys.stderr)
        return _FAILED


def _build(name: str) -> Path:
    if name == "device":
        return device.build()
    if name == "bare":
        from virtual import image

        return image.build()
    if name in arm.ARCHITECTURES:
        return arm.build(name)
    raise host.Failed(f"{name!r}: must be one of device, bare, {', '.join(arm.ARCHITECTURES)}")


def _try_virtual(words: argparse.Namespace) -> bool:
    from virtual import trial  # its bundle needs what only the tests' environment has

    folder = Path(words.where).resolve()
    return trial.run(folder, resets=words.resets, architecture=words.processor, only=words.only)


def _run(what: str, bench: Path, timeout_s: float) -> int:
    if not (bench / "run").is_file():
        raise host.Failed(f"{bench / 'run'} does not exist")
    if what in arm.ARCHITECTURES:
        place = arm.build(what)
        product.wheel(bench)
        return arm.run(what, place, bench, timeout_s=timeout_s)
    place = device.build()
    product.wheel(bench)
    if what == "tree":
        return enter.enter(place / "tree", bench, ["sh", "-c", "cd /bench && exec ./run"], timeout_s=timeout_s)
    status = boot.boot(place, bench, timeout_s=timeout_s)
    print((bench / "log").read_text(errors="replace"), end="")
    return status


if __name__ == "__main__":
    sys.exit(main())
