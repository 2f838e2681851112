"""Train a per-show model; the same as `footagefit train`.

python train.py show=film.yaml task=match
python train.py show=film.yaml task=match trainer.max_minutes=5
python train.py --help
"""

import sys

try:
    from footagefit.cli import main
except ModuleNotFoundError as error:
    print(
        f"footagefit: this Python has no {error.name}. Run `make setup` once, then "
        "`. .venv/bin/activate`, or say .venv/bin/python train.py ...",
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
