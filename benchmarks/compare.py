"""Metrics beside others' implementations of them, baselines likewise, and what each metric costs.

    python benchmarks/compare.py lpips=FOLDER        # ex_ref, ex_p0, ex_p1 of its authors
    python benchmarks/compare.py report=film_work/reports/match_v001
    python benchmarks/compare.py --quick --json rows.json

LPIPS is held against the numbers its authors print for their example pair (0.722 and 0.138); it
needs their pictures, by path, and a real backbone (`footagefit doctor` says how to get one). Other
metrics and baselines are held against scikit-image, colour-science, torchmetrics and OpenCV where
those are installed. `report=` prints the table of methods that `footagefit evaluate` left there;
several are joined by commas, one for each task.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from rows import Row, arguments, medians, show, words
from torch import Tensor

from footagefit.errors import MissingPart
from footagefit.evaluation import (
    artefacts,
    baselines,
    fills,
    grid_fit,
    metrics,
    results,
    steadiness,
    tables,
)
from footagefit.evaluation.perceptual import Lpips

PUBLISHED = {"ex_p0.png": 0.722, "ex_p1.png": 0.138}
HD = (1080, 1920)


def main() -> None:
    said = words()
    options = arguments(__doc__ or "")
    rows = _lpips_rows(said.get("lpips"))
    size = (96, 160) if options.quick else (270, 480)
    rows += _metric_rows(size) + _baseline_rows(size)
    rows += _cost_rows((108, 192) if options.quick else HD, rounds=1 if options.quick else 3)
    show("Metrics and baselines beside others'", rows, options.json)
    for folder in said.get("report", "").split(",") if said.get("report") else ():
        found = results.read(Path(folder))
        print(f"\n{found.task}, {found.fit.name} on {len(found.shots)} held-out shots of "
              f"{found.show}; means and 95 % intervals over shots\n")  # fmt: skip
        print(tables.markdown(tables.methods(found)))


def _pictures(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A made-up plate and its target (1,3,H,W), scene-linear, with values above 1."""
    rng = torch.Generator().manual_seed(5)
    coarse = torch.rand(1, 3, 9, 16, generator=rng)
    target = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp_min(0.01)
    target = target**2 * 1.6 * torch.exp2(0.1 * torch.randn(target.shape, generator=rng))
    gain = torch.tensor([0.7, 0.55, 0.4]).view(1, 3, 1, 1)
    return (target * gain) ** 1.1, target


# -- LPIPS ----------------------------------------------------------------------------------------


def _lpips_rows(folder: str | None) -> list[Row]:
    if folder is None:
        print("lpips= is not given: the authors' example pair is left out")
        return []
    from PIL import Image

    def picture(name: str) -> Tensor:
        with Image.open(Path(folder) / name) as read:
            codes = np.asarray(read.convert("RGB"), np.float32) / 255.0
        return torch.from_numpy(codes).permute(2, 0, 1)[None]

    try:
        lpips = Lpips()
    except MissingPart as error:
        print(f"LPIPS is left out: {error}")
        return []
    found = []
    for name, published in PUBLISHED.items():
        ours = float(lpips.of_codes(picture("ex_ref.png"), picture(name)))
        holds = abs(ours - published) <= 0.001
        found.append(Row(f"LPIPS, ex_ref and {name}", "", ours, {"published": published},
                         "within 0.001", holds))  # fmt: skip
    return found


# -- metrics beside others' -----------------------------------------------------------------------


def _metric_rows(size: tuple[int, int]) -> list[Row]:
    plate, target = _pictures(size)
    codes = [metrics.display(p)[0].permute(1, 2, 0).double().numpy() for p in (plate, target)]
    found = []

    def beside(name: str, ours: Tensor, others: dict[str, float], within: float) -> None:
        if others:
            off = max(abs(float(ours) - value) for value in others.values())
            found.append(Row(name, "", float(ours), others, f"within {within:g}", off <= within))

    beside("PSNR, display", metrics.psnr(plate, target), _psnr(*codes), 1e-3)
    toe = metrics.LOG_TOE
    logs = [torch.log2(p.clamp_min(0.0) + toe)[0].double().numpy() for p in (plate, target)]
    beside("PSNR, log", metrics.psnr_log(plate, target), _psnr(*logs, peak=16.0), 1e-3)
    light = [p[0].double().numpy() for p in (plate, target)]
    beside("PSNR, linear", metrics.psnr_linear(plate, target), _psnr(*light), 1e-3)
    mask = torch.zeros_like(plate[:, :1])
    mask[..., : size[1] // 3] = 1.0
    inside = [c[:, : size[1] // 3] for c in codes]
    beside("fPSNR (display, masked)", metrics.psnr(plate, target, mask=mask), _psnr(*inside), 1e-3)
    beside("SSIM, display", metrics.ssim(plate, target), _ssim(*codes), 2e-3)
    beside("CIEDE2000", metrics.delta_e_2000(plate, target), _ciede2000(*codes), 0.02)
    beside("delta E ITP", metrics.delta_e_itp(plate, target), _itp(plate, target), 0.02)
    return found


def _psnr(one: np.ndarray, other: np.ndarray, *, peak: float = 1.0) -> dict[str, float]:
    import cv2

    found = {"OpenCV": float(cv2.PSNR(one, other, peak))}
    if find_spec("skimage"):
        from skimage.metrics import peak_signal_noise_ratio

        found["scikit-image"] = float(peak_signal_noise_ratio(other, one, data_range=peak))
    return found


def _ssim(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    from torchmetrics.functional.image import structural_similarity_index_measure

    both = [torch.from_numpy(p).permute(2, 0, 1)[None].float() for p in (one, other)]
    found = {"torchmetrics": float(structural_similarity_index_measure(*both, data_range=1.0))}  # pyright: ignore
    if find_spec("skimage"):
        from skimage.metrics import structural_similarity

        found["scikit-image"] = float(
            structural_similarity(one, other, data_range=1.0, channel_axis=2,
                                  gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        )  # fmt: skip
    return found


def _ciede2000(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    found = {}
    if find_spec("skimage"):
        from skimage.color import deltaE_ciede2000, rgb2lab

        found["scikit-image"] = float(deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean())
    if find_spec("colour"):
        import colour

        lab = [colour.XYZ_to_Lab(colour.sRGB_to_XYZ(p)) for p in (one, other)]
        found["colour-science"] = float(colour.delta_E(*lab, method="CIE 2000").mean())
    return found


def _itp(one: Tensor, other: Tensor) -> dict[str, float]:
    if not find_spec("colour"):
        return {}
    import colour

    def itp(light: Tensor) -> np.ndarray:
        spaces = colour.RGB_COLOURSPACES
        wide = colour.RGB_to_RGB(light[0].permute(1, 2, 0).double().numpy(), spaces["ACEScg"],
                                 spaces["ITU-R BT.2020"],
                                 chromatic_adaptation_transform="Bradford")  # fmt: skip
        return colour.RGB_to_ICtCp(wide.clip(0) * metrics.ITP_WHITE_NITS)

    return {"colour-science": float(colour.delta_E(itp(one), itp(other), method="ITP").mean())}


# -- baselines beside others' ---------------------------------------------------------------------


def _baseline_rows(size: tuple[int, int]) -> list[Row]:
    plate, target = (p[0] for p in _pictures(size))
    toe = metrics.LOG_TOE
    logs = [torch.log2(p.clamp_min(0) + toe).permute(1, 2, 0).numpy() for p in (plate, target)]
    ours = torch.log2(baselines.histogram(plate, target) + toe).permute(1, 2, 0).numpy()
    found = []
    if find_spec("skimage"):
        from skimage.exposure import match_histograms

        theirs = match_histograms(logs[0], logs[1], channel_axis=2)
        off = float(np.abs(ours - theirs).mean())
        found.append(Row("histogram, mean distance from scikit-image's", "stops", off, {},
                         "<= 0.01", off <= 0.01))  # fmt: skip
    moved = torch.log2(baselines.monge_kantorovich(plate, target) + toe).flatten(1)
    goal = torch.from_numpy(logs[1]).permute(2, 0, 1).flatten(1)
    off = float((torch.cov(moved) - torch.cov(goal)).abs().max())
    found.append(Row("Monge-Kantorovich, covariance from the reference's", "stops^2", off, {},
                     "<= 1e-3", off <= 1e-3))  # fmt: skip
    for name, way in {**baselines.CLASSICAL, "oracle gain": baselines.oracle_gain}.items():
        made = way(plate, target)[None]
        found.append(Row(f"{name}, made-up grade, target as reference", "dB",
                         float(metrics.psnr(made, target[None]))))  # fmt: skip
    made = grid_fit.apply_grid(grid_fit.fit_grid(plate, target), plate)[None]
    found.append(Row("bilateral grid fitted to the target", "dB",
                     float(metrics.psnr(made, target[None]))))  # fmt: skip
    return found


# -- costs ----------------------------------------------------------------------------------------


def _cost_rows(size: tuple[int, int], *, rounds: int) -> list[Row]:
    plate, target = _pictures(size)
    mask = torch.zeros_like(plate[:, :1])
    mask[..., : size[1] // 2] = 1.0
    lumas = [steadiness.luminance(p[0].numpy()) for p in (plate, target)]
    flows = steadiness.flows_of(lumas)
    jobs: dict[str, Callable[[], object]] = {
        "PSNR": lambda: metrics.psnr(plate, target),
        "PSNR, log": lambda: metrics.psnr_log(plate, target),
        "PSNR, linear": lambda: metrics.psnr_linear(plate, target),
        "si-PSNR": lambda: metrics.si_psnr(plate, target),
        "SSIM": lambda: metrics.ssim(plate, target),
        "CIEDE2000": lambda: metrics.delta_e_2000(plate, target),
        "delta E ITP": lambda: metrics.delta_e_itp(plate, target),
        "detail kept": lambda: artefacts.detail_kept(plate, target),
        "grain distance": lambda: artefacts.grain_distance(plate, target),
        "seam step": lambda: artefacts.seam_step(plate, target, mask=mask),
        "distinct codes": lambda: artefacts.distinct_codes(plate),
        "clipped delta": lambda: artefacts.clipped_delta(plate, target),
        "outside-mask maximum": lambda: artefacts.outside_mask_max(plate, target, mask=mask),
        "warping error, a frame": lambda: steadiness.warping_error(lumas, flows, lumas),
        "flow for it, both ways": lambda: steadiness.flows_of(lumas),
        "flicker, a frame": lambda: steadiness.flicker_stops(lumas, lumas[::-1]),
        "OpenCV's inpainting of an 8th": lambda: fills.inpainted(plate[0], _patch(mask[0])),
    }
    try:
        lpips = Lpips()
        jobs["LPIPS"] = lambda: lpips(plate, target)
    except MissingPart:
        print("LPIPS is not timed: no real backbone is at hand")
    with torch.no_grad():
        taken = medians(jobs, rounds=rounds)
    plain = max(taken["PSNR, linear"], 1e-9)
    where = f"{size[1]}x{size[0]}"
    return [
        Row(f"cost a {where} frame, {name}", "s", seconds, {"x PSNR, linear": seconds / plain})
        for name, seconds in taken.items()
        if math.isfinite(seconds)
    ]


def _patch(mask: Tensor) -> Tensor:
    height, width = mask.shape[1:]
    patch = torch.zeros_like(mask)
    patch[:, : height // 4, : width // 2] = 1.0
    return patch


if __name__ == "__main__":
    main()
