"""Take a shot through a fit; the same as `footagefit infer`.

python infer.py fit=film_work/fits/match_v001 plate=shot.####.exr reference=hero.1001.exr
python infer.py fit=film_work/fits/match_v001 plate=shot.####.exr reference=hero.mov dry_run=true
python infer.py --help
"""

import sys

try:
    from footagefit.cli import main
except ModuleNotFoundError as error:
    print(
        f"footagefit: this Python has no {error.name}. Run `make setup` once, then "
        "`. .venv/bin/activate`, or say .venv/bin/python infer.py ...",
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
