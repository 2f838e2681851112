"""Take a shot through a fit; the same as `footagefit infer`.

Rendering a shot through a fit is not in this version yet: until `footagefit --help` lists `infer`,
this script says so in one line and exits with 2.
"""

import sys

from footagefit.cli import main

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
