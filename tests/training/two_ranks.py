"""One rank of runs on the tiny show, one after another; started by torchrun in `test_ranks.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

if __name__ == "__main__":
    from footagefit.training.run import execute
    from training.conftest import sides

    for folder in sys.argv[1:]:
        execute(Path(folder), sides())
