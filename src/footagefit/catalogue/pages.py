"""The continuity report as one page, for any browser, offline: takes beside their heroes.

Here: what stands where. Not here: what is judged (`judging`), the look of pages (`report`).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from footagefit.catalogue.judging import Judged, SetupJudged
from footagefit.catalogue.records import worst_first
from footagefit.footage.view import View
from footagefit.report.page import Page, write_file

_WIDE_PX = 560
_BOX = (240, 200, 80)
_PAIR = "display:grid;grid-template-columns:1fr 1fr;gap:8px"
_WORDS = '<td style="text-align:left">'


def write(
    path: Path,
    show: str,
    setups: Sequence[SetupJudged],
    *,
    lines: Mapping[str, str],
    unreadable: Mapping[str, str],
    view: View | None = None,
    spaces: Mapping[str, str] | None = None,
) -> Path:
    """Write the page, whole or not at all.

    Args:
        path: `continuity.html`.
        show: Its name.
        setups: As judged, with their pictures.
        lines: By take, the command that would match it to its hero.
        unreadable: Clips that could not be read, and why.
        view: How the show's pictures are viewed; a take through its hero's view.
        spaces: Colour space of the footage, by hero.
    """
    off = worst_first(setups)
    takes = sum(len(s.takes) for s in setups)
    body = ['<main class="text">', f"<h1>Continuity: {html.escape(show)}</h1>"]
    body.append(
        f'<p class="faint">{len(setups)} set-ups, {takes} takes beside their heroes; '
        f"{len(off)} do not sit. Differences are the take less its hero.</p>"
    )
    spaces, plain = spaces or {}, view or View()
    views = {s.hero.name: plain.on(space=spaces.get(s.hero.name), shot=s.hero.name) for s in setups}
    body += [
        _summary(off),
        *(_take(s, j, lines, views[s.hero.name]) for s, j in off),
        _heroes(setups),
    ]
    body += [_broken(unreadable), "</main>"]
    return write_file(Page(f"Continuity: {show}", "\n".join(body)), path)


def _summary(off: Sequence[tuple[SetupJudged, Judged]]) -> str:
    rows = "".join(
        f'<tr><td><a href="#{_id(j)}">{html.escape(j.shot.name)}</a></td>'
        f"{_WORDS}{html.escape(s.setup)}</td>{_WORDS}{html.escape(s.hero.name)}</td>"
        f"{_WORDS}{html.escape(_said(j))}</td></tr>"
        for s, j in off
    )
    names = ("set-up", "hero", "differs in")
    head = "<tr><th>take</th>" + "".join(f'<th style="text-align:left">{n}</th>' for n in names)
    return (
        f'<div class="scrolls"><table>{head}</tr>{rows}</table></div>' if off else "<p>All sit.</p>"
    )


def _said(judged: Judged) -> str:
    return ", ".join(d.said for d in judged.differences) or judged.note


def _id(judged: Judged) -> str:
    return "take-" + "".join(c if c.isalnum() else "-" for c in judged.shot.name)


def _take(setup: SetupJudged, judged: Judged, lines: Mapping[str, str], view: View) -> str:
    name = html.escape(judged.shot.name)
    parts = [f'<h2 id="{_id(judged)}">{name}</h2>']
    for d in judged.differences:
        note = f' <span class="faint">{html.escape(d.note)}</span>' if d.note else ""
        parts.append(
            f'<p><span class="warn">{html.escape(d.said)}</span>'
            f"{'' if d.box is None else ', boxed: is it meant?'}{note}</p>"
        )
    if judged.note:
        parts.append(f'<p class="missing">{html.escape(judged.note)}</p>')
    if judged.pictures is not None:
        hero = f"hero {setup.hero.name} ({setup.because})"
        parts.append(f'<div style="{_PAIR}">{_beside(judged, view)}</div>')
        parts.append(f'<p class="faint">left: {html.escape(hero)}; right: {name}, laid over it</p>')
    if lines.get(judged.shot.name):
        parts.append(f"<p><code>{html.escape(lines[judged.shot.name])}</code></p>")
    return f'<section class="panel">{"".join(parts)}</section>'


def _beside(judged: Judged, view: View) -> str:
    boxes = [d.box for d in judged.differences if d.box is not None]
    pictures = judged.pictures or ()
    names = ("hero", judged.shot.name)
    return "".join(
        f'<img class="figure" style="width:100%" alt="{html.escape(name)}" '
        f'src="data:image/jpeg;base64,{_jpeg(p, boxes, view)}"> '
        for name, p in zip(names, pictures, strict=True)
    )


def _jpeg(
    picture_HWC: np.ndarray, boxes: Sequence[tuple[float, float, float, float]], view: View
) -> str:
    """A picture for eyes, boxes drawn on it, as text."""
    from PIL import Image, ImageDraw

    from footagefit.footage import colour

    shown = colour.preview(np.ascontiguousarray(picture_HWC), view)
    image = Image.fromarray(shown)
    size = (_WIDE_PX, round(_WIDE_PX * image.height / image.width))
    image = image.resize(size)
    draw = ImageDraw.Draw(image)
    for x, y, w, h in boxes:
        at = (x * size[0] - 4, y * size[1] - 4, (x + w) * size[0] + 4, (y + h) * size[1] + 4)
        draw.rectangle(at, outline=_BOX, width=2)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=86)
    return base64.b64encode(out.getvalue()).decode("ascii")


_SHOWN = (("exposure_ev", "stops", "+.2f"), ("white_k", "kelvin", ".0f"),
          ("contrast_ev", "contrast, stops", ".1f"), ("grain", "grain", ".3f"))  # fmt: skip


def _heroes(setups: Sequence[SetupJudged]) -> str:
    """The set-ups' heroes beside each other: framings differ, so a person judges these."""
    rows = ""
    for s in setups:
        sit = sum(not j.differences and not j.note for j in s.takes)
        words = (s.scene, s.setup, s.hero.name, s.because, f"{sit} of {len(s.takes)}")
        cells = [html.escape(word) for word in words]
        for name, _, form in _SHOWN:
            value = None if s.measures is None else s.measures[name]
            cells.append("" if value is None else format(value, form))
        rows += "<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"
    names = ("scene", "set-up", "hero", "because", "takes that sit", *(s[1] for s in _SHOWN))
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
    return f'<h2>Heroes</h2><div class="scrolls"><table>{head}{rows}</table></div>'


def _broken(unreadable: Mapping[str, str]) -> str:
    if not unreadable:
        return ""
    rows = "".join(
        f'<p><span class="bad">{html.escape(path)}</span> {html.escape(why)}</p>'
        for path, why in unreadable.items()
    )
    return f"<h2>Clips that cannot be read</h2>{rows}"
