"""Compare the store with what was acknowledged; print the verdict as JSON. Run by Fieldfare's own Python.

python judge.py STORE NOTES
"""

import dataclasses
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from judging import Judge


def main() -> None:
    """Judge once, thoroughly."""
    verdict = Judge(Path(sys.argv[1]), Path(sys.argv[2])).verdict(thorough=True)
    print(json.dumps(dataclasses.asdict(verdict)))


if __name__ == "__main__":
    main()
