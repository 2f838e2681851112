"""`footagefit infer`: a shot through a fit, and on into the comp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from footagefit import config
from footagefit.commands.progress import track
from footagefit.commands.references import Spheres
from footagefit.errors import AlreadyThere, UsageError
from footagefit.footage.manifest import manifest_path, merge
from footagefit.footage.opening import Levels, Matrix
from footagefit.footage.pattern import MOVIES, ranges
from footagefit.footage.tags import parse_rate
from footagefit.footage.white import SHOW_WHITE_K
from footagefit.footage.writing import Existing, OutputForm
from footagefit.rendering.canvas import Extend
from footagefit.rendering.fill_asked import Cleanup, Filling
from footagefit.rendering.temporal import Temporal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from footagefit.rendering.plan import Plan

Only = Literal["all", "fields", "chunk", "finish"]


def infer(
    *,
    fit: Path,
    plate: Path,
    out: Path | None,
    reference: Path | None,
    reference_frames: str | None,
    mask: Path | None,
    frames: str | None,
    handles: int,
    shot: str | None,
    controls: dict[str, Any],
    hdri: Path | None,
    ball: Path | None,
    at: str | None,
    kind: Literal["grey", "chrome"],
    keyframes: Path | None,
    temporal: Temporal,
    layers: list[Any],
    space: str,
    reference_space: str,
    layer: str,
    matrix: Matrix,
    levels: Levels,
    rate: str | None,
    existing: Existing,
    device: str,
    threads: int | None,
    memory_gb: float | None,
    half: bool,
    grain: Literal["keep", "match"],
    signature: Path | None,
    bases: Sequence[str],
    extend: Extend,
    cleanup: Cleanup,
    background: Path | None,
    alpha: Path | None,
    match: Path | None,
    seed: int,
    dry_run: bool,
    wedge: str | None,
    review: bool,
    sign: Path | None,
    chunk: int | None,
    launcher: Literal["local", "submitit"],
    at_once: int,
    submitit: str | None,
    job: Literal["openjd", "opencue"] | None,
    only: Only,
    output: OutputForm,
) -> int:
    """Render; see configs/infer.yaml for each key."""
    from footagefit.rendering.ask import Ask
    from footagefit.rendering.fill_plan import plan_of

    flat = {**_lit_by(Spheres(hdri, ball, at, kind), reference_space), **flattened(controls)}
    sheet = out if wedge is not None and out is not None else None
    ask = Ask(
        plate=plate,
        fit=fit,
        out=None if sheet is not None else out,
        reference=reference,
        reference_frames=reference_frames,
        mask=mask,
        frames=frames,
        handles=handles,
        shot=shot,
        controls=flat,
        keyframes=keyframes,
        temporal=temporal,
        layers=[str(name) for name in layers],
        form=output,
        space=space,
        reference_space=reference_space,
        layer=layer,
        matrix=matrix,
        levels=levels,
        rate=None if rate is None else parse_rate(rate),
        existing=existing,
        device=device,
        threads=threads,
        memory_gb=memory_gb,
        half=half,
        grain=grain,
        signature=signature,
        bases=bases,
        fill=Filling(extend, cleanup, background, alpha, match, seed),
        part=_part(only, frames),
        also_known=[key.name for key in config.keys("infer")],
    )
    plan = plan_of(ask)
    if wedge is not None:
        return _wedge(plan, wedge, sheet)
    _describe(plan)
    if dry_run:
        return _dry_run(plan)
    key = None if sign is None else _key(sign)
    if job is not None:
        return _job_file(plan, job, chunk or 50, sign)
    if only == "fields":
        return _fields(plan)
    if chunk is not None and only == "all":
        _split(plan, chunk, launcher, at_once, _settings(submitit))
    elif only != "finish":
        _render(plan)
    if only == "finish" or chunk is not None:
        _finish(plan)
    if review and only in ("all", "finish"):
        _review(plan)
    if key is not None and only in ("all", "finish"):
        _sign(plan, key)
    return 0


def _lit_by(given: Spheres, space: str) -> dict[str, float]:
    """Controls that ask for the light a lat-long or a ball was photographed in."""
    given.check()
    path = given.hdri or given.ball
    if path is None:
        return {}
    measured = given.light(space=space, white_k=SHOW_WHITE_K, exr=space)
    if measured is None:
        raise UsageError("no light could be read off it", path=path,
                         hint="A ball is 24 pixels wide or more, lit from one side")  # fmt: skip
    light = measured.light
    found = {"azimuth_deg": light.azimuth_deg, "elevation_deg": light.elevation_deg,
             "softness_deg": light.softness_deg}  # fmt: skip
    asked = {f"light.{name}": float(value) for name, value in found.items() if value is not None}
    print(f"{path}: " + ", ".join(f"{name}={value:.1f}" for name, value in asked.items()))
    return asked


def flattened(nested: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Controls by dotted name; keyframes (`{1001: 0.5}`) stay together."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and not all(_is_frame(k) for k in value):
            flat.update(flattened(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def _is_frame(key: object) -> bool:
    return str(key).lstrip("-").isdigit()


def _part(only: Only, frames: str | None) -> str:
    if only != "chunk":
        return ""
    if frames is None:
        raise UsageError("only=chunk without frames=", hint="Say frames=<those of the chunk>")
    return "".join(c if c.isalnum() else "-" for c in frames)


def _describe(plan: Plan) -> None:
    info = plan.clip.info
    rate = "" if info.rate is None else f", {float(info.rate):.6g} fps"
    print(
        f"{info.path}: {info.width}x{info.height} {info.sample} {info.codec}, {info.space}, "
        f"{_frames(plan)}{rate}"
    )
    print(f"{plan.fit.path}: {plan.recipe}, {plan.fit.hash[:12]}, on {_devices(plan)}")
    if plan.reference is not None:
        used = ranges(plan.reference_numbers)
        print(f"{plan.reference.info.path}: reference, frames {used}")
    movie = plan.out.suffix.lower() in MOVIES
    how = plan.form.codec if movie else f"{plan.form.depth}, {plan.form.compression}"
    more = f", layers {', '.join(plan.layers)}" if plan.layers else ""
    same = plan.info.raster[2:] == info.raster[2:]
    size = "" if same else f"{plan.info.width}x{plan.info.height}, "
    print(f"{plan.out}: {size}{how}, {plan.form.space}{more}")


def _frames(plan: Plan) -> str:
    """Frames as they were asked for, where listing them would be long."""
    asked = plan.ask.frames
    if asked is None or plan.ask.handles:
        return f"frames {ranges(plan.frames)}"
    return f"frames {asked} ({len(plan.frames)})"


def _devices(plan: Plan) -> str:
    return ", ".join(str(device) for device in plan.devices)


def _render(plan: Plan) -> None:
    from footagefit.rendering.render import run

    done = run(plan, progress=track)
    print(*done.notes, sep="\n")
    _told(plan, done.written, done.seconds)


def _told(plan: Plan, written: int, seconds: float | None = None) -> None:
    kept = len(plan.frames) - written
    if kept:
        print(f"{kept} frames were there already")
    rate = f", {written / seconds:.2f} frames a second" if seconds and written else ""
    print(f"{written} frames written to {plan.out}{rate}")


def _fields(plan: Plan) -> int:
    from footagefit.rendering.render import renderer_of

    renderer = renderer_of(plan)
    renderer.look(track)
    print(*renderer.notes, sep="\n")
    print(f"fields: {plan.fields_path}")
    return 0


def _finish(plan: Plan) -> None:
    count = merge(manifest_path(plan.out))
    plan.forget()
    print(f"{count} frames in {manifest_path(plan.out)}")


def _review(plan: Plan) -> None:
    from footagefit.rendering.review import write_before_after, write_movie

    print(f"before and after: {write_before_after(plan)}")
    print(f"review: {write_movie(plan, progress=track)}")


def _key(path: Path) -> Ed25519PrivateKey:
    from footagefit.footage.signing import read_key

    return read_key(path)


def _sign(plan: Plan, key: Ed25519PrivateKey) -> None:
    from footagefit.rendering.sealing import seal

    done = seal(plan, key)
    print(f"signed by {done.key}: {done.path}")
    if done.carrying:
        print(f"content credentials in {len(done.carrying)} files")
    if done.bare:
        names = f"{done.bare[0].name}{' and others' if len(done.bare) > 1 else ''}"
        print(f"no content credentials in {names}: pip install 'footagefit[provenance]'")


def _wedge(plan: Plan, text: str, path: Path | None) -> int:
    from footagefit.rendering.review import write_wedge

    if path is None:
        path = plan.out.parent / f"{plan.stem}_wedge.jpg"
    if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise UsageError("a wedge is one picture", path=path, hint="Name it .jpg or .png")
    if path.exists() and plan.ask.existing != "replace":
        hint = "Say existing=replace, or another out="
        raise AlreadyThere("is there already", path=path, hint=hint)
    print(f"wedge: {write_wedge(plan, text, path)}")
    return 0


def _dry_run(plan: Plan) -> int:
    from footagefit.rendering.estimate import estimate

    for line in estimate(plan).lines():
        print(line)
    return 0


def _words(plan: Plan) -> list[str]:
    """The command line of this render, for processes elsewhere: absolute paths, no frames."""
    from footagefit.rendering.fill_plan import several

    ask, form = plan.ask, plan.ask.form
    pairs: list[tuple[str, object]] = [
        ("fit", plan.fit.path.resolve() if plan.fit.path.is_dir() else plan.fit.path),
        ("plate", Path(ask.plate).expanduser().absolute()),
        ("out", plan.out.absolute()),
        ("reference", _paths(several(ask.reference))),
        ("reference_frames", ask.reference_frames),
        ("mask", None if ask.mask is None else ask.mask.expanduser().absolute()),
        ("shot", ask.shot),
        ("keyframes", None if ask.keyframes is None else ask.keyframes.expanduser().absolute()),
        ("temporal", ask.temporal),
        ("layers", ",".join(ask.layers) or None),
        ("space", ask.space),
        ("reference_space", ask.reference_space),
        ("layer", ask.layer or None),
        ("matrix", ask.matrix),
        ("levels", ask.levels),
        ("rate", ask.rate),
        ("existing", ask.existing),
        ("device", ask.device),
        ("threads", ask.threads),
        ("memory_gb", ask.memory_gb),
        ("half", "true" if ask.half else None),
        ("grain", ask.grain),
        *ask.fill.words(),
        ("signature", None if ask.signature is None else ask.signature.expanduser().absolute()),
        ("bases", _paths([Path(one) for one in ask.bases])),
        *[(f"output.{n}", getattr(form, n)) for n in ("space", "depth", "compression", "codec")],
        *[(name, _control(value)) for name, value in ask.controls.items()],
    ]
    return [f"{name}={value}" for name, value in pairs if value is not None]


def _paths(typed: Sequence[Path]) -> str | None:
    """Absolute paths, one or several in brackets, as a person would type them."""
    paths = [str(one.expanduser().absolute()) for one in typed]
    return ",".join(paths).join("[]") if len(paths) > 1 else (paths[0] if paths else None)


def _control(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{frame}:{number}" for frame, number in value.items())
    return str(value)


def _split(
    plan: Plan, chunk: int, launcher: str, at_once: int, settings: Mapping[str, Any]
) -> None:
    """Fields here, then each chunk in a process of its own."""
    from footagefit.rendering.farm import run_local, run_submitit

    if plan.out.suffix.lower() in MOVIES:
        raise UsageError(
            "a movie is written in one piece", path=plan.out, hint="Leave out chunk=, or write .exr"
        )
    words, chunks = [*_words(plan), "only=chunk"], plan.parts(chunk)
    plan.check_room()
    _fields(plan)
    if launcher == "local":
        done = run_local(words, chunks, at_once=at_once)
    else:
        folder = plan.out.parent / "submitit"
        done = run_submitit(words, chunks, folder=folder, settings=settings)
    total = 0
    for count in track(done, total=len(chunks), label="render", unit="chunks"):
        total += count
    print(f"{total} frames in {len(chunks)} chunks written to {plan.out}")


def _settings(text: str | None) -> dict[str, Any]:
    """Parameters of submitit's executor from `name:value,name:value`."""
    import yaml

    settings = {}
    for item in (text or "").strip("{}").split(","):
        name, colon, value = item.partition(":")
        if item.strip() and not colon:
            raise UsageError(
                f"submitit: {item.strip()!r} is not name:value",
                hint="Say submitit=timeout_min:240,slurm_partition:vfx",
            )
        if colon:
            settings[name.strip()] = yaml.safe_load(value)
    return settings


def _job_file(plan: Plan, kind: Literal["openjd", "opencue"], chunk: int, sign: Path | None) -> int:
    from footagefit.rendering.farm import write_job

    suffix = "openjd.json" if kind == "openjd" else "opencue.xml"
    path = plan.out.parent / f"{plan.stem}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    last = [] if sign is None else [f"sign={sign.expanduser().absolute()}"]
    write_job(kind, path, _words(plan), plan.parts(chunk), name=plan.stem, last=last)
    print(f"job: {path}")
    return 0
