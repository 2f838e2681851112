"""A finished render put under the house's name: content credentials, then a signed statement.

What belongs here: which files of a render are vouched for, and what is said of them. What does
not: keys and signatures (`footage.signing`), C2PA (`footage.credentials`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import UsageError
from footagefit.footage import credentials, signing
from footagefit.footage.manifest import hash_again, manifest_path, unfinished
from footagefit.footage.pattern import parse
from footagefit.rendering.review import movie_path, sheet_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from footagefit.rendering.plan import Plan


@dataclass(frozen=True)
class Sealed:
    """What was signed.

    Attributes:
        path: The signed statement.
        key: Short name of the key.
        carrying: Files that carry content credentials.
        bare: Files that could, and do not because c2pa-python is not installed.
    """

    path: Path
    key: str
    carrying: tuple[Path, ...]
    bare: tuple[Path, ...]


def seal(plan: Plan, key: Ed25519PrivateKey) -> Sealed:
    """Sign a render that is finished: its manifest, fields, and what people look at.

    Raises:
        UsageError: The render is not finished.
    """
    manifest = manifest_path(plan.out)
    if not manifest.is_file() or unfinished(manifest):
        raise UsageError(
            "the render is not finished, and so nothing was signed",
            path=manifest,
            hint="Say the same command again: it goes on, and signs in the end",
        )
    looked_at = [p for p in (movie_path(plan), sheet_path(plan)) if p.is_file()]
    pattern = parse(plan.out)
    frames = [plan.out] if pattern is None else [pattern.path(n) for n in plan.frames]
    able = [p for p in [*frames, *looked_at] if p.suffix.lower() in credentials.SUFFIXES]
    review = manifest_path(movie_path(plan))  # a movie has a record of its own
    records = [manifest, *([review] if review.is_file() else [])]
    if able and credentials.there():
        _put(able, key, _said(plan.job, plan.clip.info.path))
        for record in records:
            hash_again(record)
    for record in records[1:]:
        signing.sign(record, key)
    path = signing.sign(manifest, key, beside=[plan.fields_path, *looked_at])
    has = credentials.there()
    name = signing.key_name(key.public_key())
    return Sealed(path, name, tuple(able if has else ()), tuple(() if has else able))


def _put(files: list[Path], key: Ed25519PrivateKey, said: Mapping[str, Any]) -> None:
    """Credentials into every file that does not carry its own already."""
    signer = credentials.Signer(key)
    for path in files:
        kept = credentials.read(path)
        if kept is None or not kept.valid or kept.said != said:
            signer.put(path, said)


def _said(job: Mapping[str, Any], plate: Path) -> dict[str, Any]:
    """What made the files; names without folders, which are nobody's business elsewhere."""
    reference = job["reference"]
    return {
        "fit": job["fit"]["hash"],
        "recipe": job["recipe"],
        "controls": job["controls"],
        "temporal": job["temporal"],
        "seed": job["seed"],
        "source": plate.name,
        "reference": None if reference is None else Path(reference).name,
    }
