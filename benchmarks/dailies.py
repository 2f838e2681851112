"""Dailies: scanning beside bare decoding, windows a second, memory of workers, marks of quality.

    python benchmarks/dailies.py
    python benchmarks/dailies.py --quick --json dailies.json

Footage is made here: textured sets with an actor and grain, as 8-bit H.264. Bare decode is PyAV
handing out every frame of the same files in order, in one process, with as many threads as the
scan's reader takes; the scan runs in one process too, so that neither has more of the machine.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch
from rows import Row, arguments, medians, show

from footagefit.dailies import cuts
from footagefit.dailies.data import Dailies
from footagefit.dailies.entries import TRAIN
from footagefit.dailies.examine import Settings, examine
from footagefit.dailies.finding import content_of, find
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from dailies_footage import scenery, write_movie

SCAN_SHARE = 0.85
TRAINER_WINDOWS_S = 8 / 0.043  # the prototype's trainer: a batch of 8 in 43 ms on two cores
WINDOWS = 10_000


def main() -> None:
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        root, work = Path(folder) / "dailies", Path(folder) / "work"
        size = (180, 320) if options.quick else (720, 1280)
        make(root, size, clips=4 if options.quick else 6, frames=48 if options.quick else 240)
        made = Show(name="bench", roots=(root,), work=work, space="g24_rec709")
        rows = scanning(made, rounds=3 if options.quick else 5)
        rows += loading(made, 200 if options.quick else WINDOWS)
        rows += detecting(12 if options.quick else 60)
    show(f"Dailies, {size[1]}x{size[0]} 8-bit H.264", rows, options.json)


def make(root: Path, size: tuple[int, int], *, clips: int, frames: int) -> None:
    """Takes of a few scenes, every frame another."""
    height, width = size
    for clip in range(clips):
        world = (scenery(clip, 2 * height, 2 * width) * 255).astype(np.uint8)
        grain = np.random.default_rng(clip).normal(0, 3, (8, height, width, 1)).astype(np.int8)
        film = np.empty((frames, height, width, 3), np.uint8)
        for t in range(frames):
            left, top = int(width / 2 * t / frames), int(height / 4 * t / frames)
            view = world[top : top + height, left : left + width].astype(np.int16)
            film[t] = (view + grain[t % 8]).clip(0, 255)
        write_movie(root / f"{40 + clip}A_T1_A.mov", film, crf=23, timecode=f"0{clip}:00:00:00")


def scanning(made: Show, *, rounds: int) -> list[Row]:
    items = [i for i in find(made.roots, made.work) if i.form == "movie"]
    total = sum(decode(i.file) for i in items)
    settings = Settings(made.space)

    def bare() -> None:
        for item in items:
            decode(item.file)

    def ours() -> None:
        for item in items:
            examine(item, content_of(item), settings)

    seconds = medians({"bare": bare, "ours": ours}, rounds=rounds)
    fps, bare_fps = total / seconds["ours"], total / seconds["bare"]
    scan_show(made, workers=0, detector="builtin")
    begun = time.perf_counter()
    scan_show(made, workers=0, detector="builtin")
    again_s = time.perf_counter() - begun
    return [
        Row(
            "scan of new clips",
            "frames/s",
            fps,
            {"bare PyAV decode": bare_fps, "share of it": fps / bare_fps},
            f"{SCAN_SHARE:.0%} of bare decode",
            fps >= SCAN_SHARE * bare_fps,
        ),
        Row("scan of the same clips again", "s", again_s),
    ]


def decode(path: Path) -> int:
    """Every frame, in order, and nothing else."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def loading(made: Show, windows: int) -> list[Row]:
    rows = []
    data = Dailies(made, batch_size=8, steps=windows // 8, long_side_px=256, workers=2)
    begun = time.perf_counter()
    for _ in data.prepare():
        pass
    frames = sum(s.length for s in data.shots(TRAIN) + data.shots("val"))
    rows.append(
        Row("frames made small into the cache", "frames/s", frames / (time.perf_counter() - begun))
    )
    loader = iter(data.train_dataloader())
    workers = loader._workers  # pyright: ignore[reportAttributeAccessIssue]
    count, early = 0, 0.0
    warm = max(1, windows // 80)
    begun = time.perf_counter()
    for step, batch in enumerate(loader):
        count += len(batch)
        if step == warm:
            early, begun, count = memory_mb(workers), time.perf_counter(), 0
    rate = count / (time.perf_counter() - begun)
    late = memory_mb(workers) or early
    del loader, batch
    gc.collect()
    rows.append(
        Row(
            "windows by two workers (256 px, 2 references)",
            "windows/s",
            rate,
            {"what a 43 ms step of 8 eats": TRAINER_WINDOWS_S},
            "at least what the trainer eats",
            rate >= TRAINER_WINDOWS_S,
        )
    )
    grown = late - early
    rows.append(
        Row(
            f"memory two workers gain over {windows} windows",
            "MB",
            grown,
            {"at the start": early, "at the end": late},
            "at most 20 MB",
            grown <= 20,
        )
    )
    return rows


def memory_mb(workers: list[object]) -> float:
    """Private memory of the workers that live."""
    total = 0
    for worker in workers:
        try:
            text = Path(f"/proc/{worker.pid}/smaps_rollup").read_text()  # pyright: ignore
        except OSError:
            continue
        total += sum(int(x.split()[1]) for x in text.splitlines() if x.startswith("Private"))
    return total / 1024


def detecting(films: int) -> list[Row]:
    """Cuts planted between made-up shots, and flashes and whip pans that are none."""
    from dailies_footage import shot, tiny

    planted = found = false = 0
    for seed in range(1000, 1000 + films):
        rng = np.random.default_rng(seed)
        lengths = [int(n) for n in rng.integers(10, 30, 4)]  # longer pans leave the set
        runs = [
            shot(seed * 10 + i, n, pan=tuple(rng.uniform(-3, 3, 2)), actor=float(rng.uniform(0, 3)))
            for i, n in enumerate(lengths)
        ]
        if rng.random() < 0.5 and lengths[1] > 12:
            runs[1][6:8] = np.clip(runs[1][6:8].astype(int) + 150, 0, 255).astype(np.uint8)
        truth = set(np.cumsum(lengths)[:-1].tolist())
        seen = {c.at for c in cuts.find_changes(tiny(np.concatenate(runs)))}
        planted, found, false = (
            planted + len(truth),
            found + len(truth & seen),
            false + len(seen - truth),
        )
    return [
        Row("planted cuts found to the frame", "of 1", found / planted, {"planted": planted},
            "all", found == planted),
        Row("false cuts", "cuts", false, {"films": films}, "none", false == 0),
    ]  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    torch.set_num_threads(2)
    main()
