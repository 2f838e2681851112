"""Pretrained bases: found offline by name or by content, loaded frozen.

What belongs here: which base is meant, its parts as diffusers loads them, and the empty prompt
that stands for its text towers. What does not: where bases lie (`diffusion_places.py`), what tells
them apart (`diffusion_hashes.py`), how one is widened and called (`diffusion_families.py`), what it
is taught (`diffusion.py`). diffusers is imported on use.

A base is a folder as diffusers saves pipelines: `model_index.json`, `unet/` or `transformer/`,
`vae/`, and the text towers, which are needed once.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from footagefit.errors import (
    FootagefitError,
    FootagefitWarning,
    MissingPart,
    UnknownName,
    WrongValue,
)
from footagefit.models import diffusion_hashes as hashes
from footagefit.models import diffusion_places as places

if TYPE_CHECKING:
    from footagefit.models.diffusion_families import Denoiser

PROMPT_TOKENS = 128  # of T5, which pads with tokens that are looked at
CLASSES = ("UNet2DConditionModel", "SD3Transformer2DModel", "FluxTransformer2DModel")
_AUTOENCODER = "AutoencoderKL"
_LICENCE = re.compile(r"^license(?:_name)?:\s*(.+)$", re.MULTILINE)

Net = TypeVar("Net", bound=nn.Module)


class Prompt(NamedTuple):
    """What a base hears where nobody says anything: tokens (1,L,P) and their sum (1,Q), if any."""

    tokens: Tensor
    pooled: Tensor | None


@dataclass(frozen=True)
class Found:
    """A base on disk.

    Attributes:
        name: As it was asked for.
        folder: Where it lies.
        part: `unet` or `transformer`.
        kind: The class of that part.
        hash: What it is known by; see `diffusion_hashes`.
        licence: As its model card or licence file names it.
    """

    name: str
    folder: Path
    part: str
    kind: str
    hash: str
    licence: str


def find(name: str | None, *, content: str | None = None, folders: Sequence[str] = ()) -> Found:
    """A base where it is named, in the house's folders, or in Hugging Face's cache; no network.

    Args:
        name: A folder, or a name to look for.
        content: Its hash, where no other will do; then names are a place to begin.
        folders: To look in before those of FOOTAGEFIT_BASES.

    Raises:
        MissingPart: It is not at hand, or not whole.
        UnknownName: A family that is not known here.
    """
    if not name:
        raise MissingPart(
            "the diffusion model needs a pretrained base, and none was named",
            hint=f"Say model.base=<a diffusers folder, or a name under {places.BASES}>",
        )
    if content is not None:
        return _of_content(name, content, folders)
    there = places.named(name, folders)
    if not there:
        seen = ", ".join(map(str, places.tried(name, folders)))
        raise MissingPart(
            f"the base {name} is not at hand (no model_index.json in {seen})",
            hint="Fetch its diffusers folder yourself, and name the folder it lies in with "
            f"{places.BASES}= or model.bases=",
        )
    return _examined(name, there[0])


def _examined(name: str, folder: Path) -> Found:
    part, kind = _kind_of(folder)
    content = hashes.content(folder, (part, "vae"))
    return Found(name, folder, part, kind, content, _licence(folder))


def _of_content(name: str, content: str, folders: Sequence[str]) -> Found:
    """The base of that hash, wherever it lies; what lies where it should comes first."""
    expected = places.named(name, folders)
    for folder in dict.fromkeys([*expected, *places.everywhere(folders)]):
        # What is not whole, broken or of no family of ours is not it.
        with contextlib.suppress(FootagefitError, OSError, ValueError):
            part, _ = _kind_of(folder)
            if hashes.mark(folder, (part, "vae")) != content[-hashes.MARK :]:
                continue
            found = _examined(name, folder)
            if found.hash != content:
                continue
            if folder not in expected:
                line = f"base {name}: found by its content ({content[:12]}) as {folder}"
                warnings.warn(FootagefitWarning(line), stacklevel=2)
            return found
    others = "".join(f"; {folder} is another, or not whole" for folder in expected)
    seen = ", ".join(map(str, [Path(name).expanduser(), *places.roots(folders), places.hub()]))
    raise MissingPart(
        f"the base {name} of content {content[:12]} is not at hand{others} (looked in {seen})",
        hint="Name the folder it lies in, under whatever name, with "
        f"{places.BASES}= or bases= (train: model.bases=)",
    )


def _kind_of(folder: Path) -> tuple[str, str]:
    """What a base's denoiser is called, and its class."""
    part = "unet" if (folder / "unet").is_dir() else "transformer"
    for needed in (part, "vae"):
        if not (folder / needed / "config.json").is_file():
            raise MissingPart(
                f"not a whole diffusers folder: {needed}/config.json is missing", path=folder
            )
    kind = str(hashes.json_of(folder / part / "config.json").get("_class_name"))
    if kind not in CLASSES:
        raise UnknownName("kind of base", kind, CLASSES, path=folder)
    return part, kind


def _variant_of(folder: Path) -> str | None:
    name = next((p.name for p in hashes.weights_of(folder)), "")
    parts = name.split(".")
    return parts[1].partition("-")[0] if len(parts) > 2 else None


def _licence(folder: Path) -> str:
    card = folder / "README.md"
    if card.is_file():
        head = card.read_text(encoding="utf-8", errors="replace")[:4000]
        if said := _LICENCE.findall(head):
            return str(said[-1]).strip().strip("'\"")
    for path in sorted(folder.glob("LICENSE*")):
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[0].strip()[:200] if lines else "not stated"
    return "not stated"


def library() -> Any:
    """diffusers, quiet; only ever from here.

    Raises:
        MissingPart: The extra is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import diffusers

            import_module("peft")  # diffusers takes it where it is
    except ImportError as error:
        raise MissingPart(
            f"{error.name or 'diffusers'} is not installed",
            hint='pip install "footagefit[diffusion]"',
        ) from error
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    return diffusers


def loaded(found: Found, part: str, *, dtype: torch.dtype) -> Any:
    """A frozen part of a base, ready to be changed; its weights are shared, not copied."""
    return _twin(_pristine(found, part, dtype))


@lru_cache(maxsize=2)  # denoiser and autoencoder of one base
def _pristine(found: Found, part: str, dtype: torch.dtype) -> nn.Module:
    name = found.kind if part == found.part else _AUTOENCODER
    folder = found.folder / part
    kind = str(hashes.json_of(folder / "config.json").get("_class_name", name))
    if kind != name:
        raise UnknownName("kind of autoencoder", kind, [_AUTOENCODER], path=folder)
    with _hushed():
        net = getattr(library(), name).from_pretrained(
            str(folder),
            torch_dtype=dtype,
            variant=_variant_of(folder),
            local_files_only=True,
            use_safetensors=True,
        )
    return net.eval().requires_grad_(False)


def forget() -> None:
    """Hold bases no longer as they were read: models on them have their own weights now."""
    _pristine.cache_clear()


def _twin(net: Net) -> Net:
    """Another module over the same memory."""
    memo: dict[int, Any] = {}
    for weight in net.parameters():
        memo[id(weight)] = nn.Parameter(weight.data, requires_grad=False)
    return copy.deepcopy(net, memo)


def scheduler(found: Found) -> dict[str, Any]:
    """The base's noise schedule, as its folder states it; empty where it states none."""
    path = found.folder / "scheduler" / "scheduler_config.json"
    return hashes.json_of(path) if path.is_file() else {}


def empty_prompt(found: Found, denoiser: type[Denoiser], config: Any) -> Prompt:
    """The empty prompt's embedding: kept from before, else from the text towers, else zeros."""
    path = hashes.cache() / "prompts" / f"{found.hash[:32]}.safetensors"
    kept = _kept_prompt(path)
    if kept is not None:
        return kept
    index = hashes.json_of(found.folder / "model_index.json")
    towers = [n for n, v in index.items() if n.startswith("text_encoder") and v and v[0]]
    if not towers or not all((found.folder / name).is_dir() for name in towers):
        line = f"{found.folder}: no text towers there; an empty prompt of zeros is used instead"
        warnings.warn(FootagefitWarning(line), stacklevel=2)
        return denoiser.zeros(config)
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    skipped = ("unet", "transformer", "vae", "safety_checker", "feature_extractor", "image_encoder")
    absent = {name: None for name in skipped if name in index}
    with _hushed(), torch.no_grad():
        pipeline = library().DiffusionPipeline.from_pretrained(
            str(found.folder),
            torch_dtype=torch.bfloat16 if len(towers) > 1 and found.part != "unet" else None,
            local_files_only=True,
            use_safetensors=True,
            **absent,
        )
        prompt = denoiser.said(pipeline)
    pooled = None if prompt.pooled is None else prompt.pooled.float().cpu()
    prompt = Prompt(prompt.tokens.float().cpu(), pooled)
    with contextlib.suppress(OSError):
        _keep_prompt(path, prompt)
    return prompt


def _kept_prompt(path: Path) -> Prompt | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        return None
    try:
        held = load_file(path)
        return Prompt(held["tokens"], held.get("pooled"))
    except (SafetensorError, OSError, KeyError) as error:
        raise WrongValue("not an empty prompt of ours", path=path, hint="Remove it") from error


def _keep_prompt(path: Path, prompt: Prompt) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    held = {n: t.contiguous() for n, t in prompt._asdict().items() if t is not None}
    save_file(held, part)
    os.replace(part, path)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """What loaders warn about is not about the house's own doing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
