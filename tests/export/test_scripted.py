"""The scripted model: what a render gives, at every size, type and setting of its knobs."""

from __future__ import annotations

import copy
import re
import warnings
import zipfile

import pytest
import torch

from footagefit.export import nuke
from footagefit.export.baked import NotExportable, baked, field_of, shot_look
from footagefit.export.held import held
from footagefit.export.parity import distance, expected, in_half, trying_frame
from footagefit.models.base import Amounts
from footagefit.tasks.base import Control, PlainWindow
from standing_set import wall

SIZES = [(54, 96), (37, 111), (101, 33), (1, 7), (64, 64), (5, 300), (140, 251)]

# All that the model's code calls, as loaded by torch 1.13: Nuke 14 carries 1.12, and an operator
# that is younger than the application's torch makes it refuse the whole file.
KNOWN_TO_OLD_TORCH = {
    "__derive_index", "__range_length", "abs", "add", "add_", "amax", "append", "arange",
    "avg_pool2d", "cat", "chunk", "clamp", "clamp_max", "clamp_min", "contiguous", "conv2d",
    "detach", "device", "div", "dtype", "eq", "exp", "exp2", "expand", "expand_as", "flatten",
    "flip", "floordiv", "ge", "grid_sampler", "group_norm", "gt", "le", "len", "linear", "log2",
    "matmul", "max", "maximum", "mean", "minimum", "mm", "mul", "mv", "nan_to_num", "ne", "neg",
    "ones_like", "permute", "pow", "relu", "repeat", "reshape", "roll", "round", "select",
    "sigmoid", "silu", "silu_", "size", "slice", "softmax", "sqrt", "square", "stack", "sub",
    "sum", "t", "to", "transpose", "unsqueeze", "view", "where", "zeros", "zeros_like",
}  # fmt: skip


@pytest.fixture(scope="session")
def path(bake, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "m.pt"
    nuke._saved(nuke.scripted(bake), path)
    return path


def run(model, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(x)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_float_and_half_are_what_a_render_gives(path, fit, reference, size):
    plate = trying_frame(*size)
    wanted = expected(fit, plate, reference)
    made = run(nuke.loaded(path), plate)
    assert made.dtype == torch.float32
    assert made.is_contiguous()
    assert distance(made, wanted) <= 1e-5
    half = run(nuke.loaded(path).half(), plate.half())
    assert half.dtype == torch.float16
    assert distance(half, in_half(wanted)) <= 1e-3
    assert distance(wanted, plate) > 0.01  # the fit does something


def test_half_decides_in_float(path):
    """Half on the way out is one rounding of the float result: nothing inside was half."""
    plate = trying_frame(54, 96)
    made = run(nuke.loaded(path), plate)
    half = run(nuke.loaded(path).half(), plate.half())
    assert distance(half, made) <= 2.0**-11


def test_what_half_cannot_hold_is_its_largest_number(path, fit, reference):
    plate = trying_frame(40, 64)
    plate[0, :, 20, 20] = 65504.0
    half = run(nuke.loaded(path).half(), plate.half())
    assert bool(torch.isfinite(half).all())


def test_parts_of_a_change_are_knobs(path, fit, reference):
    model, plate = nuke.loaded(path), trying_frame(70, 130)
    model.local, model.tone, model.colour = 0.2, 0.7, 0.4
    given = fit.task.given(PlainWindow(plate, reference, signature=fit.signature), {})
    with torch.no_grad():
        look = fit.model.look(fit.model.small(given))
        wanted = fit.model.apply(
            fit.model.followed(look, Amounts(local=0.2, tone=0.7, colour=0.4)), given
        )
    assert distance(run(model, plate), wanted) <= 1e-5
    assert distance(wanted, expected(fit, plate, reference)) > 1e-3


def test_a_baked_look_holds_what_the_set_says_and_a_net_does_not(fit):
    light = torch.from_numpy(wall(11)).permute(2, 0, 1)
    plate, reference = 0.4 * light * torch.tensor([0.8, 1.0, 1.3])[:, None, None], light[None]
    bake = baked(fit, to="nuke", reference_RCHW=reference)
    model = nuke.scripted(bake.locked_to(shot_look(fit, [plate], reference)))
    given = fit.task.given(PlainWindow(plate[None], reference, signature=fit.signature), {})
    with torch.no_grad():
        wanted = fit.model.predict(given)
    assert distance(run(model, plate[None]), wanted) <= 1e-5
    model.locked = 0
    assert distance(run(model, plate[None]), wanted) > 0.1


def test_strength_is_a_knob(path, fit, reference):
    plate = trying_frame(37, 111)
    model = nuke.loaded(path)
    model.strength = 0.0
    assert torch.equal(run(model, plate), plate)
    model.strength = 0.35
    assert distance(run(model, plate), expected(fit, plate, reference, strength=0.35)) <= 1e-5


def test_the_mask_is_the_tasks_own(path, fit, reference):
    plate = trying_frame(48, 70)
    mask = torch.zeros(1, 1, 48, 70)
    mask[..., 10:40, 20:50] = torch.linspace(0.0, 1.0, 30)
    model = nuke.loaded(path)
    both = torch.cat([plate, mask], 1)
    assert torch.equal(run(model, both), run(model, plate))
    model.use_mask = 1
    made = run(model, both)
    window = PlainWindow(plate, reference, {"alpha": mask}, fit.signature)
    given = fit.task.given(window, {})
    with torch.no_grad():
        wanted = fit.task.composite(given, fit.model.predict(given))
    assert distance(made, wanted) <= 1e-5
    outside = (mask == 0).expand(-1, 3, -1, -1)
    assert torch.equal(made[outside], plate[outside])
    assert not torch.equal(made, plate)


def test_primaries_turn_there_and_back(path, bake, fit, reference):
    plate = trying_frame(37, 64)
    wanted = expected(fit, plate, reference)
    model = nuke.loaded(path)
    assert [name for name, _, _ in bake.primaries][:2] == ["ACEScg", "linear Rec.709"]
    for place, (_, into, back) in enumerate(bake.primaries):
        model.primaries = place
        told = torch.einsum("ij,bjhw->bihw", back, plate)
        made = torch.einsum("ij,bjhw->bihw", into, run(model, told))
        assert distance(made, wanted, by_pixel=True) <= 1e-5
    model.strength = 0.0
    assert torch.equal(run(model, plate), plate)


def test_primaries_are_the_configs(bake):
    """ACEScg's red in linear Rec.709, from the ACES documents' chromaticities."""
    from colour import RGB_COLOURSPACES, matrix_RGB_to_RGB

    wanted = matrix_RGB_to_RGB(
        RGB_COLOURSPACES["ACEScg"], RGB_COLOURSPACES["ITU-R BT.709"], "Bradford"
    )
    back = {name: back for name, _, back in bake.primaries}["linear Rec.709"]
    assert torch.allclose(back.double(), torch.from_numpy(wanted), atol=2e-4)


def test_one_broken_pixel_breaks_no_other(path):
    plate = trying_frame(48, 64)
    broken = plate.clone()
    broken[0, 0, 3, 4] = float("nan")
    broken[0, 1, 9, 9] = float("inf")
    made = run(nuke.loaded(path), broken)
    assert int((~torch.isfinite(made)).any(1).sum()) <= 2
    assert bool(torch.isfinite(made[..., 20:, :]).all())


def test_a_baked_look_is_one_for_all_frames(fit, reference, bake, tmp_path):
    plates = [trying_frame(54, 96, seed=s)[0] for s in (1, 2)]
    look = shot_look(fit, plates, reference)
    model = nuke.scripted(bake.locked_to(look))
    plate = trying_frame(108, 192, seed=3)
    assert model.locked == 1
    assert distance(run(model, plate), expected(fit, plate, reference, look=look)) <= 1e-5
    model.locked = 0
    assert distance(run(model, plate), expected(fit, plate, reference)) <= 1e-5


def test_bands_do_not_show(bake):
    plate = trying_frame(64, 48)
    model = nuke.scripted(bake)
    whole = run(model, plate)
    model.band_px = 48 * 5
    assert torch.allclose(run(model, plate), whole, atol=1e-6)


def test_knobs_are_attributes_of_plain_types(path, fit, bake):
    model = nuke.loaded(path)
    found = nuke.knobs(fit, bake)
    parts = ["strength", "local", "tone", "colour"]
    assert [k.name for k in found] == [*parts, "primaries", "use_mask"]
    for knob in found:
        assert isinstance(getattr(model, knob.name), {"float": float, "int": int}[knob.kind])
        assert "." not in knob.name


def test_its_code_calls_nothing_that_older_torch_lacks(path):
    called = set()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                text = archive.read(name).decode()
                called |= set(re.findall(r"\b(?:torch|ops\.\w+)\.((?:_C\.)?(?:_nn\.)?\w+)\(", text))
    assert "grid_sampler" in called
    young = called - KNOWN_TO_OLD_TORCH
    assert not young, f"try benchmarks/export.py with an old torch, then list them: {young}"


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (torch.nn.Conv2d(4, 6, 3, stride=2, padding=1), torch.rand(1, 4, 9, 7)),
        (torch.nn.Conv2d(4, 4, 3, dilation=2, groups=2, bias=False), torch.rand(1, 4, 9, 7)),
        (torch.nn.Linear(4, 3), torch.rand(2, 5, 4)),
        (torch.nn.GroupNorm(2, 4), torch.rand(2, 4, 3, 3)),
        (torch.nn.LayerNorm(4), torch.rand(2, 5, 4)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_stand_ins_do_what_the_layers_do_and_stay_float(layer, x):
    net = torch.nn.Sequential(layer)
    for weight in net.parameters():
        torch.nn.init.normal_(weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = torch.jit.script(held(net)).half()
    assert torch.allclose(run(made, x), run(net, x), atol=1e-6)


def test_layers_without_a_stand_in_are_refused():
    with pytest.raises(NotExportable, match="0 is a Bilinear"):
        held(torch.nn.Sequential(torch.nn.Bilinear(2, 2, 2)))


def test_other_models_guides_and_controls_are_refused(fit):
    assert field_of(fit, "nuke") is fit.model
    other = copy.copy(fit.task)
    object.__setattr__(other, "spec", _changed(fit.task.spec, guide=("depth",)))
    with pytest.raises(NotExportable, match="shows its model depth"):
        field_of(_with(fit, task=other), "nuke")
    controls = {"light.key_ev": Control("ev", -4.0, 4.0, None, "key")}
    object.__setattr__(other, "spec", _changed(fit.task.spec, controls=controls))
    with pytest.raises(NotExportable, match=r"no knobs for \(light.key_ev\)"):
        field_of(_with(fit, task=other), "nuke")
    with pytest.raises(NotExportable, match="takes transforms"):
        field_of(_with(fit, model=torch.nn.Identity()), "nuke")


def test_the_signature_of_the_fit_is_baked_in(fit, reference, bake):
    assert float(bake.vector_BD.abs().sum()) > 0
    bare = baked(_with(fit, signature={}), to="nuke", reference_RCHW=reference)
    assert float(bare.vector_BD.abs().sum()) == 0.0


def _changed(spec, **parts):
    from dataclasses import replace

    return replace(spec, **parts)


def _with(fit, **parts):
    from dataclasses import replace

    return replace(fit, **parts)
