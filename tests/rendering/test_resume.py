"""Killed, split, out of memory, out of room: the frames that come out are the same frames."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import footagefit
from footagefit.errors import DiskFull, FootagefitError, FootagefitWarning, MissingPart
from footagefit.footage.manifest import manifest_path, merge
from footagefit.models.field import FieldModel
from footagefit.rendering import devices
from footagefit.rendering.ask import Ask
from footagefit.rendering.devices import DeviceLost
from footagefit.rendering.fits import load_fit
from footagefit.rendering.plan import Plan
from footagefit.rendering.render import run
from footagefit.rendering.work import Bounds, Work

FRAMES = range(1001, 1025)
SCRIPT = """
import sys, footagefit
def told(items, *, total, label):
    for item in items:
        yield item
        print(label, item, flush=True)
plate, fit, reference, out = sys.argv[1:]
footagefit.render(plate, fit=fit, reference=reference, out=out, threads=1, progress=told)
"""


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.fixture
def plate(shot):
    return shot(frames=FRAMES, gain=lambda n: 1.0 + 0.02 * (n % 5))


def test_killed_at_random_and_resumed_gives_the_same_bytes(fit, plate, reference, tmp_path):
    whole, killed = tmp_path / "whole" / "m.####.exr", tmp_path / "killed" / "m.####.exr"
    footagefit.render(plate, fit=fit, reference=reference, out=whole, threads=1)
    draw = random.Random(7)
    words = [sys.executable, "-c", SCRIPT, str(plate), str(fit), str(reference), str(killed)]
    for phase in ("look", "render"):
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            wanted = draw.randrange(3, 12)
            for line in process.stdout or ():
                wanted -= line.startswith(phase)
                if wanted == 0:
                    time.sleep(draw.random() * 0.02)
                    process.kill()
                    break
    made = list(killed.parent.glob("m.*.exr"))
    assert 0 < len(made) < len(FRAMES)
    assert not manifest_path(killed).exists()
    done = footagefit.render(plate, fit=fit, reference=reference, out=killed, threads=1)
    assert 0 < done.written < len(FRAMES)
    assert files(killed.parent) == files(whole.parent)


def test_seven_uneven_parts_are_the_whole(fit, plate, reference, tmp_path):
    whole, parts = tmp_path / "whole" / "m.####.exr", tmp_path / "parts" / "m.####.exr"
    options = {"plate": plate, "fit": load_fit(fit), "reference": reference}
    run(Plan(Ask(out=whole, **options)))
    edges = [1001, 1002, 1005, 1006, 1013, 1014, 1020, 1025]
    spans = [f"{a}-{b - 1}" for a, b in pairwise(edges)]
    random.Random(1).shuffle(spans)
    for span in spans:
        run(Plan(Ask(out=parts, frames=span, part=span, **options)))
    assert merge(manifest_path(parts)) == len(FRAMES)
    assert files(parts.parent) == files(whole.parent)


def test_fields_that_were_cut_short_are_decided_again(fit, plate, reference, tmp_path):
    out = tmp_path / "o" / "m.####.exr"
    first = footagefit.render(plate, fit=fit, reference=reference, out=out)
    before = files(out.parent)
    first.fields.write_bytes(first.fields.read_bytes()[:1000])
    shutil.rmtree(out.parent / "none", ignore_errors=True)
    (out.parent / "m.1004.exr").unlink()
    again = footagefit.render(plate, fit=fit, reference=reference, out=out)
    assert again.written == 1
    assert files(out.parent) == before


@pytest.mark.parametrize("half", [False, True])
def test_a_look_that_was_stopped_goes_on(fit, plate, reference, tmp_path, monkeypatch, half):
    whole, cut = tmp_path / "whole" / "m.####.exr", tmp_path / "cut" / "m.####.exr"
    said = {"plate": plate, "fit": fit, "reference": reference, "half": half}
    footagefit.render(out=whole, **said)

    def stopped(items, *, total, label):
        for number in items:
            yield number
            if number == 1020:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        footagefit.render(out=cut, progress=stopped, **said)
    assert not list(cut.parent.glob("m.*"))
    looked, real = [], FieldModel.look
    monkeypatch.setattr(
        FieldModel, "look", lambda model, given: looked.append(1) or real(model, given)
    )
    footagefit.render(out=cut, **said)
    assert len(looked) == 2  # of four batches: 1001-1007 and 1008-1015 were kept
    assert files(cut.parent) == files(whole.parent)


class Fails:
    """The field model, that fails some times before it works."""

    def __init__(self, monkeypatch, times: int, error: Exception, what: str = "apply") -> None:
        real = getattr(FieldModel, what)
        self.left = times

        def failing(model, *args, **kwargs):
            if self.left:
                self.left -= 1
                raise error
            return real(model, *args, **kwargs)

        monkeypatch.setattr(FieldModel, what, failing)


@pytest.mark.parametrize("what", ["look", "apply"])
def test_out_of_memory_halves_the_work_and_says_so(
    fit, plate, reference, tmp_path, monkeypatch, what
):
    whole, less = tmp_path / "whole" / "m.####.exr", tmp_path / "less" / "m.####.exr"
    footagefit.render(plate, fit=fit, reference=reference, out=whole)
    Fails(monkeypatch, 2, torch.OutOfMemoryError("CUDA out of memory"), what)
    with pytest.warns(FootagefitWarning, match="half as much at once") as told:
        footagefit.render(plate, fit=fit, reference=reference, out=less)
    assert len([w for w in told if "half as much" in str(w.message)]) == 2
    one, other = footagefit.open_clip(whole), footagefit.open_clip(less)
    for number in (1001, 1024):
        # The last bits of a look depend on how many are decided together.
        assert torch.allclose(
            one.read([number]).rgb_TCHW, other.read([number]).rgb_TCHW, rtol=2e-3, atol=1e-5
        )


def test_no_memory_for_one_frame_is_one_line(fit, plate, reference, tmp_path, monkeypatch):
    Fails(monkeypatch, 99, torch.OutOfMemoryError("CUDA out of memory"))
    with warnings.catch_warnings(), pytest.raises(FootagefitError, match="not the memory for one"):
        warnings.simplefilter("ignore", FootagefitWarning)
        footagefit.render(plate, fit=fit, reference=reference, out=tmp_path / "m.####.exr")


def test_a_full_device_hands_over_to_the_cpu():
    work = Work(FieldModel(width=8, long_px=64), [torch.device("meta")], batch=1, depth=1)
    asked = []

    def job(device, model):
        asked.append(str(device))
        if device.type == "meta":
            raise torch.OutOfMemoryError("out of memory")
        return 5

    with (
        pytest.warns(FootagefitWarning, match="the CPU goes on"),
        pytest.raises(NotImplementedError),
    ):
        work.run(job, frame=3)  # a meta tensor has no data to hand over: the CPU was tried
    assert asked == ["meta"]


def test_a_lost_device_is_one_line_and_the_job_goes_on(
    fit, plate, reference, tmp_path, monkeypatch
):
    out = tmp_path / "o" / "m.####.exr"
    real = FieldModel.apply
    Fails(monkeypatch, 1, RuntimeError("CUDA error: unspecified launch failure\nmore"))
    with pytest.raises(DeviceLost, match=r"was lost.*goes on where it stopped") as told:
        footagefit.render(plate, fit=fit, reference=reference, out=out)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(FieldModel, "apply", real)
    done = footagefit.render(plate, fit=fit, reference=reference, out=out)
    assert len(list(out.parent.glob("*.exr"))) == len(done.frames) == 24


def test_other_errors_are_not_taken_for_these(fit, plate, reference, tmp_path, monkeypatch):
    Fails(monkeypatch, 1, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        footagefit.render(plate, fit=fit, reference=reference, out=tmp_path / "o" / "m.####.exr")


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    fit, plate, reference, tmp_path, monkeypatch
):
    out = tmp_path / "o" / "m.####.exr"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFull, match="are needed and"):
        footagefit.render(plate, fit=fit, reference=reference, out=out)
    assert not out.parent.exists()
    monkeypatch.undo()
    footagefit.render(plate, fit=fit, reference=reference, out=out)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 17))
    again = footagefit.render(plate, fit=fit, reference=reference, out=out)
    assert again.written == 0, "frames that are there need no room"


def test_a_disk_that_fills_leaves_whole_frames_only(fit, plate, reference, tmp_path, monkeypatch):
    from footagefit.footage import picture

    out = tmp_path / "o" / "m.####.exr"
    usage, asked = shutil.disk_usage(tmp_path), []

    def shrinking(path):
        asked.append(path)
        return usage._replace(free=0 if len(asked) > 8 else usage.free)

    monkeypatch.setattr(picture.shutil, "disk_usage", shrinking)
    with pytest.raises(DiskFull, match="frame 10"):
        footagefit.render(plate, fit=fit, reference=reference, out=out, threads=1)
    monkeypatch.undo()
    left = list(out.parent.glob("m.*.exr"))
    assert 0 < len(left) < 24
    assert not list(out.parent.glob("*.part"))
    footagefit.render(plate, fit=fit, reference=reference, out=out, threads=1)
    assert len(list(out.parent.glob("m.*.exr"))) == 24


def test_devices_by_name():
    assert devices.pick("cpu") == [torch.device("cpu")]
    assert devices.pick("auto")[0] in devices.there()
    with pytest.raises(MissingPart, match=r"There is .*cpu"):
        devices.pick("cuda:77")
    with pytest.raises(FootagefitError, match="not a device"):
        devices.pick("gpu please")


def test_two_devices_share_the_frames(fit, plate, reference, tmp_path, monkeypatch):
    one, two = tmp_path / "one" / "m.####.exr", tmp_path / "two" / "m.####.exr"
    footagefit.render(plate, fit=fit, reference=reference, out=one)
    pair = [torch.device("cpu"), torch.device("cpu", 0)]
    monkeypatch.setattr(devices, "pick", lambda _: pair)
    footagefit.render(plate, fit=fit, reference=reference, out=two)
    assert files(one.parent) == files(two.parent)


@pytest.mark.parametrize("gib", [0.5, 2, 64])
def test_memory_stays_within_its_bound(gib):
    frame = 3840 * 2160 * 12
    bounds = Bounds.within(int(gib * 2**30), frame, None)
    least = bounds.depth == 1 and bounds.threads == 1
    assert least or bounds.busy_bytes + bounds.kept_bytes <= gib * 2**30
