"""What `apply` and `remove` share: a clip through a chain of measured effects.

Here: frames in, frames out, with the conventions of `convert`. Not here: the effects.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from footagefit.commands.progress import track
from footagefit.errors import FootagefitWarning, WrongValue
from footagefit.footage.asked import refuse_own_input, wanted_frames, warn_of_layers
from footagefit.footage.opening import open_clip
from footagefit.footage.pattern import MOVIES, ranges
from footagefit.footage.writing import Existing, OutputForm, Writer, open_writer

if TYPE_CHECKING:
    from footagefit.footage.clip import Clip
    from footagefit.signature.applying import Chain
    from footagefit.signature.record import Signature

Way = Literal["apply", "remove"]


@dataclass(frozen=True)
class Asked:
    """Which of a signature's effects a clip is to go through, and which way."""

    way: Way
    signature: Path
    effects: list[str] | None
    lens: str | None
    setup: str | None
    seed: int | None


def verb(way: Way) -> Callable[..., int]:
    """What a person runs: `apply` or `remove`; their keys are the same."""

    def lensed(
        *,
        in_: Path,
        out: Path,
        signature: Path,
        effects: list[str] | None,
        lens: str | None,
        setup: str | None,
        seed: int | None,
        space: str,
        frames: str | None,
        layer: str,
        existing: Existing,
        threads: int | None,
        dry_run: bool,
        output: OutputForm,
    ) -> int:
        """Read `in_` frame by frame and write `out`; the verb's config tells each key."""
        from footagefit.signature import record

        asked = Asked(way, signature, effects, lens, setup, seed)
        measured = record.read(signature)
        clip = open_clip(in_, space=space, layer=layer)
        refuse_own_input(clip, out, in_)
        wanted = wanted_frames(clip, frames, "error")
        form = output.resolved(clip.info, out)
        chain = chain_of(measured, asked)
        _check(clip, chain)
        _describe(clip, out, form, wanted)
        print(f"{way}: {', '.join(chain.effects)}")
        warn_of_layers(clip, out, form)
        if dry_run:
            return 0
        out.expanduser().parent.mkdir(parents=True, exist_ok=True)
        with open_writer(
            out, info=clip.info, form=form, existing=existing, source=clip.info.path,
            threads=threads, job=_identity(measured, asked, chain),
        ) as writer:  # fmt: skip
            kept = _through(clip, writer, wanted, chain, way)
        if kept:
            print(f"{kept} frames were there already")
        print(f"{len(wanted) - kept} frames written to {out}")
        return 0

    return lensed


def chain_of(measured: Signature, asked: Asked) -> Chain:
    """The effects asked for, of the lens and set-up asked for."""
    from footagefit.signature.applying import REMOVABLE, Chain

    look = None if asked.setup is None else measured.setup(asked.setup)
    name = asked.lens if asked.lens is not None else (look.lens or None if look else None)
    grain = look.grain if look is not None and look.grain is not None else measured.grain
    lens = measured.lens(name)
    effects = asked.effects
    if effects is None and asked.way == "remove":
        there = [e for e in REMOVABLE if getattr(lens, e, None) is not None]
        effects = there + ([] if grain is None else ["grain"])
    chain = Chain(lens, grain, effects=effects, seed=asked.seed)
    if not chain.effects:
        raise WrongValue(
            "nothing was measured that could be used", path=asked.signature,
            hint="Measure with more frames, or choose another lens= or setup=",
        )  # fmt: skip
    return chain


def _check(clip: Clip, chain: Chain) -> None:
    info = clip.info
    if info.raster != info.display:
        raise WrongValue(
            "the data window is not the display window, and a lens is centred in its own frame",
            path=info.path, hint="Crop or fill the frame to its display window first",
        )  # fmt: skip
    bent = chain.lens.distortion
    if bent is not None and "distortion" in chain.effects:
        if abs(bent.squeeze - info.pixel_aspect) > 0.01:
            raise WrongValue(
                f"the lens was measured at squeeze {bent.squeeze:g}, the clip has "
                f"{info.pixel_aspect:g}", path=info.path, hint="Choose another lens=",
            )  # fmt: skip
        others = sorted({c.rpartition(".")[0] for c in info.channels if "." in c})
        if others:
            line = f"{info.path}: layers {', '.join(others)} pass through and are not bent"
            warnings.warn(
                FootagefitWarning(line),
                stacklevel=2,
            )


def _identity(measured: Signature, asked: Asked, chain: Chain) -> dict[str, object]:
    """What makes this job what it is, so that a stopped one goes on as itself."""
    raw = json.dumps(asdict(measured), sort_keys=True)
    return {
        "verb": asked.way,
        "effects": list(chain.effects),
        "lens": asked.lens,
        "setup": asked.setup,
        "seed": asked.seed,
        "signature": hashlib.blake2b(raw.encode(), digest_size=16).hexdigest(),
    }


def _through(clip: Clip, writer: Writer, wanted: list[int], chain: Chain, way: Way) -> int:
    """Frames one by one; returns how many were left alone."""
    kept = 0
    passes = clip.info.codec == "exr"
    for number in track(wanted, total=len(wanted), label=way):
        if writer.has(number):
            kept += 1
            continue
        frame = clip.read([number])
        rgb = frame.rgb_TCHW[0]
        alpha = None if frame.alpha_T1HW is None else frame.alpha_T1HW[0]
        if way == "apply":
            made = chain.apply(rgb, number=number)
        else:
            made = chain.remove(rgb, number=number)
        alpha = None if alpha is None else chain.bent(alpha, back=way == "remove")
        native = clip.native(number) if passes else None
        writer.write(number, made, alpha, native=native,
                     entries={f"footagefit/{way}": ",".join(chain.effects)})  # fmt: skip
    return kept


def _describe(clip: Clip, out: Path, form: OutputForm, wanted: list[int]) -> None:
    info = clip.info
    print(
        f"{info.path}: {info.width}x{info.height} {info.sample} {info.codec}, "
        f"{info.space}, frames {ranges(wanted)}"
    )
    how = form.codec if out.suffix.lower() in MOVIES else f"{form.depth}, {form.compression}"
    print(f"{out}: {how}, {form.space}")
