"""Bases taught by LoRA: what moves, what stays, what an untrained one gives, what is refused."""

from __future__ import annotations

import pytest
import torch

from diffusion_made import a_given, a_model, a_pair, base, holed, taught, total
from footagefit.errors import WrongValue
from footagefit.models.diffusion import CACHED, DiffusionModel
from footagefit.models.nets.codes import codes_of
from footagefit.models.tiles import starts
from footagefit.records import Given, Pair
from footagefit.tasks.draws import generator
from tiny_bases import FAMILIES, tiny_base

__all__ = ["base"]
# A prompt of zeros asks nothing; of SD3's last block only the picture's side is used.
ASK = "conditions.ask.weight"
IDLE = {"flux-fill": (ASK,), "sd3": ("transformer_blocks.1.attn.add_q_proj",)}


@pytest.mark.parametrize("family", FAMILIES)
def test_untrained_it_returns_the_plate_to_the_bit(base, family):
    given = a_given(2)
    given.plate[0, :, 0, 0] = torch.tensor([90.0, -0.2, 4.0])
    with torch.no_grad():
        for look in ("grid", "ratio"):
            model = a_model(base(family), look=look)
            assert torch.equal(model.predict(given), given.plate)


@pytest.mark.parametrize("objective", ["bridge", "flow"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_should_move_moves_and_what_is_frozen_stays(base, family, objective):
    model = a_model(base(family), objective=objective)
    before = {n: w.clone() for n, w in model.named_parameters()}
    taught(model, a_pair(2), steps=5)
    moved = {n for n, w in model.named_parameters() if not torch.equal(w, before[n])}
    learnt = {n for n, w in model.named_parameters() if w.requires_grad}
    assert moved <= learnt
    idle = {n for n in learnt if any(i in n for i in IDLE.get(family, ()))}
    assert learnt - moved <= idle
    kinds = ("lora_", ".extra.", "conditions.")
    head = f"denoiser.net.{model.denoiser.ends[1]}."
    ours = {n for n in before if any(k in n for k in kinds)}
    ours |= {n for n in before if n.startswith(head)} if objective == "bridge" else set()
    assert learnt == ours
    assert set(model.state_dict()) == learnt | {"belongs_to"}
    again = a_model(base(family), objective=objective)
    after = dict(model.named_parameters())
    for name, weight in again.named_parameters():
        if name not in learnt:  # shared with every model on the base: none may write to it
            assert torch.equal(weight, after[name]), name


def test_a_fit_of_it_is_small_comes_back_and_refuses_another_base(base, tmp_path):
    model = a_model(base("sd15"))
    taught(model, a_pair(), steps=2)
    state = {n: w.clone() for n, w in model.state_dict().items()}
    held = sum(w.numel() for w in state.values())
    assert held < 0.5 * sum(w.numel() for w in model.parameters())
    again = a_model(base("sd15"), seed=8)
    again.load_state_dict(state)
    given = a_given()
    with torch.no_grad():
        assert torch.equal(again.predict(given), model.predict(given))
    other = a_model(tiny_base(tmp_path / "other", "sd15", seed=9, towers=True))
    before = {n: w.clone() for n, w in other.state_dict().items()}
    with pytest.raises(WrongValue, match="learnt on another base"):
        other.load_state_dict(state)
    assert all(torch.equal(w, before[n]) for n, w in other.state_dict().items())
    with pytest.raises(RuntimeError, match="Missing key"):
        again.load_state_dict({n: w for n, w in state.items() if "lora_B" not in n})
    assert model.about() == {
        "base": "sd15", "base_hash": model.found.hash, "base_licence": "openrail++",
    }  # fmt: skip


def latent_db(model: DiffusionModel, pair: Pair) -> float:
    with torch.no_grad():
        known = model.encode(pair)
        made = model._sampled(known, model.small(pair.given))
    off = (made - known["target"]).square().mean()
    return float(10 * torch.log10((known["target"].max() - known["target"].min()) ** 2 / off))


def test_one_pair_is_learnt_to_30_db_in_one_step_and_in_four(base):
    pair = a_pair()
    pair = pair._replace(target=1.5 * (1.0 - pair.given.plate.flip(1)).clamp_min(0.0) ** 2)
    model = a_model(base("sd15"), rank=8, drop_reference=0.0, side_px=24)
    before = latent_db(model, pair)
    held = {CACHED + n: latents for n, latents in model.encode(pair).items()}
    taught(model, pair._replace(truth=held), steps=300, rate=2e-2)
    one = latent_db(model, pair)
    model.way.steps = 4
    four = latent_db(model, pair)
    assert before < 24.0 < 30.0 < min(one, four), (before, one, four)


def test_references_and_numbers_matter_once_taught_and_can_be_left_out(base):
    model = a_model(base("sd15"))
    for layer in (model.conditions.tell, model.conditions.hint, model.denoiser.net.conv_out):
        torch.nn.init.normal_(layer.weight, std=0.3)
    given = a_given(2)
    with torch.no_grad():
        plain = model.predict(given)
        for other in (
            given._replace(reference=1.0 - given.reference),
            given._replace(vector=1.0 - given.vector),
        ):
            assert float((model.predict(other) - plain).abs().max()) > 1e-4
        tokens, vector = model.denoiser.tokens, given.vector
        latents = torch.randn(2, 1, 4, 8, 8)
        left_out = model.conditions(tokens, latents, torch.zeros(2, 1, 1), vector)
        none = model.conditions(tokens, latents[:, :0], torch.ones(2, 1, 1), vector)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(left_out, none, strict=True))


def test_a_loss_is_the_mean_of_its_pictures_however_they_come(base):
    model = a_model(base("sd15")).train()
    pair = a_pair(2)
    torch.nn.init.normal_(model.denoiser.net.conv_out.weight, std=0.1)
    parts = []
    for i in range(2):
        given = Given(*(part[i : i + 1] for part in pair.given))
        parts.append(Pair(given, pair.target[i : i + 1], {}, pair.weight[i : i + 1]))
    with torch.no_grad():
        whole = float(total(model, pair))
        assert whole == float(total(model, pair))
        mean = sum(float(total(model, part)) for part in parts) / 2
    assert whole == pytest.approx(mean, rel=1e-4)


def test_latents_from_a_cache_teach_the_same(base):
    model = a_model(base("sdxl")).train()
    pair = a_pair(2)
    held = {CACHED + n: t for n, t in model.encode(pair).items()}
    none = torch.zeros(2, 3, 1, 1)
    empty = Pair(pair.given._replace(plate=none, guide=none, mask=none), none, held, none)
    with torch.no_grad():
        assert float(total(model, empty)) == float(total(model, pair))


def test_likeness_of_a_crop_is_asked_for_and_learnt_from(base):
    model = a_model(base("sd15"), lpips_weight=3.0, side_px=64).train()
    seen = []

    def unlike(one, other):
        seen.append((one.shape, float(one.detach().min()), float(other.max())))
        return (one - other).square().flatten(1).mean(1)

    model.likeness = unlike
    terms = model.loss(a_pair(2), rng=generator(0))
    terms["lpips"].backward()
    assert seen[0][0] == (2, 3, 44, 64)  # 32 latents of 2 pixels at most
    assert seen[0][1] >= 0.0 < seen[0][2] <= 1.0
    assert float(model.denoiser.net.conv_out.weight.grad.abs().max()) > 0.0
    pair = a_pair(2)
    weight = torch.zeros_like(pair.weight)  # such as frames whose other light nobody has seen
    none = model.loss(pair._replace(weight=weight), rng=generator(0))
    assert [float(term.detach()) for term in none.values()] == [0.0, 0.0]


def test_blocks_worked_out_again_give_the_same_gradients(base):
    grads = []
    for again in (False, True):
        model = a_model(base("flux")).train()
        if again:
            model.denoiser.recompute()
        total(model, a_pair()).backward()
        grads.append({n: w.grad for n, w in model.named_parameters() if w.grad is not None})
    assert grads[0].keys() == grads[1].keys()
    assert all(torch.allclose(grads[0][n], grads[1][n], atol=1e-6) for n in grads[0])


def test_a_base_in_half_precision_learns_whole(base):
    model = a_model(base("sdxl"), dtype="bf16")
    kinds = {w.dtype for w in model.parameters() if w.requires_grad}
    assert kinds == {torch.float32}
    assert model.denoiser.net.conv_in.own.weight.dtype == torch.bfloat16
    taught(model, a_pair(), steps=2)
    made = model.predict(a_given())
    assert bool(torch.isfinite(made).all())


@pytest.mark.parametrize("family", ["sd2-inpaint", "sd3", "flux", "flux-fill"])
def test_pixels_are_made_in_holes_alone_and_follow_the_noise(base, family):
    model = a_model(base(family), guide_channels=6, steps=2)
    assert model.makes == "pixels"
    given = holed()
    with torch.no_grad():
        made = model.predict(given)
        assert torch.equal(made, model.predict(given))
        assert torch.equal(made[1], given.plate[1])
        outside = (given.mask == 0).expand_as(made)
        assert torch.equal(made[outside], given.plate[outside])
        assert not torch.equal(made[0], given.plate[0])
        other = model.predict(given._replace(noise=given.noise.flip(3)))
        assert not torch.equal(other, made)
    loss = total(model.train(), Pair(given, given.plate, {}, torch.ones_like(given.mask)))
    loss.backward()
    assert bool(torch.isfinite(loss.detach()))


def test_an_inpainting_base_sees_grey_under_the_mask_as_it_was_taught(base):
    model = a_model(base("sd2-inpaint"), guide_channels=6, side_px=45)  # as large as the plate
    small = model.small(holed())
    known = model.encode_given(small)
    codes = codes_of(small.plate) * (small.mask < 0.5)  # as diffusers' inpainting pipelines do
    net = model.autoencoder.net
    with torch.no_grad():
        wanted = net.encode(codes[:1]).latent_dist.mode() * net.config.scaling_factor
    assert set(small.mask.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(known["plate"][:1], wanted, atol=1e-5)
    assert torch.equal(model.denoiser.beside(known["plate"], known["mask"])[:, 1:], known["plate"])


def test_what_the_config_says_of_times_noise_and_losses_is_what_is_taught(base):
    torch.manual_seed(0)  # by chance other times and noise may cost nearly the same
    folder, pair = base("sd15"), a_pair(2)
    plain = a_model(folder, latent_weight=1.0)
    torch.nn.init.normal_(plain.denoiser.net.conv_out.weight, std=0.1)
    said = {"times": (0.1, 0.9), "bridge_noise": 0.3, "latent_weight": 5.0}
    other = a_model(folder, **said)
    other.load_state_dict(plain.state_dict())
    assert (other.way.times, other.way.noise) == ((0.1, 0.9), 0.3)
    with torch.no_grad():
        first = float(total(plain, pair))
        assert float(total(other, pair)) != pytest.approx(5.0 * first, rel=1e-3)
        other.way = plain.way
        assert float(total(other, pair)) == pytest.approx(5.0 * first, rel=1e-5)
    said = {"flow_mean": 0.5, "flow_spread": 2.0, "flow_shift": 3.0, "steps": 7}
    way = a_model(folder, objective="flow", **said).way
    assert (way.mean, way.spread, way.shift, way.steps) == (0.5, 2.0, 3.0, 7)


@pytest.mark.parametrize(("often", "heard"), [(0.0, True), (1.0, False)])
def test_references_are_left_out_as_often_as_is_said(base, often, heard):
    model = a_model(base("sd15"), drop_reference=often).train()
    for layer in (model.conditions.tell, model.denoiser.net.conv_out):
        torch.nn.init.normal_(layer.weight, std=0.3)
    pair = a_pair(2)
    other = pair._replace(given=pair.given._replace(reference=1.0 - pair.given.reference))
    with torch.no_grad():
        assert (float(total(model, pair)) != float(total(model, other))) == heard


def test_tiles_of_latents_leave_no_seam_where_they_share_enough(base):
    """How much more a picture departs from the whole's across tiles' ends than elsewhere."""
    given = holed()
    given = given._replace(mask=torch.ones_like(given.mask))

    def latents(tile_px: int, overlap_px: int) -> torch.Tensor:
        said = {"tile_px": tile_px, "overlap_px": overlap_px}
        model = a_model(base("sd15"), guide_channels=6, side_px=128, steps=2, **said)
        with torch.no_grad():
            small = model.small(given)
            return model._sampled(model.encode_given(small), small)

    whole, seams = latents(0, 128), {}
    for overlap_px in (2, 16):
        apart = latents(32, overlap_px) - whole
        steps = apart.diff(dim=3).abs().mean((0, 1, 2))
        begins = starts(whole.shape[3], 16, overlap_px // 2, 2)
        ends = {b - 1 for b in begins if b} | {b + 15 for b in begins[:-1]}
        rest = [i for i in range(len(steps)) if i not in ends]
        seams[overlap_px] = float(steps[sorted(ends)].mean() / steps[rest].mean())
    assert seams[16] < 1.15 < 1.4 < seams[2], seams


def test_tiles_come_near_to_the_whole(base):
    whole = a_model(base("sd15"), guide_channels=6, side_px=64, steps=2)
    tiles = a_model(base("sd15"), guide_channels=6, side_px=64, steps=2, tile_px=32, overlap_px=16)
    given = holed()
    with torch.no_grad():
        one, other = whole.predict(given), tiles.predict(given)
    change = (one - given.plate).square().mean().sqrt()
    assert 0.0 < float((one - other).square().mean().sqrt()) < 0.5 * float(change)
