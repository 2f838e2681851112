"""What counts as a difference between a take and its hero, and what only follows from one.

Here: limits and units, the record of a difference, which cause a set of figures tells. Not here:
how they are measured (`comparing`, `things`), takes and heroes (`judging`).

One cause is told once: a moved key also shifts exposure and contrast, a soft lens hides detail that
would show a prop; what follows from the difference that is named is left out. `LIMITS` are from
takes of the soundstage that nothing is wrong with: about twice the most that those differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from footagefit.catalogue.things import Thing

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
SURE_TURNED = 3.0  # logit from which the net is believed: staged takes lit alike reach 2.6
_STOOD = 2.0  # by which uneven light's limit widens where the net is as sure that the key stood
READ_ALONE_DEG = 45.0  # more than keys read of two pictures by themselves err by
_WHOLE_SHARE = 0.2  # of the picture compared, under which limits widen
_BURNT_EV, _BURNT_SHARE = 1.5, 0.04  # brighter by this, more of it burnt out: no grade helps


@dataclass(frozen=True)
class Difference:
    """One thing in which a take does not sit beside its hero.

    Attributes:
        kind: `exposure`, `white point`, `contrast`, `key direction`, `lens`, `focus`, `clipping`,
            `grain`; `wire`, `boom`, `prop`, `wardrobe`; `dropped`, `short`, `corrupt`.
        size: The take less the hero, in `unit`.
        unit: Photographic unit; empty where there is none.
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
    sure = figures["key turned"] / SURE_TURNED
    if sure < -1.0:  # the net sees that the key stood
        uneven /= _STOOD
    if max(uneven, sure) > 1:
        note = f"light differs by {figures['light']:.2f} stops over the frame"
        if uneven <= 1:
            note = f"exposed {figures['exposure']:+.2f} stops, and the key comes from elsewhere"
        over = max(uneven, sure)
        return [Difference("key direction", size, UNITS["key direction"], over, note)]
    clips = figures["clipping"]
    note = f"and clips {100 * clips:.0f} % more of the picture" if clips > 0.02 else ""
    found = [
        *past("exposure", note, least=unsure),
        *past("white point", least=unsure),
        *past("contrast", least=unsure),
    ]
    return found or past("tint", least=unsure)


def unexplained(seen: Sequence[Thing], found: Sequence[Difference]) -> list[Thing]:
    """Things that nothing else explains: soft, burnt or lit otherwise, all looks otherwise."""
    told = {d.kind for d in found}
    if told & {"focus", "clipping", "key direction"}:
        return []
    return [t for t in seen if t.kind not in ("wardrobe", "prop") or "contrast" not in told]


def boxed(found: Sequence[Thing], shape: tuple[int, ...]) -> list[Difference]:
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
