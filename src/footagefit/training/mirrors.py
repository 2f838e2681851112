"""Mirrors of a run's record: Weights & Biases, offline unless asked, and TensorBoard.

What belongs here: handing numbers, pictures, tables and the fit to another's format. What does
not: the record itself (`record.py`), which is complete without any mirror.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit.errors import FootagefitWarning, MissingPart
from footagefit.training.record import Record, Tracker, TrackerName

if TYPE_CHECKING:
    from PIL import Image

Tracking = Literal["jsonl", "wandb", "tensorboard", "all"]
STEP = "trainer/global_step"
PROJECT = "footagefit"
_MIRRORS: tuple[TrackerName, ...] = ("wandb", "tensorboard")
_SYSTEM_EVERY_S = 2.0


class Wandb(Tracker):
    """Weights & Biases, offline unless asked; all of it lies in the run's folder.

    Pictures come 8-bit and display-referred and go in as they are: W&B scales nothing. Every
    value is logged against our own step, which the sliders of review pictures follow.

    Args:
        folder: The run's; everything stays under it, so that it syncs from wherever it is taken.
        name: Of the run.
        online: Reach out over the network.
        group: Runs of one sweep share it.
    """

    def __init__(
        self, folder: Path, name: str, *, online: bool = False, group: str | None = None
    ) -> None:
        folder = folder.resolve()
        os.environ["WANDB_DATA_DIR"] = str(folder / "wandb_data")
        try:
            import wandb
        except ImportError as error:
            raise MissingPart("wandb is not installed", hint="pip install wandb") from error
        self._wandb, self._online, self._folder = wandb, online, folder
        self._run = wandb.init(
            dir=str(folder),
            id=name,
            name=name,
            project=PROJECT,
            group=group,
            mode="online" if online else "offline",
            resume="allow" if online else None,
            settings=wandb.Settings(
                x_stats_sampling_interval=_SYSTEM_EVERY_S,
                console="off",
                quiet=True,
                silent=True,
                save_code=False,
                disable_git=True,
            ),
        )
        self._run.define_metric(STEP)
        for part in ("train/*", "val/*", "review/*"):
            self._run.define_metric(part, step_metric=STEP)

    def config(self, values: Mapping[str, Any]) -> None:
        """The run's recipe, settings and lineage."""
        self._run.config.update(dict(values), allow_val_change=True)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Against our own step."""
        self._run.log({**values, STEP: step})

    def picture(self, step: int, name: str, picture: Image.Image) -> None:
        """As 8-bit pixels that W&B shows as they are."""
        shown = self._wandb.Image(picture.convert("RGB"), caption=f"{name}, step {step}")
        self._run.log({f"review/{name}": shown, STEP: step})

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A W&B table."""
        made = self._wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        self._run.log({f"tables/{name}": made})

    def fit(self, folder: Path, aliases: Sequence[str]) -> None:
        """The fit's folder as an artifact, its card as metadata; online it goes to the registry."""
        from footagefit.rendering.fits import read_card

        card = read_card(folder)
        artifact = self._wandb.Artifact(
            folder.name, type="fit", description=_read(folder / "CARD.md"), metadata=card
        )
        artifact.add_dir(str(folder))
        if not self._online:  # told from the run's folder: it can then be synced from anywhere
            for entry in artifact.manifest.entries.values():
                if entry.local_path:
                    entry.local_path = os.path.relpath(entry.local_path, self._folder)
        self._run.log_artifact(artifact, aliases=list(aliases))
        if self._online:
            self._run.link_artifact(artifact, f"wandb-registry-model/{PROJECT}")

    def close(self) -> None:
        """Flush to disk."""
        self._run.finish()


class TensorBoard(Tracker):
    """TensorBoard event files in `<run>/tensorboard`."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise MissingPart(
                "tensorboard is not installed", hint="pip install tensorboard"
            ) from error
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def config(self, values: Mapping[str, Any]) -> None:
        """As text."""
        import json

        text = json.dumps(dict(values), indent=1, default=str)
        self._writer.add_text("config", f"```json\n{text}\n```", 0)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar each."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: Image.Image) -> None:
        """One image."""
        import numpy as np

        self._writer.add_image(f"review/{name}", np.asarray(picture), step, dataformats="HWC")

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """As a Markdown text."""
        lines = ["|".join(map(str, columns)), "|".join("---" for _ in columns)]
        lines += ["|".join(map(str, row)) for row in rows]
        self._writer.add_text(f"tables/{name}", "\n".join(lines), 0)

    def fit(self, folder: Path, aliases: Sequence[str]) -> None:
        """Its card as text: event files hold no folders."""
        aliases_line = ", ".join(aliases)
        self._writer.add_text("fit", f"{aliases_line}\n\n{_read(folder / 'CARD.md')}", 0)

    def close(self) -> None:
        """Flush to disk."""
        self._writer.close()


def mirrors_of(tracking: Tracking) -> tuple[TrackerName, ...]:
    """Names of the mirrors that a word asks for; `all` leaves out what is not installed, aloud."""
    if tracking == "jsonl":
        return ()
    if tracking != "all":
        return (tracking,)
    there: tuple[TrackerName, ...] = tuple(name for name in _MIRRORS if find_spec(name) is not None)
    for name in _MIRRORS:
        if name not in there:
            line = f"tracking=all: {name} is not installed and is left out"
            warnings.warn(FootagefitWarning(line), stacklevel=2)
    return there


def trackers(
    folder: Path,
    *,
    names: Sequence[TrackerName],
    run: str,
    online: bool,
    group: str | None = None,
) -> list[Tracker]:
    """The record, and the mirrors asked for."""
    made: list[Tracker] = [Record(folder)]
    if "wandb" in names:
        made.append(Wandb(folder, run, online=online, group=group))
    if "tensorboard" in names:
        made.append(TensorBoard(folder))
    return made


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
