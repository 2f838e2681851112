"""A report of made-up fits: flat pictures of known codes and known numbers, built in a second."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from footagefit.dailies.entries import Link, Shot, Slate
from footagefit.evaluation.compared import Column, Shelf, Told, gather
from footagefit.evaluation.measured import METRICS
from footagefit.evaluation.results import ShotResult
from footagefit.report import pictures, side_by_side

SIZE = (54, 96)
FRAMES = (1002, 1003, 1004, 1005)
STILL = FRAMES[len(FRAMES) // 2]
CODES = {"reference": 140, "plate": 100, "target": 130}
SPOT = slice(24, 30), slice(45, 51)  # white, in the middle of every picture


def key_of(number: int) -> str:
    return f"fit_{number:012x}"


def code_of(key: str) -> int:
    """The flat grey of a column's pictures."""
    return CODES[key] if key in CODES else 104 + 8 * int(key.removeprefix("fit_"), 16)


def flat_picture(key: str, frame: int = STILL) -> np.ndarray:
    """A column's picture; frames that are played are brighter by their distance from the still."""
    pixels = np.full((*SIZE, 3), code_of(key) + 20 * abs(frame - STILL), np.uint8)
    pixels[SPOT] = 255
    return pixels


def psnr_of(shot: int, number: int) -> float:
    """Known numbers: fit n is best on shots whose number leaves n over 3; 0 is the plate."""
    return 20.0 + 0.1 * shot if number == 0 else 24.0 + 0.01 * shot + (shot % 3 == number - 1)


def result(name: str, shot: int, number: int) -> ShotResult:
    values = {"psnr": psnr_of(shot, number), "delta_e_2000": 6.0 - 0.5 * number}
    return ShotResult(
        shot=name, scene=str(1 + shot // 10), setup=f"{1 + shot // 10}A/A", take="1",
        clip=f"../dailies/{name}.mov", content="c" * 32, frames=FRAMES, keyframe=1001,
        metrics={"this fit": values}, examples=(), pictures=(),
    )  # fmt: skip


def make_report(folder: Path, *, shots: int = 60, fits: int = 3, plays: int = 2) -> dict[str, Any]:
    """Write it; of the first `plays` shots the frames to play are there, too. Returns its data."""
    names = [f"A{1 + n // 20:03d}C{n:03d}" for n in range(shots)]
    shelf = Shelf(folder)
    keys = ["reference", "plate", "target", *(key_of(n + 1) for n in range(fits))]
    for place, name in enumerate(names):
        for key in keys:
            pictures.save(flat_picture(key), shelf.place(name) / f"{key}.{STILL}.jpg")
            for frame in FRAMES if place < plays and key != "reference" else ():
                path = shelf.place(name) / "loop" / f"{key}.{frame}.jpg"
                pictures.save(flat_picture(key, frame), path, quality=85)
    columns = [Column("reference", "reference"), Column("plate", "plate", _results(names, 0))]
    columns.append(Column("target", "target"))
    columns += [_fit(n + 1, names) for n in range(fits)]
    entries = [_shot(name, n) for n, name in enumerate(names)]
    told = Told(
        "long_road", "match", 0.0, {"frames": len(FRAMES), "draws": 1, "seed": 0},
        {key_of(n + 1): "none of 60 judged shots is among 9 clips" for n in range(fits)},
        "none at hand: left out", "0.0",
    )  # fmt: skip
    rates = dict.fromkeys(names, Fraction(24))
    data = gather(told, columns, entries, METRICS, shelf=shelf, rates=rates)
    side_by_side.write(folder, data)
    return data


def _results(names: list[str], number: int) -> list[ShotResult]:
    return [result(name, n, number) for n, name in enumerate(names)]


def _shot(name: str, number: int) -> Shot:
    link = Link(f"../dailies/{name}.mov", "proxy", 1001, 1010)
    scene = str(1 + number // 10)
    return Shot(name, Slate(scene, "1"), scene, f"{scene}A/A", 1001, 1010, (link,))


def _fit(number: int, names: list[str]) -> Column:
    name = f"match_v{number:03d}"
    clip = {"shot": "B001", "clip": "../dailies/B001.mov", "frames": "1-9", "content": "d" * 32}
    steps = [float(s) for s in range(0, 100, 10)]
    given = {"what": "fit", "name": name, "by": "Ada", "at": "2026-01-02", "note": "<b>bold</b>"}
    return Column(
        key_of(number), name, _results(names, number), f"{number:012x}" + 52 * "0",
        recipe={"steps": 100 * number, "model.width": 16, "task.name": "match"},
        curves={
            "val/psnr": [(s, 20 + number + s / 50) for s in steps],
            "loss": [(s, 1 / (1 + s)) for s in steps],
        },
        chain=[{"fit": name, "found": True, "show": "long_road", "stage": None, "clips": [clip]}],
        approvals=[given] if number == 2 else [],
    )  # fmt: skip
