"""Train a per-show model; the same as `footagefit train`.

python train.py show=film.yaml task=match
python train.py show=film.yaml task=match trainer.max_minutes=5
python train.py --help
"""

import sys

from footagefit.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
