"""What the signature room measures, against the soundstage's truth.

    python benchmarks/signature.py
    python benchmarks/signature.py --quick --json signature.json
    python benchmarks/signature.py --only takes32,charts --sets FOLDER
    python benchmarks/signature.py --only film --film scan.mp4

Ordinary takes through two lenses (see `takes.py`), no charts; takes beside one another; charts;
grain made anew against real grain, on the stage and on a clip of film; speed. Baselines: assuming
that there is no effect, and fitting each take by itself. `--sets` keeps the rendered sets, which
take most of the time; `--film` is any clip of film grain, `--space` its colour space.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import signature_speed
import takes
import torch
from rows import Row, arguments, show
from takes import Kit
from two_ways import Told, Twins, told

from footagefit.footage.opening import open_clip
from footagefit.signature import (
    charts,
    coordinates,
    distortion_fit,
    edges,
    grade,
    grain,
    vignette,
)
from footagefit.signature.grain import Grain
from footagefit.signature.grain_patches import Patches, patches
from footagefit.signature.grain_removal import Removal
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.measuring import LensSeen, Run, SetupSeen
from footagefit.signature.record import Lens, SetupLook
from footagefit.soundstage import lens as glass
from footagefit.soundstage.script import LENSES
from footagefit.soundstage.sensor import expose, grain_deviation
from footagefit.soundstage.specs import SensorSpec

SEED = 23
KITS = (
    Kit(LENSES[0], SensorSpec(grain=0.02)),
    Kit(LENSES[2], SensorSpec(grain=0.045, grain_size_px=0.9, grain_chroma=0.4)),
)
HD_PX = coordinates.HD_HALF_PX
PIXEL_PX = 12**-0.5  # sigma of an even pixel
RECORDED_PX = 960  # width of the takes
TAKES = tuple(f"takes{kit.lens.focal_mm:.0f}" for kit in KITS)
GRAINS = tuple(f"grain{kit.lens.focal_mm:.0f}" for kit in KITS)
CHART_SIZE = (1080, 1920)  # a chart is shot as plates are
PARTS = (*TAKES, *GRAINS, "between", "charts", "film", "speed")


@dataclass
class Errors:
    """How far a measure is from the truth; what was not measured counts as none assumed.

    Sharpness is the edge spread in pixels of HD, the worse of middle and corner; bloom the share.
    """

    vignette: float
    distortion: float
    chromatic: float
    sharpness: float
    bloom: float


def main() -> None:
    options = arguments(__doc__ or "", more=_more)
    size = (270, 480) if options.quick else (540, 960)
    every = tuple(p for p in PARTS if not options.quick or p not in (*TAKES[1:], *GRAINS[1:]))
    only = tuple(options.only.split(",")) if options.only else every
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        raise SystemExit(f"--only {unknown[0]}: there are {', '.join(PARTS)}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.sets or Path(scratch)
        staged = set(only) - {"charts", "film", "speed"}
        most = 2 if options.quick else 8
        paths = takes.sets(folder, size=size, seed=options.seed, most=most) if staged else []
        parts: dict[str, Callable[[], list[Row]]] = {
            "between": lambda: between_takes(paths, size),
            "charts": lambda: from_charts(KITS[0], size if options.quick else CHART_SIZE),
            "film": lambda: film_grain(options.film, options.space) if options.film else [],
            "speed": lambda: speed(quick=options.quick),
        }  # fmt: skip
        for kit, name, grained in zip(KITS, TAKES, GRAINS, strict=True):
            parts[name] = partial(from_takes, paths, kit, size)
            parts[grained] = partial(made_grain, paths, kit, size)
        for name in only:
            found = parts[name]()
            show(f"Signature, {name}", found)  # at once: a run that is stopped has said something
            rows += found
    if options.json:
        show("Signature: all that was measured", rows, options.json)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", help=f"some parts, by comma: {','.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sets: another, other sets")
    parser.add_argument("--sets", type=Path, help="keep rendered sets here")
    parser.add_argument("--film", type=Path, help="a clip of film grain")
    parser.add_argument("--space", default="g24_rec709", help="its colour space")


def from_takes(paths: list[Path], kit: Kit, size: tuple[int, int]) -> list[Row]:
    """One lens over all takes, and every take by itself."""
    whole, grains, alone = LensSeen(kit.lens.name, size), SetupSeen(), []
    for run in takes.runs(paths, kit, size=size):
        one = LensSeen(kit.lens.name, size, fringe=whole.fringe)
        one.add(run)
        take_in(whole, one)
        grains.add(run, shot=str(len(alone)))
        alone.append(errors_of(one.lens(), kit))
    lens, look = whole.lens(), grains.look()
    print(f"{kit.lens.name}: {lens}")
    ours, none = errors_of(lens, kit), errors_of(Lens(), kit)
    name = kit.lens.name
    each = {k: statistics.median(getattr(e, k) for e in alone) for k in vars(none)}
    rows = []
    for metric, unit, target in (
        ("vignette", "gain RMS", 0.02), ("distortion", "px at an HD corner", 0.7),
        ("chromatic", "px at an HD corner", 0.15), ("sharpness", "px of HD", None),
        ("bloom", "share of the light", None),
    ):  # fmt: skip
        value = getattr(ours, metric)
        baselines = {"none": getattr(none, metric), "per take": each[metric]}
        rows.append(Row(f"{name}: {metric}", unit, value, baselines,
                        f"<= {target}" if target else "",
                        value <= target if target else None))  # fmt: skip
    return rows + error_rows(name, lens, ours) + grain_rows(name, look, kit)


def take_in(whole: LensSeen, one: LensSeen) -> None:
    """What was seen of one take is not looked at twice."""
    for kept in ("pairs", "shades", "lines", "followed", "shifts", "spreads", "shares"):
        getattr(whole, kept).extend(getattr(one, kept))
    for kept in ("line_shots", "followed_shots"):
        getattr(whole, kept).extend([whole.shots] * len(getattr(one, kept)))
    whole.shots, whole.frames, whole.fringe = whole.shots + 1, whole.frames + one.frames, one.fringe
    whole.closely += one.closely


def error_rows(name: str, lens: Lens, ours: Errors) -> list[Row]:
    """Errors over the standard errors that were told: beyond 3 these were too small."""
    told_px = {
        "distortion": lens.distortion.error_px if lens.distortion else None,
        "chromatic": lens.chromatic.error_px if lens.chromatic else None,
    }
    return [
        Row(f"{name}: {k} error over its error bar", "x", getattr(ours, k) / px, {}, "<= 3",
            getattr(ours, k) / px <= 3)
        for k, px in told_px.items() if px
    ]  # fmt: skip


def errors_of(lens: Lens, kit: Kit) -> Errors:
    """Against the truth; gain apart from its mean, since exposure is free."""
    true = glass.vignette_gain((54, 96), kit.lens).numpy()
    ours = np.ones_like(true) if lens.vignette is None else lens.vignette.gain((54, 96))[..., 1]
    ratio = ours / true
    bent = 0.0 if lens.distortion is None else lens.distortion.k1 + lens.distortion.k2
    red, blue = (0.0, 0.0)
    if lens.chromatic is not None:
        red, blue = lens.chromatic.red_px, lens.chromatic.blue_px
    fringe = kit.lens.fringe_px
    spread = (0.0, 0.0)
    if lens.sharpness is not None:
        seen = lens.sharpness
        spread = (seen.centre_px, 0.5 * (seen.radial_px + seen.around_px))
    width = RECORDED_PX if lens.sharpness is None else lens.sharpness.width_px
    pixel = PIXEL_PX * 1920 / width
    soft = [np.hypot(b, pixel) for b in (kit.lens.blur_centre_px, kit.lens.blur_corner_px)]
    return Errors(
        float((ratio / ratio.mean()).std()),
        abs(bent - kit.lens.k1 - kit.lens.k2) * HD_PX,
        max(abs(red - fringe), abs(blue + fringe)),
        max(abs(s - (t or pixel)) for s, t in zip(soft, spread, strict=True)),
        abs(kit.lens.bloom - (0.0 if lens.bloom is None else lens.bloom.share)),
    )


def grain_rows(name: str, look: SetupLook, kit: Kit) -> list[Row]:
    """Variance curve and correlation against the sensor's own."""
    if look.grain is None:
        return [Row(f"{name}: grain", "measured", 0.0, {}, "1", False)]
    levels = torch.tensor(look.grain.levels)
    true = grain_deviation(levels, kit.sensor).numpy() ** 2
    apart = np.stack([np.array(look.grain.deviation[c]) ** 2 / true - 1 for c in range(3)])
    curve = float(np.sqrt((apart**2).mean()))
    lag = abs(look.grain.correlation()[0, 1] - true_lag(kit.sensor.grain_size_px))
    return [
        Row(f"{name}: grain variance", "RMS share", curve, {"none": 1.0}, "<= 0.1", curve <= 0.1),
        Row(f"{name}: grain lag 1", "correlation", lag,
            {"white": true_lag(kit.sensor.grain_size_px)}, "<= 0.05", lag <= 0.05),
    ]  # fmt: skip


def true_lag(sigma: float) -> float:
    """Correlation of neighbours in the soundstage's grain."""
    reach = np.arange(-12, 13)
    kernel = np.where(abs(reach) <= np.ceil(3 * sigma), np.exp(-(reach**2) / (2 * sigma**2)), 0)
    return float((kernel[1:] * kernel[:-1]).sum() / (kernel**2).sum())


def between_takes(paths: list[Path], size: tuple[int, int]) -> list[Row]:
    """White point and exposure of a take against another of its set-up."""
    apart, none = [], []
    for place, path in enumerate(paths):
        moved = 15.0 * (place % 4) - 22.0
        white_k = 1e6 / (1e6 / 5600 + moved)
        looks = []
        for index, kelvin in enumerate((5600.0, white_k)):
            kit = Kit(LENSES[0], SensorSpec(white_k=kelvin, exposure_ev=0.4 * index))
            run = next(takes.runs([path], kit, size=size, frames=2))
            found = grade.fit([grade.sampled(run.frames[index])])
            assert found is not None
            looks.append(found)
        told = grade.apart(looks[1], looks[0]).white_mired
        # A camera set to warmer light renders the same light bluer.
        apart.append(abs(told + moved))
        none.append(abs(moved))
    value = float(statistics.median(apart))
    return [Row("white point between takes", "mired", value,
                {"none": statistics.median(none)}, "<= 10", value <= 10)]  # fmt: skip


def from_charts(kit: Kit, size: tuple[int, int]) -> list[Row]:
    """A flat, a chart of straight edges, a chart under a light: half the errors."""
    margin = glass.margin_px(size, kit.lens)
    wide = (size[0] + 2 * margin, size[1] + 2 * margin)

    def shot(clean: torch.Tensor) -> np.ndarray:
        seen = expose(glass.through(clean, kit.lens, margin=margin), kit.sensor, seed=1, frame=1)
        return np.ascontiguousarray(seen.permute(1, 2, 0).numpy())

    flat = vignette.fit_flat(shot(torch.full((3, *wide), 0.4)))
    board = shot(squares(wide, cell_px=wide[1] / 13))
    found = edges.find(coordinates.luma(board))
    lines = distortion_fit.fit(edges.lines(found, size))
    one = LensSeen("chart", size)
    one.add(Run([board]))
    made = Lens(vignette=flat, distortion=lines, chromatic=one.lens().chromatic)
    ours, none = errors_of(made, kit), errors_of(Lens(), kit)
    return [
        Row(f"from a chart: {k}", u, getattr(ours, k), {"none": getattr(none, k)}, f"<= {t}",
            getattr(ours, k) <= t)
        for k, u, t in (("vignette", "gain RMS", 0.01), ("distortion", "px at an HD corner", 0.35),
                        ("chromatic", "px at an HD corner", 0.075))
    ] + white_of_chart()  # fmt: skip


def squares(size: tuple[int, int], *, cell_px: float, over: int = 4) -> torch.Tensor:
    """A chart of squares (3,H,W), its edges averaged from a finer picture."""
    y, x = np.mgrid[0 : size[0] * over, 0 : size[1] * over] / over
    u, v = x * 0.995 + y * 0.1, y * 0.995 - x * 0.1
    level = np.where((np.floor(u / cell_px) + np.floor(v / cell_px)) % 2 == 0, 0.05, 0.45)
    light = level.reshape(size[0], over, size[1], over).mean((1, 3)).astype(np.float32)
    return torch.from_numpy(light).expand(3, *size).contiguous()


def white_of_chart() -> list[Row]:
    """The grey row of a Macbeth chart under lights of known kelvin, with grain."""
    apart = []
    for kelvin in (3200.0, 4300.0, 6500.0, 8000.0):
        patches = np.full((4, 6, 3), 0.15, np.float32)
        patches[3] = np.array(charts.GREYS, np.float32)[:, None]
        picture = torch.from_numpy(np.kron(patches, np.ones((40, 40, 1), np.float32)))
        sensor = SensorSpec(grain=0.03)
        light = torch.tensor(grade.light_rgb(kelvin))
        seen = expose((picture * light).permute(2, 0, 1), sensor, seed=1, frame=1)
        corners = np.array([[0, 0], [240, 0], [240, 160], [0, 160]], np.float32)
        found = charts.read_macbeth(seen.permute(1, 2, 0).numpy(), corners)
        apart.append(500.0 if found is None else abs(found.mired - 1e6 / kelvin))
    value = max(apart)
    none = max(abs(1e6 / k - 1e6 / 5600) for k in (3200, 8000))
    return [Row("white point from a chart", "mired, worst", value, {"none": none}, "<= 8",
                value <= 8)]  # fmt: skip


def two_way_rows(name: str, found: Told) -> list[Row]:
    """A classifier that tells white noise, and should not tell ours."""
    white, ours = found.white, found.ours
    return [
        Row(f"{name}: real from white noise", "told right", white, {}, ">= 0.9", white >= 0.9),
        Row(f"{name}: real from ours", "told right", ours, {"chance": 0.5}, "< 0.6", ours < 0.6),
    ]


def made_grain(paths: list[Path], kit: Kit, size: tuple[int, int]) -> list[Row]:
    """Measured on half of the takes, judged on the other half, where the clean frame is known."""
    seen = SetupSeen()
    for index, run in enumerate(takes.runs(paths[::2], kit, size=size, frames=2)):
        seen.add(run, shot=str(index))
    found = seen.look().grain
    if found is None:
        return [Row(f"{kit.lens.name}: grain", "measured", 0.0, {}, "1", False)]
    judged = told(stage_twins(paths[1::2], kit, size, found), found)
    return two_way_rows(f"stage grain, {kit.sensor.grain:g}", judged)


def stage_twins(
    paths: list[Path], kit: Kit, size: tuple[int, int], found: Grain
) -> Iterator[Twins]:
    """Frames as the stage's sensor grains them, and as we do."""
    made, clear = Synthesis(found, seed=5), replace(kit.sensor, grain=0.0, read_noise=0.0)
    for place, shot in enumerate(takes.shots(paths, kit, size=size)):
        for number, light in enumerate(shot):
            at = 100 * place + number
            clean = expose(light, clear, seed=1, frame=at)
            real = expose(light, kit.sensor, seed=1, frame=at)
            twin = made.apply(clean, number=at).clamp_max(kit.sensor.clip)
            yield Twins(*(coordinates.channels_last(f) for f in (real, twin, clean)))


def film_grain(path: Path, space: str) -> list[Row]:
    """Measured on the first half of a clip, judged on the second: grain taken off, ours put on."""
    clip = open_clip(path, space=space)
    numbers = clip.numbers
    half, step = len(numbers) // 2, max(1, len(numbers) // 40)

    def two(number: int) -> tuple[np.ndarray, np.ndarray]:
        read = clip.read([number, number + 1]).rgb_TCHW
        return coordinates.channels_last(read[0]), coordinates.channels_last(read[1])

    found = grain.fit(Patches.joined([patches(*two(n)) for n in numbers[:half:step]]))
    if found is None:
        return [Row(f"{path.name}: grain", "measured", 0.0, {}, "1", False)]
    print(
        f"{path.name}: {found.share:.3f} at grey, {found.correlation()[:3, :3].round(2).tolist()}"
    )
    off, made = Removal(found), Synthesis(found, seed=5)

    def twins(number: int) -> Twins:
        chooser, real = two(number)
        clean = off.remove(torch.from_numpy(real).permute(2, 0, 1))
        twin = coordinates.channels_last(made.apply(clean, number=number))
        return Twins(real, twin, chooser_HWC=chooser)

    return two_way_rows(path.name, told((twins(n) for n in numbers[half:-1:step]), found))


def speed(*, quick: bool) -> list[Row]:
    """Grain on UHD; measuring of HD."""
    size = (270, 480) if quick else (1080, 1920)
    shade = 0.5 + torch.rand(3, size[0] // 9 + 1, size[1] // 16 + 1)
    shade = torch.nn.functional.interpolate(shade[None], size=size, mode="bilinear")[0]
    clean = squares(size, cell_px=size[1] / 11) * shade
    return signature_speed.regrain(quick=quick) + signature_speed.measuring(clean, quick=quick)


if __name__ == "__main__":
    main()
