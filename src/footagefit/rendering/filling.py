"""A shot through a fit that makes pixels: real ones from elsewhere first, made ones last.

Here: both passes of such a render, and the order in which a frame's pixels come about. Not here:
where pixels lack (`laid.py`), each way to get some (`motion`, `models`, `dressing.py`,
`replaced.py`).

Pass one looks at the whole shot: which frames are holes all over, how it moves, how far beyond
its ends frames can be told. No frame depends on which others are written.

Shapes: C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from footagefit.errors import UsageError
from footagefit.footage import colour
from footagefit.footage.manifest import manifest_path, unfinished
from footagefit.footage.opening import open_clip
from footagefit.footage.pattern import ranges
from footagefit.footage.writing import Entry, Writer
from footagefit.motion.carried import Carried
from footagefit.motion.propagation import Propagation
from footagefit.records import Native
from footagefit.rendering import fields
from footagefit.rendering.composite import MASK, Result
from footagefit.rendering.content import clip_key, file_of, plain_key
from footagefit.rendering.dressing import Dressing
from footagefit.rendering.fill_plan import CONFIDENCE, FillPlan
from footagefit.rendering.laid import Laid
from footagefit.rendering.making import Making
from footagefit.rendering.render import Progress, Renderer, make_folder, quiet
from footagefit.rendering.replaced import Replaced

GONE = 0.999  # a mask over more of the plate than this leaves nothing of the frame
ENDS = 0.35  # mean confidence below which frames beyond the ends are not made
_UNSURE, _MUCH = 0.4, 0.004  # of a handle's pixels; share of them that is worth a look
_NAMES = {"drop": "dropped frame"}  # of what is looked for, where its key is not its name
_SUREST = 0.99  # that a pixel of another frame can be; 1 marks the plate's own


class Filled(NamedTuple):
    """A frame with its pixels made.

    Attributes:
        rgb_CHW: Scene-linear ACEScg, straight.
        alpha_1HW: Coverage, or None where the plate has none.
        made_1HW: How much of each pixel was made.
        confidence_1HW: 1 where the plate stands, less where pixels came from elsewhere.
        keep_HW: Where stored values stay; None where nowhere.
        native: Stored values, header and layers, on the canvas.
    """

    rgb_CHW: Tensor
    alpha_1HW: Tensor | None
    made_1HW: Tensor
    confidence_1HW: Tensor
    keep_HW: Tensor | None
    native: Native | None


class Filler(Renderer):
    """Both passes of a render that makes pixels.

    Args:
        plan: What to do.
    """

    def __init__(self, plan: FillPlan) -> None:
        super().__init__(plan)
        self._plan = plan
        self.footage = plan.footage()
        self.shot = self.footage.shot
        self.gone: list[int] = []
        self.cut: list[int] = []
        self._marked = True  # whether the mask marks anything
        self._ends: dict[int, list[float]] = {}

    def look(self, progress: Progress = quiet) -> None:
        """Pass one: what is missing where, and how the shot moves."""
        plan = self._plan
        self.footage.turn_to(plan.frames[0])
        make_folder(plan.fields_path.parent)
        if plan.fill.cleanup.find is not None:
            self._find(progress)
        stored = fields.read_stored(plan.fields_path, self._key)
        if stored is not None:
            self.gone, ends = list(stored[1]["gone"]), stored[1]["ends"]
            self._marked = bool(stored[1].get("marked", True))
            self._ends = {int(number): value for number, value in ends.items()}
        elif plan.alpha is None:
            self.gone = self._holes(progress)
        self.footage.without(self.gone)
        self._check_something_left()
        if plan.alpha is None:
            total = len(plan.timeline.numbers)
            self.propagation.prepare(partial(progress, total=total, label="motion"))
        if stored is None:
            self._keep()
        self._beyond(progress)
        self.cut = _beyond_confidence(self._ends, self._far())

    def _keep(self) -> None:
        """Keep what is known of the shot so far, so that a pass that is stopped goes on."""
        told = {
            "key": self._key, "gone": self.gone, "ends": self._ends, "marked": self._marked,
        }  # fmt: skip
        numbers = torch.tensor(self._plan.timeline.numbers)
        fields.store(self._plan.fields_path, {"frames": numbers}, told)

    @cached_property
    def _key(self) -> str:
        """Of what frames are made from, what was found among it."""
        mask = self.shot.mask
        found = None if mask is None or mask is self._plan.mask else clip_key(mask, mask.numbers)
        return plain_key({"plan": self._plan.key, "found": found})

    @cached_property
    def propagation(self) -> Propagation:
        """Real pixels of other frames and takes."""
        return Propagation(
            self.footage,
            takes=self._plan.other_takes(),
            cache=self._plan.motion_folder / self._key[:16],
            most_bytes=self._plan.motion_bytes,
            lens=None if self._plan.canvas.moves else Dressing(self._plan.fit.signature).lens,
            plate=self._plan.canvas.plate_box,
            grain=lambda: self._making.grain,
        )

    @cached_property
    def _making(self) -> Making:
        return Making(self._plan, self.footage, propagation=self.propagation, work=self.work)

    def _find(self, progress: Progress) -> None:
        """Masks of what is to be found, written for a person to look at and correct."""
        from footagefit.rendering.found import write_found

        plan, kind = self._plan, self._plan.fill.cleanup.find
        assert kind is not None
        done = write_found(kind, plan.clip, plan.found_path, frames=plan.shot_frames)
        for _ in progress(done, total=len(plan.shot_frames), label=f"find {kind}"):
            pass
        self.shot.mask = open_clip(plan.found_path, space=colour.WORKING)

    def _holes(self, progress: Progress) -> list[int]:
        """Frames that are holes all over; whether any frame has one is noted."""
        if self.shot.mask is None:
            return []
        gone, self._marked = [], False
        shown = self.footage.shown
        for number in progress(iter(shown), total=len(shown), label="holes"):
            frame = self._plan.timeline.frame_of(number)
            matte = None if frame is None else self.shot.matte(frame)
            share = 0.0 if matte is None else float((matte > 0).float().mean())
            self._marked = self._marked or share > 0.0
            if share > GONE:
                gone.append(number)
        return gone

    def _check_something_left(self) -> None:
        if not self.footage.shown:
            raise UsageError(
                "every frame of the shot is a hole: nothing is left to fill them from",
                path=None if self.shot.mask is None else self.shot.mask.info.path,
                hint="Mask less, or widen shot=",
            )

    def _far(self) -> tuple[list[int], list[int]]:
        """Frames before the plate's first and after its last, outwards."""
        line = self._plan.timeline
        own = line.shown(self._plan.shot_frames)
        before = [n for n in line.numbers if n < own[0]]
        return before[::-1], [n for n in line.numbers if n > own[-1]]

    def _beyond(self, progress: Progress) -> None:
        """Of frames beyond the plate's first and last: how sure they are, and how much is not.

        Outwards, as far as frames are to be written or confidence reaches, whichever ends first.
        Only where the nearest frame has pixels: what lies beside the picture is another matter.
        """
        before, after = self._far()
        wanted = self._plan.frames
        far = [*(n for n in before if n >= wanted[0]), *(n for n in after if n <= wanted[-1])]
        shown, ended = self.footage.shown, set[int]()
        for number in progress(iter(far), total=len(far), label="ends") if far else ():
            near = shown[0] if number < shown[0] else shown[-1]
            if near in ended:
                continue
            if number not in self._ends:
                sure = self.propagation.at(number).confidence_1HW[self.footage.hole(near) <= 0]
                unsure = float((sure < _UNSURE).float().mean())
                self._ends[number] = [round(float(sure.mean()), 4), round(unsure, 4)]
                self._keep()
            if self._ends[number][0] < ENDS:
                ended.add(near)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person had better know or look at."""
        lines = []
        plan = self._plan
        if plan.fill.cleanup.find is not None:
            path, kind = plan.found_path, plan.fill.cleanup.find
            if self._marked or plan.gaps:
                lines.append(f"found: masks in {path}; correct them and say mask={path}")
            else:
                lines.append(f"no {_NAMES.get(kind, kind)} found, and nothing was changed: where "
                             f"there is one paint it into {path} and say mask={path}")  # fmt: skip
        elif plan.mask is not None and not self._marked:
            lines.append(f"{plan.mask.info.path}: the mask marks nothing")
        if self.gone:
            lines.append(f"holes all over, filled from their neighbours: {ranges(self.gone)}")
        made = sorted(set(self.frames) - set(self.footage.shown) - set(self.gone))
        if made:
            lines.append(f"frames that the plate does not have, made: {ranges(made)}")
        if self.cut:
            best = max(self._ends[n][0] for n in self.cut if n in self._ends)
            lines.append(
                f"not made: {ranges(self.cut)}: confidence ends there "
                f"({best:.2f}, and {ENDS:g} is wanted)"
            )
        odd = {n: e[1] for n, e in self._ends.items() if e[1] > _MUCH and n not in self.cut}
        if odd:
            lines.append(
                f"look closely at {ranges(odd)}: how {max(odd.values()):.1%} of the frame goes on "
                "cannot be told"
            )
        return tuple(lines)

    @property
    def frames(self) -> list[int]:
        """Frames that are written."""
        cut = set(self.cut)
        return [number for number in self._plan.frames if number not in cut]

    def write(self, progress: Progress = quiet) -> int:
        """Pass two; what was kept of the shot's motion goes when all is written."""
        written = super().write(progress)
        if not self._plan.ask.part and not unfinished(manifest_path(self._plan.out)):
            self._plan.forget()
        return written

    def _made(self, todo: Sequence[int], writer: Writer) -> Iterator[int]:
        for number in todo:
            filled = self.filled(number)
            result = self.result_of(filled)
            helps = filled.native is not None and (
                self._plan.clip.info.codec == "exr" or result.keep_HW is not None
            )
            writer.write(
                number,
                result.rgb_CHW,
                result.alpha_1HW,
                native=filled.native if helps else None,
                keep_HW=result.keep_HW,
                layers=result.layers,
                entries=self.entries(number) | _told(filled),
            )
            yield number

    def result_of(self, filled: Filled) -> Result:
        """As it is written: premultiplied, with the layers that were asked for."""
        rgb, a = filled.rgb_CHW, filled.alpha_1HW
        layers = {MASK: filled.made_1HW, CONFIDENCE: filled.confidence_1HW}
        asked = {name: layers[name] for name in self._plan.layers}
        if a is not None:
            rgb = torch.where(a == 0, rgb, rgb * a)
        return Result(rgb, a, filled.keep_HW, asked)

    def filled(self, number: int) -> Filled:
        """A frame with every pixel it lacks."""
        self.footage.turn_to(number)
        if self._plan.alpha is not None:
            return self._replaced(number)
        if number not in self.footage.shown:
            return self._whole(number)
        laid = self.footage.laid(number)
        strength = self._plan.animation.amounts_at(number).strength
        made = laid.made_1HW
        if not self._plan.canvas.grows:
            made = made * strength
        rgb, confidence = laid.rgb_CHW, torch.ones_like(made)
        if bool((made > 0).any()):
            carried = self.propagation.at(number)
            pixels = self._making.pixels(number, self.footage.plate(number), laid.hole_1HW, carried)
            rgb = _put(rgb, pixels, made)
            confidence = _marked(made, carried)
        return Filled(rgb, laid.alpha_1HW, made, confidence, _kept(laid, made), laid.native)

    def _whole(self, number: int) -> Filled:
        """A frame that the plate does not have, or of which nothing is to be used."""
        size = self._plan.canvas.size
        everywhere = torch.ones(1, *size)
        carried = self.propagation.at(number)
        near = min(self.footage.shown, key=lambda n: (abs(n - number), n))
        pixels = self._making.pixels(number, torch.zeros(3, *size), everywhere, carried, near=near)
        sure = _marked(everywhere, carried)
        if number not in self.gone:
            alpha = everywhere if self._plan.clip.info.alpha else None
            return Filled(pixels, alpha, everywhere, sure, None, self.footage.blank(near))
        laid = self.footage.laid(number)
        rgb, sure = _put(laid.rgb_CHW, pixels, laid.made_1HW), _marked(laid.made_1HW, carried)
        keep = _kept(laid, laid.made_1HW)
        return Filled(rgb, laid.alpha_1HW, laid.made_1HW, sure, keep, laid.native)

    def _replaced(self, number: int) -> Filled:
        """A frame before another background."""
        frame = self._plan.timeline.frame_of(number)
        assert frame is not None
        laid = self.footage.laid(number)
        front = laid.made_1HW  # the matte that was laid is of what stays in front
        rgb = self._behind.frame(frame, laid.rgb_CHW.nan_to_num(0.0, 65504.0, -1.0), front)
        kept = laid.native is not None and self._plan.match is None
        keep = front[0] >= 1.0 if kept else None
        return Filled(rgb, laid.alpha_1HW, 1.0 - front, torch.ones_like(front), keep, laid.native)

    @cached_property
    def _behind(self) -> Replaced:
        plan = self._plan
        assert plan.background is not None
        return Replaced(self.shot, plan.background, plan.shot_frames, match=plan.match)

    def _temporal(self, number: int) -> str:
        del number
        return "none"

    def _source(self, number: int) -> str:
        frame = self._plan.timeline.frame_of(number)
        there = frame is not None and frame in self._plan.shot_frames
        return file_of(self._plan.clip, frame).name if frame is not None and there else ""

    def _references(self) -> str:
        return ", ".join(take.info.path.name for take in self._plan.takes)


def _put(plate: Tensor, pixels: Tensor, made: Tensor) -> Tensor:
    """Pixels in their place: plate + m (pixels - plate), the plate's own where m is 0."""
    mixed = torch.where(made >= 1.0, pixels, plate + made * (pixels - plate))
    return torch.where(made > 0, mixed, plate)


def _kept(laid: Laid, made: Tensor) -> Tensor | None:
    """Where stored values stay; None where none are the canvas's own."""
    return made[0] <= 0 if laid.keeps and laid.native is not None else None


def _marked(made: Tensor, carried: Carried) -> Tensor:
    """Confidence of a frame: 1 where the plate stands, and nowhere else."""
    return 1.0 - made * (1.0 - carried.confidence_1HW.clamp_max(_SUREST))


def _beyond_confidence(
    ends: dict[int, list[float]], sides: tuple[list[int], list[int]]
) -> list[int]:
    """Frames from the first on, outwards, whose confidence is too low."""
    cut = []
    for side in sides:
        low = next((i for i, n in enumerate(side) if n in ends and ends[n][0] < ENDS), len(side))
        cut += side[low:]
    return sorted(cut)


def _told(filled: Filled) -> dict[str, Entry]:
    """What of a frame was made, for its header."""
    made = filled.made_1HW > 0
    share = float(made.float().mean())
    sure = float(filled.confidence_1HW[made].mean()) if share else 1.0
    return {"footagefit/made": round(share, 6), "footagefit/confidence": round(sure, 4)}
