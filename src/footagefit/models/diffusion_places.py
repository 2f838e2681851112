"""Where pretrained bases lie: as they are named, in the house's folders, in Hugging Face's cache.

What belongs here: folders that may be a base, in the order they are looked at; no network, and
nothing of a base is read. What does not: what tells bases apart (`diffusion_hashes.py`), loading
them (`diffusion_bases.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

BASES = "FOOTAGEFIT_BASES"  # folders that hold bases, as PATH holds programs
_INDEX = "model_index.json"
_BELOW = (_INDEX, f"*/{_INDEX}", f"*/*/{_INDEX}")  # a base, bases by name, bases by house and name


def roots(folders: Sequence[str] = ()) -> list[Path]:
    """Folders that hold bases: those that are said, then those of FOOTAGEFIT_BASES."""
    house = os.environ.get(BASES, "").split(os.pathsep)
    return [Path(root).expanduser() for root in (*folders, *house) if root]


def hub() -> Path:
    """What was fetched before with Hugging Face's own tools; nothing is fetched here."""
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", Path(home) / "hub")).expanduser()


def tried(name: str, folders: Sequence[str] = ()) -> list[Path]:
    """Where a base of that name is expected, beside Hugging Face's cache."""
    last = name.rstrip("/").rpartition("/")[2]
    return [Path(name).expanduser(), *(root / n for root in roots(folders) for n in (name, last))]


def named(name: str, folders: Sequence[str] = ()) -> list[Path]:
    """What lies where a base of that name is expected."""
    there = [path.resolve() for path in tried(name, folders) if (path / _INDEX).is_file()]
    return list(dict.fromkeys([*there, *_in_hub(name)]))


def everywhere(folders: Sequence[str] = ()) -> Iterator[Path]:
    """All that lies in the house's folders and in Hugging Face's cache, whatever its name."""
    for root in roots(folders):
        for below in _BELOW:
            yield from (index.parent.resolve() for index in sorted(root.glob(below)))
    yield from sorted(path.parent for path in hub().glob(f"models--*/snapshots/*/{_INDEX}"))


def _in_hub(name: str) -> list[Path]:
    """Its snapshots, the last first."""
    if name.count("/") != 1 or name.startswith(("/", ".", "~")):
        return []
    snapshots = hub() / f"models--{name.replace('/', '--')}" / "snapshots"
    return sorted((path.parent for path in snapshots.glob(f"*/{_INDEX}")), reverse=True)
