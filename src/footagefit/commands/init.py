"""`footagefit init <folder>`: look at dailies, guess, write the show's YAML, say what is open."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from footagefit.dailies.names import slate_of
from footagefit.errors import (
    AlreadyThere,
    FootagefitError,
    FootagefitWarning,
    UnknownSpace,
    UsageError,
)
from footagefit.footage import colour
from footagefit.footage.opening import open_clip
from footagefit.footage.pattern import MOVIES, PICTURES, in_folder, of_file
from footagefit.records import ClipInfo

T = TypeVar("T")
_LOOKED_AT = 24
_LISTED = 5


@dataclass
class Guess:
    """What a folder of dailies tells.

    Attributes:
        clips: Movies and sequences found, as they are opened.
        spaces: How often each colour space was certain, among those looked at.
        rates: How often each rate was found.
        unsure: Clips whose colour space no header says.
        broken: Clips that do not open, with the reason.
        assumed: Movies that do not say their matrix or levels.
        slates: Which of scene, take, camera, roll the names tell, for how many clips.
    """

    clips: list[Path] = field(default_factory=list)
    spaces: Counter[str] = field(default_factory=Counter)
    rates: Counter[Fraction] = field(default_factory=Counter)
    unsure: list[Path] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    assumed: int = 0
    slates: Counter[str] = field(default_factory=Counter)


def init(*, folder: Path, out: Path | None, work: Path | None, space: str, replace: bool) -> int:
    """Write the show's YAML; see configs/init.yaml for each key."""
    if not folder.is_dir():
        what = "not a folder" if folder.exists() else "no such folder"
        raise UsageError(what, path=folder, hint="Name the folder that holds the dailies")
    name = folder.resolve().name or "show"
    out = out or Path(f"{name}.yaml")
    if out.exists() and not replace:
        raise AlreadyThere("is there already", path=out, hint="Say replace=true or out=<other>")
    given = None if space == "auto" else colour.resolve(space)
    guess = _look(folder, given)
    if not guess.clips:
        raise UsageError(
            "holds no footage",
            path=folder,
            hint=f"It reads {', '.join(MOVIES + PICTURES)}",
        )
    text = _yaml(guess, name=name, root=folder, out=out, work=work, given=given)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, out)
    _report(guess, out, given)
    return 0


def _look(folder: Path, space: str | None) -> Guess:
    guess = Guess(clips=list(_clips(folder)))
    step = max(1, len(guess.clips) // _LOOKED_AT)
    for path in guess.clips:
        slate = slate_of(path.relative_to(folder).as_posix())
        for part in ("scene", "take", "camera", "roll"):
            guess.slates[part] += bool(getattr(slate, part, None))
    for path in guess.clips[::step]:
        info, certain = _opened(path, space, guess)
        if info is None:
            continue
        if certain:
            guess.spaces[info.space] += 1
        else:
            guess.unsure.append(path)
        if info.rate is not None:
            guess.rates[info.rate] += 1
    return guess


def _opened(path: Path, space: str | None, guess: Guess) -> tuple[ClipInfo | None, bool]:
    """A clip's description, and whether its colour space is certain."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", FootagefitWarning)
            try:
                with open_clip(path, space=space or "auto") as clip:
                    return clip.info, True
            except UnknownSpace:
                with open_clip(path, space=colour.WORKING) as clip:
                    return clip.info, False
            finally:
                guess.assumed += bool(said)
    except FootagefitError as error:
        guess.broken.append(str(error))
        return None, False


def _clips(folder: Path) -> Iterator[Path]:
    """Movies and sequences below a folder, in order of their paths."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        here = Path(place)
        for name in sorted(files):
            if Path(name).suffix.lower() in MOVIES and not name.startswith("."):
                yield here / name
        if any(Path(name).suffix.lower() in PICTURES for name in files):
            for pattern in in_folder(here):
                yield Path(str(pattern))
            for name in sorted(files):
                loose = Path(name).suffix.lower() in PICTURES and of_file(here / name) is None
                if loose and not name.startswith("."):
                    yield here / name


def _yaml(
    guess: Guess, *, name: str, root: Path, out: Path, work: Path | None, given: str | None
) -> str:
    space = given or _agreed(guess.spaces)
    rate = _agreed(guess.rates)
    said = {part: count for part, count in guess.slates.items() if count}
    names = ", ".join(f"{part} {count}" for part, count in said.items()) or "nothing"
    lines = [
        f"# A show for footagefit, guessed from {len(guess.clips)} clips. Every line is yours to",
        "# change. Paths are relative to this file; nothing is written outside `work`.",
        f"name: {_text(name)}",
        "roots:  # folders of dailies; they may be read-only",
        f"  - {_text(_relative(root, out))}",
        f"work: {_text(_relative(work, out) if work else f'{out.stem}_work')}",
        _space_line(space, guess),
        f"rate: {rate if rate is not None else 'null'}  # frames a second of clips that do not say",
        f"# names, by the built-in patterns, tell: {names} (of {len(guess.clips)} clips)",
        "names: []  # regular expressions with groups scene, take, camera, roll; yours come first",
        "exclude: []  # glob patterns of files that are not footage of this show",
        "white_k: 5600  # the colour of light that renders as R=G=B",
        "view:  # how pictures are shown in previews and reports, never what goes out; without lut",
        "  # and cdl, footage of a display's own space is shown as it is, other through ACES",
        "  exposure_ev: 0.0",
        "  lut: null  # a LUT, from code values of space: to the display",
        "  cdl: null  # an ASC CDL, or a folder with <shot>.cc (.cdl, .ccc) for each shot",
        "review: []  # shots that every checkpoint is looked at on",
        "seed: 0  # draws the split into training and held-out scenes",
    ]
    return "\n".join(lines) + "\n"


def _space_line(space: str | None, guess: Guess) -> str:
    if space is not None and not guess.unsure:
        return f"space: {_text(space)}"
    if space is not None:
        return f"space: {_text(space)}  # {len(guess.unsure)} clips do not say: check this"
    return "space: null  # to fill in: until then nothing is learnt of clips that do not say"


def _report(guess: Guess, out: Path, given: str | None) -> None:
    movies = sum(path.suffix.lower() in MOVIES for path in guess.clips)
    print(f"{out}: {movies} movies, {len(guess.clips) - movies} sequences")
    for space, count in guess.spaces.most_common():
        print(f"  colour space  {space} ({count} clips)")
    for rate, count in guess.rates.most_common():
        print(f"  rate          {float(rate):.6g} fps ({count} clips)")
    told = [f"{part} of {count}" for part, count in guess.slates.items() if count]
    print(f"  names tell    {', '.join(told) or 'no scene or take'}")
    unknown = _unknown(guess, given)
    if unknown:
        print("not known:")
        for line in unknown:
            print(f"  {line}")
    print(f"next: look through {out}, then footagefit scan show={out}")


def _unknown(guess: Guess, given: str | None) -> list[str]:
    lines = []
    if guess.unsure and given is None:
        lines.append(
            f"space: {len(guess.unsure)} clips do not say ({_some(guess.unsure)}); "
            f"set space: to what the camera or the lab delivered, such as {colour.SUCH}"
        )
    if len(guess.spaces) > 1:
        lines.append("space: clips differ; each keeps its own, space: is for those that do not say")
    if len(guess.rates) > 1:
        lines.append("rate: clips differ; rate: is for those that do not say")
    if not guess.rates:
        lines.append("rate: no clip says; set rate: to the show's")
    if not guess.slates["scene"]:
        lines.append("scene and take: names do not tell; give names: a pattern, or bring an ALE")
    if guess.assumed:
        lines.append(
            f"matrix, levels: {guess.assumed} movies are not tagged; Rec.601 (below 720 lines) or "
            "Rec.709, limited, is assumed"
        )
    lines += [f"does not open: {line}" for line in guess.broken[:_LISTED]]
    if len(guess.broken) > _LISTED:
        lines.append(f"... and {len(guess.broken) - _LISTED} more that do not open")
    return lines


def _agreed(votes: Counter[T]) -> T | None:
    return votes.most_common(1)[0][0] if votes else None


def _some(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _relative(path: Path, out: Path) -> str:
    inside = os.path.relpath(path.expanduser().resolve(), out.resolve().parent)
    return inside if not inside.startswith("..") else str(path.expanduser().resolve())


def _text(value: str) -> str:
    """A YAML scalar that reads back as the same text, whatever is in it."""
    import json

    plain = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "").isalnum()
    return value if plain and value.isascii() and not value[0].isdigit() else json.dumps(value)
