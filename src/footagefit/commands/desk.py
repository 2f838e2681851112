"""What the page of `footagefit ui` can ask for: pictures, references, the command, the render.

What belongs here: one person's session on one plate and one fit. What does not: how requests
arrive (`report.local`), how a frame is made (`rendering`), the page itself (`report/assets`).
"""

from __future__ import annotations

import shlex
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from footagefit.commands.infer import flattened
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import Shot
from footagefit.errors import (
    FootagefitError,
    FootagefitWarning,
    UnknownName,
    UsageError,
    WrongValue,
)
from footagefit.footage.clip import Clip
from footagefit.footage.opening import open_clip
from footagefit.footage.view import View
from footagefit.rendering.ask import Ask
from footagefit.rendering.controls import Asked, animation
from footagefit.rendering.fits import Fit, fit_of
from footagefit.rendering.plan import Plan
from footagefit.rendering.preview import Preview, What
from footagefit.rendering.render import run
from footagefit.report.local import Answer, Given, Routes
from footagefit.tasks.base import Control

State = Literal["none", "running", "done", "stopped", "failed"]


class _Stopped(Exception):
    """A person stopped the render."""


@dataclass
class Progress:
    """How far a render is; what the page shows."""

    state: State = "none"
    label: str = ""
    done: int = 0
    total: int = 0
    left_s: float | None = None
    out: str = ""
    error: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {key: value for key, value in vars(self).items() if key != "stop"}


class Desk:
    """One plate, one fit, and somebody who turns the controls.

    Args:
        ask: What was asked for when it was opened; the page changes controls, mask, reference.
        catalogue: The show's, to pick references from; None where there is none.
        view: How the show is looked at; None where nobody said.
        long_px: Long side of previews.

    Raises:
        FootagefitError: Plate, fit or anything else asked for is not usable.
    """

    def __init__(
        self, ask: Ask, *, catalogue: Path | None, view: View | None = None, long_px: int = 960
    ) -> None:
        self.fit: Fit = fit_of(ask.fit, signature=ask.signature, bases=ask.bases)
        self.ask = replace(ask, fit=self.fit)
        self.catalogue = catalogue
        self.view, self.long_px = view, long_px
        self.progress = Progress()
        self._known: dict[str, Shot] = {}
        self._thread: threading.Thread | None = None
        self._preview: Preview | None = None
        with closing(self._open_plate()) as clip:
            self.facts = _facts(clip, self.fit)
        self.facts["start"] = animation(self.fit.task.spec, ask.controls).plain()
        if ask.reference is not None or not self.fit.task.spec.references:
            self._settle(self.ask)

    def routes(self) -> Routes:
        """What the page may ask for."""
        return Routes(
            seen={"state": self._state, "shots": self._shots, "thumbnail": self._thumbnail},
            done={
                "preview": self._picture, "at": self._at, "mask": self._set_mask,
                "reference": self._set_reference, "command": self._command,
                "render": self._render, "stop": self._stop,
            },
        )  # fmt: skip

    def close(self) -> None:
        """Stop what is under way; what is written is kept."""
        self.progress.stop.set()
        if self._thread is not None:
            self._thread.join()

    def _open_plate(self) -> Clip:
        ask = self.ask
        return open_clip(ask.plate, space=ask.space, layer=ask.layer, matrix=ask.matrix,
                         levels=ask.levels, rate=ask.rate)  # fmt: skip

    def _settle(self, ask: Ask) -> None:
        """Take what is asked for now, if it holds: nothing changes where it does not."""
        preview = Preview(Plan(ask), view=self.view, long_px=self.long_px)
        self.ask, self._preview = ask, preview

    @property
    def preview(self) -> Preview:
        """Pictures; only once there is a reference, where the task needs one."""
        if self._preview is None:
            hint = "Pick a shot, or type the path of a clip"
            raise UsageError("there is no reference yet", hint=hint)
        return self._preview

    # -- what is seen --------------------------------------------------------------------------

    def _state(self, _: Given) -> Answer:
        return Answer.plain(self.state())

    def state(self) -> dict[str, Any]:
        """What may change: mask, reference, how far the render is."""
        ask = self.ask
        return {
            "mask": None if ask.mask is None else str(ask.mask),
            "reference": None if ask.reference is None else str(ask.reference),
            "reference_frames": ask.reference_frames,
            "ready": self._preview is not None,
            "render": self.progress.plain(),
        }

    def _picture(self, given: Given) -> Answer:
        what = cast(What, given.get("what", "result"))
        if what not in ("result", "plate", "mask"):
            raise UnknownName("picture", what, ["result", "plate", "mask"])
        made = self.preview.picture(
            _frame(given),
            _controls(given),
            what=what,
            exposure_ev=min(12.0, max(-12.0, _number(given, "exposure_ev", 0.0))),
        )
        return Answer(made, "image/jpeg")

    def _at(self, given: Given) -> Answer:
        """Values at a frame, and the plate's own light there."""
        frame, moving = _frame(given), self.preview.controls(_controls(given))
        values = {name: track.at(frame) for name, track in moving.tracks.items()}
        return Answer.plain({"values": values, "own": self.preview.own_light(frame)})

    def _shots(self, _: Given) -> Answer:
        """The show's shots as they are now, for a reference to be picked from."""
        self._known = {}
        if self.catalogue is not None:
            with Catalogue(self.catalogue) as catalogue:
                self._known = {shot.name: shot for shot in catalogue.shots()}
        return Answer.plain({"shots": [_told(shot) for shot in self._known.values()]})

    def _shot(self, name: str) -> Shot:
        if self.catalogue is None:
            raise UsageError("no show's catalogue is open", hint="Start with show=<YAML>")
        if name not in self._known:
            self._shots({})
        if name not in self._known:
            raise UnknownName("shot", name, self._known)
        return self._known[name]

    def _thumbnail(self, given: Given) -> Answer:
        shot = self._shot(str(given.get("shot", "")))
        sql = (
            "SELECT t.jpeg FROM thumbnails t JOIN parts p ON p.medium = t.medium AND p.n = t.part "
            "WHERE t.medium = ? AND p.first = ?"
        )
        with Catalogue(cast(Path, self.catalogue)) as catalogue:
            rows = catalogue.rows(sql, (shot.primary.medium_id, shot.first))
        if not rows:
            raise UsageError(f"{shot.name} has no thumbnail")
        return Answer(bytes(rows[0]["jpeg"]), "image/jpeg")

    # -- what is done --------------------------------------------------------------------------

    def _set_mask(self, given: Given) -> Answer:
        path = _path(given)
        self._settle(replace(self.ask, mask=path))
        return Answer.plain(self.state())

    def _set_reference(self, given: Given) -> Answer:
        """A shot of the show by name, or any clip by its path."""
        if given.get("shot"):
            shot = self._shot(str(given["shot"]))
            path = cast(Path, self.catalogue).parent / shot.primary.path
            link = shot.primary
            frames = f"{link.first}-{link.last}"
            asked = replace(self.ask, reference=path.resolve(), reference_frames=frames)
        else:
            path = _path(given)
            asked = replace(self.ask, reference=path, reference_frames=None)
        if asked.reference is None and self.fit.task.spec.references:
            raise UsageError(f"{self.fit.task.spec.name} needs a reference")
        self._settle(asked)
        return Answer.plain(self.state())

    def _command(self, given: Given) -> Answer:
        return Answer.plain({"line": command_line(self._asked(given))})

    def _asked(self, given: Given) -> Ask:
        """The whole of it, as it stands on the page."""
        self.preview.controls(_controls(given))  # a value that cannot be is refused here
        frames = str(given.get("frames") or "").strip() or None
        return replace(self.ask, controls=_controls(given), frames=frames)

    def _render(self, given: Given) -> Answer:
        if self.progress.state == "running":
            raise UsageError("a render is under way", hint="Stop it first, or wait")
        plan = Plan(self._asked(given))
        self.progress = Progress("running", "look", 0, len(plan.shot_frames), out=str(plan.out))
        self._thread = threading.Thread(target=self._run, args=(plan, self.progress))
        self._thread.start()
        return Answer.plain(self.state())

    def _stop(self, _: Given) -> Answer:
        self.progress.stop.set()
        return Answer.plain(self.state())

    def _run(self, plan: Plan, told: Progress) -> None:
        try:
            run(plan, progress=_telling(told))
            told.state = "done"
        except _Stopped:
            told.state = "stopped"
        except FootagefitError as error:
            told.state, told.error = "failed", str(error)
        except Exception as error:  # a thread's own end would say nothing to the page
            told.state = "failed"
            told.error = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
            warnings.warn(FootagefitWarning(told.error), stacklevel=1)


def _telling(told: Progress) -> Callable[..., Iterator[int]]:
    """Passes frames through while it counts them, until somebody stops it."""

    def passing(items: Iterable[int], *, total: int, label: str) -> Iterator[int]:
        told.label, told.done, told.total, told.left_s = label, 0, total, None
        begun = time.monotonic()
        for item in items:
            yield item
            told.done += 1
            told.left_s = (time.monotonic() - begun) / told.done * (total - told.done)
            if told.stop.is_set() and told.done < total:
                raise _Stopped

    return passing


def command_line(ask: Ask) -> str:
    """The command that renders what is asked for, to be typed or pasted into a shell."""
    fit = ask.fit.path if isinstance(ask.fit, Fit) else ask.fit
    pairs: list[tuple[str, object]] = [
        ("fit", fit.resolve()),
        ("plate", _absolute(ask.plate)),
        ("out", _absolute(ask.out)),
        ("reference", _absolute(ask.reference)),
        ("reference_frames", ask.reference_frames),
        ("mask", _absolute(ask.mask)),
        ("frames", ask.frames),
    ]
    plain = Ask(plate=ask.plate, fit=ask.fit)
    for name in ("space", "reference_space", "layer", "matrix", "levels", "rate", "temporal",
                 "device"):  # fmt: skip
        value = getattr(ask, name)
        pairs.append((name, value if value != getattr(plain, name) else None))
    known = ask.fit.task.spec.controls if isinstance(ask.fit, Fit) else {}
    pairs += [(name, _said(value, known.get(name))) for name, value in ask.controls.items()]
    words = [shlex.quote(f"{name}={value}") for name, value in pairs if value is not None]
    return " ".join(["footagefit", "infer", *words])


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


def _said(value: Asked, control: Control | None) -> str:
    """A control as it is typed: a value or word, or values by frame."""
    if isinstance(value, Mapping):
        return ",".join(f"{frame}:{number:.6g}" for frame, number in value.items())
    if isinstance(value, str):
        return value
    if control is not None and control.choices and value == int(value):
        return control.choices[int(value)]
    return f"{value:.6g}"


def _facts(clip: Clip, fit: Fit) -> dict[str, Any]:
    """What the page needs to know before its first picture."""
    info, spec = clip.info, fit.task.spec
    return {
        "plate": {
            "name": info.path.name, "path": str(info.path), "frames": clip.numbers,
            "width": info.width, "height": info.height,
            "aspect": info.width * info.pixel_aspect / info.height, "space": info.space,
        },
        "fit": {"name": fit.path.resolve().name, "task": spec.name, "hash": fit.hash[:12]},
        "controls": [_control(name, control) for name, control in spec.controls.items()],
        "ball": {"light.azimuth_deg", "light.elevation_deg"} <= set(spec.controls),
        "references": spec.references,
    }  # fmt: skip


def _control(name: str, control: Control) -> dict[str, Any]:
    group, _, last = name.rpartition(".")
    return {
        "name": name, "group": group, "label": last or name, "unit": control.unit,
        "low": control.low, "high": control.high, "default": control.default,
        "help": control.help, "choices": list(control.choices),
    }  # fmt: skip


def _told(shot: Shot) -> dict[str, Any]:
    slate = "/".join(filter(None, (shot.slate.scene, shot.slate.take, shot.slate.camera)))
    return {"name": shot.name, "slate": slate, "setup": shot.setup, "frames": shot.length,
            "flags": list(shot.flags)}  # fmt: skip


def _frame(given: Given) -> int:
    frame = given.get("frame")
    if not isinstance(frame, int) or isinstance(frame, bool):
        raise WrongValue(f"frame: {frame!r} is not a frame number")
    return frame


def _number(given: Given, name: str, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise WrongValue(f"{name}: {value!r} is not a number")
    return float(value)


def _controls(given: Given) -> dict[str, Asked]:
    controls = given.get("controls") or {}
    if not isinstance(controls, Mapping):
        raise WrongValue("controls: expected values by name")
    return flattened(controls)


def _path(given: Given) -> Path | None:
    text = str(given.get("path") or "").strip()
    return Path(text).expanduser() if text else None
