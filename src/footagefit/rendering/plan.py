"""What a render will do, settled and checked before a pixel is computed.

What belongs here: opening plate, mask and reference, checking all that was asked against what
there is, how much is done at once. What does not: doing it (`render.py`).
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from footagefit.errors import DiskFull, FootagefitWarning, UnknownSpace, UsageError, WrongValue
from footagefit.footage import colour
from footagefit.footage.asked import refuse_own_input, wanted_frames, warn_of_layers
from footagefit.footage.clip import Clip
from footagefit.footage.manifest import continues, job_of, manifest_path
from footagefit.footage.opening import open_clip
from footagefit.footage.pattern import MOVIES, numbers, parse, ranges
from footagefit.records import ClipInfo
from footagefit.rendering import devices, versions
from footagefit.rendering.ask import Ask
from footagefit.rendering.composite import check_layers
from footagefit.rendering.content import clip_key, file_of, key_beside, plain_key
from footagefit.rendering.controls import Animation, animation
from footagefit.rendering.fields import VERSION
from footagefit.rendering.fits import fit_of
from footagefit.rendering.regrain import Regrain
from footagefit.rendering.shot import Kept, Shot, check_mask, reference_frames, small_reference
from footagefit.rendering.work import Bounds, Work, available

REFERENCES = 4  # most frames of a reference clip that are looked at
_GIB = 2**30


class Plan:
    """A render, settled: what `Ask` means on this plate, with this fit, on this machine.

    Raises:
        FootagefitError: What was asked for cannot be; nothing was written.
    """

    fills = False

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.fit = fit_of(ask.fit, signature=ask.signature, bases=ask.bases)
        self._check_fit()
        keeps = ask.grain == "keep"
        self.regrain = None if keeps else Regrain(self.fit.signature, path=self.fit.path)
        self.clip = self._open_plate()
        self.frames = self._frames()
        self.shot_frames = self._shot_frames()
        self.animation: Animation = animation(
            self.fit.task.spec, ask.controls, keyframes=ask.keyframes, also_known=ask.also_known
        )
        self.reference = self._open_reference()
        self.mask = self._open_mask()
        self._check_layers()
        self.devices = devices.pick(ask.device)
        self._warn_of_space()
        self.out = self._out()
        self.form = ask.form.resolved(self.clip.info, self.out)
        self._check_out()

    def _open_plate(self) -> Clip:
        """The plate; in the space of the fit's show where nobody knows its own."""
        ask = self.ask
        how = partial(open_clip, ask.plate, layer=ask.layer, matrix=ask.matrix, levels=ask.levels,
                      rate=ask.rate)  # fmt: skip
        try:
            return how(space=ask.space)
        except UnknownSpace as error:
            learnt = self._learnt_in()
            if len(learnt) != 1:
                hint = (error.hint or "").partition("; or set")[0]
                raise UnknownSpace(error.what, path=error.path, frame=error.frame,
                                   hint=hint) from error  # fmt: skip
        _warn(f"{ask.plate}: its colour space is not certain; taken as {learnt[0]}, which the fit "
              "learnt in")  # fmt: skip
        return how(space=learnt[0])

    def _learnt_in(self) -> list[str]:
        """Colour spaces of the footage that the fit learnt from, as far as they are known."""
        spaces = self.fit.card.get("lineage", {}).get("spaces") or []
        return [s for s in map(str, spaces) if colour.known(s)]

    def _check_fit(self) -> None:
        spec = self.fit.task.spec
        self.ask.fill.check(spec)
        if spec.fills != self.fills:
            raise UsageError(
                f"fits of {spec.name} make pixels, which is seen in a render only",
                path=self.fit.path,
                hint="Render with footagefit infer",
            )

    def _check_layers(self) -> None:
        check_layers(self.fit, self.ask.layers, self.clip.info.layers)

    @property
    def info(self) -> ClipInfo:
        """Of the clip that comes out."""
        return self.clip.info

    def _frames(self) -> list[int]:
        wanted = wanted_frames(self.clip, self.ask.frames, "error")
        return self._with_handles(wanted, self.clip.numbers)

    def _with_handles(self, wanted: Sequence[int], there: Sequence[int]) -> list[int]:
        if self.ask.handles < 0:
            raise WrongValue(f"handles: {self.ask.handles} is below 0", hint="Say handles=8")
        more = range(1, self.ask.handles + 1)
        reach = {wanted[0] - k for k in more} | {wanted[-1] + k for k in more}
        return sorted({*wanted, *(reach & set(there))})

    def _shot_frames(self) -> list[int]:
        """Frames that are looked at: whichever are written, always the whole shot."""
        if self.ask.shot is None:
            return self.clip.numbers
        shot = sorted(set(numbers(self.ask.shot)) & set(self.clip.numbers))
        outside = sorted(set(self.frames) - set(shot))
        if outside:
            raise WrongValue(
                f"shot={self.ask.shot} lacks frames {ranges(outside)} that are to be written",
                path=self.clip.info.path,
                hint="Widen shot= or narrow frames=",
            )
        return shot

    def _open_reference(self) -> Clip | None:
        spec = self.fit.task.spec
        if self.ask.reference is None:
            if spec.references:
                raise UsageError(
                    f"reference is not set, and {spec.name} needs one",
                    hint="Say reference=<the clip or frame it must sit beside>",
                )
            return None
        return self._beside(self.ask.reference)

    def _beside(self, path: Path) -> Clip:
        """Another clip; in the plate's space where nobody knows its own."""
        try:
            return open_clip(path, space=self.ask.reference_space)
        except UnknownSpace:
            space = self.clip.info.space
            _warn(f"{path}: its colour space is not certain; taken as {space}")
            return open_clip(path, space=space)

    def _open_mask(self) -> Clip | None:
        return None if self.ask.mask is None else self._matte(self.ask.mask)

    def _matte(self, path: Path, *, what: str = "mask") -> Clip:
        """A clip of mattes that goes with the plate."""
        matte = open_clip(path, space=colour.WORKING)  # mattes are never converted
        check_mask(matte, self.clip, self.shot_frames, what=what)
        return matte

    def _warn_of_space(self) -> None:
        known = self._learnt_in()
        if known and not any(colour.same(self.clip.info.space, s) for s in known):
            show = self.fit.card["lineage"].get("show", "its show")
            beside = colour.encoding(self.clip.info.space) == "scene-linear"
            _warn(
                f"{self.clip.info.path}: the plate is {self.clip.info.space}, and the fit learnt "
                f"{show} in {', '.join(known)}; "
                + ("all is well where its dailies are proxies, else " if beside else "")
                + "check space="
            )

    def _out(self) -> Path:
        if self.ask.out is not None:
            return self.ask.out.expanduser()
        folder = versions.renders_folder(self.fit.path)
        stem = versions.stem_of(self.clip, self.fit.task.spec.name)
        return versions.next_version(folder, stem, self.clip, goes_on=self._goes_on)

    def _goes_on(self, path: Path) -> bool:
        form = self.ask.form.resolved(self.clip.info, path)
        job = job_of(path, form, self.clip.info.path, self.job)
        return continues(manifest_path(path), job)

    def _check_out(self) -> None:
        refuse_own_input(self.clip, self.out, self.ask.plate)
        movie = self.out.suffix.lower() in MOVIES
        if not movie and parse(self.out) is None and len(self.frames) > 1:
            raise WrongValue(
                f"one file for {len(self.frames)} frames",
                path=self.out,
                hint="Put #### into its name",
            )
        if self.ask.layers and self.out.suffix.lower() != ".exr":
            raise WrongValue(
                f"{self.out.suffix} holds no layers", path=self.out, hint="Write .exr files"
            )
        warn_of_layers(self.clip, self.out, self.form)

    @cached_property
    def reference_numbers(self) -> list[int]:
        """Frames of the reference that are looked at."""
        if self.reference is None:
            return []
        return reference_frames(self.reference, most=REFERENCES, only=self.ask.reference_frames)

    @cached_property
    def key(self) -> str:
        """Of everything that the shot's looks are decided from."""
        reference = self.reference
        beside = None if reference is None else clip_key(reference, self.reference_numbers)
        return plain_key(
            {
                "version": VERSION,
                "fit": self.fit.hash,
                "recipe": repr(self.fit.recipe),
                "signature": dict(self.fit.signature),
                "plate": clip_key(self.clip, self.shot_frames),
                "layer": self.ask.layer,
                "reference": beside,
                "mask": key_beside(self.mask, self.shot_frames),
                "controls": self.animation.plain(amounts=False),
                "config": colour.source(),
                **({"half": True} if self.ask.half else {}),
            }
        )

    @cached_property
    def job(self) -> dict[str, Any]:
        """What makes this render what it is, for the manifest."""
        reference = self.reference
        return {
            "fit": {"hash": self.fit.hash, "path": str(self.fit.path)},
            "recipe": self.recipe,
            "controls": self.animation.plain(),
            "temporal": self.ask.temporal,
            "seed": self.ask.fill.seed,
            "shot": ranges(self.shot_frames),
            "reference": None if reference is None else str(reference.info.path),
            "reference_frames": self.reference_numbers,
            "mask": None if self.mask is None else str(self.mask.info.path),
            "layers": self.layers,
            "looks": self.key,
            **({} if self.regrain is None else {"grain": self.ask.grain}),
        }

    @property
    def recipe(self) -> str:
        """Task and model by name."""
        return f"{self.fit.recipe.task.name} {self.fit.recipe.model.name}"

    @property
    def fields_path(self) -> Path:
        """Where the shot's fields lie: beside the frames."""
        return self.out.parent / f"{self.stem}.fields.safetensors"

    @property
    def stem(self) -> str:
        """What everything beside the frames is called after."""
        return manifest_path(self.out).name.removesuffix(".manifest.json")

    @property
    def layers(self) -> list[str]:
        """Layers to write beside the picture."""
        return list(self.ask.layers)

    def before(self, number: int) -> Tensor:
        """A frame as it was, for people to look at."""
        return self.clip.read([number]).rgb_TCHW[0]

    def forget(self) -> None:
        """Let go of what only a render under way needs."""

    def shot(self) -> Shot:
        """What frames are made from."""
        light = torch.zeros(0, 3, 16, 16)
        if self.reference is not None:
            light = small_reference(self.fit, self.reference, self.reference_numbers)
        return Shot(
            fit=self.fit,
            clip=self.clip,
            reference_RCHW=light,
            animation=self.animation,
            mask=self.mask,
            kept=Kept(self.bounds.kept_bytes),
            regrain=self.regrain,
        )

    def work(self) -> Work:
        """Devices, and how much they take at once."""
        bounds = self.bounds
        readers = min(2, bounds.depth)
        return Work(
            self.fit.model, self.devices, depth=bounds.depth, readers=readers, half=self.ask.half
        )

    @cached_property
    def bounds(self) -> Bounds:
        """How much is under way at once, within the memory that may be taken."""
        limit = int(self.ask.memory_gb * _GIB) if self.ask.memory_gb else available() // 2
        return Bounds.within(limit, self.frame_bytes, self.ask.threads)

    @property
    def frame_bytes(self) -> int:
        """A frame as it is computed on: three channels of float."""
        return self.info.width * self.info.height * 12

    @property
    def stored_bytes(self) -> int:
        """About what one written frame takes on disk."""
        info, own = self.info, self.clip.info
        samples = info.width * info.height * 3 * max(1, info.bit_depth // 8)
        alike = self.out.suffix.lower() == f".{info.codec}"
        if alike and self.form.compression == str(info.metadata.get("compression", "")):
            one = file_of(self.clip, self.shot_frames[0]).stat().st_size
            each = one * info.width * info.height // (own.width * own.height)
        else:
            each = samples
        return each + len(self.layers) * samples

    def check_room(self) -> None:
        """Raise `DiskFull` where the frames that are not there yet will not fit."""
        folder = next(p for p in [self.out.parent, *self.out.parent.parents] if p.is_dir())
        free = shutil.disk_usage(folder).free
        pattern = parse(self.out)
        there = 0 if pattern is None else sum(pattern.path(n).exists() for n in self.frames)
        need = self.stored_bytes * (len(self.frames) - there)
        if self.out.suffix.lower() not in MOVIES and need > free:
            raise DiskFull(
                f"about {need / _GIB:.1f} GiB are needed and {free / _GIB:.1f} GiB are free",
                path=folder,
                hint="Free some space, choose another out=, or a compression that packs more",
            )

    def parts(self, size: int) -> list[list[int]]:
        """The frames to write in chunks."""
        if size < 1:
            raise WrongValue(f"chunk: {size} is below 1", hint="Say chunk=50")
        return [self.frames[i : i + size] for i in range(0, len(self.frames), size)]


def _warn(line: str) -> None:
    warnings.warn(FootagefitWarning(line), stacklevel=4)
