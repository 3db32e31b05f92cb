"""What install.sh starts, from the wheel: the first word is the kit's folder. Without a command it installs."""

import sys
from pathlib import Path

from edge.installing.command import main

if __name__ == "__main__":
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    if not words or words[0].startswith("-"):
        words = ["install", *words]
    sys.exit(main(words, folder, "install.sh"))
