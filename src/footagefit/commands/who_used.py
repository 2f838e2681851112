"""`footagefit who-used`: which fits learnt from a clip."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from footagefit.errors import UnknownName

As = Literal["table", "json"]


def who_used(*, clip: str, show: Path, as_: As) -> int:
    """List the fits that used a clip; see configs/who-used.yaml for each key."""
    from footagefit.commands.lineage import chain_of
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.show import load_show
    from footagefit.rendering.fits import read_card

    production = load_show(show)
    with Catalogue(production.catalogue) as catalogue:
        content = {m.path: m.content for m in catalogue.media()}
        named = {
            s.name: {content.get(k.path, "") for k in s.links}
            for s in catalogue.shots()
            if fits_word(clip, {"shot": s.name, "clip": s.primary.path})
        }
    hashes = {h for found in named.values() for h in found} - {""}
    uses, known = [], set(named)
    folder = production.work / "fits"
    for path in sorted(p.parent for p in folder.glob("*/card.json")):
        for depth, one in enumerate(chain_of(path, read_card(path))):
            for row in one["clips"]:
                known.add(row["shot"])
                if row["content"] in hashes or fits_word(clip, row):
                    uses.append({"fit": path.name, "through": one["fit"] if depth else None,
                                 **row})  # fmt: skip
    if not uses and not named:
        raise UnknownName("clip", clip, sorted(known))
    if as_ == "json":
        print(json.dumps({"clip": clip, "uses": uses}, indent=1))
        return 0
    for use in uses:
        through = f" through {use['through']}, which it began from" if use["through"] else ""
        print(f"{use['fit']} learnt from {use['shot']} ({use['clip']}, {use['frames']}){through}")
    if not uses:
        print(f"no fit in {folder} learnt from {', '.join(sorted(named))}")
    return 0


def fits_word(word: str, row: Mapping[str, Any]) -> bool:
    """Whether a word names a clip by its shot, path, file name or content."""
    names = {str(row.get(k, "")) for k in ("shot", "clip", "content")}
    names.add(Path(str(row.get("clip", ""))).name)
    return any(name and (name == word or fnmatch(name, word)) for name in names)
