"""Continuity: a take held against its set-up's hero, and what is too far off, worst first.

Here: which take is the hero, what counts as a difference, and the record of it. Not here: the
fit of one picture to another (`comparing`), things in frame (`things`), pages (`pages`).

One cause is told once: a moved key also shifts exposure and contrast, a soft lens hides detail that
would show a prop; what follows from the difference that is named is left out. `LIMITS` are from
takes of the soundstage that nothing is wrong with: about twice the most that those differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.catalogue.comparing import Fitted, clipped_share, detail_stops, fitted
from footagefit.catalogue.laying import Moments, laid, moments
from footagefit.catalogue.measures import Measures
from footagefit.catalogue.things import Thing, things
from footagefit.dailies.entries import CORRUPT, DROPPED, SHORT, TRUNCATED, Shot
from footagefit.dailies.windows import Reader
from footagefit.errors import FootagefitError

# Past which a difference is one, in its own unit. `light` is the spread over the frame of what
# exposure and contrast do not explain.
LIMITS: Mapping[str, float] = {
    "exposure": 0.2,
    "white point": 10.0,
    "tint": 0.006,
    "contrast": 0.09,
    "light": 0.14,
    "key direction": 20.0,
    "focus": 0.2,
    "clipping": 0.12,
    "grain": 0.5,
    "lens": 1.0,
}
UNITS: Mapping[str, str] = {
    "exposure": "stops",
    "white point": "mired",
    "tint": "Duv",
    "contrast": "gamma",
    "key direction": "degrees",
    "focus": "stops of detail",
    "clipping": "% of the picture",
    "grain": "stops of grain",
    "lens": "mm",
}
# More than the estimator turns between takes under one key: where the exposure is past its limit
# too, and where it or the light changed by a share of theirs: the estimator alone is no witness. Of
# a take that is far brighter it reads another key.
_TURNED_DEG, _TURNED_ALONE_DEG, _TRACE = 30.0, 45.0, 0.25
_WHOLE_SHARE = 0.2  # of the picture compared, under which limits widen
_BURNT_EV, _BURNT_SHARE = 1.5, 0.04  # brighter by this, more of it burnt out: no grade helps
# What the take in the middle is told by, and what counts alike: stops, mired, shares.
_MIDDLE = {"exposure_ev": 0.2, "white_k": 10.0, "contrast_ev": 0.5, "clipped": 0.05, "focus": 0.05}
_FILES = {
    CORRUPT: "corrupt", TRUNCATED: "corrupt", DROPPED: "dropped", SHORT: "short",
}  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One thing in which a take does not sit beside its hero.

    Attributes:
        kind: `exposure`, `white point`, `contrast`, `key direction`, `lens`, `focus`, `clipping`,
            `grain`; `wire`, `boom`, `prop`, `wardrobe`; `dropped`, `short`, `corrupt`.
        size: The take less the hero, in `unit`.
        unit: Photographic unit; `things` for what is boxed.
        over: Size over its limit: what the list is sorted by.
        note: What a person should know beside it.
        box: Where on the hero's picture, as shares of its width and height: x, y, width, height.
    """

    kind: str
    size: float
    unit: str
    over: float
    note: str = ""
    box: tuple[float, float, float, float] | None = None

    @property
    def said(self) -> str:
        """In words: `exposure +0.51 stops`."""
        if self.box is not None or not self.unit:
            return self.kind
        form = {"stops": "+.2f", "gamma": "+.2f", "Duv": "+.4f", "stops of detail": "+.1f",
                "stops of grain": "+.1f"}  # fmt: skip
        return f"{self.kind} {self.size:{form.get(self.unit, '+.0f')}} {self.unit}".strip()


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
        figures = self._figures(seen, fit)
        seen_things = [] if lens else things(self._base, over, fit)
        garments = [t.box for t in seen_things if t.kind == "wardrobe"]
        figures["light"] = round(fit.light_beside(garments), 4)
        found = [*files, *lens, *self._grain(seen.shot)]
        found += of_light(figures, fit.share, other_lens=bool(lens))
        found += _boxed(_unexplained(seen_things, found), self._moments.middle.shape)
        pictures = (self._moments.middle, over.frames_KHWC[0])
        return Judged(seen.shot, self._hero.name, _sorted(found), fit.share, figures, "", pictures)

    def _figures(self, seen: Moments, fit: Fitted) -> dict[str, float]:
        """All that is measured between the two, in the units of `UNITS`."""
        if self._moments is None:
            return {}
        mired, tint = fit.white(white_k=self._white_k)
        burnt = clipped_share(seen.frames_KHWC) - clipped_share(self._moments.frames_KHWC)
        return {
            "exposure": round(fit.exposure_ev, 4),
            "white point": round(mired, 2),
            "tint": round(tint, 5),
            "contrast": round(fit.slope - 1.0, 4),
            "light": round(fit.light_ev, 4),
            "key direction": round(self._turned(seen), 1),
            "focus": round(detail_stops(self._moments.frames_KHWC, seen.frames_KHWC), 3),
            "clipping": round(burnt, 4),
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
        """A key that turned, where there is nothing else to compare a take by."""
        turned = round(self._turned(seen), 1)
        over = turned / _TURNED_ALONE_DEG
        name = "key direction"
        return [Difference(name, turned, UNITS[name], over)] if over > 1 else []

    def _turned(self, seen: Moments) -> float:
        """Degrees between the key as the estimator sees it in both."""
        if self._moments is None:
            return 0.0
        return turned_deg(self._moments.frames_KHWC, seen.frames_KHWC)

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


def of_light(figures: Mapping[str, float], share: float, *, other_lens: bool) -> list[Difference]:
    """What light, exposure and focus differ in: the cause, and not what follows from it.

    Args:
        figures: As measured.
        share: Of the picture that was compared: the less it is, the less sure a fit to it.
        other_lens: The take has another lens, which shows the set otherwise.
    """
    unsure = max(1.0, _WHOLE_SHARE / max(share, 0.01)) ** 0.5

    def past(name: str, note: str = "", *, least: float = 1.0) -> list[Difference]:
        size = figures[name]
        over = abs(size) / LIMITS[name] / least
        return [Difference(name, size, UNITS[name], over, note)] if over > 1 else []

    if figures["exposure"] > _BURNT_EV and figures["clipping"] > _BURNT_SHARE:
        size, over = 100 * figures["clipping"], figures["exposure"] / LIMITS["exposure"]
        note = f"exposed {figures['exposure']:+.2f} stops"
        return [Difference("clipping", round(size, 1), UNITS["clipping"], over, note)]
    if figures["focus"] < -LIMITS["focus"]:
        return past("focus")
    if other_lens:
        return [*past("exposure", least=unsure), *past("white point", least=unsure)]
    uneven, size = figures["light"] / LIMITS["light"] / unsure, figures["key direction"]
    dimmed = abs(figures["exposure"]) > LIMITS["exposure"] * unsure
    turned = size / (_TURNED_DEG if dimmed else _TURNED_ALONE_DEG)
    trace = max(abs(figures["exposure"]) / LIMITS["exposure"], figures["light"] / LIMITS["light"])
    if figures["exposure"] > _BURNT_EV or trace < _TRACE:
        turned = 0.0
    if max(uneven, turned) > 1:
        note = f"light differs by {figures['light']:.2f} stops over the frame"
        if turned > uneven:
            note = f"exposed {figures['exposure']:+.2f} stops, and the key comes from elsewhere"
        over = max(uneven, turned)
        return [Difference("key direction", size, UNITS["key direction"], over, note)]
    clips = figures["clipping"]
    note = f"and clips {100 * clips:.0f} % more of the picture" if clips > 0.02 else ""
    found = [
        *past("exposure", note, least=unsure),
        *past("white point", least=unsure),
        *past("contrast", least=unsure),
    ]
    return found or past("tint", least=unsure)


def _unexplained(seen: Sequence[Thing], found: Sequence[Difference]) -> list[Thing]:
    """Things that nothing else explains: soft, burnt or lit otherwise, all looks otherwise."""
    told = {d.kind for d in found}
    if told & {"focus", "clipping", "key direction"}:
        return []
    return [t for t in seen if t.kind not in ("wardrobe", "prop") or "contrast" not in told]


def _boxed(found: Sequence[Thing], shape: tuple[int, ...]) -> list[Difference]:
    """Things as differences, boxes as shares of the picture."""
    height, width = shape[:2]
    return [
        Difference(
            t.kind,
            round(100 * t.moved_px / width, 1),
            "% of the width" if t.moved_px else "",
            1.0 + t.strength,
            box=(t.box[0] / width, t.box[1] / height, t.box[2] / width, t.box[3] / height),
        )
        for t in found
    ]  # fmt: skip


def _sorted(found: Sequence[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(found, key=lambda d: (-d.over, d.kind)))


def _mm(lens: str) -> float:
    """The first number of a lens's name, which is its focal length."""
    digits = "".join(c if c.isdigit() or c == "." else " " for c in lens).split()
    return float(digits[0]) if digits and digits[0].replace(".", "", 1).isdigit() else 0.0
