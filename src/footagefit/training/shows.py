"""A show's two sides, as a run wants them.

What belongs here: the way from a show to `Sides`, and the lineage that goes into the card. What
does not: reading footage (`dailies`), running (`run.py`).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import UnknownName, UsageError
from footagefit.training.run import Sides
from footagefit.training.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from footagefit.dailies.data import Dailies
    from footagefit.tasks.base import Task, TaskSpec


def dailies_of(show: Path, settings: Settings, *, spec: TaskSpec) -> Dailies:
    """The show's data module, with as many references as the task wants."""
    from footagefit.dailies.data import Dailies
    from footagefit.dailies.show import load_show

    production = load_show(show)
    return Dailies(
        production,
        batch_size=settings.batch_size,
        steps=settings.max_steps or 1,
        seed=settings.seed,
        length=spec.frames,
        stride=spec.stride,
        references=max(1, spec.references),
        long_side_px=settings.long_side_px,
        workers=settings.workers,
        signature=signature_of(production.work),
    )


def signature_of(work: Path) -> dict[str, Any] | None:
    """What the show measured as, where it was measured; tasks and the fit carry it along."""
    from footagefit.signature import record

    path = work / "signature" / record.FILE
    return record.plain(record.read(path)) if path.is_file() else None


def signature_for(show: str | None) -> dict[str, Any] | None:
    """The same for a run's show, if it has one that is still there."""
    from footagefit.dailies.show import load_show

    if show is None or not Path(show).exists():
        return None
    return signature_of(load_show(show).work)


def fill_cache(dailies: Dailies) -> None:
    """Bring the frames of both sides into the cache, saying how far it is."""
    for done, total in dailies.prepare():
        print(f"cache: {done}/{total} clips", file=sys.stderr, flush=True)


def sides_of(dailies: Dailies) -> Sides:
    """Windows of both sides, and of the show's review shots."""
    from footagefit.dailies.entries import TRAIN, VAL

    held_out = dailies.windows(VAL)
    review = _review(dailies, held_out)
    known = {s.name: s for side in (TRAIN, VAL) for s in dailies.shots(side)}
    views = {name: dailies.view(known[name.rpartition("/")[0]]) for name in review}
    first = next(iter(held_out.reader.shots.values()), None)
    view = dailies.show.view if first is None else dailies.view(first)
    return Sides(dailies.windows(TRAIN), held_out, review, views=views, view=view)


def with_keyframes(sides: Sides, folder: str | None, *, space: str | None) -> Sides:
    """The sides, with an artist's keyframes as a quarter of what is learnt from."""
    if folder is None:
        return sides
    from footagefit.tasks.keyframes import Mixed, read_keyframes

    keyframes = read_keyframes(Path(folder), space=space or "auto")
    return replace(sides, train=Mixed(sides.train, keyframes))


def check_keyframes(show: Path, folder: Path) -> None:
    """Whether they can be read, before anything that takes long is done."""
    from footagefit.dailies.show import load_show
    from footagefit.tasks.keyframes import read_keyframes

    read_keyframes(folder, space=load_show(show).space or "auto")


def with_real_pairs(sides: Sides, dailies: Dailies, *, task: Task, settings: Settings) -> Sides:
    """The sides, with takes that do not sit together among what a match learns from."""
    from footagefit.dailies.entries import TRAIN
    from footagefit.dailies.pairs import mismatches
    from footagefit.tasks.match import Match
    from footagefit.training.real_pairs import among, real_pairs

    if not isinstance(task, Match) or task.pairs <= 0.0:
        return sides
    if settings.buckets:  # steps go by the shapes of the windows that sampling draws
        return sides
    reader = dailies.windows(TRAIN).reader
    found = real_pairs(reader, mismatches(list(reader.shots.values())))
    return among(sides, found, share=task.pairs)


def lineage_of(
    dailies: Dailies, *, keyframes: str | None = None, replay: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a fit learns from: show, colour spaces, each clip with frames and content hash.

    Args:
        dailies: The show's.
        keyframes: Folder of an artist's own.
        replay: Which stage scenes were among them.
    """
    from footagefit.dailies.entries import TRAIN, VAL

    reader = dailies.windows(TRAIN).reader
    withdrawn, references = _said_of(dailies)
    clips, spaces = [], set()
    for name, shot in sorted(reader.shots.items()):
        link = reader.link(shot)
        medium = reader.media[link.path]
        spaces.add(medium.space or dailies.show.space or "")
        clips.append(
            {
                "shot": name,
                "clip": link.path,
                "frames": f"{link.first}-{link.last}",
                "content": medium.content,
                **_consent(shot.approved_by, references.get(medium.content)),
            }
        )
    taught: dict[str, Any] = {} if keyframes is None else {"keyframes": Path(keyframes).name}
    if replay:
        taught["replay"] = dict(replay)
    known = sorted(spaces - {""})
    sides = {
        "held_out": sorted(dailies.windows(VAL).reader.shots),
        "withdrawn": withdrawn,
    }
    return {
        "show": dailies.show.name,
        "spaces": known,
        "clips": clips,
        **sides,
        **taught,
    }


def _consent(by: str, reference: str | None) -> dict[str, str]:
    if not by:
        return {}
    return {"approved_by": by, **({"reference": reference} if reference else {})}


def _said_of(dailies: Dailies) -> tuple[list[str], dict[str, str]]:
    """Shots that are not to be trained on, and references of consent by a medium's content."""
    from footagefit.dailies.database import Catalogue

    with Catalogue(dailies.show.catalogue) as catalogue:
        rows = catalogue.rows("SELECT content, note FROM marks WHERE approved_by != ''")
        references = {str(row["content"]): str(row["note"]) for row in rows}
        return [shot.name for shot in catalogue.shots() if not shot.train], references


def _review(dailies: Dailies, held_out: Any) -> dict[str, Any]:
    """The middle frame of each review shot, beside another take of its set-up."""
    from footagefit.dailies.entries import TRAIN
    from footagefit.dailies.sampling import Draw

    windows = {}
    for name in dailies.show.review:
        sides = [held_out, dailies.windows(TRAIN)]
        side = next((s for s in sides if name in s.reader.shots), None)
        if side is None:
            known = [n for s in sides for n in s.reader.shots]
            raise UnknownName("review shot", name, sorted(known), hint="Mend review: in the show")
        shot = side.reader.shots[name]
        mates = side.reader.takes(shot) or [shot]
        middle = (shot.first + shot.last) // 2
        beside = (mates[0].name, (mates[0].first + mates[0].last) // 2)
        windows[f"{name}/{middle}"] = side.shown(Draw(name, (middle,), (beside,)))
    return windows


def need_show(show: str | None) -> Path:
    """The show's path, or what to say."""
    if show is None:
        raise UsageError("show is not set", hint="Say show=<YAML or folder of dailies>")
    return Path(show)
