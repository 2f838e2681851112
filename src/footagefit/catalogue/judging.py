"""Continuity: a take held against its set-up's hero, and what is too far off, worst first.

Here: which take is the hero, and the record of what others differ in. Not here: what counts as a
difference (`differences`), the fit of one picture to another (`comparing`), things in frame
(`things`), pages (`pages`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.catalogue.comparing import Fitted, burnt_more, clipped_share, detail_stops, fitted
from footagefit.catalogue.differences import (
    LIMITS,
    READ_ALONE_DEG,
    UNITS,
    Difference,
    boxed,
    of_light,
    unexplained,
)
from footagefit.catalogue.laying import Laid, Moments, laid, moments
from footagefit.catalogue.measures import Measures
from footagefit.catalogue.things import things
from footagefit.catalogue.turned import turned
from footagefit.dailies.entries import CORRUPT, DROPPED, SHORT, TRUNCATED, Shot
from footagefit.dailies.windows import Reader
from footagefit.errors import FootagefitError

# What the take in the middle is told by, and what counts alike: stops, mired, shares.
_MIDDLE = {"exposure_ev": 0.2, "white_k": 10.0, "contrast_ev": 0.5, "clipped": 0.05, "focus": 0.05}
_FILES = {
    CORRUPT: "corrupt", TRUNCATED: "corrupt", DROPPED: "dropped", SHORT: "short",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A take against its hero.

    Attributes:
        shot: The take.
        hero: Name of the take it is held against.
        differences: Worst first; none where it sits.
        share: Of the picture that was compared; 0 where they could not be laid over each other.
        figures: What was measured, whether it is too much or not.
        note: Why it could not be compared, where it could not.
        pictures: The hero's and the take's moment over it (H,W,C), scene-linear, for pages.
    """

    shot: Shot
    hero: str
    differences: tuple[Difference, ...] = ()
    share: float = 0.0
    figures: Mapping[str, float] | None = None
    note: str = ""
    pictures: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def worst(self) -> float:
        """How far past its limit the worst difference is; 0 where the take sits."""
        return max((d.over for d in self.differences), default=0.0)


@dataclass(frozen=True)
class SetupJudged:
    """A set-up's takes against its hero, worst first.

    Attributes:
        setup: Its name.
        scene: The script's scene.
        hero: The take that the others are held against.
        because: Why it.
        takes: The others.
        measures: The hero's own, for seeing a scene's set-ups beside each other.
    """

    setup: str
    scene: str
    hero: Shot
    because: str
    takes: tuple[Judged, ...]
    measures: Measures | None = None


def hero_of(
    takes: Sequence[Shot], known: Mapping[str, Measures], chosen: set[str]
) -> tuple[Shot, str]:
    """The take that others are matched to, and why it.

    A person's choice, then a circled take, then the one nearest to the middle of them all.
    """
    whole = [s for s in takes if not set(s.flags) & set(_FILES)] or list(takes)
    for shot in takes:
        if shot.name in chosen:
            return shot, "named by a person"
    for shot in whole:
        made = known.get(shot.name)
        if made is not None and "circled" in made.words:
            return shot, "circled"
    totals = {s.name: 0.0 for s in whole}
    for name, unit in _MIDDLE.items():
        values = {s.name: m[name] for s in whole if (m := known.get(s.name)) is not None}
        if name == "white_k":
            values = {n: None if k is None else 1e6 / k for n, k in values.items()}
        there = [v for v in values.values() if v is not None]
        middle = float(np.median(there)) if there else 0.0
        for shot in whole:
            value = values.get(shot.name)
            totals[shot.name] += 2.0 if value is None else min(abs(value - middle) / unit, 4.0)
    best = min(whole, key=lambda s: (totals[s.name], s.name))
    return best, "nearest to the middle of its set-up"


def judge_setup(
    reader: Reader,
    takes: Sequence[Shot],
    *,
    setup: str,
    known: Mapping[str, Measures],
    chosen: set[str],
    white_k: float,
) -> SetupJudged:
    """All takes of a set-up against its hero.

    Args:
        reader: Reads all of them.
        takes: The takes.
        setup: What the set-up is called.
        known: Measures by shot.
        chosen: Heroes that a person named.
        white_k: The show's white.
    """
    hero, because = hero_of(takes, known, chosen)
    others = [s for s in takes if s.name != hero.name]
    judged = Judging(reader, hero, known=known, white_k=white_k)
    found = sorted((judged.of(s) for s in others), key=lambda j: (-j.worst, j.shot.name))
    return SetupJudged(hero.setup, hero.scene, hero, because, tuple(found), known.get(hero.name))


class Judging:
    """Holds takes against one hero.

    Args:
        reader: Reads all of them.
        hero: The take they are to sit beside.
        known: Measures by shot.
        white_k: The show's white.
    """

    def __init__(
        self, reader: Reader, hero: Shot, *, known: Mapping[str, Measures], white_k: float
    ) -> None:
        self._reader, self._hero, self._known, self._white_k = reader, hero, known, white_k
        self._moments, self._why = _read(reader, hero)
        hero_is = self._moments
        self._base = None if hero_is is None else laid(hero_is.middle, hero_is.frames_KHWC)

    def of(self, shot: Shot) -> Judged:
        """One take."""
        files = [Difference(k, 1.0, "", 5.0) for k in dict.fromkeys(_file_faults(shot))]
        seen, why = _read(self._reader, shot)
        if seen is None:
            note = f"no frame of it can be read: {why}"
            return Judged(shot, self._hero.name, tuple(files), note=note)
        return self.of_moments(seen, files)

    def of_moments(self, seen: Moments, files: Sequence[Difference] = ()) -> Judged:
        """A take's moments, wherever they come from: a rendered take is judged by these too."""
        if self._moments is None or self._base is None:
            note = f"its hero cannot be read: {self._why}"
            return Judged(seen.shot, self._hero.name, tuple(files), note=note)
        over = laid(self._moments.middle, seen.frames_KHWC)
        fit = None if over is None else fitted(self._base, over)
        lens = self._lens(seen.shot)
        if over is None or fit is None:
            note = "too little of it stands where the hero shows it"
            burnt = self._burnt(seen)
            key = [] if lens or burnt else self._key(seen)
            found = _sorted([*files, *lens, *burnt, *key])
            return Judged(seen.shot, self._hero.name, found, note=note)
        figures = self._figures(seen, self._base, over, fit)
        seen_things = [] if lens else things(self._base, over, fit)
        garments = [t.box for t in seen_things if t.kind == "wardrobe"]
        figures["light"] = round(fit.light_beside(garments), 4)
        found = [*files, *lens, *self._grain(seen.shot)]
        found += of_light(figures, fit.share, other_lens=bool(lens))
        found += boxed(unexplained(seen_things, found), self._moments.middle.shape)
        pictures = (self._moments.middle, over.frames_KHWC[0])
        return Judged(seen.shot, self._hero.name, _sorted(found), fit.share, figures, "", pictures)

    def _figures(self, seen: Moments, base: Laid, over: Laid, fit: Fitted) -> dict[str, float]:
        """All that is measured between the two, in the units of `UNITS`."""
        if self._moments is None:
            return {}
        mired, tint = fit.white(white_k=self._white_k)
        turn = turned(base, over)
        return {
            "exposure": round(fit.exposure_ev, 4),
            "white point": round(mired, 2),
            "tint": round(tint, 5),
            "contrast": round(fit.slope - 1.0, 4),
            "light": round(fit.light_ev, 4),
            "key direction": round(turn.degrees, 1),
            "key turned": round(turn.sure, 2),
            "focus": round(detail_stops(self._moments.frames_KHWC, seen.frames_KHWC), 3),
            "clipping": round(burnt_more(base, over, fit), 4),
        }

    def _burnt(self, seen: Moments) -> list[Difference]:
        """A take so burnt out that there is nothing left to compare it by."""
        if self._moments is None:
            return []
        more = clipped_share(seen.frames_KHWC) - clipped_share(self._moments.frames_KHWC)
        over = more / LIMITS["clipping"]
        size = round(100 * more, 1)
        return [Difference("clipping", size, UNITS["clipping"], over)] if over > 1 else []

    def _key(self, seen: Moments) -> list[Difference]:
        """A key that turned, where a take cannot be held beside its hero: each read by itself."""
        if self._moments is None:
            return []
        size = round(turned_deg(self._moments.frames_KHWC, seen.frames_KHWC), 1)
        over = size / READ_ALONE_DEG
        name = "key direction"
        return [Difference(name, size, UNITS[name], over)] if over > 1 else []

    def _lens(self, shot: Shot) -> list[Difference]:
        """Another lens, by what logs and headers call it."""
        one, other = (self._known.get(n) for n in (self._hero.name, shot.name))
        if one is None or other is None or not one.lens or not other.lens:
            return []
        if one.lens.strip().lower() == other.lens.strip().lower():
            return []
        apart = _mm(other.lens) - _mm(one.lens)
        note = f"{other.lens} where the hero has {one.lens}"
        return [Difference("lens", apart, "mm", 4.0, note)]

    def _grain(self, shot: Shot) -> list[Difference]:
        """Grain of originals and plates; of proxies nothing is known."""
        one, other = (self._known.get(n) for n in (self._hero.name, shot.name))
        if one is None or other is None or not one["grain"] or not other["grain"]:
            return []
        size = math.log2(float(other["grain"] or 1.0) / float(one["grain"] or 1.0))
        over = abs(size) / LIMITS["grain"]
        return [Difference("grain", size, UNITS["grain"], over)] if over > 1 else []


def turned_deg(one_KHWC: np.ndarray, other_KHWC: np.ndarray) -> float:
    """Degrees between the key of two takes, by the light estimator."""
    import torch

    from footagefit.signature.light import estimate, together

    ways = []
    for frames in (one_KHWC, other_KHWC):
        found = together(estimate(torch.from_numpy(frames).permute(0, 3, 1, 2)))
        ways.append(np.array(found.way))
    return math.degrees(math.acos(float(np.clip(ways[0] @ ways[1], -1.0, 1.0))))


def _read(reader: Reader, shot: Shot) -> tuple[Moments | None, str]:
    """A take's moments; or None, and why."""
    try:
        return moments(reader, shot), "none of its moments has a picture"
    except FootagefitError as error:
        return None, ". ".join(part for part in (error.what, error.hint) if part)


def _file_faults(shot: Shot) -> list[str]:
    return [_FILES[flag] for flag in shot.flags if flag in _FILES]


def _sorted(found: Sequence[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(found, key=lambda d: (-d.over, d.kind)))


def _mm(lens: str) -> float:
    """The first number of a lens's name, which is its focal length."""
    digits = "".join(c if c.isdigit() or c == "." else " " for c in lens).split()
    return float(digits[0]) if digits and digits[0].replace(".", "", 1).isdigit() else 0.0
