"""Pass one: the whole shot looked at, small, once; its looks kept in `fields.safetensors`.

What belongs here: deciding looks, finding them again by content, handing out a frame's filtered
look. What does not: how they are filtered (`temporal.py`), applying them.

Looks are decided for every frame of the shot, whichever frames are to be written, in batches
fixed by frame number: so a frame does not depend on what was asked for beside it. They are stored
unfiltered, with how they are to be filtered; a frame's look is then summed up frame by frame in
one order, the same in every process that reads the file. A batch that is decided is kept in a
hidden folder until all are, so that a first pass that was stopped goes on.

Shapes: T frames, B batch, C channels, H rows, W columns, K cells.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Collection, Generator, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from footagefit.errors import DiskFull, FootagefitWarning, UsageError, WriteError
from footagefit.models.base import Look, Model, resampled
from footagefit.records import Given
from footagefit.rendering.shot import Loaded, Shot
from footagefit.rendering.stream import ahead
from footagefit.rendering.temporal import Smoothing, Temporal, choose
from footagefit.rendering.work import Work, lighter, one_thread

VERSION = 3  # looks have anchors, and what a moved key lights
BATCH = 8  # frames whose number over this is the same are looked at together
TINY = (27, 48)  # rows and columns of the pictures that cuts and flashes are found in
_STILL = (9, 16)
_RAW = "raw."
_TOE = 2.0**-8
_HALF_EV = 0.01  # an eighth of a printer light: less is not seen

Tensors = dict[str, Tensor]


class Fields:
    """The looks of a shot.

    Args:
        numbers: Frames that were looked at, ascending.
        raw: Their unfiltered looks (T,...), by tensor name.
        smoothing: How they are filtered.
        uneven_ev: How much the change differs from place to place in a frame (rms).
    """

    def __init__(
        self, numbers: Sequence[int], raw: Look, smoothing: Smoothing, *, uneven_ev: float = 0.0
    ) -> None:
        self.numbers = list(numbers)
        self.uneven_ev = uneven_ev
        self.raw = raw
        self.smoothing = smoothing
        self._place = {number: i for i, number in enumerate(self.numbers)}
        self._once = lru_cache(maxsize=8)(self._summed)

    def at(self, number: int) -> Look:
        """A frame's filtered look (B is 1)."""
        if number not in self._place:
            raise UsageError(
                "the frame is not of the shot that was looked at",
                frame=number,
                hint="Say shot=<all frames of the shot>, or leave shot= out",
            )
        stretch = self.smoothing.stretch_of(number)
        return dict(self._once(stretch.first if stretch.mode == "locked" else number))

    def _summed(self, number: int) -> Look:
        parts = self.smoothing.weights(number, self.numbers)
        look: Look = {}
        for name, tensor in self.raw.items():
            total = torch.zeros_like(tensor[:1], dtype=torch.float64)
            for source, weight in parts:
                at = self._place[source]
                total += weight * tensor[at : at + 1].double()
            look[name] = total.float()
        return look


def find(path: Path, *, key: str, temporal: Temporal) -> Fields | None:
    """Fields decided before for the very same shot, fit and controls, or None."""
    stored = read_stored(path, key)
    if stored is None or stored[1]["temporal"] != temporal:
        return None
    return _fields(stored[0], Smoothing.of_plain(stored[1]["smoothing"]))


def decide(
    shot: Shot,
    frames: Sequence[int],
    path: Path,
    *,
    key: str,
    temporal: Temporal,
    work: Work,
    keep: Collection[int] = (),
) -> Iterator[int]:
    """Look at every frame of a shot and write its fields; yields frame numbers as it goes.

    Args:
        shot: What is looked at.
        frames: All of its frames, ascending.
        path: Where the fields go.
        key: Of the content they are decided from.
        temporal: How they are to be filtered.
        work: Where, and how much at once.
        keep: Frames to hold in memory for the second pass, as far as there is room.
    """
    stored = read_stored(path, key)
    begun = _Begun(path.with_name(f".{path.name}.begun"), key)
    tensors = (
        stored[0]
        if stored
        else (yield from _looked_at(shot, frames, work=work, keep=keep, begun=begun))
    )
    smoothing = choose(
        temporal,
        list(frames),
        tiny_TCHW=tensors["tiny"].numpy(),
        still_TK=tensors["still"].numpy(),
        controls_move=shot.animation.moves,
    )
    store(path, tensors, {"key": key, "temporal": temporal, "smoothing": smoothing.plain()})
    begun.forget()


class _Begun:
    """What a first pass has decided so far, a file for each batch.

    Args:
        folder: Where they lie; gone when the pass is done.
        key: Of the content they are decided from.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key

    def kept(self, frames: Sequence[int]) -> tuple[Tensors, bool] | None:
        """A batch that was decided before, and whether in half precision."""
        stored = read_stored(self._file(frames), self._key)
        if stored is None or stored[0]["frames"].tolist() != list(frames):
            return None
        return stored[0], bool(stored[1]["half"])

    def keep(self, frames: Sequence[int], tensors: Tensors, *, half: bool) -> None:
        """Keep a batch; where that cannot be it is decided again, should the pass be stopped."""
        with contextlib.suppress(OSError, WriteError):
            self._folder.mkdir(exist_ok=True)
            told = {"key": self._key, "half": half}
            store(self._file(frames), {**tensors, "frames": torch.tensor(frames)}, told)

    def forget(self) -> None:
        """Let go of them: the pass is done."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, frames: Sequence[int]) -> Path:
        return self._folder / f"{frames[0]}-{frames[-1]}.safetensors"


def _looked_at(
    shot: Shot, frames: Sequence[int], *, work: Work, keep: Collection[int], begun: _Begun
) -> Generator[int, None, Tensors]:
    """Every frame's look, and tiny pictures of all; yields frame numbers as it goes."""
    batches = [list(group) for _, group in groupby(frames, lambda number: number // BATCH)]
    kept = [begun.kept(batch) for batch in batches]
    still, middle = None, frames[len(frames) // 2]
    loads = ahead(
        [n for batch, found in zip(batches, kept, strict=True) if found is None for n in batch],
        lambda number: shot.load(number, keep=number in keep),
        workers=work.readers if shot.passes_through else 1,
        depth=lambda: work.depth,
    )
    parts: list[Tensors] = []
    for batch, found in zip(batches, kept, strict=True):
        if found is not None:
            parts.append(found[0])
            work.half = work.half and found[1]
            yield from batch
            continue
        smalls, tiny = [], []
        for loaded in islice(loads, len(batch)):
            small = _small(shot, loaded, work)
            smalls.append(small)
            tiny.append(resampled(small.plate.cpu(), TINY)[0])
            still = small if loaded.number == middle else still
            yield loaded.number
        if work.half and not parts:
            _check_half(smalls[:1], work, frame=frames[0])
        look = _looks(smalls, work, frame=batch[-1])
        made = {f"{_RAW}{name}": tensor for name, tensor in look.items()}
        parts.append({**made, "tiny": torch.stack(tiny)})
        begun.keep(batch, parts[-1], half=work.half)
    tensors = {n: torch.cat([part[n] for part in parts]) for n in parts[0] if n != "frames"}
    tensors["frames"] = torch.tensor(list(frames))
    raw = {n.removeprefix(_RAW): t for n, t in tensors.items() if n.startswith(_RAW)}
    if still is None:  # it was looked at before the pass was stopped
        still = _small(shot, shot.load(middle), work)
    tensors["still"] = _held_still(raw, still, work, frame=middle)
    return tensors


def _small(shot: Shot, loaded: Loaded, work: Work) -> Given:
    """A frame as small as the model looks at it; NaN and infinite pixels are not looked at."""

    def job(device: torch.device, model: Model) -> Given:
        with one_thread():
            given = shot.given(loaded, device=device)
            small = model.small(given)
            if not bool(torch.isfinite(small.plate).all()):
                plate = given.plate.nan_to_num(0.0, 65504.0, -1.0)
                small = model.small(given._replace(plate=plate))
            return small

    return work.run(job, frame=loaded.number)


def _looks(smalls: Sequence[Given], work: Work, *, frame: int) -> Look:
    """Looks of some frames, decided together, on the CPU."""

    def job(device: torch.device, model: Model) -> Look:
        parts = []
        size = max(1, min(work.batch, BATCH))
        with one_thread(), lighter(device, half=work.half):
            for start in range(0, len(smalls), size):
                group = smalls[start : start + size]
                given = Given(*(torch.cat(t).to(device) for t in zip(*group, strict=True)))
                parts.append(model.look(given))
        return {n: torch.cat([p[n] for p in parts]).float().cpu() for n in parts[0]}

    look = work.run(job, frame=frame)
    odd = [n for n, t in look.items() if not bool(torch.isfinite(t).all())]
    if odd:
        line = f"frames up to {frame}: the model gave no finite look ({', '.join(odd)}); kept as 0"
        warnings.warn(FootagefitWarning(line), stacklevel=3)
    return {n: t.nan_to_num(0.0, 0.0, 0.0) for n, t in look.items()}


def _check_half(smalls: Sequence[Given], work: Work, *, frame: int) -> None:
    """Go on in float32, and say so, where half precision would be seen."""

    def job(device: torch.device, model: Model) -> float:
        given = Given(*(part.to(device) for part in smalls[0]))
        with one_thread():
            whole = model.look(given)
            with lighter(device, half=True):
                rough = {name: tensor.float() for name, tensor in model.look(given).items()}
            one, other = (torch.log2(model.apply(look, given).clamp_min(0.0) + _TOE)
                          for look in (whole, rough))  # fmt: skip
            return float((one - other).abs().max().nan_to_num(torch.inf))

    off_ev = work.run(job, frame=frame)
    if off_ev > _HALF_EV:
        work.half = False
        line = f"half precision would change the picture by {off_ev:.3g} stops; float32 it is"
        warnings.warn(FootagefitWarning(line), stacklevel=3)


def _held_still(raw: Look, still: Given, work: Work, *, frame: int) -> Tensor:
    """Stops that each frame's look adds to one and the same small picture (T,K)."""

    def job(device: torch.device, model: Model) -> Tensor:
        given = Given(*(t.to(device) for t in still))
        base = torch.log2(resampled(given.plate, _STILL).clamp_min(0.0) + _TOE)
        rows = []
        for t in range(next(iter(raw.values())).shape[0]):
            look = {n: tensor[t : t + 1].to(device) for n, tensor in raw.items()}
            made = resampled(model.apply(look, given), _STILL)
            rows.append((torch.log2(made.clamp_min(0.0) + _TOE) - base).flatten().cpu())
        return torch.stack(rows)

    return work.run(job, frame=frame)


def _fields(tensors: Tensors, smoothing: Smoothing) -> Fields:
    raw = {n.removeprefix(_RAW): t for n, t in tensors.items() if n.startswith(_RAW)}
    still_TCK = tensors["still"].unflatten(1, (3, -1)) if tensors["still"].shape[1] > 1 else None
    uneven_ev = 0.0
    if still_TCK is not None:
        uneven_ev = float(still_TCK.var(2, correction=0).mean().sqrt())
    return Fields(tensors["frames"].tolist(), raw, smoothing, uneven_ev=uneven_ev)


def read_stored(path: Path, key: str) -> tuple[Tensors, dict[str, Any]] | None:
    """What a first pass of this very key left, or None."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as opened:
            told = json.loads((opened.metadata() or {}).get("footagefit", "{}"))
            if told.get("key") != key or told.get("version") != VERSION:
                return None
            return {name: opened.get_tensor(name) for name in opened.keys()}, told  # noqa: SIM118
    except (OSError, ValueError, SafetensorError):
        return None  # cut short or not ours: decided again and replaced


def store(path: Path, tensors: Tensors, told: dict[str, Any]) -> None:
    """Keep what a first pass found, whole or not at all."""
    from safetensors.torch import save

    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    text = json.dumps({"version": VERSION, **told}, sort_keys=True)
    try:
        temporary.write_bytes(
            save({n: t.contiguous() for n, t in tensors.items()}, {"footagefit": text})
        )
        os.replace(temporary, path)
    except OSError as error:
        kind = DiskFull if error.errno == 28 else WriteError
        raise kind(
            f"cannot be written ({error.strerror})",
            path=path,
            hint="Free some space or mend its permissions; the same command goes on",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
