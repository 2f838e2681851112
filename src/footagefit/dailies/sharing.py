"""A scan shared out over machines: each looks at its share of the clips, a last one gathers.

Here: whose clips are whose, where a share's findings lie, and taking them over. Not here: looking
(`examine`), and who does when (`scan`).

What a share finds goes into a catalogue of its own, beside the show's: so each file has one writer,
a killed share goes on where it was, and what a dead machine has not done the last scan does itself.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from footagefit.dailies.database import Catalogue
from footagefit.dailies.examine import Exam, Thumbnail
from footagefit.dailies.finding import Found
from footagefit.dailies.show import Show
from footagefit.errors import FootagefitWarning, UsageError, WrongValue

_LOOKED_AT = ("scanned", "bad")


@dataclass(frozen=True)
class Share:
    """The `number`th of `of` shares, from 1."""

    number: int
    of: int

    @classmethod
    def said(cls, text: str) -> Share:
        """A share as people write it: `3/20`."""
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise WrongValue(f"share={text} is no share", hint="Say 3/20 for the third of twenty")
        return cls(int(found[1]), int(found[2]))

    def has(self, item: Found) -> bool:
        """Whether a clip is of this share: by its name alone, whatever else is there."""
        drawn = int.from_bytes(blake2b(item.path.encode(), digest_size=8).digest(), "big")
        return drawn % self.of == self.number - 1

    def file(self, show: Show) -> Path:
        """Its own catalogue."""
        return _folder(show) / f"share_{self.number}_of_{self.of}.sqlite"


def known_already(show: Show, scanned_as: str) -> dict[str, tuple[int, int]]:
    """Size and time of the clips that the show's own catalogue need not be told of again.

    Args:
        show: The production.
        scanned_as: What the findings have to be made with, as catalogues note it.
    """
    if not show.catalogue.exists():
        return {}
    with Catalogue(show.catalogue) as catalogue:
        if catalogue.setting("scan") != scanned_as:
            return {}
        return {m.path: (m.bytes, m.changed_ns) for m in catalogue.media() if m.state in _LOOKED_AT}


def gathered(show: Show, items: Sequence[Found], scanned_as: str) -> Iterator[Exam]:
    """What shares have found of some clips that are still as they were then."""
    left = {item.path: item for item in items}
    for file in _files(show):
        with Catalogue(file) as share:
            if share.setting("scan") != scanned_as:
                continue
            for medium in share.media():
                item = left.get(medium.path)
                if item is None or medium.state not in _LOOKED_AT:
                    continue
                if (item.bytes, item.changed_ns) != (medium.bytes, medium.changed_ns):
                    continue
                del left[medium.path]
                curves = share.rows("SELECT * FROM curves WHERE medium = ?", (medium.id,))
                thumbs = share.rows("SELECT * FROM thumbnails WHERE medium = ?", (medium.id,))
                yield Exam(
                    medium,
                    {c["name"]: np.frombuffer(c["curve"], np.float16) for c in curves},
                    tuple(
                        Thumbnail(t["part"], t["frame"], t["jpeg"], t["hashes"], t["layout"])
                        for t in thumbs
                    ),
                )


def put_away(show: Show) -> None:
    """Remove the catalogues of shares, but for those that somebody still writes."""
    for file in _files(show):
        try:
            with Catalogue(file, write=True):
                file.unlink()
                file.with_name(file.name + ".writer").unlink()
        except UsageError as error:
            message = f"{file}: {error.what}; it is kept. Scan again without share= when it ended."
            warnings.warn(FootagefitWarning(message), stacklevel=3)


def _folder(show: Show) -> Path:
    return show.work / "shares"


def _files(show: Show) -> list[Path]:
    return sorted(_folder(show).glob("share_*_of_*.sqlite"))
