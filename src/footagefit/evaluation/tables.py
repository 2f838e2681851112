"""An evaluation as text: what a terminal, a README and a card print.

What belongs here: rows and columns of strings. What does not: numbers' making, the HTML report.
"""

from __future__ import annotations

from collections.abc import Sequence

from footagefit.evaluation.results import Evaluation, Group, Interval

SHOWN = ("psnr", "psnr_log", "ssim", "lpips", "delta_e_2000", "detail_kept", "flicker_stops")
_SHORT = {
    "psnr": "PSNR dB", "psnr_log": "log dB", "ssim": "SSIM", "lpips": "LPIPS",
    "delta_e_2000": "dE2000", "detail_kept": "detail kept", "flicker_stops": "flicker, stops",
}  # fmt: skip
Rows = list[list[str]]


def methods(found: Evaluation, *, metrics: Sequence[str] = SHOWN) -> Rows:
    """Methods x metrics over all shots, with intervals; the first row is the head."""
    everything = found.groups[0].metrics
    there = [m for m in metrics if any(m in row for row in everything.values())]
    rows = [["method", *(_SHORT.get(m, m) for m in there)]]
    for method in found.methods:
        row = everything.get(method.name, {})
        rows.append([method.name, *(said(row.get(m)) for m in there)])
    return rows


def by_group(found: Evaluation, kind: str, *, metric: str = "psnr") -> Rows:
    """Scenes or set-ups x methods, one metric."""
    names = [m.name for m in found.methods]
    rows = [[kind, "shots", *names]]
    for group in (g for g in found.groups if g.kind == kind):
        rows.append([group.name, str(len(group.shots)), *(_mean(group, n, metric) for n in names)])
    return rows


def by_shot(found: Evaluation, *, metric: str = "psnr") -> Rows:
    """Shots x methods, one metric, the shot the fit gains least on first."""
    names = [m.name for m in found.methods]
    fit, nothing = found.methods[-1].name, found.methods[0].name

    def gain(index: int) -> float:
        row = found.shots[index].metrics
        return row[fit][metric] - row[nothing][metric]

    def cell(index: int, name: str) -> str:
        value = found.shots[index].metrics.get(name, {}).get(metric)
        return "" if value is None else f"{value:.2f}"

    rows = [["shot", *names]]
    for index in sorted(range(len(found.shots)), key=gain):
        rows.append([found.shots[index].shot, *(cell(index, n) for n in names)])
    return rows


def gains(found: Evaluation, *, metric: str = "psnr") -> Rows:
    """How much the fit gains over each method; an interval that spans 0 tells nothing."""
    rows = [["over", "gain", "95 % over shots", "sure"]]
    for one in (g for g in found.gains if g.metric == metric):
        span = one.gain
        sure = "better" if span.low > 0 else "worse" if span.high < 0 else "no"
        sure = sure if span.shots > 1 else "one shot"
        rows.append([one.method, f"{span.mean:+.2f}", f"{span.low:+.2f} .. {span.high:+.2f}", sure])
    return rows


def regressions(found: Evaluation, *, metrics: Sequence[str] = SHOWN, most: int = 12) -> Rows:
    """Shots that got worse, worst first within each metric."""
    rows = [["shot", "metric", "this fit", "against", "worse by"]]
    for metric in metrics:
        for one in [r for r in found.regressions if r.metric == metric][:most]:
            rows.append(
                [
                    one.shot,
                    one.metric,
                    f"{one.fit:.3f}",
                    f"{one.against:.3f}",
                    f"{one.worse_by:.3f}",
                ]
            )
    return rows


def markdown(rows: Rows) -> str:
    """Rows as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def said(value: Interval | None) -> str:
    """A mean and its interval."""
    if value is None:
        return ""
    places = 2 if abs(value.mean) >= 10 else 3
    return f"{value.mean:.{places}f} [{value.low:.{places}f}, {value.high:.{places}f}]"


def _mean(group: Group, method: str, metric: str) -> str:
    value = group.metrics.get(method, {}).get(metric)
    return "" if value is None else f"{value.mean:.2f}"
