"""Take a shot through a fit; the same as `footagefit infer`.

python infer.py fit=film_work/fits/match_v001 plate=shot.####.exr reference=hero.1001.exr
python infer.py fit=film_work/fits/match_v001 plate=shot.####.exr reference=hero.mov dry_run=true
python infer.py --help
"""

import sys

from footagefit.cli import main

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
