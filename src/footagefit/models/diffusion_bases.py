"""Pretrained bases: found offline, told apart by content, loaded frozen.

What belongs here: where a base lies, what identifies it, its parts as diffusers loads them, and
the empty prompt that stands for its text towers. What does not: how it is widened and called
(`diffusion_families.py`), what it is taught (`diffusion.py`). diffusers is imported on use.

A base is a folder as diffusers saves pipelines: `model_index.json`, `unet/` or `transformer/`,
`vae/`, and the text towers, which are needed once.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from footagefit.errors import FootagefitWarning, MissingPart, UnknownName, WrongValue

if TYPE_CHECKING:
    from footagefit.models.diffusion_families import Denoiser

BASES = "FOOTAGEFIT_BASES"  # folders that hold bases, as PATH holds programs
CACHE = "FOOTAGEFIT_CACHE"  # where empty prompts are kept; ~/.cache/footagefit by default
PROMPT_TOKENS = 128  # of T5, which pads with tokens that are looked at
CLASSES = ("UNet2DConditionModel", "SD3Transformer2DModel", "FluxTransformer2DModel")
_AUTOENCODER = "AutoencoderKL"
_SAMPLE_BYTES = 256
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
        hash: sha256 over its configs and every tensor's place and some of its bytes.
        licence: As its model card or licence file names it.
    """

    name: str
    folder: Path
    part: str
    kind: str
    hash: str
    licence: str


def find(name: str | None) -> Found:
    """A base by folder, by name under FOOTAGEFIT_BASES, or in Hugging Face's cache; no network.

    Raises:
        MissingPart: It is not at hand, or not whole.
        UnknownName: A family that is not known here.
    """
    if not name:
        raise MissingPart(
            "the diffusion model needs a pretrained base, and none was named",
            hint=f"Say model.base=<a diffusers folder, or a name under {BASES}>",
        )
    return _examined(name, _folder_of(name))


@lru_cache(maxsize=8)
def _examined(name: str, folder: Path) -> Found:
    part = "unet" if (folder / "unet").is_dir() else "transformer"
    for needed in (part, "vae"):
        if not (folder / needed / "config.json").is_file():
            raise MissingPart(
                f"not a whole diffusers folder: {needed}/config.json is missing", path=folder
            )
    kind = str(_json(folder / part / "config.json").get("_class_name"))
    if kind not in CLASSES:
        raise UnknownName("kind of base", kind, CLASSES, path=folder)
    return Found(name, folder, part, kind, _content(folder, part), _licence(folder))


def _folder_of(name: str) -> Path:
    last = name.rstrip("/").rpartition("/")[2]
    roots = [Path(r).expanduser() for r in os.environ.get(BASES, "").split(os.pathsep) if r]
    tried = [Path(name).expanduser(), *(root / n for root in roots for n in (name, last))]
    for folder in tried:
        if (folder / "model_index.json").is_file():
            return folder.resolve()
    kept = _in_hub_cache(name)
    if kept is not None:
        return kept
    raise MissingPart(
        f"the base {name} is not at hand (no model_index.json in {', '.join(map(str, tried))})",
        hint=f"Fetch its diffusers folder yourself, and name the folder it lies in with {BASES}=",
    )


def _in_hub_cache(name: str) -> Path | None:
    """What was fetched before with Hugging Face's own tools; nothing is fetched here."""
    if name.count("/") != 1 or name.startswith(("/", ".", "~")):
        return None
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE", Path(home) / "hub")).expanduser()
    snapshots = sorted((hub / f"models--{name.replace('/', '--')}" / "snapshots").glob("*"))
    whole = [s for s in snapshots if (s / "model_index.json").is_file()]
    return whole[-1] if whole else None


def _content(folder: Path, part: str) -> str:
    """Told by every tensor's name, size and some bytes from its start, middle and end.

    Reading all of a base takes a minute at each start; a fine-tuned one differs in every tensor.
    """
    digest = hashlib.sha256()
    for name in (part, "vae"):
        digest.update(json.dumps(_plain_config(folder / name), sort_keys=True).encode())
        files = _weights_of(folder / name)
        if not files:
            raise MissingPart(
                "no safetensors of the base's weights there",
                path=folder / name,
                hint="Pickled weights are not read; save the pipeline with safe_serialization",
            )
        for path in files:
            for line in _sampled(path):
                digest.update(line)
    return digest.hexdigest()


def _sampled(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items()):
            yield f"{name} {entry['dtype']} {entry['shape']}".encode()
            begin, end = entry["data_offsets"]
            some = min(_SAMPLE_BYTES, end - begin)
            for at in (begin, (begin + end - some) // 2, end - some):
                file.seek(8 + size + at)
                yield file.read(some)


def _weights_of(folder: Path) -> list[Path]:
    """The safetensors that are loaded: those without a variant, else those of its variant."""
    found = sorted(folder.glob("*.safetensors"))
    plain = [p for p in found if p.name.count(".") == 1]
    return plain or found


def _variant_of(folder: Path) -> str | None:
    name = next((p.name for p in _weights_of(folder)), "")
    parts = name.split(".")
    return parts[1].partition("-")[0] if len(parts) > 2 else None


def _plain_config(folder: Path) -> dict[str, Any]:
    raw = _json(folder / "config.json")
    return {k: v for k, v in raw.items() if k not in ("_name_or_path", "_diffusers_version")}


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
    kind = str(_json(folder / "config.json").get("_class_name", name))
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
    return _json(path) if path.is_file() else {}


def empty_prompt(found: Found, denoiser: type[Denoiser], config: Any) -> Prompt:
    """The empty prompt's embedding: kept from before, else from the text towers, else zeros."""
    root = Path(os.environ.get(CACHE, "~/.cache/footagefit")).expanduser()
    path = root / "prompts" / f"{found.hash[:32]}.safetensors"
    kept = _kept_prompt(path)
    if kept is not None:
        return kept
    index = _json(found.folder / "model_index.json")
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


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MissingPart("missing or not JSON", path=path) from error
    return read if isinstance(read, dict) else {}
