"""Relight as people type it: a fit taught on the stage, and a shot through it."""

from __future__ import annotations

import numpy as np
import pytest

from footagefit.rendering.fits import load_fit
from rendering_helpers import shot, stored

__all__ = ["shot"]

TINY = (
    "task=relight", "stage_scenes=4", "init_from=none", "task.size=[32,32]", "model=relight",
    "model.width=8", "model.long_px=48", "trainer.max_steps=2",
    "trainer.batch_size=2", "trainer.workers=0", "trainer.val_windows=2",
    "trainer.accelerator=cpu", "trainer.warmup_steps=1",
)  # fmt: skip


@pytest.fixture
def relight_fit(tmp_path, footagefit):
    code, out, err = footagefit("train", *TINY, f"work={tmp_path / 'w'}", "name=night")
    assert code == 0, err
    assert "fit:" in out
    return tmp_path / "w" / "fits" / "night"


def test_a_shot_is_relit_by_number_and_left_alone_without(
    relight_fit, footagefit, shot, tmp_path, write_picture
):
    fit = load_fit(relight_fit)
    assert fit.task.spec.name == "relight"
    assert fit.card["lineage"]["stage"]["size_px"] == [32, 32]
    words = ["infer", f"fit={relight_fit}", f"plate={shot(frames=range(1001, 1003))}"]
    code, _, err = footagefit(*words, f"out={tmp_path / 'same' / 's.####.exr'}")
    assert code == 0, err
    asked = ("light.azimuth_deg={1001:-60,1002:60}", "light.by.key_ev=1", "light.mode=add")
    code, _, err = footagefit(*words, *asked, "layers=gain,offset,normals,confidence",
                              f"out={tmp_path / 'lit' / 'l.####.exr'}")  # fmt: skip
    assert code == 0, err
    plate = stored(tmp_path / "plate" / "plate.1001.exr")[0]
    same = stored(tmp_path / "same" / "s.1001.exr")[0]
    lit, spec = stored(tmp_path / "lit" / "l.1001.exr")
    assert np.array_equal(plate, same)
    assert not np.allclose(plate, lit[..., :3], atol=1e-2)
    assert {"gain.R", "offset.B", "normals.R", "confidence"} <= set(spec.channelnames)
    code, _, err = footagefit(*words, "light.mode=both", f"out={tmp_path / 'x.####.exr'}")
    assert code == 2 and "light.mode" in err
    code, _, err = footagefit(*words, "light.azimut_deg=3", f"out={tmp_path / 'x.####.exr'}")
    assert code == 2 and "light.azimuth_deg (-180..180 deg)" in err
    lat_long = np.full((32, 64, 3), 0.05, np.float32)
    lat_long[9:12, 42:45] = 400.0  # two thirds across, a third down: 62 degrees right, 31 up
    hdri = write_picture(tmp_path / "set (1).exr", lat_long)
    code, out, err = footagefit(*words, f"hdri={hdri}", "reference_space=ACEScg",
                                "light.elevation_deg=10",
                                f"out={tmp_path / 'set' / 's.####.exr'}")  # fmt: skip
    assert code == 0, err
    assert "light.azimuth_deg=64.7" in out
    as_asked = ("light.azimuth_deg=64.7", "light.elevation_deg=10")
    code, _, err = footagefit(*words, *as_asked, f"out={tmp_path / 'told' / 't.####.exr'}")
    assert code == 0, err
    one = stored(tmp_path / "set" / "s.1001.exr")[0]
    other = stored(tmp_path / "told" / "t.1001.exr")[0]
    assert not np.allclose(one, plate, atol=1e-2)
    assert np.abs(one - other).mean() < 0.2 * np.abs(one - plate).mean()
    code, _, err = footagefit(*words, f"ball={hdri}", f"out={tmp_path / 'x.####.exr'}")
    assert code == 2 and "ball= needs at=" in err


def test_the_task_brings_its_model_along(footagefit, tmp_path):
    words = [w for w in TINY if not w.startswith("model")]
    code, out, err = footagefit("train", *words, f"work={tmp_path}", "dry_run=true")
    assert code == 0, err
    assert "relight with relight" in out
