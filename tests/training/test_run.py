"""A run: it learns, ends in a fit, goes on to the bit, and ends clearly when it cannot."""

import json
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from footagefit.errors import DiskFull, UsageError, WrongValue
from footagefit.rendering.fits import load_fit, save_fit
from footagefit.training import callbacks
from footagefit.training.fine_tune import BrokenRun, FineTune
from footagefit.training.lightning import set_threads, threads_at_first
from footagefit.training.run import Plan, Stopped, execute, finish
from footagefit.training.settings import Settings
from footagefit.training.standing import lines, stood


def weights_of(folder) -> dict[str, torch.Tensor]:
    raw = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {**raw["state_dict"], "step": torch.tensor(raw["global_step"])}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def begun(plan: Plan, folder):
    plan.write(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    from training.conftest import a_plan, sides

    folder = begun(a_plan(), tmp_path_factory.mktemp("runs") / "undisturbed")
    numbers = execute(folder, sides())
    return folder, numbers


def test_a_run_leaves_record_pictures_and_checkpoints(undisturbed):
    folder, numbers = undisturbed
    lines = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    looks = [line["step"] for line in lines if "val/psnr" in line]
    assert looks == [0, 3, 6]
    assert lines[0]["val/psnr"] == pytest.approx(lines[0]["val/psnr_plate"], abs=1e-4)
    assert numbers["steps"] == 6
    assert len(list((folder / "review").rglob("*.png"))) == 2 * 3
    assert not list(folder.rglob("*.part"))
    assert int(weights_of(folder)["ema.count"]) == 6


def test_a_run_says_where_it_stands(undisturbed, tmp_path):
    folder, numbers = undisturbed
    table = stood(folder)
    assert next(iter(table)) == "untouched"
    assert {"reinhard-log", "monge-kantorovich", "this fit"} <= table.keys()
    assert table["untouched"]["psnr_db"] == pytest.approx(numbers["val/psnr_plate"], abs=1e-3)
    assert table["this fit"]["psnr_db"] == pytest.approx(numbers["val/psnr"], abs=1e-3)
    assert table["this fit"]["worst_gain_db"] == pytest.approx(numbers["val/worst_gain"], abs=1e-3)
    assert len({row["psnr_db"] for row in table.values()}) > 2
    with Image.open(folder / "standing.png") as picture:
        assert picture.width > 4 * 32
    fit = load_fit(finish(folder, tmp_path / "fit", numbers))
    assert fit.card["standing"]["this fit"]["psnr_db"] == pytest.approx(
        numbers["val/psnr"], abs=1e-3
    )
    assert len(lines(table)) == 1 + len(table)


def test_stopped_and_resumed_is_bit_identical(
    undisturbed, tmp_path, plan, waves, monkeypatch, capfd
):
    folder = begun(plan(), tmp_path / "run")
    hear = callbacks.Checkpoints.on_train_batch_end

    def stop_at_4(self, trainer, module, *args):
        if trainer.global_step == 4 and not (folder / "told").exists():
            (folder / "told").touch()
            os.kill(os.getpid(), signal.SIGTERM)
        hear(self, trainer, module, *args)

    monkeypatch.setattr(callbacks.Checkpoints, "on_train_batch_end", stop_at_4)
    with pytest.raises(Stopped, match=r"stopped at step 4.*resume="):
        execute(folder, waves())
    assert int(weights_of(folder)["step"]) == 4
    said = capfd.readouterr().err
    assert said.count("train: told to stop; saving") == 1
    assert "held-out frames at step 3" in said
    assert "at step 4" not in said  # it ends at once: what it came to is judged when it goes on
    execute(folder, waves())
    assert same(weights_of(folder), weights_of(undisturbed[0]))


def test_killed_between_saves_goes_on_from_the_last_one(
    undisturbed, tmp_path, plan, waves, monkeypatch
):
    folder = begun(plan(), tmp_path / "run")
    step = FineTune.training_step

    def die(self, batch, index):
        if index == 4:
            raise SystemError("killed")
        return step(self, batch, index)

    monkeypatch.setattr(FineTune, "training_step", die)
    with pytest.raises(SystemError):
        execute(folder, waves())
    monkeypatch.undo()
    assert int(weights_of(folder)["step"]) == 3
    execute(folder, waves())
    assert same(weights_of(folder), weights_of(undisturbed[0]))


def test_accumulated_parts_are_the_same_batch(undisturbed, tmp_path, plan, waves):
    folder = begun(plan(accumulate=2), tmp_path / "run")
    execute(folder, waves())
    one, other = weights_of(folder), weights_of(undisturbed[0])
    assert int(one["step"]) == 6
    for name in one:
        if one[name].is_floating_point():
            assert torch.allclose(one[name], other[name], atol=2e-3), name


def test_a_batch_with_nan_is_saved_and_named(tmp_path, plan, waves, monkeypatch):
    folder = begun(plan(), tmp_path / "run")
    loss = FineTune.training_step

    def spoil(self, batch, index):
        if index == 2:
            batch.target[0, 0, 0] = float("nan")
        return loss(self, batch, index)

    monkeypatch.setattr(FineTune, "training_step", spoil)
    with pytest.raises(BrokenRun, match=r"step 2: .*not a number"):
        execute(folder, waves())
    (saved,) = folder.glob("broken_batch_*.pt")
    parts = torch.load(saved, weights_only=True)
    assert bool(parts["target"].isnan().any())
    monkeypatch.undo()


def test_a_full_disk_is_one_line_and_keeps_the_checkpoint_before(
    tmp_path, plan, waves, monkeypatch
):
    import pytorch_lightning as pl

    folder = begun(plan(), tmp_path / "run")
    save = pl.Trainer.save_checkpoint

    def full(self, path, *args, **kwargs):
        if self.global_step > 3:
            raise OSError(28, "No space left on device")
        save(self, path, *args, **kwargs)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", full)
    with pytest.raises(DiskFull, match=r"last\.ckpt: no space for the checkpoint of step 6"):
        execute(folder, waves())
    assert int(weights_of(folder)["step"]) == 3


def test_what_takes_long_is_said_before_it_begins(tmp_path, plan, waves, capfd):
    execute(begun(plan(max_steps=1), tmp_path / "run"), waves())
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith(("train: ", "review: "))] == [
        "train: building the model, and 2 held-out examples",
        "train: trying a step and a look for their memory",
        "review: looking at 2 held-out frames at step 0",
        "review: looking at 2 held-out frames at step 1",
        "train: judging the fit and the classical ways on 2 held-out frames",
    ]
    execute(tmp_path / "run", waves())
    assert "before it goes on from its checkpoint" in capfd.readouterr().err


def test_until_minutes_are_steps_minutes_are_told(tmp_path, capfd):
    trainer = SimpleNamespace(callback_metrics={}, max_steps=10_000_000, global_step=12)
    budget = callbacks.Budget(tmp_path / "budget.json", minutes=1.5, begun=100.0)
    budget._report(trainer, 118.0, 12)  # pyright: ignore[reportArgumentType]
    assert capfd.readouterr().err.startswith("train: step 12, 0.3 of 1.5 minutes, loss")
    budget = callbacks.Budget(tmp_path / "budget.json", minutes=None, begun=100.0)
    trainer.max_steps = 24
    budget._report(trainer, 118.0, 12)  # pyright: ignore[reportArgumentType]
    assert capfd.readouterr().err.startswith("train: 12/24 steps, loss nan, ETA 18 s")


def test_minutes_become_steps_once(tmp_path, plan, waves, monkeypatch):
    monkeypatch.setattr(callbacks, "_TIMED", (1, 3))
    folder = begun(plan(max_steps=None, max_minutes=1e-6), tmp_path / "run")
    numbers = execute(folder, waves())
    assert numbers["steps"] == 4
    assert json.loads((folder / "budget.json").read_text())["steps"] == 4
    assert execute(folder, waves())["steps"] == 4


def test_a_finished_run_gives_a_fit_that_starts_another(undisturbed, tmp_path, plan, waves):
    folder, numbers = undisturbed
    path = finish(folder, tmp_path / "fit", numbers)
    fit = load_fit(path)
    best = load_file(folder / "checkpoints" / "best.safetensors")
    assert same(dict(fit.model.state_dict()), best)
    assert fit.card["steps"] == 6
    assert fit.card["metrics"]["val/psnr"] > 0
    state = weights_of(folder)  # of the last step: six may not have gained
    learnt = {n.removeprefix("model."): w for n, w in state.items() if n.startswith("model.")}
    path = save_fit(tmp_path / "last", recipe=fit.recipe, weights=learnt, card=dict(fit.card))
    child = begun(replace(plan(max_steps=1), init_from=str(path)), tmp_path / "child")
    execute(child, waves())
    first = json.loads((child / "record.jsonl").read_text().splitlines()[0])
    assert first["val/psnr"] != pytest.approx(first["val/psnr_plate"], abs=1e-6)
    grandchild = load_fit(finish(child, tmp_path / "fit2", {"steps": 1.0}))
    assert grandchild.card["parent"] == {"fit": "last", "hash": load_fit(path).hash}


def test_a_run_does_not_go_on_as_another(tmp_path, plan):
    one = plan()
    begun(one, tmp_path / "run")
    assert Plan.read(tmp_path / "run") == Plan.read(tmp_path / "run")
    one.check_resumes(plan(workers=2, threads=2), tmp_path)
    with pytest.raises(UsageError, match=r"trainer\.rate changed"):
        one.check_resumes(plan(rate=1.0), tmp_path)
    with pytest.raises(UsageError, match="no run there"):
        Plan.read(tmp_path / "nowhere")


def test_threads_leave_the_cores_that_loaders_have(plan):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        threads_at_first.cache_clear()
        for asked, workers, left in ((None, 1, 3), (None, 1, 3), (None, 9, 1), (2, 1, 2)):
            set_threads(replace(plan().settings, threads=asked, workers=workers))
            assert torch.get_num_threads() == left
    finally:
        torch.set_num_threads(before)
        threads_at_first.cache_clear()


def test_settings_say_what_is_wrong():
    with pytest.raises(UsageError, match=r"one of them"):
        Settings(max_steps=5, max_minutes=5.0)
    with pytest.raises(UsageError, match=r"one of them"):
        Settings(max_steps=None)
    with pytest.raises(WrongValue, match=r"batch_size=6"):
        Settings(batch_size=7, accumulate=3)
