"""Build from the sources alone. What is built stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildFromSources(build_py):
    """As setuptools' own, into an empty folder, and with systemd's files."""

    def run(self) -> None:
        """Remove our packages from the build folder, then build."""
        # setuptools builds in build/lib of the clone, leaves it there, and packs all of it the next time. So after
        # `git pull` and `pip install .`, modules that had been moved were installed under their old names, too.
        if not self.editable_mode:
            for package in ("edge", "trainer"):
                shutil.rmtree(Path(self.build_lib, package), ignore_errors=True)
        super().run()
        # Beside the packages in the clone; `fieldfare kit` needs them from an installed Fieldfare, too.
        if not self.editable_mode:
            units = Path(self.build_lib, "edge", "kit", "systemd")
            shutil.copytree("systemd", units, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildFromSources})
