"""How pictures are shown to people: a show's exposure, CDLs and LUT, or the footage as it was made.

What belongs here: which way a picture of a shot is looked at. What does not: the conversions
(`colour.py`), pixels that go out: no view touches those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

CDLS = (".cc", ".cdl", ".ccc")


@dataclass(frozen=True)
class View:
    """How pictures are shown: previews and reports only, never pixels that go out.

    With a CDL or a LUT, pictures go through them in `space`. Else footage of a display's own space
    is shown as it was made, and all other footage through the ACES view.

    Attributes:
        exposure_ev: Stops added before anything else.
        lut: A LUT file, from code values of `space` to the display.
        cdl: An ASC CDL file, or a folder with one for each shot, in code values of `space`.
        space: The footage's colour space; empty for scene-linear light (LUTs then take ACEScct).
        shot: Whose CDL a folder is asked for.
    """

    exposure_ev: float = 0.0
    lut: Path | None = None
    cdl: Path | None = None
    space: str = ""
    shot: str = ""

    def on(self, *, space: str | None = None, shot: str = "") -> View:
        """The view of one shot's pictures.

        Args:
            space: Of the clip; None or empty where nobody knows.
            shot: Its name.
        """
        graded = self.lut is not None or self.cdl is not None
        kept = self.space if graded and self.space else space or self.space
        return replace(self, space=kept, shot=shot)

    @property
    def files(self) -> tuple[Path, ...]:
        """CDL and LUT of the shot, in the order they are gone through."""
        cdl = self.cdl
        if cdl is not None and cdl.is_dir():
            named = (cdl / f"{self.shot}{suffix}" for suffix in CDLS)
            cdl = next((path for path in named if path.is_file()), None)
        return tuple(path for path in (cdl, self.lut) if path is not None)
