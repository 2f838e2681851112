"""Scans killed at random moments, for `dailies.py`: the catalogue whole, the end state the same."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from rows import Row

from footagefit.dailies.database import Catalogue, still_whole
from footagefit.dailies.show import Show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from dailies_footage import shot, show_of, write_movie

SOURCE = Path(__file__).resolve().parents[1] / "src"
SCRIPT = """
import sys
from pathlib import Path
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show
if __name__ == "__main__":
    root, work = map(Path, sys.argv[1:])
    show = Show(name="bench", roots=(root,), work=work, space="g24_rec709")
    scan_show(show, workers=2, detector="builtin")
"""


def killed(folder: Path, *, kills: int, clips: int = 40) -> list[Row]:
    """Kill scans by two processes again and again, and let some end."""
    root = folder / "dailies"
    for clip in range(clips):
        write_movie(
            root / f"{1 + clip // 3}A_T{1 + clip % 3}_A.mov", shot(clip // 3, 40, take=clip)
        )
    calm, hurt = show_of(root, folder / "calm"), show_of(root, folder / "hurt")
    began = time.monotonic()
    if started(calm).wait():
        raise SystemExit("the scan failed")
    whole_s = time.monotonic() - began
    with Catalogue(calm.catalogue) as catalogue:
        want = catalogue.dump()
    rng = random.Random(10)
    cut_short = broken = ends = differ = 0
    while cut_short < kills or not ends:
        child = started(hurt)
        try:
            if cut_short < kills:
                child.wait(rng.uniform(0.3, 0.8) * whole_s)
            child.wait()
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            cut_short += 1
            broken += hurt.catalogue.exists() and not still_whole(hurt.catalogue)
            continue
        with Catalogue(hurt.catalogue) as catalogue:
            ends, differ = ends + 1, differ + (catalogue.dump() != want)
        if cut_short < kills:
            shutil.rmtree(hurt.work)
    return [
        Row("catalogues broken by kills of a scan", "count", broken,
            {"kills": cut_short, "clips": clips}, "none", broken == 0),
        Row("scans gone on with that ended otherwise than an undisturbed one", "count", differ,
            {"ended": ends}, "none", differ == 0),
    ]  # fmt: skip


def started(show: Show) -> subprocess.Popen[bytes]:
    """A scan of a show by two processes, from a start of Python on."""
    command = [sys.executable, "-c", SCRIPT, str(show.roots[0]), str(show.work)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
