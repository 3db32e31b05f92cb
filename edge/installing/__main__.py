"""`python -m edge.installing` is `fieldfare device`, on a machine that has nothing but Python."""

import sys

from edge.installing.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
