"""Every family of bases: trained, gone on with, kept, read back and used."""

from __future__ import annotations

import pytest
import torch

from footagefit.models import diffusion_hashes as hashes
from footagefit.rendering.fits import load_fit
from footagefit.training.fine_tune import FineTune
from footagefit.training.run import execute, finish
from tiny_bases import FAMILIES, tiny_base
from training.conftest import diffused, sides

OTHERS = [family for family in FAMILIES if family != "sdxl"]  # which learns in `test_latents.py`


@pytest.mark.parametrize("family", OTHERS)
@pytest.mark.filterwarnings("ignore:.*no text towers there")
def test_a_family_learns_goes_on_and_comes_back(family, tmp_path, monkeypatch):
    monkeypatch.setenv(hashes.CACHE, str(tmp_path / "cache"))
    base = tiny_base(tmp_path / family, family)
    plan = diffused(base, max_steps=2, save_every=1, review_every=0, val_windows=1, ema_decay=0.5)
    whole, halves = tmp_path / "runs" / "whole", tmp_path / "runs" / "halves"
    plan.write(whole)
    numbers = execute(whole, sides())
    step = FineTune.training_step

    def die(self, batch, index):
        if index == 1:
            raise SystemError("killed")
        return step(self, batch, index)

    plan.write(halves)
    with monkeypatch.context() as patch:
        patch.setattr(FineTune, "training_step", die)
        with pytest.raises(SystemError):
            execute(halves, sides())
    execute(halves, sides())
    last = [
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for f in (whole, halves)
    ]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])
    assert "ema.count" in last[0]  # the average of what learns, and of nothing else
    learnt = [n for n in last[0] if n.startswith("model.")]
    assert len([n for n in last[0] if n.startswith("ema.average_")]) == len(learnt)

    fit = load_fit(finish(whole, tmp_path / "fit", numbers))
    assert fit.card["weights"]["base"] == family
    weights = {n.removeprefix("model."): last[0][n] for n in learnt}
    fit.model.load_state_dict(weights)
    again = plan.recipe.build_model(fit.task.spec).eval()
    again.load_state_dict(weights)
    given = fit.task.given(sides().held_out.window(3), {})
    with torch.inference_mode():
        made = fit.model.predict(given)
        assert torch.equal(made, again.predict(given))
    assert bool(torch.isfinite(made).all())
    assert not torch.equal(made, given.plate)
