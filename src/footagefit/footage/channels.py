"""Which channels of a picture are its colour, its alpha and its layers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from footagefit.errors import UnknownName, UnreadableClip
from footagefit.footage.picture import Part
from footagefit.records import ClipInfo

_COLOUR = (("R", "G", "B"), ("r", "g", "b"), ("red", "green", "blue"), ("Y", "Y", "Y"))
_ALPHA = ("A", "a", "alpha")


class ColourChannels(NamedTuple):
    """Where colour and alpha stand among a part's channels."""

    indices: list[int]
    alpha: int | None


def colour_channels(part: Part, layer: str, path: Path) -> ColourChannels:
    """Where a layer's R, G, B (or its one channel, three times) and alpha are.

    Raises:
        UnreadableClip: The picture has no such channels; the message lists what it has.
    """
    prefix = f"{layer}." if layer else ""
    names = {name: i for i, name in enumerate(part.channels)}
    for candidates in (prefix, f"{layer}.rgba." if layer else "rgba.", "rgb."):
        for trio in _COLOUR:
            picked = [names.get(candidates + c) for c in trio]
            if all(i is not None for i in picked):
                alpha = next(
                    (names[candidates + a] for a in _ALPHA if candidates + a in names), None
                )
                return ColourChannels([int(i or 0) for i in picked], alpha)
    own = [n for n in part.channels if n.startswith(prefix)]
    if len(own) == 1:
        return ColourChannels([names[own[0]]] * 3, None)
    if not layer and len(part.channels) == 2:
        return ColourChannels([0, 0, 0], 1)
    raise UnreadableClip(
        f"no {prefix}R, {prefix}G, {prefix}B among {', '.join(part.channels)}",
        path=path,
        hint="Say layer=<name>",
    )


def main_part(parts: list[Part], layer: str, path: Path) -> int:
    """The part that holds a layer's colour."""
    for part in parts:
        try:
            colour_channels(part, layer, path)
        except UnreadableClip:
            continue
        return part.index
    if layer:
        raise UnknownName("layer", layer, layers(parts), path=path)
    names = ", ".join(name for part in parts for name in part.channels)
    raise UnreadableClip(f"no colour among {names}", path=path, hint="Say layer=<name>")


def layers(parts: list[Part]) -> tuple[str, ...]:
    """Names that `data` takes: prefixes before the last dot, then lone channels."""
    found: dict[str, None] = {}
    for part in parts:
        for name in part.channels:
            found[name.rpartition(".")[0] or name] = None
    return tuple(found)


def find(parts: list[Part], layer: str, info: ClipInfo) -> tuple[int, list[int]]:
    """The part and the channel indices of a layer, or of one channel by its full name.

    The name `mask` means a layer of that name, else alpha, else the first colour channel.
    """
    if layer == "mask" and layer not in info.layers:
        lone = next((n for p in parts for n in p.channels if n in _ALPHA), None)
        layer = lone or parts[0].channels[0]
    for part in parts:
        if layer in part.channels:
            return part.index, [part.channels.index(layer)]
    for part in parts:
        picks = [i for i, n in enumerate(part.channels) if n.rpartition(".")[0] == layer]
        if picks:
            return part.index, _ordered(part, picks)
    raise UnknownName("layer", layer, info.layers, path=info.path)


def _ordered(part: Part, picks: list[int]) -> list[int]:
    """EXR stores channels by letter; people mean R, G, B, A and X, Y, Z and u, v."""
    order = "RGBAXYZUVrgbaxyzuv"

    def place(index: int) -> tuple[int, str]:
        last = part.channels[index].rpartition(".")[2]
        return (order.find(last[:1]) if len(last) == 1 else len(order), last)

    return sorted(picks, key=place)


def sample_of(part: Part, picked: ColourChannels) -> str:
    """How the colour channels are stored."""
    return "float" if part.formats[picked.indices[0]] == "uint" else part.formats[picked.indices[0]]
