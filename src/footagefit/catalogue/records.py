"""Continuity as plain data: what the JSON holds, and what pages and tables are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from footagefit.catalogue.differences import LIMITS
from footagefit.catalogue.judging import Judged, SetupJudged

FORMAT = 1


def plain(
    show: str,
    setups: Sequence[SetupJudged],
    *,
    lines: Mapping[str, str],
    unreadable: Mapping[str, str],
) -> dict[str, Any]:
    """A continuity report.

    Args:
        show: Its name.
        setups: As judged.
        lines: By take, the command that would match it to its hero.
        unreadable: Clips that could not be read, and why.
    """
    return {
        "format": FORMAT,
        "show": show,
        "limits": dict(LIMITS),
        "unreadable": dict(unreadable),
        "setups": [
            {
                "setup": s.setup,
                "scene": s.scene,
                "hero": s.hero.name,
                "hero_because": s.because,
                "hero_measures": {} if s.measures is None else dict(s.measures.figures),
                "takes": [_take(j, lines.get(j.shot.name, "")) for j in s.takes],
            }
            for s in setups
        ],
    }


def _take(judged: Judged, line: str) -> dict[str, Any]:
    shot = judged.shot
    return {
        "shot": shot.name,
        "take": shot.slate.take,
        "clip": shot.primary.path,
        "frames": [shot.first, shot.last],
        "sits": not judged.differences,
        "differences": [{**asdict(d), "said": d.said} for d in judged.differences],
        "compared_share": round(judged.share, 4),
        "figures": dict(judged.figures or {}),
        "note": judged.note,
        "fix": line,
    }


def worst_first(setups: Sequence[SetupJudged]) -> list[tuple[SetupJudged, Judged]]:
    """Every take that does not sit, worst first."""
    every = [(s, j) for s in setups for j in s.takes if j.differences or j.note]
    return sorted(every, key=lambda p: (-p[1].worst, p[1].shot.name))
