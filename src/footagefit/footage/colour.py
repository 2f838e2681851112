"""The only place that converts colour: stored pixels to scene-linear ACEScg and back, by OCIO.

The config is `$OCIO` where it is set, else a built-in studio config pinned by name, so that the
same show gives the same numbers next year. Pixels are float32 arrays (H,W,3), converted in place
in row bands, one per thread. Values above 1 and below 0 pass; nothing clamps here but `preview`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import MissingPart, UnknownName
from footagefit.footage.view import View

if TYPE_CHECKING:
    import numpy as np

BUILTIN = "ocio://studio-config-v4.0.0_aces-v2.0_ocio-v2.5"
WORKING = "lin_ap1"  # alias of ACEScg in every ACES config since 2021
LOG = "acescct"  # what grades and LUTs work in where nothing else is said
PREVIEW = ("sRGB - Display", "ACES 2.0 - SDR 100 nits (Rec.709)")
_MIN_BAND_ROWS = 64
_VIEW_POINTS = 65

# CIE xy of red, green, blue, white: what an EXR's `chromaticities` hold, by config alias.
CHROMATICITIES = {
    "lin_ap1": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "lin_ap0": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "lin_rec709": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "lin_rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "lin_p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}


def source() -> str:
    """The config in use: `$OCIO`, or the built-in one's address."""
    return os.environ.get("OCIO") or BUILTIN


@lru_cache(maxsize=4)
def _config(path: str) -> Any:
    import PyOpenColorIO as ocio

    try:
        return ocio.Config.CreateFromFile(path)
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise MissingPart(
            f"the OCIO config does not load ({_line(error)})",
            path=path,
            hint="Mend or unset $OCIO; without it the built-in studio config is used",
        ) from error


def names() -> list[str]:
    """Names of the config's colour spaces."""
    return [space.getName() for space in _config(source()).getColorSpaces()]


# For people who have to say one: what dailies mostly come in.
SUCH = "g24_rec709 (graded proxies), acescct, lin_ap1 (ACEScg) or the camera's log, as arri_logc4"


def resolve(name: str) -> str:
    """The config's own name of a colour space, from a name, alias or role in any letter case.

    Raises:
        UnknownName: The config has no such space; the message lists those it has.
    """
    config = _config(source())
    space = config.getColorSpace(name)
    if space is None:
        loose = _squeezed(name)
        for candidate in config.getColorSpaces():
            if loose in map(_squeezed, [candidate.getName(), *candidate.getAliases()]):
                space = candidate
                break
    if space is None:
        aliases = [a for s in config.getColorSpaces() for a in s.getAliases()]
        near = difflib.get_close_matches(name, aliases, n=3, cutoff=0.6)
        raise UnknownName("colour space", name, [*near, *names()], hint=f"From {source()}")
    return str(space.getName())


def known(name: str) -> str | None:
    """Like `resolve`, but None where the config has no such space."""
    try:
        return resolve(name)
    except UnknownName:
        return None


def encoding(name: str) -> str:
    """`scene-linear`, `log`, `sdr-video`, `hdr-video` or `data`, as the config says."""
    return str(_config(source()).getColorSpace(resolve(name)).getEncoding())


def interop_id(name: str) -> str:
    """The space's id across applications (`colorInteropID`), or empty."""
    space = _config(source()).getColorSpace(resolve(name))
    return str(space.getInteropID()) if hasattr(space, "getInteropID") else ""


def same(one: str, other: str) -> bool:
    """Whether two names mean the same space."""
    return resolve(one) == resolve(other)


@lru_cache(maxsize=64)
def _processor(path: str, origin: str, target: str) -> Any:
    import PyOpenColorIO as ocio

    try:
        processor = _config(path).getProcessor(origin, target)
    except ocio.Exception as error:
        raise UnknownName(
            "colour space", f"{origin} or {target}", names(), hint=f"From {path}"
        ) from error
    return None if processor.isNoOp() else _exact(processor)


def _exact(processor: Any) -> Any:
    import PyOpenColorIO as ocio

    # The fast log and power approximations are off by 1e-3 at 100 in linear: too much for a plate.
    exact = ocio.OptimizationFlags(
        int(ocio.OPTIMIZATION_DEFAULT) & ~int(ocio.OPTIMIZATION_FAST_LOG_EXP_POW)
    )
    return processor.getOptimizedCPUProcessor(exact)


def convert(pixels_HWC: np.ndarray, origin: str, *, target: str) -> None:
    """Convert float32 pixels in place from one colour space to another."""
    processor = _processor(source(), resolve(origin), resolve(target))
    if processor is not None:
        _apply(processor, pixels_HWC)


def to_working(pixels_HWC: np.ndarray, space: str) -> None:
    """Convert stored pixels in place to scene-linear ACEScg."""
    convert(pixels_HWC, space, target=WORKING)


def planes_to_working(
    weights: np.ndarray, offsets: np.ndarray, *, space: str
) -> Callable[[Sequence[np.ndarray], np.ndarray], None]:
    """Converter of rows of three float32 code planes (rows, W) into rows (rows, W, 3) of ACEScg.

    Args:
        weights: 3x3; `weights @ codes + offsets` are the stored pixels' code values.
        offsets: Three.
        space: Colour space of the stored pixels.
    """
    import PyOpenColorIO as ocio

    numbers = (*weights.ravel().tolist(), *offsets.tolist())
    processor = _planes_processor(source(), numbers, resolve(space))

    def through(codes: Sequence[np.ndarray], out: np.ndarray) -> None:
        rows, width, _ = out.shape
        planes = ocio.PlanarImageDesc(*codes, width, rows)
        processor.apply(planes, ocio.PackedImageDesc(out, width, rows, 3))

    return through


@lru_cache(maxsize=64)
def _planes_processor(path: str, numbers: tuple[float, ...], space: str) -> Any:
    import PyOpenColorIO as ocio

    square = [*numbers[0:3], 0, *numbers[3:6], 0, *numbers[6:9], 0, 0, 0, 0, 1]
    both = ocio.GroupTransform()
    both.appendTransform(ocio.MatrixTransform(square, [*numbers[9:], 0]))
    both.appendTransform(ocio.ColorSpaceTransform(src=space, dst=resolve(WORKING)))
    return _exact(_config(path).getProcessor(both))


def from_working(pixels_HWC: np.ndarray, space: str) -> None:
    """Convert scene-linear ACEScg in place to a space to be stored in."""
    convert(pixels_HWC, WORKING, target=space)


def through_file(path: str | Path, codes_N3: np.ndarray) -> np.ndarray:
    """Code values (N,3) through a LUT or CDL file, as the standards say.

    Between a LUT's points tetrahedral; a CDL clamps to 0..1.

    Raises:
        MissingPart: OpenColorIO does not read the file.
    """
    import numpy as np

    processor = _file_processor(str(path), Path(path).stat().st_mtime_ns)
    made = np.ascontiguousarray(codes_N3, dtype=np.float32)[None].copy()
    _apply(processor, made)
    return made[0]


@lru_cache(maxsize=16)
def _file_processor(path: str, stamp_ns: int) -> Any:
    import PyOpenColorIO as ocio

    transform = ocio.FileTransform(src=path, interpolation=ocio.INTERP_TETRAHEDRAL)
    transform.setCDLStyle(ocio.CDL_ASC)
    try:
        ocio.ClearAllCaches()  # the same name may hold another table by now
        return ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    except ocio.Exception as error:
        raise MissingPart(f"OpenColorIO does not read it ({_line(error)})", path=path) from error


@lru_cache(maxsize=16)
def _view_processor(path: str, display: str, view: str) -> Any:
    import PyOpenColorIO as ocio

    config = _config(path)
    if display not in list(config.getDisplays()):
        display = config.getDefaultDisplay()
    if view not in list(config.getViews(display)):
        view = config.getDefaultView(display)
    transform = ocio.DisplayViewTransform(src=resolve(WORKING), display=display, view=view)
    return config.getProcessor(transform).getDefaultCPUProcessor()


@lru_cache(maxsize=4)
def _quick_view_processor(path: str, display: str, view: str) -> Any:
    """The view as a table of log light: a tenth of the work, within a code or two in 8 bits."""
    import numpy as np
    import PyOpenColorIO as ocio

    codes = np.linspace(0.0, 1.0, _VIEW_POINTS, dtype=np.float32)
    grid = np.stack(np.meshgrid(codes, codes, codes, indexing="ij"), -1)  # blue runs fastest
    light = np.ascontiguousarray(grid.reshape(_VIEW_POINTS, -1, 3))
    convert(light, LOG, target=WORKING)
    _apply(_view_processor(path, display, view), light)
    table = ocio.Lut3DTransform(_VIEW_POINTS)
    table.setData(np.nan_to_num(light).ravel())
    table.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    both = ocio.GroupTransform()
    both.appendTransform(ocio.ColorSpaceTransform(src=resolve(WORKING), dst=resolve(LOG)))
    both.appendTransform(table)
    return _config(path).getProcessor(both).getDefaultCPUProcessor()


def preview(pixels_HWC: np.ndarray, view: View | None = None, *, quick: bool = False) -> np.ndarray:
    """8-bit picture of scene-linear ACEScg pixels, for eyes only; the one place that clamps.

    Args:
        pixels_HWC: Left as they are.
        view: How the footage is looked at; through the ACES view where nothing is said.
        quick: Read the ACES view off a table, while somebody waits: now and then a code off.
    """
    import numpy as np

    view = view or View()
    shown = np.ascontiguousarray(pixels_HWC, dtype=np.float32) * np.float32(2.0**view.exposure_ev)
    if view.files:
        from_working(shown, view.space or LOG)
        for path in view.files:
            _apply(_file_processor(str(path), path.stat().st_mtime_ns), shown)
    elif view.space and encoding(view.space) == "sdr-video":
        from_working(shown, view.space)
    else:
        processor = _quick_view_processor if quick else _view_processor
        _apply(processor(source(), *PREVIEW), shown)
    np.nan_to_num(shown, copy=False)
    return (shown.clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


@lru_cache(maxsize=2)
def _pool(pid: int) -> ThreadPoolExecutor:
    """One pool per process: threads do not survive a fork."""
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))


def _apply(processor: Any, pixels_HWC: np.ndarray) -> None:
    import PyOpenColorIO as ocio

    height, width, channels = pixels_HWC.shape

    def band(rows: slice) -> None:
        part = pixels_HWC[rows]
        processor.apply(ocio.PackedImageDesc(part, width, part.shape[0], channels))

    bands = max(1, min(os.cpu_count() or 1, 8, height // _MIN_BAND_ROWS))
    if bands == 1:
        band(slice(None))
        return
    step = -(-height // bands)
    list(_pool(os.getpid()).map(band, [slice(y, y + step) for y in range(0, height, step)]))


def _squeezed(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
