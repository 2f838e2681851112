"""`footagefit verify`: what made each frame, and whether anything changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit.commands.progress import track
from footagefit.errors import UsageError
from footagefit.footage.pattern import ranges

if TYPE_CHECKING:
    from footagefit.footage.verifying import Checked

As = Literal["table", "json"]
_CHANGED = 1  # exit code where something is not as it was made
_LISTED = 20
_STATES = {
    "as made": "as it was made",
    "changed": "changed since it was made",
    "missing": "gone",
    "extra": "not listed by the manifest beside it",
}


def verify(*, folder: Path | None, key: Path | None, keygen: Path | None, as_: As) -> int:
    """Hold a folder against its manifests; see configs/verify.yaml for each key."""
    if keygen is not None and folder is None:
        return _make_key(keygen)
    if folder is None or keygen is not None:
        hint = "Say footagefit verify <folder>, or footagefit verify keygen=house.pem"
        raise UsageError("verify takes a folder, or makes a key", hint=hint)
    from footagefit.footage import signing, verifying

    house = None if key is None else signing.key_name(signing.read_public(key))
    found = [_held(manifest) for manifest in verifying.manifests(folder)]
    rows = [_plain(one, house, folder) for one in found]
    good = all(row["as_made"] for row in rows)
    if as_ == "json":
        print(json.dumps({"as_made": good, "manifests": rows}, indent=1))
    else:
        for row in rows:
            print("\n".join(_lines(row)))
        print("nothing changed since" if good else "not everything is as it was made")
    return 0 if good else _CHANGED


def _make_key(path: Path) -> int:
    from footagefit.footage import signing

    private, public = signing.make_key(path)
    name = signing.key_name(signing.read_public(public))
    print(f"{private}: the house key {name}; keep it where only those who sign can read it")
    print(f"{public}: its public half, for everyone: footagefit verify <folder> key={public}")
    return 0


def _held(manifest: Path) -> Checked:
    """One manifest held against its files, with a bar where that takes long."""
    from footagefit.footage import verifying

    return verifying.held(
        manifest,
        passing=lambda files, total: track(files, total=total, label="verify", unit="files"),
    )


def _plain(one: Checked, house: str | None, asked: Path) -> dict[str, Any]:
    """One manifest as plain data; of all its files, or of the one that was asked for."""
    from footagefit.rendering.controls import of_plain

    job = one.job
    tracks = of_plain(job.get("controls") or {}).tracks
    files = []
    for file in one.files:
        if asked.is_file() and file.name != asked.name:
            continue
        plain: dict[str, Any] = {"file": file.name, "frame": file.frame, "state": file.state}
        if file.frame is not None and file.state != "extra":
            plain["source"] = file.source
            plain["controls"] = {name: track.at(file.frame) for name, track in tracks.items()}
        files.append(plain)
    signature = _signature(one, house)
    credentials = _credentials(one.manifest.parent, [f["file"] for f in files])
    broken = [name for name, state in credentials.items() if state != "valid"]
    whole = all(f["state"] == "as made" for f in files) and not one.unfinished and not broken
    return {
        "manifest": str(one.manifest),
        "as_made": whole and signature["holds"],
        "footagefit": one.version,
        "out": job.get("out"),
        "source": job.get("source"),
        "fit": _fit(job.get("fit")),
        **{k: job.get(k) for k in ("recipe", "controls", "seed", "temporal", "reference", "mask")},
        "unfinished": one.unfinished,
        "signature": signature,
        "credentials": credentials,
        "files": files,
    }


def _signature(one: Checked, house: str | None) -> dict[str, Any]:
    """Good, bad, by a key that is not known, or none; and whether that is as it has to be."""
    signed = one.signed
    if signed is None:
        return {"state": "none", "key": None, "holds": house is None}
    if not signed.good:
        return {"state": "bad", "key": signed.key, "holds": False, "why": signed.why}
    if one.manifest.name in one.names("changed"):
        why = "the manifest was changed after it was signed"
        return {"state": "bad", "key": signed.key, "holds": False, "why": why}
    if signed.key == house:
        return {"state": "good", "key": signed.key, "holds": True}
    return {"state": "unknown key", "key": signed.key, "holds": house is None}


def _fit(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """The fit that a job names, and what lies at its place today."""
    from footagefit.errors import FootagefitError
    from footagefit.rendering.fits import WEIGHTS, folder_of, read_card

    if told is None:
        return None
    try:
        same = read_card(folder_of(told["path"]))["files"].get(WEIGHTS) == told["hash"]
        today = "there" if same else "another fit now"
    except FootagefitError:
        today = "not here"
    return {**told, "today": today}


def _credentials(folder: Path, names: list[str]) -> dict[str, str]:
    """What C2PA says of the files that carry content credentials, where it can be read."""
    from footagefit.footage import credentials

    if not credentials.there():
        return {}
    found = {}
    for name in names:
        path = folder / name
        if path.suffix.lower() in credentials.SUFFIXES and path.is_file():
            read = credentials.read(path)
            if read is not None:
                found[name] = "valid" if read.valid else ", ".join(read.why)
    return found


def _lines(row: dict[str, Any]) -> Iterator[str]:
    """One manifest as people read it."""
    frames = [f["frame"] for f in row["files"] if f["frame"] is not None and f["state"] != "extra"]
    manifest = Path(row["manifest"])
    single = row["files"][0] if len(row["files"]) == 1 else None
    if single is not None:
        yield f"{manifest.parent / single['file']}: {_STATES[single['state']]}"
    else:
        yield f"{manifest.parent / str(row['out'])}: {len(frames)} files, frames {ranges(frames)}"
    fit = row["fit"]
    if fit is not None:
        yield (
            f"  made by {fit['path']} ({fit['hash'][:12]}, {fit['today']}), {row['recipe']}, "
            f"seed {row['seed']}, footagefit {row['footagefit']}"
        )
    else:
        yield f"  made by footagefit {row['footagefit']}, without a fit"
    beside = f", beside {row['reference']}" if row["reference"] else ""
    masked = f", mask {row['mask']}" if row["mask"] else ""
    yield f"  from {row['source']}{beside}{masked}"
    controls = row["controls"] or {}
    if single is not None and single.get("controls"):
        controls = single["controls"]
    said = " ".join(f"{n}={_said(v)}" for n, v in controls.items())
    if fit is not None:
        yield f"  with {said or 'every control as it is by default'}; temporal {row['temporal']}"
    for state in ("changed", "missing", "extra"):
        names = [f["file"] for f in row["files"] if f["state"] == state]
        if names and single is None:
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            yield f"  {state}: {', '.join(names[:_LISTED])}{more}"
    if row["unfinished"]:
        yield "  unfinished: the job was stopped; the same command goes on with it"
    signature = row["signature"]
    by = f", {signature['key']}" if signature["key"] else ""
    why = f" ({signature['why']})" if signature.get("why") else ""
    yield f"  signature: {signature['state']}{by}{why}"
    for name, state in row["credentials"].items():
        yield f"  content credentials of {name}: {state}"


def _said(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{frame}:{number:g}" for frame, number in value.items()) + "}"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
