"""Takes of a set-up by technical quality: what speaks against each, weighed, least first.

Here: the weights and the sum. Not here: what is measured (`judging`, `measures`), the cut of the
best (`cutting`). Performance is a person's to judge: `circled` is how they say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from footagefit.catalogue.differences import LIMITS
from footagefit.catalogue.judging import SetupJudged
from footagefit.catalogue.measures import Measures
from footagefit.dailies.entries import Shot
from footagefit.errors import UnknownName, WrongValue

# What one limit's worth of each counts; things in frame and broken files count once.
WEIGHTS: Mapping[str, float] = {
    "corrupt": 10.0, "dropped": 6.0, "short": 4.0,
    "focus": 3.0, "clipping": 3.0, "wire": 2.0, "boom": 2.0, "shake": 1.0, "flicker": 1.0,
    "exposure": 1.0, "white point": 0.5, "tint": 0.3, "contrast": 0.5, "key direction": 1.0,
    "grain": 0.5, "lens": 1.0, "prop": 1.0, "wardrobe": 1.0, "circled": 0.5,
}  # fmt: skip
_MOST = 5.0  # limits' worth that one reason may count
_SHAKE_PX, _FLICKER_EV = 1.5, 0.03
_ONCE = ("corrupt", "dropped", "short", "wire", "boom", "prop", "wardrobe", "lens")
_RELATIVE = ("focus", "clipping")  # told against the best take, which need not be the hero


@dataclass(frozen=True)
class Ranked:
    """A take and what speaks against it.

    Attributes:
        shot: The take.
        against: What it comes to; 0 for a take that nothing speaks against.
        reasons: What and how much, heaviest first.
    """

    shot: Shot
    against: float
    reasons: tuple[str, ...]


def weights(rule: str | None) -> dict[str, float]:
    """The weights with a person's own over them: `focus:3,circled:1`, spaces as underscores."""
    out = dict(WEIGHTS)
    for item in filter(None, (rule or "").strip("{}").split(",")):
        name, _, value = item.partition(":")
        name = name.strip().replace("_", " ")
        if name not in out:
            raise UnknownName("rule", name, sorted(out))
        try:
            out[name] = float(value)
        except ValueError:
            raise WrongValue(
                f"rule: {item!r} is not name:weight", hint="Say rule=focus:3,circled:1"
            ) from None
    return out


def ranked(
    setup: SetupJudged, known: Mapping[str, Measures], *, rule: Mapping[str, float] = WEIGHTS
) -> list[Ranked]:
    """The set-up's takes, the one that least speaks against first."""
    hero = setup.hero.name
    figures: dict[str, Mapping[str, float]] = {hero: {}}
    figures |= {j.shot.name: j.figures or {} for j in setup.takes}
    shots = [setup.hero, *(j.shot for j in setup.takes)]
    against: dict[str, dict[str, float]] = {s.name: {} for s in shots}
    for judged in setup.takes:
        for d in judged.differences:
            if d.kind not in _RELATIVE or not judged.figures:  # what was not compared is told so
                size = 1.0 if d.kind in _ONCE else min(d.over, _MOST)
                against[judged.shot.name][d.kind] = rule[d.kind] * size
        if judged.note and not judged.differences:
            against[judged.shot.name]["corrupt"] = 0.5 * rule["corrupt"]
    for name, sign in (("focus", 1.0), ("clipping", -1.0)):
        values = {n: sign * f.get(name, 0.0) for n, f in figures.items() if f or n == hero}
        best = max(values.values())
        for shot, value in values.items():
            size = (best - value) / LIMITS[name]
            if size > 1:
                against[shot][name] = rule[name] * min(size, _MOST)
    _measured(against, shots, known, rule)
    out = [_summed(s, against[s.name]) for s in shots]
    return sorted(out, key=lambda r: (r.against, r.shot.name))


def _measured(
    against: dict[str, dict[str, float]],
    shots: Sequence[Shot],
    known: Mapping[str, Measures],
    rule: Mapping[str, float],
) -> None:
    """What a take's own measures say, whatever its neighbours are like."""
    for shot in shots:
        made = known.get(shot.name)
        if made is None:
            continue
        for name, column, unit in (
            ("shake", "shake_px", _SHAKE_PX),
            ("flicker", "flicker_ev", _FLICKER_EV),
        ):
            value = made[column]
            if value is not None and value > unit:
                against[shot.name][name] = rule[name] * min(value / unit, _MOST)
        if "circled" in made.words:
            against[shot.name]["circled"] = -rule["circled"]


def _summed(shot: Shot, reasons: Mapping[str, float]) -> Ranked:
    heaviest = sorted(reasons.items(), key=lambda r: -abs(r[1]))
    said = tuple(f"{name} {value:+.1f}" for name, value in heaviest if value)
    return Ranked(shot, round(sum(reasons.values()), 3), said)
