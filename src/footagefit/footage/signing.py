"""Who vouches for files: a house key signs a statement of what a job wrote, and anyone checks it.

What belongs here: Ed25519 keys in PEM files, the signed statement beside a manifest, checking it.
What does not: hashing frames against a manifest (`verifying.py`), C2PA (`credentials.py`).

Keys are what `openssl genpkey -algorithm ed25519 -out house.pem` makes, and `openssl pkey -in
house.pem -pubout -out house.pub.pem`. `<stem>.signature.json` holds::

    statement   {"version": 1, "files": {name: sha256}}: the manifest, and what lies beside it
    key         the public key, 32 bytes in base64
    signature   of the statement as JSON with sorted keys and no spaces, in base64

A statement has no clock in it: the same files under the same key give the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import AlreadyThere, UsageError, WriteError
from footagefit.footage.manifest import sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

VERSION = 1
PASSWORD = "FOOTAGEFIT_KEY_PASSWORD"
_MANIFEST, _SIGNATURE = ".manifest.json", ".signature.json"


@dataclass(frozen=True)
class Signed:
    """A signed statement, checked.

    Attributes:
        good: Whether the signature is of this statement, by the key it names.
        key: Short name of that key.
        files: Hashes by file name, as they were signed.
        why: What is wrong, where it is not good.
    """

    good: bool
    key: str
    files: dict[str, str]
    why: str = ""


def make_key(path: Path) -> tuple[Path, Path]:
    """Write a new key, readable by its owner alone, and its public half beside it.

    Raises:
        AlreadyThere: One of the two is there; a key is never replaced.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    path = path.expanduser()
    public = path.with_name(f"{path.name.removesuffix('.pem')}.pub.pem")
    for file in (path, public):
        if file.exists():
            hint = "Choose another name; a house that loses its key cannot sign as itself again"
            raise AlreadyThere("a key is there already", path=file, hint=hint)
    private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for file, pem, mode in ((path, private_pem, 0o600), (public, public_pem, 0o644)):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
                out.write(pem)
        except OSError as error:
            raise WriteError(f"cannot be written ({error.strerror})", path=file) from error
    return path, public


def read_key(path: Path) -> Ed25519PrivateKey:
    """A house key that can sign; its password, where it has one, is in the environment.

    Raises:
        UsageError: No such file, not an Ed25519 key, or the password is not the one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _pem(path)
    password = os.environ.get(PASSWORD)
    try:
        key = load_pem_private_key(pem, None if password is None else password.encode())
    except TypeError as error:
        hint = f"Set {PASSWORD}" if password is None else f"Unset {PASSWORD}: the key has none"
        raise UsageError("the password is not the key's", path=path, hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "Make one with footagefit verify keygen=house.pem"
        raise UsageError("not a key that can sign", path=path, hint=hint) from error
    if not isinstance(key, Ed25519PrivateKey):
        hint = "Make one with footagefit verify keygen=house.pem"
        raise UsageError("not an Ed25519 key", path=path, hint=hint)
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """A public key, from its own file or from the private key's."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _pem(path)
    if b"PRIVATE KEY" in pem:
        return read_key(path).public_key()
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("not a public key", path=path, hint="Say key=house.pub.pem") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError("not an Ed25519 key", path=path, hint="Say key=house.pub.pem")
    return key


def key_name(key: Ed25519PublicKey) -> str:
    """Short name of a key: the start of the hash of its bytes."""
    return f"ed25519:{hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]}"


def signature_path(manifest: Path) -> Path:
    """Where the signed statement of a manifest lies."""
    return manifest.with_name(manifest.name.removesuffix(_MANIFEST) + _SIGNATURE)


def sign(manifest: Path, key: Ed25519PrivateKey, *, beside: Iterable[Path] = ()) -> Path:
    """Sign a manifest, and so every frame it lists, with what lies beside it.

    Args:
        manifest: As `manifest_path` names it.
        key: The house's.
        beside: Other files of the same folder: fields, review movie; those that are there count.
    """
    files = {p.name: sha256(p) for p in [manifest, *beside] if p.is_file()}
    statement = {"version": VERSION, "files": files}
    whole = {
        "statement": statement,
        "key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        "signature": base64.b64encode(key.sign(_canonical(statement))).decode(),
    }
    path = signature_path(manifest)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


def check(manifest: Path) -> Signed | None:
    """The signed statement of a manifest, checked; None where it was not signed."""
    path = signature_path(manifest)
    if not path.is_file():
        return None
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name = ""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        statement = whole["statement"]
        files = {str(n): str(h) for n, h in statement["files"].items()}
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(whole["key"], validate=True))
        name = key_name(key)
        key.verify(base64.b64decode(whole["signature"], validate=True), _canonical(statement))
    except InvalidSignature:
        return Signed(False, name, {}, "the statement was changed after it was signed")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return Signed(False, name, {}, "it cannot be read")
    if any(Path(file).name != file for file in files):
        return Signed(False, name, {}, "it speaks of other folders")
    if manifest.name not in files:
        return Signed(False, name, {}, f"it does not speak of {manifest.name}")
    return Signed(True, name, files)


def _canonical(statement: dict[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _pem(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise UsageError(
            f"the key cannot be read ({error.strerror})",
            path=path,
            hint="Make one with footagefit verify keygen=house.pem",
        ) from error
