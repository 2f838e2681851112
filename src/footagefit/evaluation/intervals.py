"""How sure a mean over shots is: percentile bootstrap (Efron 1979), shots being what is drawn.

What belongs here: intervals, groups, gains, regressions of shots' numbers. What does not: how the
numbers came about. Frames of one shot are no independent witnesses, so shots are resampled whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from footagefit.evaluation.results import Gain, Group, Interval, Metric, Regression, ShotResult

RESAMPLES = 2000
LEVEL = 0.95


def interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Mean and 95 % interval; of one shot the interval is the number itself."""
    found = np.asarray(values, np.float64)
    if len(found) < 2:
        mean = float(found.mean())
        return Interval(mean, mean, mean, len(found))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(found), size=(RESAMPLES, len(found)))
    low, high = np.quantile(found[drawn].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(found.mean()), float(low), float(high), len(found))


def groups(shots: Sequence[ShotResult]) -> list[Group]:
    """All shots together, then by scene, then by set-up."""
    made = [group("all", "all", shots)]
    for kind in ("scene", "setup"):
        for name in sorted({getattr(s, kind) for s in shots}):
            made.append(group(kind, name, [s for s in shots if getattr(s, kind) == name]))
    return made


def group(kind: str, name: str, shots: Sequence[ShotResult]) -> Group:
    """Shots together: every method's metrics with their intervals."""
    table: dict[str, dict[str, list[float]]] = {}
    for shot in shots:
        for method, row in shot.metrics.items():
            for metric, value in row.items():
                table.setdefault(method, {}).setdefault(metric, []).append(value)
    metrics = {m: {k: interval(v) for k, v in row.items()} for m, row in table.items()}
    return Group(kind, name, tuple(s.shot for s in shots), metrics)


def gains(shots: Sequence[ShotResult], *, fit: str, metrics: Sequence[Metric]) -> list[Gain]:
    """The fit over every other method, as paired differences; positive is better."""
    found = []
    for method in dict.fromkeys(m for s in shots for m in s.metrics if m != fit):
        for metric in metrics:
            if metric.better == "none":
                continue
            off = list(_differences(shots, fit, method, metric).values())
            if off:
                found.append(Gain(method, metric.name, interval(off)))
    return found


def regressions(
    shots: Sequence[ShotResult], *, fit: str, against: str, metrics: Sequence[Metric]
) -> list[Regression]:
    """Shots and metrics on which the fit does worse, worst first within each metric."""
    found = []
    for metric in metrics:
        if metric.better == "none":
            continue
        off = _differences(shots, fit, against, metric)
        worse = sorted((gain, shot) for shot, gain in off.items() if gain < 0.0)
        rows: Mapping[str, ShotResult] = {s.shot: s for s in shots}
        for gain, shot in worse:
            both = [rows[shot].metrics[m][metric.name] for m in (fit, against)]
            found.append(Regression(shot, metric.name, both[0], both[1], -gain))
    return found


def _differences(
    shots: Sequence[ShotResult], one: str, other: str, metric: Metric
) -> dict[str, float]:
    sign = 1.0 if metric.better == "up" else -1.0
    return {
        s.shot: sign * (s.metrics[one][metric.name] - s.metrics[other][metric.name])
        for s in shots
        if metric.name in s.metrics.get(one, {}) and metric.name in s.metrics.get(other, {})
    }
