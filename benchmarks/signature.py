"""What the signature room measures, against the soundstage's truth.

    python benchmarks/signature.py
    python benchmarks/signature.py --quick --json signature.json
    python benchmarks/signature.py --sets FOLDER --film scan.mp4

Ordinary takes through two lenses (see `takes.py`), no charts; then charts; then grain made anew
against real grain; then speed. Baselines: assuming that there is no effect, and fitting each take
by itself. `--sets` keeps the rendered sets, which take most of the time; `--film` is any clip of
film grain, `--space` its colour space.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import takes
import torch
from rows import Row, arguments, medians, show
from takes import Kit
from two_ways import odds

from footagefit.footage.opening import open_clip
from footagefit.signature import charts, coordinates, distortion, edges, grade, grain, vignette
from footagefit.signature.grain import Grain, Patches
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


@dataclass
class Errors:
    """How far a measure is from the truth; what was not measured counts as none assumed."""

    vignette: float
    distortion: float
    chromatic: float


def main() -> None:
    options = arguments(__doc__ or "", more=_more)
    size = (270, 480) if options.quick else (540, 960)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.sets or Path(scratch)
        paths = takes.sets(folder, size=size, seed=SEED, most=2 if options.quick else 8)
        rows: list[Row] = []
        for kit in KITS[:1] if options.quick else KITS:
            rows += from_takes(paths, kit, size)
        rows += between_takes(paths, size)
        rows += from_charts(KITS[0], size)
        rows += [*made_grain(paths, KITS[1], size)]
        if options.film is not None:
            rows += film_grain(options.film, options.space)
        rows += speed(quick=options.quick)
    show("Signature: measured against the truth", rows, options.json)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sets", type=Path, help="keep rendered sets here")
    parser.add_argument("--film", type=Path, help="a clip of film grain")
    parser.add_argument("--space", default="g24_rec709", help="its colour space")


def from_takes(paths: list[Path], kit: Kit, size: tuple[int, int]) -> list[Row]:
    """One lens over all takes, and every take by itself."""
    whole, grains, alone = LensSeen(kit.lens.name, size), SetupSeen(), []
    for run in takes.runs(paths, kit, size=size):
        whole.add(run)
        grains.add(run, shot=str(len(alone)))
        one = LensSeen(kit.lens.name, size)
        one.add(run)
        alone.append(errors_of(one.lens(), kit))
    lens, look = whole.lens(), grains.look()
    print(f"{kit.lens.name}: {lens}")
    ours, none = errors_of(lens, kit), errors_of(Lens(), kit)
    name = kit.lens.name
    each = {k: statistics.median(getattr(e, k) for e in alone) for k in vars(none)}
    rows = []
    for metric, unit, target in (
        ("vignette", "gain RMS", 0.02), ("distortion", "px at an HD corner", 0.7),
        ("chromatic", "px at an HD corner", 0.15),
    ):  # fmt: skip
        value = getattr(ours, metric)
        baselines = {"none": getattr(none, metric), "per take": each[metric]}
        rows.append(Row(f"{name}: {metric}", unit, value, baselines, f"<= {target}",
                        value <= target))  # fmt: skip
    return rows + grain_rows(name, look, kit)


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
    return Errors(
        float((ratio / ratio.mean()).std()),
        abs(bent - kit.lens.k1 - kit.lens.k2) * HD_PX,
        max(abs(red - fringe), abs(blue + fringe)),
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
    lines = distortion.fit_lines(edges.lines(found, size))
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


def two_way_rows(name: str, told: tuple[float, float]) -> list[Row]:
    """A classifier that tells white noise, and should not tell ours."""
    white, ours = told
    return [
        Row(f"{name}: real from white noise", "told right", white, {}, ">= 0.9", white >= 0.9),
        Row(f"{name}: real from ours", "told right", ours, {"chance": 0.5}, "< 0.6", ours < 0.6),
    ]


def made_grain(paths: list[Path], kit: Kit, size: tuple[int, int]) -> list[Row]:
    """Measured on half of the takes, judged on the other half."""
    seen, held = SetupSeen(), []
    for index, run in enumerate(takes.runs(paths, kit, size=size, frames=2)):
        if index % 2:
            held += [(a, b) for a, b in zip(run.frames, run.after, strict=True) if b is not None]
        else:
            seen.add(run, shot=str(index))
    found = seen.look().grain
    return [] if found is None else two_way_rows("soundstage grain", odds(held, found))


def film_grain(path: Path, space: str) -> list[Row]:
    """Measured on the first frames of a clip, judged on later ones."""
    clip = open_clip(path, space=space)
    numbers = clip.numbers
    taught = numbers[: len(numbers) // 2 : max(1, len(numbers) // 24)][:10]
    judged = numbers[len(numbers) // 2 : -1 : max(1, len(numbers) // 24)][:10]

    def two(number: int) -> tuple[np.ndarray, np.ndarray]:
        read = clip.read([number, number + 1]).rgb_TCHW
        return coordinates.channels_last(read[0]), coordinates.channels_last(read[1])

    found = grain.fit(Patches.joined([grain.patches(*two(n)) for n in taught]))
    if found is None:
        return [Row(f"{path.name}: grain", "measured", 0.0, {}, "1", False)]
    print(
        f"{path.name}: {found.share:.3f} at grey, {found.correlation()[:3, :3].round(2).tolist()}"
    )
    return two_way_rows(path.name, odds([two(n) for n in judged], found))


def speed(*, quick: bool) -> list[Row]:
    """Regrain of UHD; measuring of HD; and how much memory that takes on the way."""
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

    spent = medians({"ours": lambda: made.apply(frame, number=next(turn)), "drawn": drawn},
                    rounds=3 if quick else 7)  # fmt: skip
    name = "regrain, small" if quick else "regrain, UHD"
    others = {"drawn and filtered": spent["drawn"]}
    rows = [Row(name, "s a frame", spent["ours"], others, "<= 0.3", spent["ours"] <= 0.3)]
    return rows + measuring_speed(quick=quick)


def measuring_speed(*, quick: bool) -> list[Row]:
    """CPU seconds of an HD frame looked at, and memory from the tenth frame to the last."""
    size, count = ((270, 480), 4) if quick else ((1080, 1920), 24)
    clean = squares(size, cell_px=size[1] / 11) * (0.5 + torch.rand(1, 9, 16).repeat_interleave(
        size[0] // 9, 1).repeat_interleave(size[1] // 16, 2)[:, : size[0], : size[1]])  # fmt: skip
    seen, look, held, begun = LensSeen("speed", size), SetupSeen(), 0, time.process_time()
    for number in range(0, count, 2):
        first, after = (
            np.ascontiguousarray(
                expose(clean, SensorSpec(), seed=1, frame=number + k).permute(1, 2, 0).numpy()
            )
            for k in (0, 1)
        )
        if number == 2:
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            begun = time.process_time()
        seen.add(Run([first], [after]))
        look.add(Run([first], [after]), shot="speed")
    each = (time.process_time() - begun) / (count - 2) * 1.0
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024
    minutes = each * 1000 / 2 / 60
    return [
        Row(
            "1,000 HD frames, two cores", "minutes of CPU / 2", minutes, {}, "<= 10", minutes <= 10
        ),
        Row("memory grown while measuring", "MiB", grown),
    ]


def some_grain() -> Grain:
    """A grain to time."""
    levels = tuple((2.0 ** np.arange(-8.0, 4.1, 0.5)).tolist())
    deviation = tuple((0.03 * np.sqrt(0.18 * np.array(levels))).tolist())
    angle = np.pi * np.arange(grain.BLOCK_PX) / grain.BLOCK_PX
    power = np.exp(-((0.7 * angle) ** 2))
    plane = tuple(tuple(row) for row in np.outer(power, power).tolist())
    mixed = tuple(tuple(row) for row in (0.4 + 0.6 * np.eye(3)).tolist())
    return replace(Grain(levels, (deviation,) * 3, (plane,) * 3, mixed))


if __name__ == "__main__":
    main()
