"""Write everything that the system holds back in memory to its disks: `python -m edge.power.sync`.

Beside a service that rests: whoever cuts the power then loses nothing, not even lines of results that no one synced.
"""

import os

if __name__ == "__main__":
    os.sync()
