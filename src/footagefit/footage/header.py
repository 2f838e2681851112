"""Headers of pictures to be written: windows, formats, colour tags, timecode, pass-through."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from footagefit.errors import FootagefitWarning
from footagefit.footage import colour, picture, tags, timecode
from footagefit.footage.writing import OutputForm
from footagefit.records import Box, ClipInfo, Native

DTYPES: dict[str, type[Any]] = {
    "half": np.float16,
    "float": np.float32,
    "uint8": np.uint8,
    "uint10": np.uint16,
    "uint12": np.uint16,
    "uint16": np.uint16,
    "uint": np.float64,
}
_SAMPLES = {"8": "uint8", "10": "uint10", "12": "uint12", "16": "uint16"}
_COLOUR_TAGS = ("chromaticities", "acesImageContainerFlag", "colorInteropID", "whiteLuminance")


def formats_of(native: Native) -> list[str]:
    """Storage of each channel of stored values."""
    kinds = native.sample.split(",")
    return kinds if len(kinds) > 1 else kinds * len(native.channels)


def colour_names(native: Native | None) -> tuple[str, ...]:
    """Stored channels that R, G, B (and alpha) were read from."""
    names = () if native is None else native.attributes.get("colour", ())
    return tuple(str(n) for n in names) if isinstance(names, tuple) else ()


def written_names(native: Native | None, *, alpha: bool) -> list[str]:
    """What the colour channels are called in the output: a layer keeps its own names."""
    names = list(colour_names(native))
    if len(set(names[:3])) == 3:
        return names if len(names) == 3 + alpha else [*names[:3], *(["A"] if alpha else [])]
    return ["R", "G", "B", *(["A"] if alpha else [])]


def exact(native: Native, form: OutputForm, info: ClipInfo, file: Path) -> bool:
    """Whether kept pixels keep their bits in this form; warns, naming the reason, where not."""
    reason = ""
    if native.layout != "interleaved":
        reason = "the source is a movie"
    elif not colour.same(form.space, info.space):
        reason = f"the source is {info.space}, the output {form.space}"
    elif formats_of(native)[0] != _SAMPLES.get(form.depth, form.depth):
        reason = f"the source stores {formats_of(native)[0]}, the output {form.depth}"
    elif form.compression in ("dwaa", "dwab", "b44", "b44a") or file.suffix.lower() == ".jpg":
        reason = f"{form.compression} compression is lossy"
    if reason:
        warnings.warn(
            FootagefitWarning(f"{file.parent}: kept pixels are not bit-identical: {reason}"),
            stacklevel=3,
        )
    return not reason


_NAMES = {
    "reel": "reelName", "camera": "cameraModel", "lens": "lensModel", "iso": "isoSpeed",
    "scene": "scene", "take": "take",
}  # fmt: skip
STRAIGHT = (".png", ".tif", ".tiff")  # written with straight alpha; EXR and DPX premultiplied


class Headers:
    """Makes the header of one frame's parts.

    Args:
        form: How the frame is to be stored.
        info: The clip's own description, for what no header says.
        number: Frame number, for the timecode.
        suffix: Type of the file to be made.
    """

    def __init__(self, form: OutputForm, info: ClipInfo, number: int, suffix: str) -> None:
        self._form, self._info, self._number = form, info, number
        self._suffix = suffix.lower()

    def through(self, native: Native) -> Any:
        """A header for stored values that pass through as they are."""
        kinds = ["uint16" if f in ("uint10", "uint12") else f for f in formats_of(native)]
        spec = self._spec(list(native.channels), kinds, native, native.data)
        stored = native.attributes.get("header")
        if isinstance(stored, dict) and "oiio:UnassociatedAlpha" in stored:
            spec.attribute("oiio:UnassociatedAlpha", 1)
        return spec

    def made(
        self, names: list[str], arrays: list[np.ndarray], native: Native | None, window: Box
    ) -> Any:
        """A header for pixels we made.

        Args:
            names: Channel names, in the order of `arrays`.
            arrays: The channels, in the types they are to be stored in.
            native: Where the rest of the header passes through from.
            window: Data window.
        """
        spec = self._spec(names, [_format(array) for array in arrays], native, window)
        if self._suffix in STRAIGHT and "A" in names:
            spec.attribute("oiio:UnassociatedAlpha", 1)  # handed over straight: no dividing there
        return spec

    def _spec(
        self, names: list[str], formats: list[str], native: Native | None, window: Box
    ) -> Any:
        import OpenImageIO as oiio

        spec = oiio.ImageSpec(window.width, window.height, len(names), formats[0])
        spec.channelnames = tuple(names)
        if len(set(formats)) > 1:
            spec.channelformats = tuple(oiio.TypeDesc(f) for f in formats)
        if "A" in names:
            spec.alpha_channel = names.index("A")
        display = self._info.display
        if native is not None and isinstance(native.attributes.get("display"), Box):
            display = native.attributes["display"]
        spec.x, spec.y = window.x, window.y
        spec.full_x, spec.full_y = display.x, display.y
        spec.full_width, spec.full_height = display.width, display.height
        if native is not None:
            _pass_through(spec, native)
        _describe(spec, self._info, self._number)
        _store_as(spec, self._form, self._info)
        if spec.getattribute("DateTime") is None:
            spec.attribute("DateTime", "")  # else the clock gets in and no render repeats
        return spec


def _format(array: np.ndarray) -> str:
    return {"float16": "half", "float32": "float", "float64": "float"}.get(
        array.dtype.name, array.dtype.name
    )


def _pass_through(spec: Any, native: Native) -> None:
    import OpenImageIO as oiio

    stored = native.attributes.get("header")
    if not isinstance(stored, dict):
        return
    for name, (kind, value) in stored.items():
        if name.startswith(picture.STRUCTURAL) or name in _COLOUR_TAGS or value is None:
            continue
        spec.attribute(name, oiio.TypeDesc(kind), value)
    if "name" in stored:
        spec.attribute("oiio:subimagename", stored["name"][1])
        spec.attribute("name", stored["name"][1])
    if "view" in stored:
        spec.attribute("view", stored["view"][1])


def _describe(spec: Any, info: ClipInfo, number: int) -> None:
    """What is known of the clip, where the header that passes through is silent."""
    import OpenImageIO as oiio

    for ours, name in _NAMES.items():
        value = info.metadata.get(ours)
        if isinstance(value, str | int | float) and spec.getattribute(name) is None:
            spec.attribute(name, float(value) if ours == "iso" and _number(value) else str(value))
    if info.rate is not None and spec.getattribute("FramesPerSecond") is None:
        pair = (info.rate.numerator, info.rate.denominator)
        spec.attribute("FramesPerSecond", oiio.TypeDesc("rational"), pair)
    silent = spec.getattribute("smpte:TimeCode") is None
    if silent and info.timecode and info.rate is not None:
        text = timecode.shifted(info.timecode, number - info.first_frame, info.rate)
        spec.attribute("smpte:TimeCode", oiio.TypeDesc("timecode"), (tags.pack_timecode(text), 0))


def _number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _store_as(spec: Any, form: OutputForm, info: ClipInfo) -> None:
    """Compression, packing and colour tags."""
    import OpenImageIO as oiio

    if form.compression != "auto":
        spec.attribute("compression", form.compression)
    if form.depth in ("10", "12"):
        spec.attribute("oiio:BitsPerSample", int(form.depth))
    spec.attribute("PixelAspectRatio", float(info.pixel_aspect))
    identity = colour.interop_id(form.space)
    if identity:
        spec.attribute("colorInteropID", identity)
    for alias, values in colour.CHROMATICITIES.items():
        if colour.known(alias) == form.space:
            spec.attribute("chromaticities", oiio.TypeDesc("float[8]"), values)
    if colour.known("srgb_texture") == form.space:
        spec.attribute("oiio:ColorSpace", "sRGB")
