"""`footagefit scan`: find, look at and catalogue a show's dailies."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from footagefit.commands.progress import track
from footagefit.errors import FootagefitWarning, UnknownName, UsageError, WrongValue

Detector = Literal["auto", "builtin", "learned"]
Slates = Literal["auto", "names", "boards"]


def scan(
    *,
    show: Path,
    workers: int | None,
    again: bool,
    detector: Detector,
    slates: Slates,
    share: str | None,
) -> int:
    """Bring the show's catalogue up to date; see configs/scan.yaml for each key."""
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.examine import UNKNOWN_SPACE
    from footagefit.dailies.scan import scan_show
    from footagefit.dailies.sharing import Share
    from footagefit.dailies.show import load_show
    from footagefit.footage import colour

    production = load_show(show)
    if workers is not None and workers < 0:
        raise WrongValue(f"workers={workers}: expected 0 or more")
    if production.space is not None:
        try:
            colour.resolve(production.space)
        except UnknownName as error:
            raise UsageError(f"space: {error.what}", path=show, hint=error.hint) from None

    def progress(items: Iterable[object], total: int, label: str) -> Iterable[object]:
        return track(items, total=total, label=label, unit="clips")

    mine = None if share is None else Share.said(share)
    done = scan_show(
        production, workers=workers, again=again, detector=detector, slates=slates, share=mine,
        progress=progress,
    )  # fmt: skip
    gathered = f", {done.gathered} gathered from shares" if done.gathered else ""
    counted = (
        f"{done.looked_at} clips looked at{gathered}, {done.kept} unchanged, {done.bad} bad, "
        f"{done.gone} gone"
    )
    if mine is not None:
        print(counted)
        also = (" again=true" if again else "") + ("" if slates == "auto" else f" slates={slates}")
        print(f"share: {mine.file(production)}")
        print(f"next, when all {mine.of} are done: footagefit scan show={show}{also}")
        return 0
    with Catalogue(production.catalogue) as catalogue:
        problems = catalogue.rows("SELECT path, kind, what FROM problems")
        shots = catalogue.shots()
        unsaid = sum(UNKNOWN_SPACE in m.flags for m in catalogue.media())
    for row in problems:
        print(f"  {row['path']}: {row['kind']}: {row['what']}")
    sides = {side: sum(s.side == side for s in shots) for side in ("train", "val", "out")}
    setups = len({s.setup for s in shots})
    print(counted)
    print(
        f"{len(shots)} shots in {setups} set-ups of {len({s.scene for s in shots})} scenes: "
        f"{sides['train']} to train on, {sides['val']} held out, {sides['out']} left out"
    )
    print(f"catalogue: {production.catalogue}")
    if unsaid and production.space is None:
        line = (
            f"{unsaid} clips do not say their colour space, and nothing is learnt of them until "
            f"the show does: set space: in {show.name}, such as {colour.SUCH}"
        )
        warnings.warn(FootagefitWarning(line), stacklevel=2)
    return 0
