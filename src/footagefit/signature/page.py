"""The page of a signature: one HTML file with everything in it, for any browser, offline.

Here: what stands where, in which words. Not here: the figures (`figures.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from footagefit.records import Light
from footagefit.report.page import Page, write_file
from footagefit.report.pictures import data_uri
from footagefit.signature import figures, grade
from footagefit.signature.bloom import Bloom
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.distortion import Distortion
from footagefit.signature.grain import Grain
from footagefit.signature.record import Lens, SetupLook, Signature
from footagefit.signature.sharpness import Sharpness
from footagefit.signature.vignette import Vignette

NOT = "not measurable from this footage"


@dataclass(frozen=True)
class Sample:
    """What the page shows of a set-up's own pixels.

    Attributes:
        small_HWC: A frame, small, scene-linear.
        crop_HWC: A calm piece of a frame at its own size, or None.
        colours_N3: Colours of its frames.
    """

    small_HWC: np.ndarray | None = None
    crop_HWC: np.ndarray | None = None
    colours_N3: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))


def write(path: Path, signature: Signature, *, samples: Mapping[str, Sample],
          sizes: Mapping[str, tuple[int, int]]) -> Path:  # fmt: skip
    """Write the page, whole or not at all.

    Args:
        path: `signature.html`.
        signature: What was measured.
        samples: Pixels to show, by set-up.
        sizes: Rows and columns of each lens's frames, by lens.
    """
    from jinja2 import Environment

    lenses = [_lens(n, lens, sizes.get(n, (1080, 1920))) for n, lens in signature.lenses.items()]
    setups = [
        _setup(name, look, samples.get(name, Sample()), signature)
        for name, look in signature.setups.items()
    ]
    body = Environment(autoescape=True).from_string(_PAGE)
    text = body.render(show=signature.show, lenses=lenses, setups=setups,
                       whole=_grain_rows(signature), version=signature.version)  # fmt: skip
    return write_file(Page(f"{signature.show}: signature", text), path)


def _row(name: str, said: str, picture: bytes | None = None, *, plain: bool = False) -> Any:
    """One effect: its name, its numbers, its picture; without numbers, why there are none."""
    source = None if picture is None else data_uri(picture)
    return {"name": name, "said": said or NOT, "missing": not said, "picture": source,
            "plain": plain}  # fmt: skip


def _missing(name: str, remarks: tuple[str, ...]) -> Any:
    """A row that says that there are no numbers, and why, where a remark of that name tells."""
    row = _row(name, "")
    why = next((r.partition(": ")[2] for r in remarks if r.startswith(name.lower())), "")
    row["said"] = f"{NOT}: {why}" if why else NOT
    return row


def _called(name: str) -> str:
    """A lens or set-up as people read it: without the empty scene that no name told."""
    return name.replace("of /", "of ").lstrip("/")


def _lens(name: str, lens: Lens, size: tuple[int, int]) -> Any:
    rows = []
    for title, key, told in _EFFECTS:
        found = getattr(lens, key)
        row = _missing(title, lens.remarks) if found is None else _row(title, *told(found, size))
        rows.append(row)
    return {"name": _called(name), "medium": lens.medium, "frames": lens.frames,
            "closely": lens.closely, "rows": rows}  # fmt: skip


Told = tuple[str, bytes | None]


def _vignette(v: Vignette, size: tuple[int, int]) -> Told:
    said = f"corner {v.corner_ev:+.2f} stops; from {v.source}, {v.samples} patches"
    said += "" if v.error_rms is None else f"; gain good to {100 * v.error_rms:.2f} % (1 s.e.)"
    if v.source == "shading":
        said += "; how surfaces shade is a weak witness: trust it to a third of a stop"
    return said, figures.vignette_map(v, size)


def _distortion(d: Distortion, size: tuple[int, int]) -> Told:
    said = f"k1 {d.k1:+.4f}, k2 {d.k2:+.4f}, squeeze {d.squeeze:g}; {d.lines} straight edges"
    said += f", {d.points} points followed as the camera turned" if d.points else ""
    said += "" if d.error_px is None else f"; corner good to {d.error_px:.1f} px of HD (1 s.e.)"
    return said, figures.distortion_grid(d, size)


def _chromatic(c: Chromatic, size: tuple[int, int]) -> Told:
    if c.error_px is not None and max(abs(c.red_px), abs(c.blue_px)) < 2 * c.error_px:
        return f"none that can be told: under {2 * c.error_px:.2f} px at the corner of HD", None
    said = f"red {c.red_px:+.2f} px, blue {c.blue_px:+.2f} px at the corner of HD"
    said += "" if c.error_px is None else f", good to {c.error_px:.2f} px; {c.blocks} edges"
    return said, figures.chromatic_arrows(c, size)


def _sharpness(s: Sharpness, size: tuple[int, int]) -> Told:
    said = f"MTF50 {s.centre_mtf50:.2f} cycles a pixel in the middle, {s.corner_mtf50:.2f}"
    said += f" in the corner; {s.edges} edges"
    said += "" if s.error is None else f", good to {100 * s.error:.0f} %"
    return said, figures.mtf_map(s, size)


def _bloom(b: Bloom, _size: tuple[int, int]) -> Told:
    return f"at most {100 * b.share:.1f} % of the light; {b.frames} frames", None


_EFFECTS: tuple[tuple[str, str, Callable[[Any, tuple[int, int]], Told]], ...] = (
    ("Vignette", "vignette", _vignette),
    ("Distortion", "distortion", _distortion),
    ("Lateral colour", "chromatic", _chromatic),
    ("Sharpness", "sharpness", _sharpness),
    ("Bloom", "bloom", _bloom),
)


def _grain_rows(signature: Signature) -> list[Any]:
    if signature.grain is None:
        return [_missing("Grain", _all_remarks(signature))]
    g = signature.grain
    said = f"{100 * g.share:.1f} % of the light at 18 % grey; next pixels agree by "
    said += f"{g.correlation()[0, 1]:.2f}, red and green by {g.channels[0][1]:.2f}; "
    said += f"{g.patches} patches"
    said += "" if g.error is None else f", good to {100 * g.error:.1f} %"
    if g.temporal is not None:
        said += f"; from frame to frame {g.temporal:+.2f}"
        said += " (0 is true grain: what stays is texture, noise reduction or a codec)"
    said += _uneven(g)
    return [
        _row("Grain of the show", said, figures.grain_curves(g)),
        _row("Its spectrum", "fine grain reaches right and down", figures.spectrum(g)),
    ]


def _uneven(g: Grain) -> str:
    """What a codec or noise reduction has left of grain, where one was at it."""
    if g.uneven is None:
        return ""
    times = float(np.exp(np.sqrt(np.mean(np.diag(g.uneven.spread)))))
    return (
        f"; uneven: two of three blocks lie within {times:.1f} times and a {times:.1f}th of the "
        "middle one, as a codec or noise reduction leaves them: what the film itself had is not "
        "measurable from this footage"
    )


def _all_remarks(signature: Signature) -> tuple[str, ...]:
    return tuple(r for look in signature.setups.values() for r in look.remarks)


def _setup(name: str, look: SetupLook, sample: Sample, signature: Signature) -> Any:
    rows = []
    grain = look.grain
    if grain is None:
        rows.append(_missing("Grain", look.remarks))
    else:
        said = f"{100 * grain.share:.1f} % at 18 % grey, {grain.patches} patches"
        said += "; uneven" if grain.uneven is not None else ""
        twins = None if sample.crop_HWC is None else figures.grain_twins(sample.crop_HWC, grain)
        said += "; left the frame, right its twin made anew, 1:1" if twins else ""
        rows.append(_row("Grain", said, twins, plain=True))
    if look.grade is None:
        rows.append(_row("Grade", ""))
    else:
        rows.append(_row("Grade", _graded(look.grade, signature),
                         figures.tones(look.grade, signature.grade)))  # fmt: skip
    if len(sample.colours_N3) > 16:
        rows.append(_row("Palette", "its commonest colours, dark to bright",
                         figures.palette(sample.colours_N3), plain=True))  # fmt: skip
    rows.append(_light(look, signature.white_k))
    shown = None
    if sample.small_HWC is not None:
        shown = data_uri(figures.frame(sample.small_HWC), "jpeg")
    return {"name": _called(name), "lens": _called(look.lens) or "not named", "medium": look.medium,
            "frames": look.frames, "shots": ", ".join(look.shots), "picture": shown,
            "rows": rows}  # fmt: skip


def _graded(own: grade.Grade, signature: Signature) -> str:
    said = f"mean {own.exposure_ev:+.2f} stops about grey, tones over {own.contrast_ev:.1f} stops"
    if signature.grade is None or len(signature.setups) < 2:
        return said
    d = grade.apart(own, signature.grade, white_k=signature.white_k)
    return (
        f"{said}; against the show {d.exposure_ev:+.2f} stops, {d.white_mired:+.0f} mired, "
        f"{1000 * d.tint_duv:+.1f} mDuv, contrast x {d.contrast:.2f}, colour x {d.saturation:.2f}"
    )


def _light(look: SetupLook, white_k: float) -> Any:
    found = look.light
    if found is None:
        return _missing("Light", look.remarks)
    light = found.light
    said = f"{_named(light)}; from {found.source}, confidence {found.confidence:.2f}"
    turned = light.azimuth_deg is not None
    return _row("Light", said, figures.light_sphere(light, white_k=white_k) if turned else None,
                plain=True)  # fmt: skip


def _named(light: Light) -> str:
    parts = []
    for name, form, unit in (
        ("azimuth_deg", "+.0f", " deg"), ("elevation_deg", "+.0f", " deg"),
        ("softness_deg", ".0f", " deg"), ("key_ev", "+.2f", " stops"), ("key_k", ".0f", " K"),
        ("fill_ev", "+.2f", " stops"), ("fill_k", ".0f", " K"),
    ):  # fmt: skip
        value = getattr(light, name)
        if value is not None:
            word = name.rpartition("_")[0].replace("_", " ")
            parts.append(f"{word} {value:{form}}{unit}")
    if light.key_ev is not None and light.fill_ev is not None:
        parts.append(f"key to fill {light.key_ev - light.fill_ev:.1f} stops")
    return ", ".join(parts)


_PAGE = """<main class="text">
<h1>{{ show }}</h1>
<p class="faint">lenses, grain and grade as measured from its dailies; footagefit {{ version }}</p>
{% macro rows(list) %}{% for row in list %}
<div class="row"><div class="name">{{ row.name }}</div><div>
<div class="{{ 'missing' if row.missing else '' }}">{{ row.said }}</div>
{% if row.picture %}
<img class="{{ 'figure plain' if row.plain else 'figure' }}" alt="{{ row.name }}"
 src="{{ row.picture }}">
{% endif %}
</div></div>{% endfor %}{% endmacro %}
{% for lens in lenses %}<h2>Lens {{ lens.name }}</h2>
<p class="faint">{{ lens.frames }} frames of {{ lens.medium }}{% if 0 < lens.closely < lens.frames
%}, {{ lens.closely }} of them for edges{% endif %}</p>
{{ rows(lens.rows) }}{% endfor %}
<h2>Grain</h2>{{ rows(whole) }}
{% for setup in setups %}<h2>Set-up {{ setup.name }}</h2>
<p class="faint">lens {{ setup.lens }}; {{ setup.frames }} frames of {{ setup.medium }};
{{ setup.shots }}</p>
{% if setup.picture %}<img class="figure" alt="a frame" src="{{ setup.picture }}">{% endif %}
{{ rows(setup.rows) }}{% endfor %}
</main>"""
