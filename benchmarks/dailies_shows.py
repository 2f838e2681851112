"""Staged shows with known truth, scanned and scored: what `dailies.py --seeds N` runs.

Each seed is a show of 28 takes with every fault of the soundstage in it, staged small and with one
ray a pixel (40 s of one core a show; smooth edges cost 65), and the rough cut's takes joined into
one movie. What was staged is kept in `--shows` and gone on with.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from rows import Row

from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import DROPPED, PLATE, SHORT, SHOT, SLATE, Medium, Shot
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show, load_show
from footagefit.soundstage.crew import shoot
from footagefit.soundstage.delivery import Camera
from footagefit.soundstage.filming import film
from footagefit.soundstage.script import write_script
from footagefit.soundstage.specs import SetUp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from dailies_footage import write_movie

PRESET = "brief"


def judged(seeds: Sequence[int], folder: Path) -> list[Row]:
    """Stage, scan and score a show for each seed."""
    total: Counter[str] = Counter()
    for seed in seeds:
        out = staged(seed, folder)
        score = Counter(scored(out)) + Counter(joined(out, seed))
        wrong = [w for w in WRONG if score[w]]
        print(f"seed {seed}: {', '.join(f'{score[w]} {w}' for w in wrong) or 'all right'}")
        total += score
    made = f"in {len(seeds)} shows"
    return [
        _share(f"cuts found to the frame {made}", total, "cuts", "cuts missed"),
        _none(f"false cuts {made}", total, "false cuts"),
        _share("slates told from shots, to the frame", total, "clips", "slate frames wrong"),
        _share("scene, take, camera and roll right", total, "clips", "slates wrong"),
        _share("plates linked to their shots, frame by frame", total, "plates", "links wrong"),
        _none("media linked that are not of one shot", total, "false links"),
        _share("short, dropped-frame and corrupt clips listed", total, "faults", "faults unlisted"),
        _none("clips listed without a fault", total, "falsely listed"),
    ]


WRONG = (
    "cuts missed", "false cuts", "slate frames wrong", "slates wrong", "links wrong",
    "false links", "faults unlisted", "falsely listed",
)  # fmt: skip


def staged(seed: int, folder: Path) -> Path:
    """The show of a seed; what is there already is kept."""
    out = folder / f"seed{seed:04d}"
    script = write_script(PRESET, seed)
    for _ in shoot(script, out, film=_on_stage, workers=2):
        pass
    return out


def _on_stage(setup: SetUp, size_px: tuple[int, int]) -> Camera:
    return film(setup, size_px=size_px, samples=1)


def scored(out: Path) -> dict[str, int]:
    """What a scan of one show got right and wrong."""
    truth = json.loads((out / "truth" / "show.json").read_text())
    show = _fresh(load_show(out / "show.yaml"), out / "work_scored")
    scan_show(show, detector="builtin")
    with Catalogue(show.catalogue) as catalogue:
        media = {Path(m.path).stem: m for m in catalogue.media() if m.form == "movie"}
        shots = {Path(s.primary.path).stem: s for s in catalogue.shots()}
        problems = catalogue.rows("SELECT path, kind FROM problems")
    score: Counter[str] = Counter()
    for take in truth["shots"]:
        kind = (take["fault"] or {}).get("kind", "")
        _score_faults(take, kind, media[take["clip"]], problems, score)
        if kind != "corrupt":
            shot = shots.get(take["clip"])
            _score_parts(take, media[take["clip"]], score)
            _score_slate(take, shot, score)
            _score_links(take, kind, shot, score)
    return score


def _score_parts(take: dict[str, Any], medium: Medium, score: Counter[str]) -> None:
    offset = medium.first_frame - take["frames"]["first"]
    slate, action = take["frames"]["slate"], take["frames"]["action_first"]
    border = max(slate[0], action) + offset
    found = {p.first for p in medium.parts} - {medium.first_frame}
    told = [(p.first - offset, p.last - offset) for p in medium.parts if p.kind == SLATE]
    score["clips"] += 1
    score["cuts"] += 1
    score["cuts missed"] += border not in found
    score["false cuts"] += len(found - {border})
    score["slate frames wrong"] += told != [(slate[0], slate[-1])]


def _score_slate(take: dict[str, Any], shot: Shot | None, score: Counter[str]) -> None:
    want = (take["scene"] + take["setup"], str(take["number"]), take["camera"], take["roll"])
    slate = shot.slate if shot else None
    have = (slate.scene, slate.take, slate.camera, slate.roll) if slate else ()
    score["slates wrong"] += have != want


def _score_links(take: dict[str, Any], kind: str, shot: Shot | None, score: Counter[str]) -> None:
    link = shot.medium(PLATE) if shot else None
    if not take["plate"]:
        score["false links"] += link is not None
        return
    score["plates"] += 1
    right = link is not None and take["plate"] in link.path
    if right and shot and link and kind != "dropped":
        right = (link.first - link.shift, link.last - link.shift) == (shot.first, shot.last)
    score["links wrong"] += not right


def _score_faults(
    take: dict[str, Any], kind: str, medium: Medium, problems: Sequence[Any], score: Counter[str]
) -> None:
    mine = {p["kind"] for p in problems if take["clip"] in p["path"]}
    mine |= {p["kind"] for p in problems if take["plate"] and take["plate"] in p["path"]}
    listed = {
        "short": SHORT in mine,
        "dropped": DROPPED in mine,
        "corrupt": medium.state == "bad",
    }
    score["faults"] += kind in listed
    score["faults unlisted"] += kind in listed and not listed[kind]
    score["falsely listed"] += sum(v for k, v in listed.items() if k != kind)


def joined(out: Path, seed: int) -> dict[str, int]:
    """Score a movie of the circled takes' performances, one straight after the other."""
    truth = json.loads((out / "truth" / "show.json").read_text())
    runs = [_action(out, take) for take in truth["shots"] if take["circled"]]
    root = out / "work_joined" / "movies"
    shutil.rmtree(root.parent, ignore_errors=True)
    write_movie(root / f"rough_{seed}.mov", np.concatenate(runs), crf=16)
    show = Show(name="joined", roots=(root,), work=root.parent / "work", space="g24_rec709")
    scan_show(show, detector="builtin", workers=0)
    with Catalogue(show.catalogue) as catalogue:
        (medium,) = catalogue.media()
    want = {1 + int(n) for n in np.cumsum([len(r) for r in runs])[:-1]}
    found = {p.first for p in medium.parts if p.kind == SHOT} - {1}
    found |= {p.first for p in medium.parts} - {1}
    return {
        "cuts": len(want),
        "cuts missed": len(want - found),
        "false cuts": len(found - want),
    }


def _action(out: Path, take: dict[str, Any]) -> np.ndarray:
    first, last = take["frames"]["action_first"], take["frames"]["action_last"]
    with av.open(str(out / take["roll"] / f"{take['clip']}.mov")) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return np.stack(frames[first - 1 : last])


def _fresh(show: Show, work: Path) -> Show:
    shutil.rmtree(work, ignore_errors=True)
    return replace(show, work=work)


def _share(metric: str, total: Counter[str], of: str, wrong: str) -> Row:
    right = 1 - total[wrong] / max(1, total[of])
    return Row(metric, "of 1", right, {of: total[of], wrong: total[wrong]}, "all", right == 1)


def _none(metric: str, total: Counter[str], wrong: str) -> Row:
    return Row(metric, "count", total[wrong], {}, "none", total[wrong] == 0)
