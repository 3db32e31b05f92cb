"""Run `fieldfare` as tools/reliability/observed.py does, with the camera of tools/soaking/worker.py in its workers."""

from edge.cli import main
from edge.processes.worker_process import start_worker
from tools.reliability.observed import observe
from tools.soaking import WORKER

if __name__ == "__main__":
    observe()
    # What is run when nobody names another module: edge.worker.main.
    start_worker.__defaults__ = (WORKER,)
    main()
