"""House keys and signed statements: as openssl has them, and good only for what was signed."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess

import pytest

from footagefit.errors import AlreadyThere, UsageError
from footagefit.footage import signing


@pytest.fixture
def key(tmp_path):
    return signing.make_key(tmp_path / "keys" / "house.pem")[0]


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "a.fields.safetensors").write_bytes(b"looks")
    path = tmp_path / "a.manifest.json"
    path.write_text('{"frames": [], "job": {}}')
    return path


def test_a_key_is_its_owners_and_never_replaced(key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = key.with_name("house.pub.pem")
    one, other = signing.read_public(public), signing.read_key(key).public_key()
    assert signing.key_name(one) == signing.key_name(other)
    with pytest.raises(AlreadyThere, match="a key is there already"):
        signing.make_key(key)


def test_the_same_files_give_the_same_bytes_and_hold(manifest, key):
    fields = manifest.with_name("a.fields.safetensors")
    gone = manifest.with_name("a_review.mov")
    path = signing.sign(manifest, signing.read_key(key), beside=[fields, gone])
    first = path.read_bytes()
    assert signing.sign(manifest, signing.read_key(key), beside=[fields]).read_bytes() == first
    signed = signing.check(manifest)
    assert signed is not None and signed.good
    assert set(signed.files) == {"a.manifest.json", "a.fields.safetensors"}


def test_a_statement_that_was_changed_is_bad(manifest, key):
    path = signing.sign(manifest, signing.read_key(key))
    whole = json.loads(path.read_text())
    whole["statement"]["files"]["a.manifest.json"] = "0" * 64
    path.write_text(json.dumps(whole))
    signed = signing.check(manifest)
    assert signed is not None and not signed.good and "changed" in signed.why
    path.write_text("{}")
    assert not signing.check(manifest).good
    path.unlink()
    assert signing.check(manifest) is None


def test_a_statement_of_another_job_is_bad(manifest, key):
    path = signing.sign(manifest, signing.read_key(key))
    other = manifest.with_name("b.manifest.json")
    other.write_text(manifest.read_text())
    shutil.copy(path, signing.signature_path(other))
    signed = signing.check(other)
    assert not signed.good and "does not speak of b.manifest.json" in signed.why


def test_a_statement_speaks_of_its_own_folder_alone(manifest, key, monkeypatch):
    monkeypatch.setattr(signing, "sha256", lambda path: "0" * 64)
    secret = manifest.with_name("secret")
    secret.write_text("x")
    path = signing.sign(manifest, signing.read_key(key), beside=[secret])
    assert signing.check(manifest).good
    whole = json.loads(path.read_text())
    whole["statement"]["files"] = {"a.manifest.json": "0" * 64, "../secret": "0" * 64}
    made = signing.read_key(key).sign(signing._canonical(whole["statement"]))
    whole["signature"] = base64.b64encode(made).decode()
    path.write_text(json.dumps(whole))
    assert signing.check(manifest).why == "it speaks of other folders"


def test_what_is_no_key_is_told(tmp_path, key, monkeypatch):
    with pytest.raises(UsageError, match="cannot be read"):
        signing.read_key(tmp_path / "none.pem")
    (tmp_path / "text.pem").write_text("hello")
    with pytest.raises(UsageError, match="not a key that can sign"):
        signing.read_key(tmp_path / "text.pem")
    with pytest.raises(UsageError, match="not a public key"):
        signing.read_public(tmp_path / "text.pem")
    monkeypatch.setenv(signing.PASSWORD, "secret")
    with pytest.raises(UsageError, match="the password is not the key's"):
        signing.read_key(key)


def test_keys_with_a_password_and_of_other_kinds(tmp_path, monkeypatch):
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    def pem(key, how):
        return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, how)

    locked = tmp_path / "locked.pem"
    secret = forms.BestAvailableEncryption(b"secret")
    locked.write_bytes(pem(ed25519.Ed25519PrivateKey.generate(), secret))
    with pytest.raises(UsageError, match=signing.PASSWORD):
        signing.read_key(locked)
    monkeypatch.setenv(signing.PASSWORD, "secret")
    assert signing.read_key(locked)
    monkeypatch.delenv(signing.PASSWORD)
    other = tmp_path / "p256.pem"
    other.write_bytes(pem(ec.generate_private_key(ec.SECP256R1()), forms.NoEncryption()))
    with pytest.raises(UsageError, match="not an Ed25519 key"):
        signing.read_key(other)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_agrees(tmp_path, manifest):
    key, public = tmp_path / "o.pem", tmp_path / "o.pub.pem"
    run = {"check": True, "capture_output": True}
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], **run)
    subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public)], **run)
    whole = json.loads(signing.sign(manifest, signing.read_key(key)).read_text())
    said, by = tmp_path / "said", tmp_path / "by"
    said.write_text(json.dumps(whole["statement"], sort_keys=True, separators=(",", ":")))
    by.write_bytes(base64.b64decode(whole["signature"]))
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin",
             "-in", str(said), "-sigfile", str(by)]  # fmt: skip
    assert b"Verified Successfully" in subprocess.run(words, **run).stdout
