"""What the report of fits side by side costs: to build, to keep, and to use in a browser.

    python benchmarks/report.py
    python benchmarks/report.py --shots 40 --fits 3 --keep FOLDER

Pictures are built for a few staged shots of 960x540 and timed by the shot; the page of all shots
(200 by 6 fits unless said) stands on links to them, so that it is as large as a real one. Judging
is not in it: `footagefit compare` spends most of its time there. In the browser (headless, drawn by
the processor): time to the first picture and to one at 1:1, and the rate that a wipe and the grid
move at, beside that of a page on which nothing moves. The first view's baseline is one page with
every strip inside it.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import Row, arguments, show
from staged import frame, scene

from footagefit.dailies.entries import Link, Shot, Slate
from footagefit.evaluation.compared import Column, Shelf, Told, gather
from footagefit.evaluation.examples import Drawn
from footagefit.evaluation.judge import safe
from footagefit.evaluation.measured import METRICS
from footagefit.evaluation.results import ShotResult
from footagefit.records import Given, Pair
from footagefit.report import side_by_side

FRAMES = 6
REAL_SHOTS = 4  # whose pictures are made; others are links to them
FIRST_MB = 5.0
SMOOTH_FPS = 30.0
FIRST_S = 2.0


def drawn_shot(seed: int, size: tuple[int, int]) -> list[Drawn]:
    """Judged frames of a staged shot: the plate half a stop under its target."""
    picture = scene(seed)
    found = []
    for number in range(1001, 1001 + FRAMES):
        target = frame(picture, number, size)[None]
        plate = target * 0.7
        none = target.new_zeros(1, 0, *size)
        given = Given(plate, none, torch.ones_like(target[:, :1]), target[None], none, none)
        pair = Pair(given, target, {}, torch.ones_like(target[:, :1]))
        found.append(Drawn(0, number, ("a", 1), pair))
    return found


def entry(number: int) -> Shot:
    name, scene_name = f"A{1 + number // 50:03d}C{number:03d}", str(1 + number // 8)
    link = Link(f"../dailies/{name}.mov", "proxy", 1000, 1020)
    return Shot(name, Slate(scene_name, "1"), scene_name, f"{scene_name}A", 1000, 1020, (link,))


def pictures_s(shelf: Shelf, keys: list[str], shots: list[Shot], size: tuple[int, int]) -> float:
    """Seconds a shot to write every picture of plate, target and fits."""
    taken = []
    for seed, shot in enumerate(shots[:REAL_SHOTS]):
        drawn = drawn_shot(seed, size)
        begun = time.perf_counter()
        for place, key in enumerate(keys):
            made = [d.pair.target * 2.0 ** (0.02 * place) for d in drawn]
            shelf.keeper(key, shelf.folder)(shot, drawn, {"this fit": made})
        taken.append(time.perf_counter() - begun)
    for number, shot in enumerate(shots[REAL_SHOTS:]):
        _linked(shelf.place(shots[number % REAL_SHOTS].name), shelf.place(shot.name))
    return statistics.median(taken)


def _linked(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, copy_function=os.link, dirs_exist_ok=True)


def columns_of(keys: list[str], shots: list[Shot]) -> list[Column]:
    rng = np.random.default_rng(0)
    frames = tuple(range(1001, 1001 + FRAMES))

    def results(level: float) -> list[ShotResult]:
        return [
            ShotResult(s.name, s.scene, s.setup, "1", s.primary.path, "c", frames, 1000,
                       {"x": {m.name: level + float(rng.normal()) for m in METRICS}}, (), ())
            for s in shots
        ]  # fmt: skip

    curve = [(float(step), 20.0 + step / 100) for step in range(400)]
    found = [Column("reference", "reference"), Column("plate", "plate", results(20.0))]
    found.append(Column("target", "target"))
    clips = [{"shot": s.name, "clip": s.primary.path, "frames": "1-9", "content": "c" * 32}
             for s in shots]  # fmt: skip
    for number, key in enumerate(keys[1:]):
        chain = [{"fit": key, "found": True, "show": "x", "stage": None, "clips": clips}]
        found.append(
            Column(key, f"match_v{number:03d}", results(27.0 + number), key * 4,
                   {"steps": number}, {"loss": curve, "val/psnr": curve}, chain)
        )  # fmt: skip
    return found


def build(folder: Path, count: int, fits: int, size: tuple[int, int]) -> tuple[list[Row], Any]:
    """Write the report; rows of what that took."""
    keys = ["plate", *(f"fit_{n:012x}" for n in range(fits))]
    shots = [entry(n) for n in range(count)]
    shelf = Shelf(folder)
    per_shot = pictures_s(shelf, keys, shots, size)
    told = Told("benchmark", "match", 0.0, {"frames": FRAMES}, {}, "", "0")
    rates = dict.fromkeys((s.name for s in shots), Fraction(24))
    columns = columns_of(keys, shots)
    begun = time.perf_counter()
    data = gather(told, columns, shots, METRICS, shelf=shelf, rates=rates)
    side_by_side.write(folder, data)
    page_s = time.perf_counter() - begun
    sizes = side_by_side.size_of(folder, data)
    strips = [(folder / "shots" / safe(s.name) / "strip.jpg").read_bytes() for s in shots]
    inside = sum(len(base64.b64encode(s)) for s in strips)
    inside += sum(p.stat().st_size for p in (folder / "page").iterdir())
    first_mb = sizes.first_bytes / 1e6
    name = f"{count} shots x {fits} fits"
    rows = [
        Row(f"pictures of a shot ({fits} fits, {FRAMES} frames)", "s", per_shot),
        Row(f"page of {name}", "s", page_s),
        Row(f"both, {name}, without judging", "min", (count * per_shot + page_s) / 60),
        Row("first view", "MB", first_mb, {"one file with every strip in it": inside / 1e6},
            f"<= {FIRST_MB:g}", first_mb <= FIRST_MB),
        Row("all of it", "MB", sizes.all_bytes / 1e6),
    ]  # fmt: skip
    return rows, data


_RATE = """async (step) => {
  const times = [];
  const move = new Function("n", step);
  await new Promise((done) => {
    const begun = performance.now();
    const tick = (now) => {
      times.push(now);
      move(times.length);
      if (now - begun < 3000) requestAnimationFrame(tick); else done();
    };
    requestAnimationFrame(tick);
  });
  const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  const worst = gaps[Math.floor(0.95 * gaps.length)];
  return [1000 * gaps.length / (times.at(-1) - times[0]), worst];
}"""
_FIRST = """async () => {
  const style = document.querySelector(".rows .picture").style.backgroundImage;
  const picture = new Image();
  picture.src = style.slice(5, -2);
  await picture.decode();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
_FULL = """() => {
  const images = [...document.querySelectorAll("#stage .layer img")];
  return images.length === 2 && images.every((i) => i.complete && i.naturalWidth);
}"""


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """A headless browser without network."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True).new_page()
        yield page
        browser.close()


def used(folder: Path, chromium: str, rounds: int) -> list[Row]:
    """What a person waits for, and how smoothly it moves."""
    address = (folder / "index.html").as_uri()
    with opened(chromium) as page:
        page.goto("about:blank")
        first = []
        for _ in range(rounds):
            begun = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_selector(".rows .picture")
            page.evaluate(_FIRST)
            first.append(time.perf_counter() - begun)
        scroll = page.evaluate(
            _RATE, "document.getElementById('grid').scrollTop = 60 * n;"
        )  # fmt: skip
        page.keyboard.press("Home")
        begun = time.perf_counter()
        page.locator(".rows .cell").nth(4).click()
        page.wait_for_function(_FULL)
        full = time.perf_counter() - begun
        still = page.evaluate(_RATE, "")
        step = "footagefit.viewer.stage().setWipe(0.5 + 0.4 * Math.sin(n / 12));"
        wipe = page.evaluate(_RATE, step)
    when = statistics.median(first)
    return [
        Row("first picture", "s", when, {}, f"<= {FIRST_S:g}", when <= FIRST_S),
        Row("a picture at 1:1 after a click", "s", full),
        Row("scrolling the grid", "frames/s", scroll[0], {"nothing moves": still[0]},
            f">= {SMOOTH_FPS:g}", scroll[0] >= SMOOTH_FPS),
        Row("wipe", "frames/s", wipe[0], {"nothing moves": still[0]},
            f">= {SMOOTH_FPS:g}", wipe[0] >= SMOOTH_FPS),
        Row("wipe, 95th percentile of a frame", "ms", wipe[1], {"nothing moves": still[1]}),
    ]  # fmt: skip


def main() -> None:
    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--shots", type=int, default=200)
        parser.add_argument("--fits", type=int, default=6)
        parser.add_argument("--keep", type=Path, help="leave the report in this folder")
        parser.add_argument("--chromium", default=os.environ.get("CHROMIUM"))

    asked = arguments(__doc__ or "", more=more)
    count, fits, size = asked.shots, asked.fits, (540, 960)
    if asked.quick:
        count, fits, size = 6, 2, (54, 96)
    chromium = asked.chromium or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        rows, _ = build(folder, count, fits, size)
        if chromium is None or asked.quick:
            print("in the browser: skipped" + ("" if asked.quick else ", no Chromium is at hand"))
        else:
            rows += used(folder, chromium, 5)
    show("The report of fits side by side", rows, asked.json)


if __name__ == "__main__":
    main()
