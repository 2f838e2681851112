"""What a pretrained base is known by: its content, whatever its folder is called.

What belongs here: hashes of configs and weights, kept from before for files that are large. What
does not: where bases lie (`diffusion_places.py`), loading them (`diffusion_bases.py`).

A base's hash is 64 hexadecimal digits: 48 over every byte of its configs and weights, then 16, its
mark, over some bytes of each tensor. Other bases are told by the mark alone, and not read whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from footagefit.errors import MissingPart

CACHE = "FOOTAGEFIT_CACHE"  # for hashes and empty prompts; ~/.cache/footagefit by default
MARK = 16  # digits
_SAMPLE_BYTES = 256
_BLOCK_BYTES = 1 << 24
_LARGE_BYTES = 1 << 24  # smaller files are read each time
_SETTLED_S = 2.0  # a file this young may change again without its time telling so
_FIRST_SAID_S, _SAY_S = 2.0, 15.0


def cache() -> Path:
    """Where what was worked out about bases is kept."""
    return Path(os.environ.get(CACHE, "~/.cache/footagefit")).expanduser()


def content(folder: Path, parts: Sequence[str]) -> str:
    """A base's hash; large files are read once, as long as their size and time stay.

    Raises:
        MissingPart: A part has no weights that can be read.
    """
    files = {part: weights_of(folder / part) for part in parts}
    kept = {path: _kept(path) for paths in files.values() for path in paths}
    reading = _Reading(folder, [path for path, known in kept.items() if known is None])
    digest = hashlib.sha256()
    for part, paths in files.items():
        digest.update(_config(folder / part))
        for path in paths:
            digest.update(bytes.fromhex(kept[path] or _read(path, reading)))
    return digest.hexdigest()[:-MARK] + mark(folder, parts)


def mark(folder: Path, parts: Sequence[str]) -> str:
    """A base's mark: every tensor's name, size and some bytes from its start, middle and end."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_config(folder / part))
        for path in weights_of(folder / part):
            for line in _sampled(path):
                digest.update(line)
    return digest.hexdigest()[:MARK]


def weights_of(folder: Path) -> list[Path]:
    """The safetensors that are loaded: those without a variant, else those of its variant."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise MissingPart(
            "no safetensors of the base's weights there",
            path=folder,
            hint="Pickled weights are not read; save the pipeline with safe_serialization",
        )
    return [p for p in found if p.name.count(".") == 1] or found


def json_of(path: Path) -> dict[str, Any]:
    """One of a base's configs."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MissingPart("missing or not JSON", path=path) from error
    return read if isinstance(read, dict) else {}


def _config(folder: Path) -> bytes:
    """Without what whoever saved it wrote into it."""
    raw = json_of(folder / "config.json")
    plain = {k: v for k, v in raw.items() if k not in ("_name_or_path", "_diffusers_version")}
    return json.dumps(plain, sort_keys=True).encode()


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin."""
    with path.open("rb") as file:
        begin = 8 + int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(min(begin - 8, path.stat().st_size)))
            header.pop("__metadata__", None)
        except (ValueError, AttributeError) as error:
            raise MissingPart("not a safetensors file", path=path, hint="Fetch it again") from error
    return header, begin


def _sampled(path: Path) -> Iterator[bytes]:
    header, start = _header(path)
    with path.open("rb") as file:
        for name, entry in sorted(header.items()):
            yield f"{name} {entry['dtype']} {entry['shape']}".encode()
            begin, end = entry["data_offsets"]
            some = min(_SAMPLE_BYTES, end - begin)
            for at in (begin, (begin + end - some) // 2, end - some):
                file.seek(start + at)
                yield file.read(some)


class _Reading:
    """Says how far reading a base whole has come.

    Args:
        folder: Of the base.
        files: What will be read.
    """

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self.folder, self.done = folder, 0
        self.total = sum(path.stat().st_size for path in files)
        self.begun = time.monotonic()
        self.due = self.begun + _FIRST_SAID_S

    def came(self, count: int) -> None:
        """So many bytes more."""
        self.done += count
        now = time.monotonic()
        if now < self.due or os.environ.get("RANK", "0") != "0":
            return
        self.due = now + _SAY_S
        left = (now - self.begun) * (self.total / self.done - 1.0)
        print(
            f"base {self.folder}: read once to know it again, {self.done / 1e9:.1f} of "
            f"{self.total / 1e9:.1f} GB, ETA {left:.0f} s", file=sys.stderr, flush=True,
        )  # fmt: skip


def _read(path: Path, reading: _Reading) -> str:
    """A file's sha256, kept for the next time."""
    before, digest = path.stat(), hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            reading.came(len(block))
    if before.st_size >= _LARGE_BYTES and time.time() - before.st_mtime > _SETTLED_S:
        with contextlib.suppress(OSError):
            _keep(path, {**_stamp(before), "sha256": digest.hexdigest()})
    return digest.hexdigest()


def _place(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    return cache() / "hashes" / f"{name[:32]}.json"


def _stamp(stat: os.stat_result) -> dict[str, Any]:
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _kept(path: Path) -> str | None:
    """A file's sha256 from before, if it is the file it was."""
    stat = path.stat()
    if stat.st_size < _LARGE_BYTES:
        return None
    try:
        known = json.loads(_place(path).read_text(encoding="utf-8"))
        said = str(known.pop("sha256"))
        return said if known == _stamp(stat) and len(bytes.fromhex(said)) == 32 else None
    except (OSError, ValueError, KeyError, AttributeError):  # none, or cut short: read again
        return None


def _keep(path: Path, known: dict[str, Any]) -> None:
    place = _place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    part.write_text(json.dumps(known), encoding="utf-8")
    os.replace(part, place)
