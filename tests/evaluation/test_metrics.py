"""Metrics against closed forms and published numbers; baselines against what they promise."""

import pytest
import torch

from footagefit.evaluation import baselines, metrics
from footagefit.tasks.draws import generator

# Sharma, Wu and Dalal 2005, table 1: pairs of Lab and their CIEDE2000.
SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.441), (91.1528, -1.6435, 0.0447), 1.4441),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("one", "other", "wanted"), SHARMA)
def test_ciede2000_as_published(one, other, wanted):
    lab = [torch.tensor(c).view(1, 3, 1, 1) for c in (one, other)]
    assert float(metrics.ciede2000(*lab)) == pytest.approx(wanted, abs=5e-4)
    assert float(metrics.ciede2000(*lab[::-1])) == pytest.approx(wanted, abs=5e-4)


def a_picture(seed: int = 0, size: int = 24) -> torch.Tensor:
    return torch.rand(1, 3, size, size, generator=generator(seed)) * 0.8 + 0.05


def test_psnr_in_three_spaces():
    target = a_picture()
    assert float(metrics.psnr_linear(target + 0.1, target)) == pytest.approx(20.0, abs=1e-3)
    stop = (target + metrics.LOG_TOE) * 2 - metrics.LOG_TOE
    wanted = 20 * torch.log10(torch.tensor(16.0))
    assert float(metrics.psnr_log(stop, target)) == pytest.approx(float(wanted), abs=1e-3)
    assert float(metrics.psnr(target, target)) > 100


def test_highlights_count_in_log_and_not_on_display():
    target = a_picture()
    target[..., :8] = 20.0
    clipped = target.clamp_max(1.5)
    assert float(metrics.psnr(clipped, target)) > 60
    assert float(metrics.psnr_log(clipped, target)) < 20


def test_masked_metrics_see_the_mask_only():
    target, mask = a_picture(), torch.zeros(1, 1, 24, 24)
    mask[..., :12] = 1.0
    made = target.clone()
    made[..., 12:] += 0.5
    for metric in (metrics.psnr, metrics.psnr_log, metrics.psnr_linear):
        assert float(metric(made, target, mask=mask)) > 100
        assert float(metric(made, target)) < 30
    assert float(metrics.delta_e_2000(made, target, mask=mask)) < 1e-3


def test_grey_is_grey_on_the_display():
    grey = torch.full((1, 3, 2, 2), 0.18)
    codes = metrics.display(grey)
    assert float(codes.max() - codes.min()) < 1e-4
    assert float(codes.mean()) == pytest.approx(0.4613, abs=1e-3)


def test_ssim_bounds():
    target = a_picture()
    assert float(metrics.ssim(target, target)) == pytest.approx(1.0, abs=1e-5)
    assert float(metrics.ssim(a_picture(3), target)) < 0.3


def test_baselines_undo_what_they_can():
    target = a_picture()[0]
    gained = target * torch.tensor([0.5, 1.2, 1.9]).view(3, 1, 1)
    for name in ("reinhard-log", "monge-kantorovich", "histogram"):
        made = baselines.CLASSICAL[name](gained, target)
        before = float(metrics.psnr(gained[None], target[None]))
        assert float(metrics.psnr(made[None], target[None])) > before + 10, name
    assert torch.allclose(baselines.oracle_gain(gained, target), target, rtol=0.05, atol=0.01)
    assert baselines.identity(gained, target) is gained


def test_monge_kantorovich_moves_mean_and_covariance():
    plate, reference = a_picture(1, 48)[0], a_picture(2, 48)[0] ** 2
    made = baselines.monge_kantorovich(plate, reference)
    logs = [torch.log2(p.flatten(1) + metrics.LOG_TOE) for p in (made, reference)]
    assert torch.allclose(logs[0].mean(1), logs[1].mean(1), atol=1e-3)
    assert torch.allclose(torch.cov(logs[0]), torch.cov(logs[1]), atol=1e-3)


def test_itp_against_colour_science():
    import colour
    import numpy as np

    one, other = a_picture(4) * 3.0, a_picture(5) * 3.0

    def itp(light: torch.Tensor) -> np.ndarray:
        space = colour.RGB_COLOURSPACES
        wide = colour.RGB_to_RGB(
            light[0].permute(1, 2, 0).double().numpy(),
            space["ACEScg"], space["ITU-R BT.2020"], chromatic_adaptation_transform="Bradford",
        )  # fmt: skip
        return colour.RGB_to_ICtCp(wide.clip(0) * metrics.ITP_WHITE_NITS)

    wanted = colour.delta_E(itp(one), itp(other), method="ITP").mean()
    assert float(metrics.delta_e_itp(one, other)) == pytest.approx(wanted, rel=1e-3)
    assert float(metrics.delta_e_itp(one, one)) == 0.0


def test_si_psnr_forgives_exposure_only():
    target = a_picture(6)
    assert float(metrics.si_psnr(target * 0.25, target)) > 80
    tinted = target * torch.tensor([1.3, 1.0, 0.8]).view(1, 3, 1, 1)
    assert float(metrics.si_psnr(tinted, target)) < 35
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., :12] = 1.0
    half = target * (1.0 - 0.5 * mask)
    assert (
        float(metrics.si_psnr(half, target, mask=mask)) > 80 > float(metrics.si_psnr(half, target))
    )


@pytest.mark.parametrize(
    ("made", "true", "wanted"),
    [((0, 0), (90, 0), 90.0), ((0, 90), (123, 90), 0.0), ((-45, 0), (45, 0), 90.0),
     ((0, 0), (180, 0), 180.0), ((30, 45), (30, 15), 30.0), ((0, 60), (180, 60), 60.0)],
)  # fmt: skip
def test_light_direction_is_a_great_circle(made, true, wanted):
    assert metrics.light_direction_error_deg(made, true) == pytest.approx(wanted, abs=1e-5)


def test_the_direction_of_light_in_a_picture_and_its_mirror_image():
    from footagefit.signature.light import angles, estimate

    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    ball = (1.0 - (x**2 + y**2)).clamp_min(0.0).sqrt()
    lit = (0.7 * x - 0.3 * y + 0.6 * ball).clamp_min(0.0) * (ball > 0) + 0.02
    plate = lit.expand(1, 3, 64, 64)
    mask = (ball > 0).float()[None, None]
    assert float(metrics.light_direction_deg(plate, plate, mask=mask)) < 1e-6
    azimuth, elevation = angles(estimate(plate, mask_T1HW=mask)[0].way)
    assert azimuth > 10.0
    wanted = metrics.light_direction_error_deg((azimuth, elevation), (-azimuth, elevation))
    mirrored = metrics.light_direction_deg(plate.flip(3), plate, mask=mask.flip(3))
    assert float(mirrored) == pytest.approx(wanted, abs=0.5)


def test_psnr_and_ssim_as_scikit_image_has_them():
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    one, other = a_picture(9, 64), a_picture(9, 64) + 0.1 * a_picture(10, 64)
    codes = [metrics.display(p)[0].permute(1, 2, 0).double().numpy() for p in (one, other)]
    wanted = peak_signal_noise_ratio(codes[1], codes[0], data_range=1.0)
    assert float(metrics.psnr(one, other)) == pytest.approx(wanted, abs=1e-3)
    wanted = structural_similarity(*codes, data_range=1.0, channel_axis=2, gaussian_weights=True,
                                   sigma=1.5, use_sample_covariance=False)  # fmt: skip
    assert float(metrics.ssim(one, other)) == pytest.approx(wanted, abs=2e-3)


def test_ssim_as_wang_wrote_it():
    """The published formula, window by window, in numpy."""
    import numpy as np

    one, other = a_picture(7), a_picture(8)
    a, b = (metrics.display(p)[0].double().numpy() for p in (one, other))
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for channel in range(3):
        for y in range(24 - 10):
            for x in range(24 - 10):
                p, q = (v[channel, y : y + 11, x : x + 11] for v in (a, b))
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * p * p).sum() - mp**2, (window * q * q).sum() - mq**2
                vpq = (window * p * q).sum() - mp * mq
                top = (2 * mp * mq + c1) * (2 * vpq + c2)
                values.append(top / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    from kornia.metrics import ssim as kornia_ssim

    inner = kornia_ssim(metrics.display(one), metrics.display(other), 11)[..., 5:-5, 5:-5]
    assert float(inner.mean()) == pytest.approx(float(np.mean(values)), abs=1e-5)
    assert float(metrics.ssim(one, other)) == pytest.approx(
        float(kornia_ssim(metrics.display(one), metrics.display(other), 11).mean()), abs=1e-6
    )
