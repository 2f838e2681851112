"""Camera files of one take: proxy, plate and truth, and the record that says it is whole.

The record (`truth/<shot>/shot.json`) is written last: a take that has it, with every file it
lists at the size it lists, is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from footagefit.footage import colour
from footagefit.footage.timecode import shifted
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.records import Box, ClipInfo, Light
from footagefit.soundstage import slate, truth
from footagefit.soundstage.plan import RATE, SHOW, Script, Take
from footagefit.soundstage.sensor import expose

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.soundstage.filming import Filmed
    from footagefit.soundstage.specs import SetUp

PLATE_FIRST = 1001
PROXY_FIRST = 1


class Camera(Protocol):
    """What can be asked for the picture of a moment."""

    def frame(self, time_s: float, *, truth: bool = True) -> Filmed:
        """The picture, and its truth where wanted."""
        ...


Film = Callable[["SetUp", tuple[int, int]], Camera]


def proxy_path(out: Path, take: Take) -> Path:
    """Where the camera file's proxy lies: a folder per roll."""
    return out / take.roll / f"{take.clip}.mov"


def plate_path(out: Path, take: Take) -> Path:
    """The plate's pattern."""
    return out / "plates" / take.plate / f"{take.plate}_v001.####.exr"


def still_path(out: Path, take: Take) -> Path:
    """A picture of the take, for the contact sheet."""
    return out / "truth" / take.shot / "still.png"


def done(out: Path, take: Take) -> bool:
    """Whether a take is there whole."""
    try:
        record = truth.read_json(out / "truth" / take.shot / "shot.json")
    except truth.UnreadableClip:
        return False
    files = {out / name: size for name, size in record["files"].items()}
    return all(p.is_file() and p.stat().st_size == size for p, size in files.items())


def deliver(out: Path, take: Take, *, script: Script, film: Film) -> None:
    """Shoot one take and write everything of it."""
    frames, light = _shoot(out, take, script=script, film=film)
    proxy = proxy_path(out, take)
    files = [still_path(out, take)]
    _still(files[0], frames[take.first_action + len(take.moments) // 2])
    _write(proxy, frames, PROXY_FIRST, _info(proxy, take, script), "h264")
    if take.fault is not None and take.fault.kind == "corrupt":
        _truncate(proxy, take.fault.size)
    files.append(proxy)
    if take.plate:
        files += _plate(out, take, frames, script)
    files += [truth.frame_path(out, take.shot, _number(take, m)) for m in take.truth]
    sizes = {p.relative_to(out).as_posix(): p.stat().st_size for p in files}
    truth.write_shot(out, take.shot, {**record(take), "light": asdict(light), "files": sizes})


def record(take: Take) -> dict[str, Any]:
    """What is on record of a take, in plain data."""
    plain = asdict(take)
    plain["frames"] = {
        "first": PROXY_FIRST,
        "last": PROXY_FIRST + take.length - 1,
        "slate": [PROXY_FIRST + p for p in take.slate],
        "action_first": PROXY_FIRST + take.first_action,
        "action_last": PROXY_FIRST + take.first_action + len(take.moments) - 1,
    }
    return plain


def _number(take: Take, moment: int) -> int:
    """The proxy's number of a performance moment."""
    return PROXY_FIRST + take.first_action + take.moments.index(moment)


def _shoot(out: Path, take: Take, *, script: Script, film: Film) -> tuple[list[Tensor], Light]:
    """Exposed frames in file order, the truth written on the way, and the light at the start."""
    camera = film(take.asked, script.size_px)
    action: list[Tensor] = []
    behind, light = None, None
    slate_at = take.moments[-1] if take.tail_slate else take.moments[0]
    for moment in take.moments:
        wanted = moment in take.truth
        filmed = camera.frame(moment / float(RATE), truth=wanted)
        light = light or filmed.light
        if moment == slate_at:
            behind = filmed
        if wanted:
            layers = dict(filmed.truth)
            if filmed.mask_1HW is not None and filmed.clean_CHW is not None:
                layers |= {"mask": filmed.mask_1HW, "clean": filmed.clean_CHW}
            truth.write_frame(out, take.shot, _number(take, moment), layers)
        action.append(expose(filmed.image_CHW, take.sensor, seed=take.seed, frame=moment))
    if behind is None or light is None:
        return action, take.asked.light
    boards = [
        expose(
            slate.held(behind.image_CHW, take, light=behind.light, place=place),
            take.sensor,
            seed=take.seed,
            frame=10_000 + place,
        )
        for place in range(take.slate_frames)
    ]
    return (action + boards if take.tail_slate else boards + action), light


def _info(path: Path, take: Take, script: Script, *, plate: bool = False) -> ClipInfo:
    height, width = script.size_px
    box = Box(0, 0, width, height)
    start = shifted(take.timecode, take.first_action, RATE) if plate else take.timecode
    gaps = _gaps(take) if plate else ()
    moments = take.moments[-1] - take.moments[0] + 1
    return ClipInfo(
        path=Path(path.name), raster=box, display=box, data=box,
        first_frame=PLATE_FIRST if plate else PROXY_FIRST,
        length=moments if plate else take.length,
        rate=RATE, sample="half" if plate else "uint8", space=colour.WORKING, timecode=start,
        missing=gaps, codec="exr" if plate else "h264",
        metadata={"reel": take.clip, "camera": f"Stage {take.camera}",
                  "lens": take.asked.lens.name, "iso": "800"},
        pixel_aspect=take.asked.lens.squeeze,
    )  # fmt: skip


def _gaps(take: Take) -> tuple[int, ...]:
    dropped = take.fault.frames if take.fault and take.fault.kind == "dropped" else ()
    return tuple(PLATE_FIRST + m for m in dropped)


def _write(path: Path, frames: list[Tensor], first: int, info: ClipInfo, codec: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = OutputForm(space="g24_rec709", codec=codec, depth="8")
    with open_writer(path, info=info, form=form, existing="replace") as writer:
        for number, frame in enumerate(frames, start=first):
            writer.write(number, frame)
    (path.parent / f"{path.stem}.manifest.json").unlink(missing_ok=True)


def _plate(out: Path, take: Take, frames: list[Tensor], script: Script) -> list[Path]:
    """The performance frames as half-float EXR; dropped moments leave gaps in the numbers."""
    path = plate_path(out, take)
    path.parent.mkdir(parents=True, exist_ok=True)
    form = OutputForm(space=colour.WORKING, depth="half", compression="zip")
    info = _info(path, take, script, plate=True)
    action = frames[take.first_action : take.first_action + len(take.moments)]
    with open_writer(path, info=info, form=form, existing="replace", threads=1) as writer:
        for moment, frame in zip(take.moments, action, strict=True):
            writer.write(PLATE_FIRST + moment, frame)
    for left in path.parent.glob("*.manifest.json"):
        left.unlink()
    return [path.parent / path.name.replace("####", f"{PLATE_FIRST + m:04d}") for m in take.moments]


def _truncate(path: Path, share: float) -> None:
    """What a card pulled too early leaves: the head of the file."""
    whole = path.read_bytes()
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(whole[: int(len(whole) * share)])
    part.replace(path)


def _still(path: Path, frame_CHW: Tensor) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    shown = colour.preview(frame_CHW.permute(1, 2, 0).contiguous().numpy())
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(shown).save(part, format="PNG")
    part.replace(path)


__all__ = ["SHOW", "Film", "deliver", "done", "plate_path", "proxy_path", "record", "still_path"]
