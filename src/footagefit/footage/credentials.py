"""C2PA content credentials in review pictures and movies: what made them, signed by the house.

What belongs here: putting credentials into PNG, JPEG, MOV and MP4 files, and reading them
back. What does not: EXR frames, which C2PA does not cover (`signing.py` does).

The package c2pa-python is an extra. C2PA wants an end certificate under another: the house key
signs one for a key that lives as long as the process does, so that the one house key is enough.
Readers elsewhere call its signer unknown until they are told to trust it. Certificates carry
dates, and so these files differ between two runs, where all else repeats to the byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit import __version__
from footagefit.errors import MissingPart, WriteError
from footagefit.footage.signing import key_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, Name

SUFFIXES = (".png", ".jpg", ".jpeg", ".mov", ".mp4", ".m4v")
LABEL = "org.footagefit.render"
_DAYS = 3650
# Nothing is fetched, and no thumbnail of an unreleased frame goes into the file.
_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False},
}


@dataclass(frozen=True)
class Credentials:
    """What a file's credentials say.

    Attributes:
        valid: Whether the file is as it was signed.
        said: What was put in of the render.
        why: What does not hold.
    """

    valid: bool
    said: dict[str, Any]
    why: tuple[str, ...] = ()


def there() -> bool:
    """Whether c2pa-python is installed."""
    return find_spec("c2pa") is not None


class Signer:
    """Puts credentials into files in the name of a house key.

    Args:
        key: The house's.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        _needed()
        self._own = Ed25519PrivateKey.generate()
        self._chain = _chain(key, self._own)

    def put(self, path: Path, said: Mapping[str, Any]) -> None:
        """Put credentials into a file, in its place, whole or not at all.

        Args:
            path: A picture or movie of `SUFFIXES`.
            said: What made it, as plain data.

        Raises:
            WriteError: The file type or its content is refused.
        """
        import c2pa

        definition = {
            "claim_generator_info": [{"name": "footagefit", "version": __version__}],
            "title": path.name,
            "assertions": [
                {"label": "c2pa.actions", "data": {"actions": [_ACTION]}},
                {"label": LABEL, "data": json.loads(json.dumps(said, default=str))},
            ],
        }
        passing = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        try:
            with ExitStack() as stack:
                settings = stack.enter_context(c2pa.Settings.from_dict(_SETTINGS))
                context = stack.enter_context(c2pa.Context(settings))
                signer = stack.enter_context(
                    c2pa.Signer.from_callback(
                        self._own.sign, c2pa.C2paSigningAlg.ED25519, self._chain
                    )
                )
                builder = stack.enter_context(c2pa.Builder(definition, context))
                builder.sign_file(str(path), str(passing), signer)
            os.replace(passing, path)
        except (c2pa.C2paError, OSError) as error:
            line = " ".join(str(error).split())
            raise WriteError(f"no content credentials ({line})", path=path) from error
        finally:
            passing.unlink(missing_ok=True)


# What footagefit does to a picture, in the words of the IPTC: a camera's, enhanced by algorithm.
_ACTION = {
    "action": "c2pa.created",
    "digitalSourceType": ("http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"),
    "softwareAgent": {"name": "footagefit", "version": __version__},
}


def read(path: Path) -> Credentials | None:
    """A file's credentials, checked against its bytes; None where it carries none."""
    _needed()
    import c2pa

    with ExitStack() as stack:
        settings = stack.enter_context(c2pa.Settings.from_dict(_SETTINGS))
        context = stack.enter_context(c2pa.Context(settings))
        try:
            reader = stack.enter_context(c2pa.Reader(str(path), context=context))
            store = json.loads(reader.json())
        except c2pa.C2paError as error:
            if "ManifestNotFound" in f"{type(error).__name__} {error}":
                return None
            return Credentials(False, {}, (" ".join(str(error).split()),))
    manifest = store["manifests"][store["active_manifest"]]
    said = {a["label"]: a["data"] for a in manifest.get("assertions", [])}.get(LABEL, {})
    wrong = [one["code"] for one in store.get("validation_status", [])]
    wrong = [code for code in wrong if not code.startswith("signingCredential.untrusted")]
    return Credentials(not wrong, said, tuple(wrong))


def _chain(house: Ed25519PrivateKey, own: Ed25519PrivateKey) -> str:
    """Certificates in PEM: of the key that signs, then of the house, which vouches for it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> Name:
        parts = ((NameOID.ORGANIZATION_NAME, "footagefit house key"), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(which, text) for which, text in parts])

    root_name = name(key_name(house.public_key()))
    root = _certificate(root_name, root_name, house, house).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    root = root.add_extension(_usage(signs_certificates=True), critical=True)
    leaf = _certificate(name(key_name(own.public_key())), root_name, own, house).add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    leaf = leaf.add_extension(_usage(signs_certificates=False), critical=True).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
    )
    made: list[Certificate] = [leaf.sign(house, None), root.sign(house, None)]
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in made)


def _certificate(
    subject: Name, issuer: Name, key: Ed25519PrivateKey, by: Ed25519PrivateKey
) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    )


def _usage(*, signs_certificates: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _needed() -> None:
    if not there():
        raise MissingPart(
            "content credentials need the package c2pa-python",
            hint='pip install "footagefit[provenance]"',
        )
