"""All metrics of a judged frame, and of a run of frames, by name.

What belongs here: which metrics an evaluation reports, with unit, space and direction. What does
not: their definitions (`metrics.py`, `artefacts.py`, `steadiness.py`, `perceptual.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from footagefit.evaluation import artefacts, metrics, steadiness
from footagefit.evaluation.results import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from footagefit.records import Pair

# fmt: off
METRICS: tuple[Metric, ...] = (
    Metric("psnr", "dB", "display", "up", "PSNR as an sRGB display shows it"),
    Metric("psnr_log", "dB", "log", "up", "PSNR of log2 light, 16 stops full scale"),
    Metric("psnr_linear", "dB", "linear", "up", "PSNR of scene-linear light, peak 1"),
    Metric("si_psnr", "dB", "display", "up", "PSNR after the best gain"),
    Metric("ssim", "", "display", "up", "structural similarity, 11 px window"),
    Metric("lpips", "", "display", "down", "LPIPS, AlexNet"),
    Metric("delta_e_2000", "", "display", "down", "CIEDE2000"),
    Metric("delta_e_itp", "", "HDR", "down", "delta E ITP, 1.0 at 100 cd/m2"),
    Metric("light_direction_deg", "deg", "linear", "down", "between the keys read in both"),
    Metric("detail_kept", "", "log", "up", "1 - gradient energy of the ratio over the plate's"),
    Metric("grain_distance", "stops", "log", "down", "strength of the grain beside the target's"),
    Metric("distinct_codes", "", "display", "up", "share of 10-bit codes that occur"),
    Metric("clipped_delta", "", "display", "down", "clipped pixels more than the target has"),
    Metric("seam_step", "stops", "log", "down", "step at the mask's edge beyond the target's"),
    Metric("outside_mask_max", "", "linear", "down", "largest change outside the mask"),
    Metric("flicker_stops", "stops", "log", "down", "what the whole picture pumps by, a frame"),
    Metric("warping_ratio", "x source", "linear", "down", "warping error over the source's own"),
)
# fmt: on
Perceptual = Callable[["Tensor", "Tensor"], "Tensor"]


def of_frame(
    pair: Pair, made: Tensor, *, lpips: Perceptual | None, light: bool = False
) -> dict[str, float]:
    """Metrics of one frame (a batch of one).

    Args:
        pair: What was shown and what it should become.
        made: What it became.
        lpips: The metric, where a real backbone is at hand.
        light: Whether the task is about where light comes from.
    """
    target, plate, given = pair.target, pair.given.plate, pair.given.mask
    partly = bool((given < 1.0).any())
    mask = given if partly else None
    values = {
        "psnr": metrics.psnr(made, target, mask=mask),
        "psnr_log": metrics.psnr_log(made, target, mask=mask),
        "psnr_linear": metrics.psnr_linear(made, target, mask=mask),
        "si_psnr": metrics.si_psnr(made, target, mask=mask),
        "ssim": metrics.ssim(made, target, mask=mask),
        "delta_e_2000": metrics.delta_e_2000(made, target, mask=mask),
        "delta_e_itp": metrics.delta_e_itp(made, target, mask=mask),
        "detail_kept": artefacts.detail_kept(made, plate),
        "grain_distance": artefacts.grain_distance(made, target),
        "distinct_codes": artefacts.distinct_codes(made),
        "clipped_delta": artefacts.clipped_delta(made, target),
    }
    if light:
        values["light_direction_deg"] = metrics.light_direction_deg(made, target, mask=mask)
    if lpips is not None:
        values["lpips"] = lpips(made, target)
    if mask is not None:
        values["seam_step"] = artefacts.seam_step(made, target, mask=mask)
        values["outside_mask_max"] = artefacts.outside_mask_max(made, plate, mask=mask)
    return {name: round(float(value), 6) for name, value in values.items()}


def of_run(
    made: Sequence[Tensor], pairs: Sequence[Pair], flows: steadiness.Flows
) -> dict[str, float]:
    """Metrics of consecutive frames, beside the plates' own and the targets."""
    ours, source, target = (
        [steadiness.luminance(p[0].numpy()) for p in frames]
        for frames in (made, [p.given.plate for p in pairs], [p.target for p in pairs])
    )
    values = {
        "flicker_stops": steadiness.flicker_stops(ours, target),
        "warping_ratio": steadiness.warping_ratio(ours, flows, source),
    }
    return {name: round(value, 6) for name, value in values.items()}
