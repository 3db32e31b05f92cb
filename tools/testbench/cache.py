"""Build once what takes minutes to build, each in a folder named after its recipe."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import host

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_NO_INGREDIENTS = ("__main__.py", "boot.py", "enter.py", "product.py")  # they run things, but build none
_VIRTUAL = "virtual"  # folders of the virtual device, whose image names its own ingredients


def folder() -> Path:
    """Return the folder of everything built: FIELDFARE_TESTBENCH_CACHE, or a folder of the user's cache."""
    told = os.environ.get("FIELDFARE_TESTBENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(told) if told else Path(base) / "fieldfare-testbench"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def built(name: str, build: Callable[[Path], None], *ingredients: str) -> Path:
    """Return the folder that `build` has filled: now, or in an earlier run with the same ingredients and recipe.

    Only one process builds; others that need the same folder wait. What an interrupted build or an older recipe left is
    deleted. If a build fails, that is a fault of the bench with CI set (Failed). Elsewhere, such as without a network,
    the bench is not available (Unavailable).
    """
    recipe = hashlib.sha256("\n".join(ingredients).encode())
    for file in sorted(path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        if file.name not in _NO_INGREDIENTS and _VIRTUAL not in file.relative_to(HERE).parts:
            recipe.update(file.name.encode() + file.read_bytes())
    done = folder() / f"{name}-{recipe.hexdigest()[:12]}"
    with locked(name):
        if not done.is_dir():
            for old in folder().glob(f"{name}-*"):
                shutil.rmtree(old)
            started_s, part = time.monotonic(), folder() / f"{name}-part"
            host.say(f"building {name}")
            part.mkdir()
            try:
                build(part)
            except host.Failed as error:
                if os.environ.get("CI"):
                    raise
                raise host.Unavailable(f"{name} cannot be built: {error}") from error
            part.rename(done)
            host.say(f"built {name} in {time.monotonic() - started_s:.0f} s")
    return done


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name`, which one process of this machine can hold at a time."""
    with (folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def device_requirements() -> list[str]:
    """Return the packages that pyproject.toml requires on a device."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["device"]]
