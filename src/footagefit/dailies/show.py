"""One production: where its dailies lie, how they are to be read, and where our work goes.

A show is a YAML file that a person can write by hand; `footagefit init` guesses one. Paths in it
are relative to the file. Dailies may be read-only: nothing is written outside `work`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from footagefit.errors import UnknownName, UsageError, WrongValue
from footagefit.footage.view import View

SUFFIXES = (".yaml", ".yml")
_VIEW_KEYS = ("exposure_ev", "lut", "cdl")


@dataclass(frozen=True)
class Show:
    """A show's settings.

    Attributes:
        name: Short name, used in file names.
        roots: Folders that hold its dailies.
        work: Folder for everything we make: catalogue.sqlite cache/ runs/ fits/ reports/.
        space: Colour space of clips that do not say; None where it is not known.
        rate: Frames a second of clips that do not say.
        names: Regular expressions with groups scene, take, camera, roll, tried in order before
            the built-in ones.
        exclude: Glob patterns of files that are not footage of this show.
        view: How pictures are shown.
        white_k: Colour of light that is R=G=B.
        review: Shots that every checkpoint is looked at on, by name.
        seed: What the split into training and held-out scenes is drawn from.
    """

    name: str
    roots: tuple[Path, ...]
    work: Path
    space: str | None = None
    rate: Fraction | None = None
    names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    view: View = field(default_factory=View)
    white_k: float = 5600.0
    review: tuple[str, ...] = ()
    seed: int = 0

    @property
    def catalogue(self) -> Path:
        """The show's index."""
        return self.work / "catalogue.sqlite"


def load_show(path: str | Path) -> Show:
    """A show from its YAML, or from a folder of dailies with every setting at its default.

    Raises:
        UsageError: Not a show; the message says what is wrong with it and where.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise UsageError(
            "no such show", path=path, hint="Write one with `footagefit init <folder of dailies>`"
        )
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError("a show is a YAML file or a folder", path=path)
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise UsageError(f"not valid YAML ({line})", path=path, hint="Mend that line") from error
    if not isinstance(raw, Mapping):
        raise UsageError("not a show: no keys", path=path, hint="See `footagefit init`")
    return _from_mapping(raw, path)


def _of_folder(folder: Path) -> Show:
    inside = [p for s in SUFFIXES for p in folder.glob(f"show{s}")]
    if inside:
        return load_show(inside[0])
    name = folder.resolve().name
    return Show(name=name, roots=(folder,), work=Path(f"{name}_work"))


def _from_mapping(raw: Mapping[str, Any], path: Path) -> Show:
    known = {f.name for f in fields(Show)}
    for key in raw:
        if key not in known:
            raise UnknownName("key", key, sorted(known), path=path)
    base = path.resolve().parent
    roots = _texts(raw, "roots", path)
    if not roots:
        raise UsageError("roots is empty", path=path, hint="List the folders of the dailies")
    name = str(raw.get("name") or path.stem)
    return Show(
        name=name,
        roots=tuple(_under(base, root) for root in roots),
        work=_under(base, str(raw.get("work") or f"{name}_work")),
        space=None if raw.get("space") in (None, "auto") else str(raw["space"]),
        rate=_rate(raw.get("rate"), path),
        names=_texts(raw, "names", path),
        exclude=_texts(raw, "exclude", path),
        view=_view(_mapping(raw, "view", path), path, space=raw.get("space")),
        white_k=_number(raw.get("white_k", 5600.0), "white_k", path),
        review=_texts(raw, "review", path),
        seed=int(_number(raw.get("seed", 0), "seed", path)),
    )


def _view(raw: Mapping[str, Any], path: Path, *, space: Any) -> View:
    for key in raw:
        if key not in _VIEW_KEYS:
            raise UnknownName("key", f"view.{key}", list(_VIEW_KEYS), path=path)
    return View(
        exposure_ev=_number(raw.get("exposure_ev", 0.0), "view.exposure_ev", path),
        lut=_viewed_through(raw, "lut", path),
        cdl=_viewed_through(raw, "cdl", path),
        space="" if space in (None, "auto") else str(space),
    )


def _viewed_through(raw: Mapping[str, Any], key: str, path: Path) -> Path | None:
    if not raw.get(key):
        return None
    found = _under(path.resolve().parent, str(raw[key]))
    if not found.exists():
        raise UsageError(f"view.{key}: there is no {raw[key]}", path=path, hint="Mend its path")
    return found


def _under(base: Path, text: str) -> Path:
    given = Path(text).expanduser()
    return given if given.is_absolute() else base / given


def _texts(raw: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    value = raw.get(key) or []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
        raise WrongValue(f"{key}: expected a list of texts, got {value!r}", path=path)
    return tuple(str(v) for v in value)


def _mapping(raw: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    value = raw.get(key) or {}
    if not isinstance(value, Mapping):
        raise WrongValue(f"{key}: expected keys and values, got {value!r}", path=path)
    return value


def _number(value: Any, key: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValue(f"{key}: expected a number, got {value!r}", path=path)
    return float(value)


def _rate(value: Any, path: Path) -> Fraction | None:
    from footagefit.footage.tags import parse_rate

    try:
        return None if value is None else parse_rate(str(value))
    except WrongValue as error:
        raise WrongValue(error.what, path=path, hint=error.hint) from error
