"""What a run leaves behind for people: JSONL and PNG in its folder, and trackers that mirror it.

What belongs here: the contract of a tracker, the record, the strip of a review shot. What does
not: the mirrors (`mirrors.py`), when to look (`callbacks.py`), metrics (`evaluation`).
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from footagefit.footage.view import View

TrackerName = Literal["wandb", "tensorboard"]


class Tracker(ABC):
    """Somewhere numbers and pictures of a run go."""

    @abstractmethod
    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Some numbers at a step."""

    @abstractmethod
    def picture(self, step: int, name: str, picture: Image.Image) -> None:
        """An 8-bit, display-referred picture at a step."""

    def config(self, values: Mapping[str, Any]) -> None:  # noqa: B027
        """What the run is, once, before its first step."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:  # noqa: B027
        """A table at the end of a run."""

    def fit(self, folder: Path, aliases: Sequence[str]) -> None:  # noqa: B027
        """The fit that the run ended in, with its card."""

    @abstractmethod
    def close(self) -> None:
        """Everything is written."""


class Record(Tracker):
    """The run's own record: `record.jsonl` and `review/<name>/step_<n>.png`.

    Args:
        folder: The run's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begun = time.monotonic()

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One line of JSON."""
        line = {"step": step, "s": round(time.monotonic() - self._begun, 2), **values}
        with (self.folder / "record.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def picture(self, step: int, name: str, picture: Image.Image) -> None:
        """One PNG, whole or not at all."""
        path = self.folder / "review" / name / f"step_{step:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        picture.save(part, format="PNG")
        os.replace(part, path)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """`tables/<name>.json`."""
        path = self.folder / "tables" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"columns": list(columns), "rows": [list(row) for row in rows]}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)

    def close(self) -> None:
        """Nothing is held open."""

    def read(self) -> list[dict[str, Any]]:
        """All lines so far."""
        path = self.folder / "record.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def strip(
    before: Tensor,
    after: Tensor,
    target: Tensor,
    reference: Tensor | None = None,
    *,
    view: View | None = None,
) -> Image.Image:
    """Reference, before, after, target and four times their difference, at one exposure.

    Args:
        before: (3,H,W) scene-linear ACEScg, as are the others.
        after: What the model made.
        target: What should come out.
        reference: What it had to sit beside.
        view: How all are shown.
    """
    import numpy as np
    from PIL import Image

    panes = [displayed(p, like=target, view=view) for p in (before, after, target)]
    apart = np.abs(panes[1].astype(np.int16) - panes[2].astype(np.int16))
    panes.append((apart * 4).clip(0, 255).astype(np.uint8))
    if reference is not None:
        panes.insert(0, displayed(reference, like=target, view=view))
    gap = np.full((panes[0].shape[0], 4, 3), 24, np.uint8)
    row = [part for pane in panes for part in (pane, gap)][:-1]
    return Image.fromarray(np.concatenate(row, 1))


def displayed(picture: Tensor, *, like: Tensor, view: View | None = None) -> np.ndarray:
    """A scene-linear picture (3,H,W) as 8-bit pixels to look at (H,W,3), of the size of another."""
    from footagefit.footage.colour import preview

    pixels = _sized(picture, like).detach().float().cpu().permute(1, 2, 0).contiguous().numpy()
    return preview(pixels, view)


def _sized(picture: Tensor, like: Tensor) -> Tensor:
    from torch.nn import functional as F

    if picture.shape == like.shape:
        return picture
    return F.interpolate(picture[None], size=like.shape[1:], mode="bilinear", antialias=True)[0]
