"""The crew: shoots a script take by take, goes on where it stopped, and hands over the show.

Here: the order of work. Files of a take are `delivery`'s, papers `sidecars`', the plan `script`'s.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import AlreadyThere, UnknownName, WriteError
from footagefit.soundstage import delivery, truth
from footagefit.soundstage.contact import write_contact
from footagefit.soundstage.plan import Script, Take
from footagefit.soundstage.sidecars import write_sidecars

if TYPE_CHECKING:
    from footagefit.soundstage.specs import SetUp


def on_stage(setup: SetUp, size_px: tuple[int, int]) -> delivery.Camera:
    """The soundstage's own camera, with smooth edges."""
    from footagefit.soundstage.filming import film

    return film(setup, size_px=size_px, samples=_SAMPLES)


_SAMPLES = 3  # rays a pixel where something ends


def open_folder(out: Path, script: Script) -> None:
    """Make the folder this script's own; refuse one that holds something else."""
    path = out / "truth" / "show.json"
    plan = show_record(script)
    if out.exists() and not out.is_dir():
        raise WriteError("is not a folder", path=out, hint="Choose another out=")
    if path.is_file():
        if truth.read_json(path) != plan:
            raise AlreadyThere(
                "another show was staged here", path=out,
                hint="Choose another out=, or the same preset=, seed= and truth_every=",
            )  # fmt: skip
        return
    if out.is_dir() and any(out.iterdir()):
        raise AlreadyThere(
            "the folder is not empty and holds no staged show", path=out, hint="Choose another out="
        )
    truth.write_json(path, plan)


def show_record(script: Script) -> dict[str, Any]:
    """`truth/show.json`: the whole plan, its faults and shot list, in plain data."""
    import json

    plain = {
        "version": truth.VERSION,
        "name": script.name,
        "preset": script.preset,
        "seed": script.seed,
        "size_px": script.size_px,
        "scenes": [asdict(scene) for scene in script.scenes],
        "shots": [delivery.record(take) for take in script.takes],
        "faults": [asdict(fault) for fault in script.faults],
        "cut": [asdict(cut) for cut in script.cut],
    }
    return json.loads(json.dumps(plain))


def shoot(
    script: Script, out: Path, *, film: delivery.Film = on_stage, workers: int = 1,
    scene: str | None = None,
) -> Iterator[Take]:  # fmt: skip
    """Shoot what is not there yet; yields each take as it is done, then writes the papers.

    Args:
        script: What to shoot.
        out: Folder of the show; made, or gone on with.
        film: Who renders.
        workers: Processes; takes are independent, so any number gives the same bytes.
        scene: Only this scene, by its slate number; the rest of the show can follow later. The
            papers tell of the takes that are there.
    """
    asked = takes_of(script, scene)
    open_folder(out, script)
    there = {take.shot for take in script.takes if delivery.done(out, take)}
    yield from (take for take in asked if take.shot in there)
    left = [take for take in asked if take.shot not in there]
    if workers > 1 and len(left) > 1:
        yield from _in_processes(left, out, script=script, film=film, workers=workers)
    else:
        for take in left:
            yield _one(take, out, script, film)
    part = script.part(there | {take.shot for take in left})
    write_sidecars(out, part)
    write_contact(out, part)


def takes_of(script: Script, scene: str | None) -> tuple[Take, ...]:
    """The takes of a scene, or all."""
    if scene is None:
        return script.takes
    numbers = [made.number for made in script.scenes]
    if scene not in numbers:
        raise UnknownName("scene", scene, numbers)
    return tuple(take for take in script.takes if take.scene == scene)


def _in_processes(
    left: list[Take], out: Path, *, script: Script, film: delivery.Film, workers: int
) -> Iterator[Take]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(left)), mp_context=context)
    before = set(multiprocessing.active_children())
    try:
        with _deaf():
            waiting = [pool.submit(_one, take, out, script, film) for take in left]
        for future in as_completed(waiting):
            yield future.result()
    except BaseException:
        for worker in set(multiprocessing.active_children()) - before:
            worker.terminate()  # a take is put in place whole or not at all
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that begin meanwhile do not hear Ctrl-C: who asked for them says so, once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _one(take: Take, out: Path, script: Script, film: delivery.Film) -> Take:
    """One take on one thread, so that any machine gives the same bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        delivery.deliver(out, take, script=script, film=film)
    finally:
        torch.set_num_threads(before)
    return take
