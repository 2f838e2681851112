"""Relighting beside doing nothing, the best gain, the mean light and spherical harmonics.

    python benchmarks/relight.py                          # stage scenes, a family left out
    python benchmarks/relight.py --lights cat frog        # subjects under known lights
    python benchmarks/relight.py --strip face.tif --out pictures

Every method is judged after one best global scale of light, on the display's curve. `identity` so
scaled is the oracle gain. Scenes come from seeds that no base was taught on; `crew` is a family of
sets that nothing was taught on. A folder of `--lights` holds pictures in name order and a table of
directions (see `footagefit stage import=`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from relight_ways import (
    Case,
    angle_deg,
    confidence,
    found_way,
    given_of,
    off_stops,
    ratio_gradients,
    scored,
    ways,
)
from rows import Row, arguments, show
from torch import Tensor

from footagefit.footage.opening import open_clip
from footagefit.rendering.fits import load_fit
from footagefit.signature import light as estimator
from footagefit.soundstage.apart import CREW, Apart
from footagefit.soundstage.light_stage import subjects
from footagefit.tasks import lit
from footagefit.tasks.draws import choice, generator

WEIGHTS = Path(estimator.__file__).resolve().parents[1] / "models" / "weights"
BASE = WEIGHTS / "relight_relight"
SEED = 1_000_003
LONG_PX = 256  # of real pictures
_LEAST_SHOWN = 0.02  # of the frame that something must fill to be judged
_BINS = ((0.0, 15.0), (15.0, 40.0), (40.0, 181.0))


def stage_cases(
    folder: Path, *, count: int, family: str | None
) -> list[tuple[Case, dict[str, Tensor], Tensor]]:
    """Pairs of held-out scenes, the scene, and the mean of its lights."""
    scenes = Apart(folder, SEED, 60 if family else 200, family=family)
    made = []
    for number in range(count):
        rng = generator(99, number)
        scene = scenes.scene(number % scenes.scenes)
        if float((scene["depth"] > 0).float().mean()) < _LEAST_SHOWN:
            continue
        front = [k for k in range(len(scene["ways"])) if float(scene["ways"][k, 2]) > 0.0]
        first = front[choice(rng, len(front))]
        second = front[choice(rng, len(front))]
        if number % 4 and len(front) > 1:
            apart = [(float(scene["ways"][first] @ scene["ways"][k]), k) for k in front]
            second = min(apart)[1] if number % 2 else sorted(apart)[len(apart) // 2][1]
        made.append(_stage_case(scene, first, second, rng))
    return made


def _stage_case(scene: dict, first: int, second: int, rng: torch.Generator) -> tuple:
    lamps = lit.drawn_lamps(rng, first)
    lamps = lit.Lamps(first, lamps.key_stops, lamps.fill_stops.clamp_max(-1.5))
    rest = scene["around"] * 0.25
    pictures = [lit.picture(scene, lit.Lamps(k, lamps.key_stops, lamps.fill_stops), rest)
                for k in range(len(scene["ways"]))]  # fmt: skip
    gain = 2.0 ** lit.exposure_of(pictures[first], rng)
    ways_ = scene["ways"]
    softness = float(scene["softness"][second].clamp(0.5, 180))
    case = Case(
        pictures[first] * gain, pictures[second] * gain, (scene["depth"] > 0).float(),
        {**_named(ways_[second]), "light.softness_deg": softness},
        angle_deg(ways_[first], ways_[second]), _told(ways_[first]),
    )  # fmt: skip
    return case, {**scene, "second": second}, torch.stack(pictures).mean(0) * gain


def _named(way: Tensor, start: str = "light") -> dict[str, float]:
    azimuth, elevation = estimator.angles([float(v) for v in way])
    return {f"{start}.azimuth_deg": azimuth, f"{start}.elevation_deg": elevation}


def _told(way: Tensor) -> dict[str, float]:
    return _named(way, "light.plate")


def of_stage(model, folder: Path, *, count: int, family: str | None) -> list[Row]:
    """Numbers on stage scenes."""
    name = family or "wild"
    scores: dict[str, list[float]] = defaultdict(list)
    turns, gradients, found, read, shadows = [], [], [], [], []
    for case, scene, mean in stage_cases(folder, count=count, family=family):
        made = ways(model, case, reference=case.target, mean=mean)
        for way, picture in made.items():
            scores[way].append(scored(picture, case))
        turns.append(case.turn_deg)
        gradients.append(ratio_gradients(made["ours, plate's light told"], case))
        asked = scene["ways"][scene["second"]]
        facing = (scene["normals"] * asked[:, None, None]).sum(0) > 0.2
        cast = facing & (scene["shadow"][scene["second"], 0] < 0.3) & (case.mask[0] > 0.5)
        if int(cast.sum()) >= 40:
            told = made["ours, plate's light told"]
            shadows.append((off_stops(told, case, cast), off_stops(case.plate, case, cast)))
        truth = (scene["normals"], scene["albedo"], case.mask)
        way = found_way(made["ours"], *truth)
        found.append((angle_deg(way, asked), angle_deg(found_way(case.target, *truth), asked)))
        own = estimator.raw(case.plate[None], torch.ones_like(case.mask[None]))[0, :3]
        told = case.old["light.plate.azimuth_deg"], case.old["light.plate.elevation_deg"]
        read.append(angle_deg(own, torch.tensor(estimator.direction(*told))))
    moved = [i for i, t in enumerate(turns) if t >= 40.0]
    rows = [_over_gain(f"{name}: {way}, key moved 40 degrees or more", scores, way, moved, target)
            for way, target in (("ours", 6.0), ("ours, plate's light told", 6.0),
                                ("ours by reference", 4.0))]  # fmt: skip
    moves = [value < 80.0 for value in scores["identity"]]  # not the plate itself
    still = [i for i, t in enumerate(turns) if t < 15.0 and moves[i]]
    if still:
        rows.append(_over_gain(f"{name}: ours, moved under 15", scores, "ours", still, 0.0))
    direction = float(np.median([f[0] for f in found]))
    rows += [
        Row(f"{name}: gradients of the ratio image", "correlation", float(np.mean(gradients))),
        Row(f"{name}: error inside cast shadows", "stops", float(np.mean([s[0] for s in shadows])),
            {"oracle gain": float(np.mean([s[1] for s in shadows]))}),
        Row(f"{name}: light found in the output, median", "deg", direction,
            {"in the truth": float(np.median([f[1] for f in found]))}, "<= 15", direction <= 15),
        Row(f"{name}: the plate's light as estimated, median", "deg", float(np.median(read)),
            {}, "<= 20", bool(np.median(read) <= 20)),
    ]  # fmt: skip
    return rows


def _over_gain(metric: str, scores: dict, way: str, some: list[int], target: float) -> Row:
    mean = {name: float(np.mean([values[i] for i in some])) for name, values in scores.items()}
    gain = mean[way] - mean["identity"]
    rest = {n: v - mean["identity"] for n, v in mean.items() if n not in (way, "identity")}
    rest["oracle gain, dB"] = mean["identity"]
    return Row(metric, "dB over oracle gain", gain, rest, f">= {target:g}", gain >= target)


def of_control(model, folder: Path, *, count: int) -> list[Row]:
    """Does it do as it is told: own light, sweeps, sums."""
    own, jumps, sums = [], [], []
    for case, _, _ in stage_cases(folder, count=count, family=None):
        with torch.no_grad():
            here = model.own_light(model.small(given_of(case, {}))).way[0]
            back = model.predict(given_of(case, _named(here)))[0]
            own.append(_psnr(back, case.plate))
            sweep = [model.predict(given_of(case, {"light.azimuth_deg": float(a),
                                                   "light.elevation_deg": 20.0}))[0]
                     for a in range(-30, 31, 5)]  # fmt: skip
            steps = torch.stack([(a - b).abs().mean() for a, b in pairwise(sweep)])
            jumps.append(float(steps.max() / steps.median().clamp_min(1e-9)))
            key = model.predict(given_of(case, {"light.by.fill_ev": -8.0}))[0]
            fill = model.predict(given_of(case, {"light.by.key_ev": -8.0}))[0]
            off = (key + fill - case.plate).abs().mean() / case.plate.abs().mean()
            sums.append(float(off))
    least = float(np.median(own))
    off = float(np.median(sums))
    return [
        Row("own light asked for, the plate returned", "dB", least, {}, ">= 40", least >= 40),
        Row("5-degree sweep: largest step over the median one", "", float(np.median(jumps))),
        Row("key alone and fill alone, off their sum", "share", off, {}, "<= 0.05", off <= 0.05),
    ]  # fmt: skip


def of_edges(model, folder: Path, *, count: int) -> list[Row]:
    """No halos: at four times the size that looks are decided at, beside edges and elsewhere."""
    size = 4 * model.long_px
    scenes = Apart(folder, SEED, 8, size_px=(size, size))
    shares = []
    for number in range(count):
        scene = scenes.scene(number)
        case, _, _ = _stage_case(scene, 0, 1, generator(98, number))
        with torch.no_grad():
            made = model.predict(given_of(case, {**case.controls, **case.old}))[0]
        depth = scene["depth"].clamp_min(1e-3).log2()[None]
        widest = torch.nn.functional.max_pool2d(torch.cat([depth, -depth]), 9, 1, 4).sum(0)[0]
        near = widest > 0.1
        inside = case.mask[0] > 0.5
        if int((near & inside).sum()) >= 200 and int((~near & inside).sum()) >= 200:
            each = [off_stops(made, case, where & inside) for where in (near, ~near)]
            shares.append(each[0] / max(each[1], 1e-6))
    share = float(np.median(shares))
    return [Row("error within 4 pixels of edges over elsewhere", "times", share, {}, "<= 1.5",
                share <= 1.5)]  # fmt: skip


def _psnr(a: Tensor, b: Tensor) -> float:
    error = (a.clamp(0, 1) - b.clamp(0, 1)).square().mean()
    return float(-10 * torch.log10(error.clamp_min(1e-12)))


def of_lights(model, folder: Path, every: int) -> list[Row]:
    """Numbers on subjects under known lights: from each light to each other one."""
    rows = []
    for subject in subjects(folder):
        pictures = torch.stack([_picture(path) for path in subject.pictures])
        directions = torch.tensor(subject.directions, dtype=torch.float32)
        mask = _mask(subject.mask, pictures)
        level = pictures[:, :, mask[0] > 0.5].mean()
        pictures = pictures * (0.18 / level)
        rows += _of_subject(model, subject.name, pictures, directions, mask, every)
    return rows


def _of_subject(
    model, name: str, pictures: Tensor, directions: Tensor, mask: Tensor, every: int
) -> list[Row]:
    count = len(pictures)
    scores: dict[str, list[float]] = defaultdict(list)
    turns, sure, mean = [], [], pictures.mean(0)
    for i in range(count):
        for j in range(count):
            if i == j or (i * count + j) % every:
                continue
            case = Case(pictures[i], pictures[j], mask, _named(directions[j]),
                        angle_deg(directions[i], directions[j]), _told(directions[i]))  # fmt: skip
            for way, picture in ways(model, case, mean=mean).items():
                scores[way].append(scored(picture, case))
            turns.append(case.turn_deg)
            sure.append(confidence(model, case))
    rows = []
    for low, high in _BINS:
        some = [k for k, turn in enumerate(turns) if low <= turn < high]
        target = 3.0 if low >= 40 else 0.0
        for way in ("ours", "ours, plate's light told") if some else ():
            label = f"{name}: {way}, moved {low:g} to {min(high, 180):g} degrees ({len(some)})"
            rows.append(_over_gain(label, scores, way, some, target))
    error = -np.asarray(scores["ours"]) + np.asarray(scores["identity"])
    rows.append(Row(f"{name}: confidence against gain", "correlation",
                    float(np.corrcoef(sure, -error)[0, 1])))  # fmt: skip
    found = estimator.estimate(pictures, mask_T1HW=mask[None].expand(count, -1, -1, -1))
    off = [angle_deg(torch.tensor(f.way), w) for f, w in zip(found, directions, strict=True)]
    rows.append(Row(f"{name}: the plate's light as estimated, median", "deg",
                    float(np.median(off)), {}, "<= 25", bool(np.median(off) <= 25)))  # fmt: skip
    return rows


def _picture(path: Path) -> Tensor:
    with open_clip(path, space="auto" if path.suffix == ".exr" else _space(path)) as clip:
        light = clip.read([clip.info.first_frame]).rgb_TCHW
    scale = LONG_PX / max(light.shape[2:])
    size = [round(n * scale / 16) * 16 for n in light.shape[2:]]
    return torch.nn.functional.interpolate(light, size=size, mode="area")[0]


def _space(path: Path) -> str:
    return "lin_rec709_srgb" if path.suffix.lower() in (".tif", ".tiff") else "srgb_rec709_scene"


def _mask(path: Path | None, pictures: Tensor) -> Tensor:
    if path is not None:
        return (_picture(path)[:1] > 0.5).float()
    return (pictures.amax(0).mean(0, keepdim=True) > 0.02).float()


def write_strip(model, path: Path, out: Path) -> None:
    """One picture under a key that sweeps over azimuth, at two heights."""
    from PIL import Image

    plate = _picture(path)
    plate = plate * (0.18 / plate.mean().clamp_min(1e-4))
    case = Case(plate, plate, torch.ones_like(plate[:1]), {}, 0.0, {})
    rows = []
    for elevation in (0.0, 35.0):
        panes = [plate]
        for azimuth in (-80, -50, -20, 20, 50, 80):
            controls = {"light.azimuth_deg": float(azimuth), "light.elevation_deg": elevation}
            with torch.no_grad():
                panes.append(model.predict(given_of(case, controls))[0])
        rows.append(torch.cat(panes, 2))
    light = torch.cat(rows, 1).clamp(0, 1)
    shown = (light.clamp_min(1e-6) ** (1 / 2.2) * 255).byte().permute(1, 2, 0).numpy()
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(shown)).save(out / f"{path.parent.name}_{path.stem}.png")


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fit", type=Path, default=BASE, help="the fit to judge")
    parser.add_argument("--lights", type=Path, nargs="*", default=[], help="folders of subjects")
    parser.add_argument("--strip", type=Path, nargs="*", default=[], help="pictures to sweep")
    parser.add_argument("--out", type=Path, default=Path("relight_strips"), help="for strips")
    parser.add_argument("--cache", type=Path, help="folder that keeps rendered scenes")
    parser.add_argument("--every", type=int, default=1, help="every so many pairs of lights")
    parser.add_argument("--count", type=int, default=120, help="stage pairs")
    parser.add_argument("--only-given", action="store_true", help="no stage scenes")


def main() -> None:
    """Print it all."""
    args = arguments(__doc__.splitlines()[0], more=_more)
    if not args.fit.is_dir():
        raise SystemExit(f"{args.fit}: no fit there; say --fit <a relight fit>")
    model = load_fit(args.fit).model
    count = 8 if args.quick else args.count
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.cache or Path(temporary)
        if not args.only_given:
            rows += of_stage(model, folder, count=count, family=None)
            rows += of_stage(model, folder, count=count // 2, family=CREW)
            rows += of_control(model, folder, count=max(4, count // 8))
            rows += of_edges(model, folder, count=2 if args.quick else 8)
    for lights in args.lights:
        rows += of_lights(model, lights, args.every)
    for strip in args.strip:
        write_strip(model, strip, args.out)
    show("Relighting", rows, args.json)


if __name__ == "__main__":
    main()
