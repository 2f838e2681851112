"""How fast and how small: putting grain on UHD, and measuring HD frame after frame.

Not a benchmark by itself; `signature.py` asks it.
"""

from __future__ import annotations

import resource
import statistics
import time

import numpy as np
import torch
from rows import Row, medians

from footagefit.signature import coordinates
from footagefit.signature.grain import Grain
from footagefit.signature.grain_patches import BLOCK_PX
from footagefit.signature.grain_removal import Removal
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.measuring import LensSeen, Run, SetupSeen, looks_closely
from footagefit.soundstage.sensor import expose
from footagefit.soundstage.specs import SensorSpec

_THOUSAND = 1000


def regrain(*, quick: bool) -> list[Row]:
    """Grain on a clean frame, beside noise drawn and filtered for every pixel."""
    size = (540, 960) if quick else (2160, 3840)
    frame = torch.rand(3, *size) * 0.5
    made = Synthesis(some_grain(), seed=1)
    made.apply(frame, number=0)
    turn = iter(range(1, 1000))

    def drawn() -> None:
        draw = torch.Generator().manual_seed(next(turn))
        noise = torch.randn(frame.shape, generator=draw)
        kernel = torch.tensor([0.25, 1.0, 0.25]) / 1.06
        pad = torch.nn.functional.pad(noise[None], (1, 1, 1, 1), mode="circular")
        row = torch.nn.functional.conv2d(pad, kernel.expand(3, 1, 1, 3), groups=3)
        soft = torch.nn.functional.conv2d(row, kernel[:, None].expand(3, 1, 3, 1), groups=3)[0]
        torch.add(frame, soft * made.deviation(frame))

    jobs = {"ours": lambda: made.apply(frame, number=next(turn)), "drawn": drawn}
    spent = medians(jobs, rounds=3 if quick else 5)
    off = Removal(some_grain())
    begun = time.perf_counter()
    off.remove(frame)
    others = {"drawn and filtered": spent["drawn"]}
    name = "540 rows" if quick else "UHD"
    return [
        Row(f"grain on, {name}", "s a frame", spent["ours"], others, "<= 0.3",
            spent["ours"] <= 0.3),
        Row(f"grain of unknown seed off, {name}", "s a frame", time.perf_counter() - begun),
    ]  # fmt: skip


def measuring(clean_CHW: torch.Tensor, *, quick: bool) -> list[Row]:
    """Seconds of an HD frame looked at, with the one after it, and memory on the way.

    Args:
        clean_CHW: Light on the sensor: a picture with edges, at the size to be timed.
        quick: A few frames only.
    """
    count = 4 if quick else 72
    size = (int(clean_CHW.shape[1]), int(clean_CHW.shape[2]))
    frames = [
        coordinates.channels_last(expose(clean_CHW, SensorSpec(), seed=1, frame=k))
        for k in range(4)
    ]
    seen, look = LensSeen("speed", size), SetupSeen()
    held = 0
    spent: dict[bool, list[float]] = {True: [], False: []}  # by whether edges were looked at
    for number in range(count):
        if number == count // 3:  # the first ones load and compile
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cpu, before = time.process_time(), seen.closely
        run = Run([frames[number % 4]], [frames[(number + 1) % 4]])
        seen.add(run)
        look.add(run, shot="speed")
        spent[seen.closely > before].append(time.process_time() - cpu)
    begun = time.process_time()
    seen.lens()
    look.look()
    fits = time.process_time() - begun
    close, plain = (statistics.median(spent[k] or spent[True]) for k in (True, False))
    closely = sum(looks_closely(_THOUSAND))
    minutes = (closely * close + (_THOUSAND - closely) * plain + fits) / 60
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024
    return [
        Row("1,000 frames measured", "minutes of CPU", minutes, {}, "<= 10", minutes <= 10),
        Row("of these looked at for edges", "frames", closely),
        Row("a frame looked at for edges", "s of CPU", close),
        Row("another frame", "s of CPU", plain),
        Row("memory grown from a third of the frames to the end", "MiB", grown, {}, "<= 100",
            grown <= 100),
    ]  # fmt: skip


def some_grain() -> Grain:
    """A grain to time."""
    levels = tuple((2.0 ** np.arange(-8.0, 4.1, 0.5)).tolist())
    deviation = tuple((0.03 * np.sqrt(0.18 * np.array(levels))).tolist())
    angle = np.pi * np.arange(BLOCK_PX) / BLOCK_PX
    power = np.exp(-((0.7 * angle) ** 2))
    plane = tuple(tuple(row) for row in np.outer(power, power).tolist())
    mixed = tuple(tuple(row) for row in (0.4 + 0.6 * np.eye(3)).tolist())
    return Grain(levels, (deviation,) * 3, (plane,) * 3, mixed)
