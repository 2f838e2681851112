"""A fit on disk: plain data that can be read by anyone, and refused when it was tampered with.

What belongs here: writing a fit, reading it back, building task and model from its recipe. What
does not: training, rendering.

A fit is a folder::

    weights.safetensors   tensors of the model, nothing else
    recipe.yaml           names of packaged task and model configs, and plain settings for them
    signature.json        what the show measured as
    card.json             lineage, numbers, approvals, and the sha256 of the three above
    CARD.md pictures/     the same for people, with failure cases (`evaluation/cards.py`)

No pickle is read, ever; a recipe that holds `_target_` is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from footagefit import config
from footagefit.errors import (
    AlreadyThere,
    FootagefitError,
    FootagefitWarning,
    UnknownName,
    WrongValue,
)

if TYPE_CHECKING:
    from footagefit.models.base import Model
    from footagefit.tasks.base import Task, TaskSpec

FORMAT = 1
WEIGHTS, RECIPE, SIGNATURE, CARD = (
    "weights.safetensors",
    "recipe.yaml",
    "signature.json",
    "card.json",
)
_HASHED = (WEIGHTS, RECIPE, SIGNATURE)
_RECIPE_KEYS = ("format", "task", "model")
_BASES = Path(config.__file__).resolve().parent / "models" / "weights"

Plain = str | int | float | bool | None
Settings = Mapping[str, Plain | Sequence[Plain]]


class BrokenFit(FootagefitError):
    """A fit that is not whole, not plain, or not as it was written."""


@dataclass(frozen=True)
class Part:
    """A packaged config by name, and what was set otherwise.

    Attributes:
        name: File name in the group's folder, without `.yaml`.
        settings: Plain values by constructor argument.
    """

    name: str
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How to build what the weights belong to."""

    task: Part
    model: Part

    @property
    def bases(self) -> Sequence[str]:
        """Folders that it looks for a pretrained base in."""
        return [
            str(folder) for folder in cast("Sequence[str]", self.model.settings.get("bases", ()))
        ]

    def build_task(self) -> Task:
        """The task, from its packaged config."""
        return cast("Task", _built("task", self.task, {}))

    def going_with(self, about: Mapping[str, str], *, bases: Sequence[str] = ()) -> Recipe:
        """With what its weights say they go with, where its model has settings of these names.

        Args:
            about: As `read_about` returns it; what the recipe says itself comes first.
            bases: Folders that hold pretrained bases, before those the recipe names.
        """
        has, said = _packaged("model", self.model.name), dict(self.model.settings)
        more: dict[str, Any] = {n: v for n, v in about.items() if n in has and n not in said}
        if bases and "bases" in has:
            said["bases"] = [*map(str, bases), *self.bases]
        return replace(self, model=replace(self.model, settings={**said, **more}))

    def build_model(self, spec: TaskSpec) -> Model:
        """The model, untrained, sized by the task's spec."""
        if self.model.name not in spec.models:
            raise UnknownName(f"model for task {spec.name}", self.model.name, spec.models)
        sizes = {"guide_channels": len(spec.guide), "vector_size": spec.vector_size}
        return cast("Model", _built("model", self.model, sizes))


@dataclass(frozen=True)
class Fit:
    """A fit in memory.

    Attributes:
        path: Where it lies.
        recipe: What it was built from.
        task: Ready to use.
        model: With its weights, in evaluation mode.
        signature: What the show measured as: numbers by name, and the whole as `record`.
        card: Lineage, numbers and approvals.
    """

    path: Path
    recipe: Recipe
    task: Task
    model: Model
    signature: Mapping[str, Any]
    card: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """What identifies the fit in headers and manifests: the sha256 of its weights."""
        return str(self.card["files"][WEIGHTS])


def save_fit(
    path: str | Path,
    *,
    recipe: Recipe,
    weights: Mapping[str, Any],
    card: Mapping[str, Any],
    signature: Mapping[str, Any] | None = None,
    about: Mapping[str, str] | None = None,
    replace: bool = False,
) -> Path:
    """Write a fit: whole, or not at all.

    Args:
        path: The folder to write.
        recipe: What to build the model from.
        weights: The model's state, tensors by name.
        card: Lineage and numbers; `format`, `code_version` and `files` are filled in.
        signature: Measured values by name.
        about: What the weights go with (`Model.about`); kept in their file and in the card.
        replace: Take the place of a fit that is there.

    Raises:
        AlreadyThere: Something is there and `replace` was not said.
    """
    from safetensors.torch import save_file

    from footagefit import __version__

    path = Path(path).expanduser()
    if path.exists() and not replace:
        raise AlreadyThere("a fit is there already", path=path, hint="Choose another name")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        plain = {n: t.detach().cpu().contiguous().clone() for n, t in weights.items()}
        save_file(plain, part / WEIGHTS, metadata=dict(about) if about else None)
        (part / RECIPE).write_text(_recipe_text(recipe), encoding="utf-8")
        (part / SIGNATURE).write_text(_json(dict(signature or {})), encoding="utf-8")
        files = {name: _sha256(part / name) for name in _HASHED}
        whole = {**card, "format": FORMAT, "code_version": __version__, "files": files}
        if about:
            whole["weights"] = dict(about)
        (part / CARD).write_text(_json(whole), encoding="utf-8")
        if path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path


def load_fit(path: str | Path, *, bases: Sequence[str] = ()) -> Fit:
    """Read a fit back, or say in one line why it is not to be trusted.

    Args:
        path: Its folder, or `base/<task>` for the base that ships.
        bases: Folders to look in for the pretrained base that it goes with, if it goes with one.

    Raises:
        BrokenFit: Missing, tampered with, of an unknown version, or not plain data.
    """
    import torch
    from safetensors.torch import load_file

    path = Path(path).expanduser()
    if _is_base(path):
        return _base(path.parts[1])
    card = _card(path)
    for name in _HASHED:
        _check_hash(path, name, card)
    recipe = read_recipe(path / RECIPE).going_with(read_about(path / WEIGHTS), bases=bases)
    signature = _read_json(path / SIGNATURE)
    task = recipe.build_task()
    model = recipe.build_model(task.spec)
    try:
        weights = load_file(path / WEIGHTS)
        model.load_state_dict(weights)
    except Exception as error:  # safetensors raises its own type, torch RuntimeError
        line = str(error).strip().splitlines()[0]
        raise BrokenFit(f"the weights do not fit the recipe ({line})", path=path) from error
    if not all(bool(torch.isfinite(t).all()) for t in weights.values() if t.is_floating_point()):
        raise BrokenFit("the weights hold NaN or infinity", path=path / WEIGHTS)
    return Fit(path, recipe, task, model.eval(), signature, card)


def _base(name: str) -> Fit:
    """The base of a task, as it ships; some tasks share one."""
    fit = load_fit(_base_folder(name))
    line = f"fit=base/{name}: the base that ships; nothing of this show is in it"
    warnings.warn(FootagefitWarning(line), stacklevel=4)
    if fit.task.spec.name == name:
        return replace(fit, path=Path("base", name))
    recipe = replace(fit.recipe, task=Part(name))
    task = recipe.build_task()
    return replace(fit, path=Path("base", name), recipe=recipe, task=task)


def _base_folder(name: str) -> Path:
    """Where the base of a task lies in the package."""
    own = {read_recipe(p / RECIPE).task.name: p for p in _BASES.iterdir() if (p / CARD).is_file()}
    _check_task(name)
    if name in own:
        return own[name]
    task = Recipe(Part(name), Part("")).build_task()
    folder = _BASES / (task.spec.base or name)
    if not folder.is_dir():
        raise BrokenFit(f"no {name} base is shipped", path=folder,
                        hint="Train a fit on the show, and say fit=<its folder>")  # fmt: skip
    return folder


def _check_task(name: str) -> None:
    known = sorted(p.stem for p in (config.config_dir() / "task").glob("*.yaml"))
    if name not in known:
        raise UnknownName("base", f"base/{name}", [f"base/{task}" for task in known])


def taught(path: str | Path) -> str:
    """The task that a fit learnt, or the base that ships; no weights are read."""
    path = Path(path).expanduser()
    if _is_base(path):
        _check_task(path.name)
        return path.name
    _card(path)
    return read_recipe(path / RECIPE).task.name


def _is_base(path: Path) -> bool:
    return len(path.parts) == 2 and path.parts[0] == "base" and not path.exists()


def fit_of(fit: Fit | Path, *, signature: Path | None = None, bases: Sequence[str] = ()) -> Fit:
    """A fit, read where it is not in memory yet, with another signature where one is given."""
    loaded = fit if isinstance(fit, Fit) else load_fit(fit, bases=bases)
    if signature is None:
        return loaded
    from footagefit.signature import record

    return replace(loaded, signature=record.plain(record.read(signature)))


def read_about(weights: Path) -> dict[str, str]:
    """What a file of weights says it goes with; nothing of the weights is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as opened:
            return {n: v for n, v in (opened.metadata() or {}).items() if n != "format"}
    except SafetensorError as error:
        raise BrokenFit(f"the weights do not fit the recipe ({error})", path=weights) from error


def read_recipe(path: Path) -> Recipe:
    """A recipe from its YAML; nothing is built."""
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenFit("the recipe is not plain YAML", path=path) from error
    if not isinstance(raw, dict) or set(raw) != set(_RECIPE_KEYS):
        raise BrokenFit(f"a recipe holds {', '.join(_RECIPE_KEYS)} and no more", path=path)
    if raw["format"] != FORMAT:
        raise BrokenFit(
            f"format {raw['format']!r}, and this version reads {FORMAT}",
            path=path,
            hint="Use the footagefit that wrote it, or a newer one",
        )
    return Recipe(_part(raw["task"], "task", path), _part(raw["model"], "model", path))


def _part(raw: Any, kind: str, path: Path) -> Part:
    if not isinstance(raw, dict) or set(raw) - {"name", "settings"} or "name" not in raw:
        raise BrokenFit(f"{kind}: expected name and settings", path=path)
    settings = raw.get("settings") or {}
    if not isinstance(settings, dict):
        raise BrokenFit(f"{kind}.settings: expected keys and values", path=path)
    for key, value in settings.items():
        if key == "_target_" or not isinstance(key, str):
            raise BrokenFit(f"{kind}.settings.{key} is not allowed in a recipe", path=path)
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(i, str | int | float | bool | None) for i in items):
            raise BrokenFit(f"{kind}.settings.{key}: expected a plain value", path=path)
    return Part(str(raw["name"]), settings)


def _packaged(group: str, name: str) -> dict[str, Any]:
    """A packaged config by its name."""
    import yaml

    folder = config.config_dir() / group
    known = sorted(p.stem for p in folder.glob("*.yaml"))
    if name not in known:
        raise UnknownName(group, name, known)
    return yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))


def _built(group: str, part: Part, sizes: Mapping[str, Any]) -> Any:
    raw = _packaged(group, part.name)
    for key in part.settings:
        if key.startswith("_"):
            raise WrongValue(f"{group}.{key} cannot be set")
    return config.instantiate({**raw, **part.settings, **sizes}, group)


def _recipe_text(recipe: Recipe) -> str:
    import yaml

    raw = {
        "format": FORMAT,
        "task": {"name": recipe.task.name, "settings": dict(recipe.task.settings)},
        "model": {"name": recipe.model.name, "settings": dict(recipe.model.settings)},
    }
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)


def folder_of(path: str | Path) -> Path:
    """A fit's folder; of `base/<task>` the one that ships."""
    path = Path(path).expanduser()
    return _base_folder(path.name) if _is_base(path) else path


def read_card(path: str | Path) -> dict[str, Any]:
    """A fit's card; nothing else of it is read."""
    return _card(Path(path).expanduser())


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Put a card in place of a fit's card, whole; hashes of the other files stay as they were."""
    kept = _card(path)["files"]
    part = path / f".{CARD}.{os.getpid()}.part"
    part.write_text(_json({**card, "format": FORMAT, "files": kept}), encoding="utf-8")
    os.replace(part, path / CARD)


def _card(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise BrokenFit("no fit there", path=path, hint="A fit is a folder that training wrote")
    card = _read_json(path / CARD)
    if card.get("format") != FORMAT:
        raise BrokenFit(
            f"format {card.get('format')!r}, and this version reads {FORMAT}",
            path=path / CARD,
            hint="Use the footagefit that wrote it, or a newer one",
        )
    if not isinstance(card.get("files"), dict):
        raise BrokenFit("the card lists no files", path=path / CARD)
    return card


def _check_hash(path: Path, name: str, card: Mapping[str, Any]) -> None:
    if not (path / name).is_file():
        raise BrokenFit("the fit is not whole", path=path / name, hint="Copy all of its folder")
    if _sha256(path / name) != card["files"].get(name):
        raise BrokenFit(
            "changed since it was written",
            path=path / name,
            hint="Take the fit again from where it was trained",
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BrokenFit("missing or not JSON", path=path) from error
    if not isinstance(read, dict):
        raise BrokenFit("expected keys and values", path=path)
    return read


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
