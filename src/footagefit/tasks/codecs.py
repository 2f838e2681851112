"""What dailies go through between the sensor and the file we read: the codec world.

What belongs here: grain, blur, clipping, unknown tone curves, JPEG and H.264 at any quality with
their chroma subsampling, as real encoders do them. What does not: changes of light (`degrade.py`).

Each takes and returns scene-linear ACEScg (3,H,W). Families are kept in a table, as in `degrade`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import MissingPart
from footagefit.tasks.degrade import Family, raised
from footagefit.tasks.draws import chance, choice, normal, uniform


def grain(light: Tensor, rng: torch.Generator) -> Tensor:
    """Correlated noise that grows with light as photons do, chroma apart from luma."""
    noise = normal(rng, 4, *light.shape[1:])
    if chance(rng, 0.6):
        noise = _blurred(noise, uniform(rng, 0.4, 1.0))
        noise = noise / noise.std().clamp_min(1e-6)
    amount = uniform(rng, 0.002, 0.03)
    each = 0.8 * noise[:1] + 0.6 * noise[1:]
    spread = amount * (light.clamp_min(0.0) * 0.5 + 0.004).sqrt()
    return light + each * spread


def blur(light: Tensor, rng: torch.Generator) -> Tensor:
    """Soft lens or scaled proxy, up to about a pixel and a half."""
    return _blurred(light, uniform(rng, 0.3, 1.5))


def clipping(light: Tensor, rng: torch.Generator) -> Tensor:
    """A sensor or a codec that ends somewhere between a third of a stop and two above white."""
    return light.clamp(0.0, 2.0 ** uniform(rng, -0.3, 2.0))


def tone_curve(light: Tensor, rng: torch.Generator) -> Tensor:
    """A camera's or a viewer's unknown curve, read back as if it were another."""
    power = 2.0 ** uniform(rng, -0.35, 0.35)
    knee = uniform(rng, 0.0, 0.5)
    held = light.clamp_min(0.0)
    return raised(held, power) * 0.18 ** (1.0 - power) / (1.0 + knee * held) * (1.0 + knee * 0.18)


def jpeg(light: Tensor, rng: torch.Generator) -> Tensor:
    """JPEG of quality 35 to 95 with 4:4:4, 4:2:2 or 4:2:0 chroma."""
    from PIL import Image

    quality, sampling = 35 + choice(rng, 61), choice(rng, 3)
    codes, white = _codes(light)
    buffer = io.BytesIO()
    Image.fromarray(codes).save(buffer, "JPEG", quality=quality, subsampling=sampling)
    read = np.asarray(Image.open(buffer).convert("RGB")).copy()
    return _light(torch.from_numpy(read), white)


def h264(light: Tensor, rng: torch.Generator) -> Tensor:
    """One intra frame of H.264, rate factor 16 to 36, 4:2:0, by the encoder proxies come from."""
    import av

    factor = 16 + choice(rng, 21)
    codes, white = _codes(light)
    height, width = codes.shape[0] // 2 * 2, codes.shape[1] // 2 * 2
    try:
        coder = av.CodecContext.create("libx264", "w")
    except (av.error.FFmpegError, ValueError) as error:
        raise MissingPart(
            f"this PyAV has no H.264 encoder ({error})", hint="Leave h264 out of codecs"
        ) from error
    coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"  # pyright: ignore
    coder.time_base = Fraction(1, 24)
    coder.thread_count = 1
    coder.options = {"crf": str(factor), "preset": "ultrafast", "tune": "zerolatency"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(codes[:height, :width]), "rgb24")
    frame.pts = 0
    packets = [*coder.encode(frame), *coder.encode(None)]  # pyright: ignore
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [f for p in packets for f in decoder.decode(p)] + list(decoder.decode(None))  # pyright: ignore
    back = codes.copy()
    back[:height, :width] = frames[0].to_ndarray(format="rgb24")
    return _light(torch.from_numpy(back), white)


CODECS: Mapping[str, Family] = {
    "blur": Family(blur, 0.2),
    "grain": Family(grain, 0.4),
    "tone_curve": Family(tone_curve, 0.2),
    "clipping": Family(clipping, 0.5),
    "jpeg": Family(jpeg, 0.2),
    "h264": Family(h264, 0.2),
}


def _codes(light: Tensor) -> tuple[np.ndarray, float]:
    """8-bit sRGB-curve codes (H,W,3), and the light that white stands for."""
    white = max(1.0, float(light.amax()))
    scaled = (light / white if white > 4.0 else light / min(white, 1.0)).clamp(0.0, 1.0)
    white = white if white > 4.0 else 1.0
    coded = torch.where(
        scaled <= 0.0031308, 12.92 * scaled, 1.055 * raised(scaled.clamp_min(1e-8), 1 / 2.4) - 0.055
    )
    return (coded * 255.0 + 0.5).to(torch.uint8).permute(1, 2, 0).contiguous().numpy(), white


def _light(codes: Tensor, white: float) -> Tensor:
    return (_decoding() * white)[codes.permute(2, 0, 1).contiguous().long()]


@lru_cache(maxsize=1)
def _decoding() -> Tensor:
    """Light of each 8-bit code on the sRGB curve."""
    coded = torch.arange(256) / 255.0
    return torch.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055).pow(2.4))


def _blurred(picture: Tensor, sigma_px: float) -> Tensor:
    import cv2

    size = 2 * max(1, round(2.5 * sigma_px)) + 1
    for plane in (blurred := picture.clone()).numpy():
        cv2.GaussianBlur(plane, (size, size), sigma_px, dst=plane, borderType=cv2.BORDER_REPLICATE)
    return blurred
