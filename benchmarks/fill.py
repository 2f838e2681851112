"""Fill: what is made in holes, beside inpainting, copying, holding, blending and mirroring.

    python benchmarks/fill.py                              # staged shots, truth without grain
    python benchmarks/fill.py clips=[a.mp4,b.mkv]          # real clips too, the plate is the truth
    python benchmarks/fill.py only=wires,found             # some parts
    python benchmarks/fill.py --quick --json fill.json

Shots are of sets that nothing was taught on; holes are cut by seed. Ours is what `infer` makes with
the shipped bases, or with `cleanup=<fit>` and `extend=<fit>`. Nearness on stage is judged before
grain goes on, against the plate without grain; everything else as delivered. What was made is kept
(`work=benchmarks/work/fill`), and a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import fill_found
import numpy as np
import torch
from fill_contract import contract, speed
from fill_holes import Wire, strips, tubes
from fill_scores import grain, lpips_or_none, near, sharpness, steady
from fill_shots import HUNG, MOVING, PANS, STAGED, Shot, Staging, kept, real, staged
from fill_ways import Hole, Made, baselines, ours
from rows import Row, arguments, show, words

import footagefit
from footagefit.evaluation.metrics import psnr
from footagefit.rendering.fits import fit_of

PARTS = ("tubes", "wires", "drop", "handles", "borders", "found", "contract", "speed")
JUDGED = 5  # frames of a shot
HANDLE = 8
_FLAT_PX = 1000  # of a hole, for its grain to be told
BORDER = 0.2


@dataclass
class Scored:
    """One hole of one shot: means over its judged frames, by way, by metric."""

    shot: str
    kind: str
    moves: bool
    real: bool
    seen: bool
    ways: dict[str, dict[str, float]]

    def over(self, metric: str = "psnr") -> float:
        """Ours over the best of the others."""
        return self.ways["ours"][metric] - max(
            v[metric] for name, v in self.ways.items() if name != "ours"
        )


def main() -> None:
    options = _options()
    rows: list[Row] = []

    def add(title: str, more: Sequence[Row]) -> None:
        show(title, more)
        sys.stdout.flush()
        rows.extend(more)

    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary) if options.quick else Path(options.work)

        def filmed(stagings: Sequence[Staging]) -> list[Shot]:
            return [staged(s, work / "shots", size=options.size, frames=options.frames)
                    for s in stagings]  # fmt: skip

        def scored(part: str, some: Sequence[Shot]) -> list[Scored]:
            scores = _all(part, some, options, work)
            for score in scores:
                _print(score)
            return scores

        shots = filmed(options.staged)
        clips = [real(Path(p), long_px=options.long_px, frames=options.real_frames)
                 for p in options.clips]  # fmt: skip
        for part, way in _PARTS.items():
            if part in options.only:
                more = filmed(options.moving) if part in ("tubes", "wires") else []
                add(part.capitalize(), way(scored(part, [*shots, *more, *clips])))
            if part == "borders" and part in options.only and options.pans:
                add("Borders, two more pans", way(scored(part, filmed(options.pans))))
        if "found" in options.only:
            hung = filmed(options.hung)
            seeds = 1 if options.quick else options.seeds
            add("Found", fill_found.rows(shots, clips, hung, seeds=seeds, work=work / "found"))
        if "contract" in options.only:
            add(
                "The contract",
                contract(shots[0], options.fits, work / "contract", quick=options.quick),
            )
        if "speed" in options.only:
            hd = ((90, 160), 4) if options.quick else ((1080, 1920), options.hd_frames)
            add("Time and memory", speed(options.fits, work / "speed", size=hd[0], count=hd[1]))
    show("Fill", rows, options.json)


def _options():
    said = words()
    options = arguments(__doc__ or "")
    quick = options.quick
    listed = said.get("clips", "").strip("[]")
    options.clips = [w.strip() for w in listed.split(",") if w.strip()]
    options.work = said.get("work", "benchmarks/work/fill")
    options.only = said.get("only", ",".join(PARTS)).split(",")
    options.size = (72, 128) if quick else tuple(map(int, said.get("size", "180x320").split("x")))
    options.frames = 12 if quick else int(said.get("frames", 24))
    options.real_frames = int(said.get("real_frames", options.frames))
    options.long_px = int(said.get("long_px", 480))
    options.hd_frames = int(said.get("hd_frames", 60))
    options.seeds = int(said.get("seeds", 4))
    options.staged = STAGED[:1] if quick else STAGED
    options.hung = () if quick else HUNG
    options.pans, options.moving = ((), ()) if quick else (PANS, MOVING)
    options.fits = {n: fit_of(Path(said.get(n, f"base/{n}"))) for n in ("cleanup", "extend")}
    unknown = set(options.only) - set(PARTS)
    if unknown:
        raise SystemExit(f"only={','.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    return options


# -- holes ----------------------------------------------------------------------------------------


def _judged(shot: Shot) -> list[int]:
    """Places evenly over the shot, its ends among them; of a very short one its ends alone."""
    last = len(shot.plates) - 1
    many = JUDGED if last >= 16 else 2
    return sorted({round(i * last / (many - 1)) for i in range(many)})


def _tube(shot: Shot, at: int) -> list[Hole]:
    count = len(shot.plates)
    masks = tubes(count, shot.size, seed=at, share=0.03, travel=0.7)
    return [Hole("tube", masks, _judged(shot))]


def _wires(shot: Shot, at: int) -> list[Hole]:
    count, made = len(shot.plates), []
    for still in (True, False):
        wire = Wire(shot.size, seed=50 + at, width_px=max(3.0, shot.size[1] / 80), still=still)
        masks = [(wire.cover(n, widen_px=1.0) > 0).float() for n in range(count)]
        made.append(Hole("wire", masks, _judged(shot), seen=not still))
    return made


def _drop(shot: Shot, at: int) -> list[Hole]:
    del at
    middle = len(shot.plates) // 2
    return [_gone(shot, "drop", [middle])]


def _handles(shot: Shot, at: int) -> list[Hole]:
    del at
    count = len(shot.plates)
    length = min(HANDLE, count // 3)
    return [_gone(shot, "handle", [*range(length), *range(count - length, count)])]


def _gone(shot: Shot, kind: str, places: list[int]) -> Hole:
    masks = [torch.full((1, *shot.size), float(n in places)) for n in range(len(shot.plates))]
    return Hole(kind, masks, places)


def _borders(shot: Shot, at: int) -> list[Hole]:
    del at
    count = len(shot.plates)
    return [Hole("border", [strips(shot.size, share=BORDER)] * count, _judged(shot))]


_HOLES: dict[str, Callable[[Shot, int], list[Hole]]] = {
    "tubes": _tube, "wires": _wires, "drop": _drop, "handles": _handles, "borders": _borders,
}  # fmt: skip


# -- scores ---------------------------------------------------------------------------------------


def _all(part: str, shots: Sequence[Shot], options, work: Path) -> list[Scored]:
    """Every shot's holes of one kind; what an earlier run scored with the same fits is taken."""
    made = []
    for at, shot in enumerate(shots):
        if part in ("drop", "handles") and not shot.moves:
            continue
        for number, hole in enumerate(_HOLES[part](shot, at)):
            name = f"{part}_{shot.key}_{number}"
            fits = "_".join([*(f.hash[:8] for f in options.fits.values()), _code()])
            job = partial(_scored, shot, hole, options, work / "made" / name)
            made.append(Scored(**kept(work / "scores" / f"{name}_{fits}.json", job)))
    return made


@lru_cache(maxsize=1)
def _code() -> str:
    """Of all that makes pixels: what other code made is not taken."""
    package = Path(footagefit.__file__).parent
    files = [
        f for room in ("motion", "models", "rendering") for f in (package / room).rglob("*.py")
    ]
    return hashlib.sha256(b"".join(f.read_bytes() for f in sorted(files))).hexdigest()[:8]


def _scored(shot: Shot, hole: Hole, options, folder: Path) -> dict[str, Any]:
    """A hole's scores, as `Scored` takes them."""
    lpips = lpips_or_none()
    done = {name: Made(frames, frames) for name, frames in baselines(shot, hole).items()}
    done["ours"] = ours(shot, hole, options.fits, folder)
    ways = {name: _means(shot, hole, made, lpips) for name, made in done.items()}
    known = shot.clean is not None
    if known and hole.kind in ("tube", "wire", "border"):
        pictures = ([shot.plates[n] for n in hole.judged], [hole.masks[n] for n in hole.judged],
                    [shot.truth[n] for n in hole.judged])  # fmt: skip
        found = grain(done["ours"], *pictures)
        ways["ours"] |= {f"grain {name}": value for name, value in found.items()}
    return asdict(Scored(shot.name, hole.kind, shot.moves, not known, hole.seen, ways))


def _means(shot: Shot, hole: Hole, made: Made, lpips) -> dict[str, float]:
    rows = []
    background = shot.background if shot.clean is not None and not shot.moves else None
    for at, frame, bare in zip(hole.judged, made.frames, made.bare, strict=True):
        mask = hole.masks[at]
        row = near(bare, shot.truth[at], mask, lpips)
        behind = mask * background if background is not None else torch.zeros_like(mask)
        if bool(behind.any()):
            row["behind"] = float(psnr(bare[None], shot.truth[at][None], mask=behind[None]))
        row["sharpness"] = sharpness(frame, shot.plates[at], mask)
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    means = {n: float(np.mean([row[n] for row in rows if n in row])) for n in names}
    runs = [i for i in range(1, len(hole.judged)) if hole.judged[i] == hole.judged[i - 1] + 1]
    if len(runs) >= 2:
        some = sorted({i for r in runs for i in (r - 1, r)})
        places = [hole.judged[i] for i in some]
        means["warping"] = steady([made.frames[i] for i in some],
                                  [shot.plates[n] for n in places],
                                  [hole.masks[n] for n in places])  # fmt: skip
    return means


def _print(score: Scored) -> None:
    print(f"\n{score.shot}, {score.kind}{' (real)' if score.real else ''}")
    names = list(dict.fromkeys(k for v in score.ways.values() for k in v))
    print(f"{'':16}" + "".join(f"{n:>17}" for n in names))
    for way, values in score.ways.items():
        cells = (f"{values[n]:17.3f}" if n in values else f"{'':17}" for n in names)
        print(f"{way:16}" + "".join(cells))


# -- rows -----------------------------------------------------------------------------------------


def _over(what: str, scores: Sequence[Scored], wanted: float) -> list[Row]:
    """Ours over the best other way, in the mean over holes."""
    if not scores:
        return []
    gain = float(np.mean([s.over() for s in scores]))
    beside = {name: float(np.mean([s.ways[name]["psnr"] for s in scores]))
              for name in scores[0].ways}  # fmt: skip
    least = min(s.over() for s in scores)
    return [Row(what, "dB over the best", gain, {**beside, "least": least}, f">= {wanted:g}",
                gain >= wanted)]  # fmt: skip


def _sides(what: str, scores: Sequence[Scored], wanted: float) -> list[Row]:
    """Stage and real clips apart."""
    return [
        *_over(f"{what}, staged", [s for s in scores if not s.real], wanted),
        *_over(f"{what}, real", [s for s in scores if s.real], wanted),
    ]


def _still(scores: Sequence[Scored]) -> list[Row]:
    """A locked camera on stage: what stands behind a hole is seen at another time."""
    some = [s for s in scores if s.seen and "behind" in s.ways["ours"]]
    if not some:
        return []
    means = {way: float(np.mean([s.ways[way]["behind"] for s in some])) for way in some[0].ways}
    value = means.pop("ours")
    what = f"{some[0].kind}, locked camera, still background, staged"
    return [Row(what, "dB", value, means, ">= 35", value >= 35.0)]


def _quality(scores: Sequence[Scored]) -> list[Row]:
    """SSIM, LPIPS, seam, sharpness, steadiness, grain: ours beside the best of the others."""
    rows = []
    kind = scores[0].kind if scores else ""
    for name, better in (("ssim", max), ("lpips", min), ("seam", _nearest_nought)):
        some = [s for s in scores if name in s.ways["ours"]]
        if some:
            means = {way: float(np.mean([s.ways[way][name] for s in some])) for way in some[0].ways}
            mine = means.pop("ours")
            rows.append(Row(f"{kind}: {name}", "", mine, {"best other": better(means.values()),
                                                           **means}))  # fmt: skip
    sharp = [s.ways["ours"]["sharpness"] for s in scores]
    if sharp:
        rows.append(Row(f"{kind}: sharpness over the plate's there", "x", float(np.mean(sharp)),
                        {"least": min(sharp), "most": max(sharp)}))  # fmt: skip
    warping = [s.ways["ours"]["warping"] for s in scores if "warping" in s.ways["ours"]]
    if warping:
        rows.append(Row(f"{kind}: warping error over the plate's", "x", float(np.mean(warping))))
    return rows + _grain(kind, scores)


def _nearest_nought(values) -> float:
    return min(values, key=abs)


def _grain(kind: str, scores: Sequence[Scored]) -> list[Row]:
    some = [s for s in scores if s.ways["ours"].get("grain pixels", 0.0) >= _FLAT_PX]
    if not some:
        return []
    weights = [s.ways["ours"]["grain pixels"] for s in some]
    variance, agree = (
        float(np.average([s.ways["ours"][f"grain {n}"] for s in some], weights=weights))
        for n in ("variance", "agreement")
    )
    beside = {"flat pixels": float(sum(weights))}
    return [
        Row(f"{kind}: grain's variance over the plate's there", "x", variance, beside,
            "0.9 to 1.1", 0.9 <= variance <= 1.1),
        Row(f"{kind}: grain's agreement of neighbours beyond the plate's", "", agree, beside,
            "-0.04 to 0.04", abs(agree) <= 0.04),
    ]  # fmt: skip


def _tube_rows(scores: Sequence[Scored]) -> list[Row]:
    return [*_sides("tubes, moving camera", [s for s in scores if s.moves], 6.0),
            *_still(scores), *_quality(scores)]  # fmt: skip


def _wire_rows(scores: Sequence[Scored]) -> list[Row]:
    rows = [*_sides("wires, moving camera", [s for s in scores if s.moves], 6.0), *_still(scores)]
    telea = [s.ways["ours"]["psnr"] - s.ways["telea"]["psnr"] for s in scores]
    if telea:
        gain = float(np.mean(telea))
        beside = {"least": min(telea)}
        rows.append(Row("wires over Telea", "dB", gain, beside, ">= 4", gain >= 4.0))
    return rows + _quality(scores)


def _drop_rows(scores: Sequence[Scored]) -> list[Row]:
    rows = _sides("one dropped frame, moving", scores, 2.0)
    sharp = [s.ways["ours"]["sharpness"] for s in scores]
    if sharp:
        mean = float(np.mean(sharp))
        holds = all(0.9 <= value <= 1.1 for value in sharp)
        beside = {"least": min(sharp), "most": max(sharp)}
        rows.append(Row("dropped frame's sharpness over its own", "x", mean, beside, "0.9 to 1.1",
                        holds))  # fmt: skip
    return rows + _quality(scores)


def _handle_rows(scores: Sequence[Scored]) -> list[Row]:
    rows = _sides("handles of 8 frames, moving camera", scores, 2.0)
    worse = [*_no_worse("handles", "lpips", scores, "hold"),
             *_no_worse("handles", "sharpness", scores, "hold")]  # fmt: skip
    return rows + worse + _quality(scores)


def _no_worse(what: str, name: str, scores: Sequence[Scored], other: str) -> list[Row]:
    some = [s for s in scores if name in s.ways["ours"]]
    if not some:
        return []
    mine, its = (float(np.mean([s.ways[w][name] for s in some])) for w in ("ours", other))
    off = mine - its if name == "lpips" else its - mine
    return [Row(f"{what}: {name}", "", mine, {other: its}, f"no worse than {other}",
                off <= 0.005)]  # fmt: skip


def _border_rows(scores: Sequence[Scored]) -> list[Row]:
    def mirror(some: Sequence[Scored]) -> list[Scored]:
        kept = ("ours", "mirror")
        return [Scored(**{**asdict(s), "ways": {n: s.ways[n] for n in kept}}) for s in some]

    moving, locked = [s for s in scores if s.moves], [s for s in scores if not s.moves]
    rows = _sides("borders of 20% a side, moving camera", mirror(moving), 5.0)
    worse = _no_worse("borders, locked camera", "lpips", locked, "mirror")
    return rows + worse + _quality(scores)


_PARTS: dict[str, Callable[[Sequence[Scored]], list[Row]]] = {
    "tubes": _tube_rows, "wires": _wire_rows, "drop": _drop_rows, "handles": _handle_rows,
    "borders": _border_rows,
}  # fmt: skip


if __name__ == "__main__":
    main()
