"""Measuring shots: a few short runs of frames of each, and the scan's own curves.

Here: which frames are looked at, and what they come to. Not here: how measures are kept
(`measures`), any one estimator (`signature`), the scan's look at every frame (`dailies.measures`).

Shapes: T frames of a run, K runs, H rows, W columns, C channels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from footagefit.catalogue import faces, seen
from footagefit.catalogue.comparing import GREY, clipped_share
from footagefit.catalogue.logged import Said, said
from footagefit.catalogue.measures import (
    Key,
    Measures,
    keep,
    keys,
    outdate,
    plain,
    stale,
    version,
)
from footagefit.dailies.cache import FrameCache, made_small
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import Medium, Shot
from footagefit.dailies.show import Show
from footagefit.dailies.windows import Reader
from footagefit.errors import FootagefitError
from footagefit.signature import coordinates, grade
from footagefit.signature.measuring import FINE

LONG_SIDE_PX = 320
RUNS = (0.15, 0.5, 0.85)  # of a shot's length
RUN_FRAMES = 4  # neighbours: what shakes and flickers shows between them
GRID = (4, 6)  # rows and columns of what a picture is searched by
_COMMIT_S = 2.0
_SAFE_CHROMA = 2.0**-6
Progress = Callable[[Iterable[object], int, str], Iterable[object]]


@dataclass(frozen=True)
class Summary:
    """What measuring did: shots measured now, shots that could not be, and why the first failed."""

    measured: int
    failed: int
    why: str = ""


def measure_show(
    show: Show,
    shots: Sequence[Shot] | None = None,
    *,
    again: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Bring measures up to date: of shots that have none, or those of an older version.

    Args:
        show: The production.
        shots: Those to measure; all by default.
        again: All of them, fresh or not.
        progress: Wraps the iterable of shots to show how far it is.
    """
    with Catalogue(show.catalogue, write=True) as catalogue:
        wanted = catalogue.shots() if shots is None else list(shots)
        todo = wanted if again else stale(catalogue, wanted)
        if not todo:
            return Summary(0, 0)
        media = catalogue.media()
        known, at = said(show, todo, media), keys(catalogue, todo)
        measuring = Measuring(show, todo, media, curves=_curves(catalogue, todo))
        items: Iterable[object] = todo
        if progress is not None:
            items = progress(items, len(todo), "measure")
        failed, why, held = 0, "", []
        begun = time.monotonic()
        for shot in items:
            if not isinstance(shot, Shot):
                continue
            try:
                held.append((at[shot.name], measuring.of(shot, known[shot.name])))
            except FootagefitError as error:
                failed, why = failed + 1, why or str(error)
            if time.monotonic() - begun > _COMMIT_S:
                _store(catalogue, held)
                held, begun = [], time.monotonic()
        _store(catalogue, held)
    return Summary(len(todo) - failed, failed, why)


def _store(catalogue: Catalogue, held: Sequence[tuple[Key, Measures]]) -> None:
    with catalogue.change() as db:
        for key, made in held:
            keep(db, key, made)
        outdate(db)


def reader_of(
    show: Show,
    shots: Sequence[Shot],
    media: Sequence[Medium],
    *,
    long_side_px: int = LONG_SIDE_PX,
    role: str = "proxy",
) -> Reader:
    """A reader of some shots' frames, straight from the files."""
    cache = FrameCache(show.work / "cache", limit_bytes=0)
    return Reader(
        show.work, shots, media, cache=cache, long_side_px=long_side_px, role=role, space=show.space
    )


def _curves(catalogue: Catalogue, shots: Sequence[Shot]) -> dict[tuple[int, str], np.ndarray]:
    """The scan's curves of exposure and tint, by medium."""
    wanted = {s.primary.medium_id for s in shots}
    rows = catalogue.rows(
        "SELECT medium, name, curve FROM curves WHERE name IN ('exposure_ev', 'tint_duv')"
    )
    return {
        (r["medium"], r["name"]): np.frombuffer(r["curve"], np.float16).astype(np.float32)
        for r in rows
        if r["medium"] in wanted
    }


class Measuring:
    """Measures shots one after the other.

    Args:
        show: The production.
        shots: All that will be measured.
        media: The catalogue's.
        curves: The scan's, by medium and name.
    """

    def __init__(
        self,
        show: Show,
        shots: Sequence[Shot],
        media: Sequence[Medium],
        *,
        curves: dict[tuple[int, str], np.ndarray],
    ) -> None:
        self._media = {m.path: m for m in media}
        self._curves = curves
        self._reader = reader_of(show, shots, media)
        self._for_faces = None
        if faces.installed():
            self._for_faces = reader_of(show, shots, media, long_side_px=faces.LONG_SIDE_PX)
        self._fine = {
            role: reader_of(show, shots, media, long_side_px=1 << 16, role=role) for role in FINE
        }

    def of(self, shot: Shot, known: Said) -> Measures:
        """A shot's measures."""
        runs = list(self._runs(shot))
        frames = np.concatenate([run[:1] for _, run in runs])
        figures, curves = _of_frames(frames)
        curves["frames"] = [first for first, _ in runs]
        scale = self._media[self._reader.link(shot).path].width / frames.shape[2]
        figures |= _of_scan(shot, *(self._curve(shot, n) for n in ("exposure_ev", "tint_duv")))
        figures["shake_px"] = _shake(run for _, run in runs)
        if figures["shake_px"] is not None:
            figures["shake_px"] *= scale
        figures["grain"] = self._grain(shot)
        figures |= self._faces(shot, curves["frames"])
        tags = seen.tags(frames) if seen.installed() else []
        return Measures(
            figures=figures,
            curves=curves,
            look=look_of(frames[len(frames) // 2]),
            role=self._reader.link(shot).role,
            lens=known.lens,
            words=tuple(dict.fromkeys([*known.words, *tags])),
            version=version(),
        )

    def _faces(self, shot: Shot, numbers: Sequence[float]) -> dict[str, float | None]:
        """How many faces some frames show, and how large; nothing where none can be looked for."""
        if self._for_faces is None:
            return {}
        pixels, _ = self._for_faces.frames(shot.name, [int(n) for n in numbers])
        found = [faces.find(coordinates.channels_last(p)) for p in pixels.nan_to_num(0.0)]
        count, high = faces.of_shot(found)
        return {"faces": count, "face_high": high}

    def _runs(self, shot: Shot) -> Iterator[tuple[int, np.ndarray]]:
        """Short runs of frames (T,H,W,C) with the number of the first; at least one has a frame."""
        most = max(0, shot.length - RUN_FRAMES)
        starts = dict.fromkeys(shot.first + round(share * most) for share in RUNS)
        some = False
        for start in starts:
            numbers = list(range(start, min(start + RUN_FRAMES, shot.last + 1)))
            pixels, gone = self._reader.frames(shot.name, numbers)
            there = [i for i in range(len(numbers)) if not bool(gone[i].any())]
            if there:
                some = True
                run = pixels[there].permute(0, 2, 3, 1).contiguous().numpy()
                yield numbers[there[0]], np.nan_to_num(run, nan=0.0, posinf=65504.0, neginf=0.0)
        if not some:
            raise FootagefitError("no frame to measure", path=shot.primary.path, frame=shot.first)

    def _curve(self, shot: Shot, name: str) -> np.ndarray:
        whole = self._curves.get((shot.primary.medium_id, name), np.zeros(0, np.float32))
        at = shot.first - self._media[shot.primary.path].first_frame
        values = whole[at : at + shot.length]
        return values[np.isfinite(values)]

    def _grain(self, shot: Shot) -> float | None:
        """Deviation at grey over grey, of the finest medium; proxies have lost it."""
        from footagefit.signature import grain
        from footagefit.signature.grain_patches import patches

        role = next((r for r in FINE if shot.medium(r) is not None), None)
        if role is None:
            return None
        link = shot.medium(role)
        middle = (shot.first + shot.last) // 2
        if link is None or not link.first <= middle + link.shift < link.last:
            return None
        pixels, gone = self._fine[role].frames(shot.name, [middle, middle + 1])
        if bool(gone.any()):
            return None
        frame, after = (coordinates.channels_last(p) for p in pixels)
        found = grain.fit(patches(frame, after))
        return None if found is None else found.share


def of_picture(frame_HWC: np.ndarray, *, white_k: float) -> Measures:
    """What one picture from anywhere measures as, in the figures that shots are searched by."""
    import torch

    from footagefit.dailies.measures import grey_ratios, light_of

    frame = made_small(torch.from_numpy(frame_HWC).permute(2, 0, 1)[None], LONG_SIDE_PX)
    small_HWC = np.nan_to_num(coordinates.channels_last(frame[0]), posinf=65504.0, neginf=0.0)
    figures, _ = _of_frames(small_HWC[None])
    flat_TNC = small_HWC.reshape(1, -1, 3)
    light = coordinates.luma(flat_TNC)
    kelvin, tint = light_of(grey_ratios(flat_TNC, light), white_k=white_k)
    figures["exposure_ev"] = float(np.log2(np.maximum(light, 2.0**-14)).mean()) - GREY
    figures["white_k"], figures["tint_duv"] = float(kelvin[0]), float(tint[0])
    return Measures(figures=figures, look=look_of(small_HWC), version=version())


def _of_scan(shot: Shot, exposure_T: np.ndarray, tint_T: np.ndarray) -> dict[str, float | None]:
    """What the scan's look at every frame says of the shot."""
    figures: dict[str, float | None] = {
        "exposure_ev": shot.exposure_ev,
        "white_k": shot.white_k,
        "focus": shot.focus,
        "motion_px": shot.motion_px,
        "tint_duv": float(np.median(tint_T)) if len(tint_T) else None,
        "flicker_ev": None,
    }
    if len(exposure_T) >= 5:  # a second difference: light that fades or pans is not flicker
        bend = exposure_T[2:] - 2 * exposure_T[1:-1] + exposure_T[:-2]
        figures["flicker_ev"] = float(np.median(np.abs(bend))) / 0.6745 / 6**0.5
    return figures


def _of_frames(frames_KHWC: np.ndarray) -> tuple[dict[str, float | None], dict[str, list[float]]]:
    """What single frames say: tones, clipping, light; medians, and each."""
    import torch

    from footagefit.signature.light import estimate, together

    grades = [grade.fit([grade.sampled(f)]) for f in frames_KHWC]
    contrast = np.array([g.contrast_ev for g in grades if g is not None])
    clipped = np.array([clipped_share(f[None]) for f in frames_KHWC])
    lights = estimate(torch.from_numpy(frames_KHWC).permute(0, 3, 1, 2))
    whole = together(lights)
    light = whole.light
    figures: dict[str, float | None] = {
        "contrast_ev": float(np.median(contrast)) if len(contrast) else None,
        "clipped": float(np.median(clipped)),
        "key_azimuth_deg": light.azimuth_deg,
        "key_elevation_deg": light.elevation_deg,
        "key_softness_deg": light.softness_deg,
        "key_fill_ev": (light.key_ev or 0.0) - (light.fill_ev or 0.0),
        "light_sure": whole.confidence,
    }
    azimuths = np.array([found.light.azimuth_deg or 0.0 for found in lights])
    curves = {
        "clipped": plain(clipped),
        "contrast_ev": plain(contrast),
        "key_azimuth_deg": plain(azimuths),
    }
    return figures, curves


def _shake(runs: Iterable[np.ndarray]) -> float | None:
    """Jitter of the picture from frame to frame, in small pixels: an even pan has none."""
    import cv2

    bends = []
    for run in runs:
        luma = [np.log2(np.maximum(coordinates.luma(f), 2.0**-9)).astype(np.float32) for f in run]
        if len(luma) < 3:
            continue
        window = cv2.createHanningWindow((luma[0].shape[1], luma[0].shape[0]), cv2.CV_32F)
        steps = np.array([cv2.phaseCorrelate(a, b, window)[0] for a, b in pairwise(luma)])
        bends += list(np.hypot(*np.diff(steps, axis=0).T))
    return float(np.median(bends)) if bends else None


def look_of(frame_HWC: np.ndarray) -> bytes:
    """What a picture is searched by: tones and colours on a coarse grid, exposure taken out.

    Stops of luminance about their mean, and how far red and blue stand off green, as int8.
    """
    import cv2

    small = cv2.resize(frame_HWC, GRID[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    stops = np.log2(np.maximum(coordinates.luma(small), 2.0**-9))
    safe = np.maximum(small, 0.0) + _SAFE_CHROMA
    chroma = np.log2(safe[..., (0, 2)] / safe[..., 1:2])
    planes = [
        np.clip(stops - stops.mean(), -4, 4) / 4,
        *(np.clip(chroma, -2, 2) / 2).transpose(2, 0, 1),
    ]
    return (np.stack(planes) * 127).round().astype(np.int8).tobytes()
