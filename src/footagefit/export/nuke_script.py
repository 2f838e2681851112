"""The text of Nuke scripts and of the steps beside them.

What belongs here: nodes as text, how they are wired, what a person then does. What does not: the
model, files.

Paths are relative to the script (its project directory is its own folder), and no colour space is
named: Reads are raw, since names depend on the studio's OCIO config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

VERSION = "14.0 v5"  # the oldest Nuke the script is written for; newer ones read it
HERE = "[python {nuke.script_directory()}]"
_KNOB_TYPES = {"float": 7, "int": 3}


@dataclass(frozen=True)
class Knob:
    """One thing to turn on the Inference node; its name is the model's attribute.

    Attributes:
        name: Letters, digits and underscores.
        kind: What the attribute is.
        low: Smallest value.
        high: Largest value.
        default: Value at first.
        help: One line.
    """

    name: str
    kind: Literal["float", "int"]
    low: float
    high: float
    default: float
    help: str


def wiring(name: str, knobs: Sequence[Knob]) -> str:
    """A script that makes `<name>.cat` from `<name>.pt` and runs it on a plate.

    Args:
        name: Of both files.
        knobs: What CatFileCreator is to offer on the Inference node.
    """
    offered = ["addUserKnob {20 Controls}"]
    for knob in knobs:
        kind = _KNOB_TYPES[knob.kind]
        offered.append(
            f"addUserKnob {{{kind} {knob.name} t {quoted(knob.help)} R {knob.low:g} {knob.high:g}}}"
        )
        offered.append(f"{knob.name} {knob.default:g}")
    note = (
        f"1. CatFileCreator: press Create .cat file.  2. Select Inference, reload {name}.cat.\n"
        "3. Connect the plate, scene-linear, to Plate. STEPS.txt says more."
    )
    creator = {
        "inputs": "0",
        "torchScriptFile": f"{name}.pt",
        "catFile": f"{name}.cat",
        "channelsIn": quoted("rgba.red, rgba.green, rgba.blue, rgba.alpha"),
        "channelsOut": quoted("rgba.red, rgba.green, rgba.blue"),
        "modelId": name,
        "outputScale": "1",
    }
    parts = [
        _root(name),
        _note(note, -300, -160),
        _node("CatFileCreator", "MakeCat", creator, -300, 0, extra=offered),
        _node("NoOp", "Plate", {"inputs": "0", "label": quoted("connect the plate")}, 0, -80),
        "set Plate [stack 0]\n",
        "push $Plate\n",
        _node("Inference", f"Inference_{name}", {"modelFile": f"{name}.cat"}, 0, 0),
        # A node pops its inputs: the last one pushed is B, the one below it A, the plate's alpha.
        _node("Copy", "KeepAlpha", _KEEP_ALPHA, 0, 80),
    ]
    return "".join(parts)


_KEEP_ALPHA = {"inputs": "2", "from0": "rgba.alpha", "to0": "rgba.alpha"}
_RGB = {"Achannels": "rgb", "Bchannels": "rgb", "output": "rgb"}


def from_layers(name: str) -> str:
    """A script without NukeX: plate x gain + offset, from layers that infer rendered.

    Args:
        name: Goes into node names.
    """
    note = (
        "Plate x gain + offset = the render, in scene-linear ACEScg. Point Plate at the plate and\n"
        "Layers at a render with layers gain and offset. Grade either on its way; Strength mixes."
    )
    raw = {"inputs": "0", "raw": "true", "on_error": "nearestframe"}
    parts = [
        _root(f"{name}_from_layers"),
        "add_layer {gain gain.red gain.green gain.blue}\n",
        "add_layer {offset offset.red offset.green offset.blue}\n",
        _note(note, -300, -200),
        _node("Read", "Layers", {**raw, "file": f"{name}_layers.%04d.exr"}, 220, -200),
        "set Layers [stack 0]\n",
        _node("Shuffle", "Offset", {"in": "offset"}, 320, -80),
        "push $Layers\n",
        _node("Shuffle", "Gain", {"in": "gain"}, 120, -80),
        _node("Read", "Plate", {**raw, "file": "plate.%04d.exr"}, 0, -200),
        "set Plate [stack 0]\n",
        # On the stack now, from the top: plate, gain, offset. B is popped first, then A.
        _node("Merge2", "TimesGain", {"inputs": "2", "operation": "multiply", **_RGB}, 0, 0),
        _node("Merge2", "PlusOffset", {"inputs": "2", "operation": "plus", **_RGB}, 0, 80),
        "push $Plate\n",
        _node("Dissolve", "Strength", {"inputs": "2", "which": "1"}, 0, 160),
    ]
    return "".join(parts)


def steps(name: str, knobs: Sequence[Knob], *, locked: bool) -> str:
    """What a compositor does, in plain text."""
    lines = [
        f"{name}: a footagefit model for Nuke's Inference node",
        "",
        f"Make the .cat (once, in NukeX 14.0 or newer; keep {name}.pt and {name}.nk together):",
        f"  1. Open {name}.nk as a script of its own (File > Open, not paste: its paths are its",
        "     folder's).",
        "  2. Select MakeCat (CatFileCreator). Its User tab already holds the knobs below.",
        f"  3. Press Create .cat file: {name}.cat appears beside it.",
        f"  4. Select Inference_{name} and reload its model file. The knobs appear.",
        "  5. From here copy Plate, Inference and KeepAlpha into any script, and point modelFile",
        f"     at where {name}.cat lives. Plain Nuke runs a .cat; NukeX makes one.",
        "",
        "Knobs:",
    ]
    for knob in knobs:
        lines.append(
            f"  {knob.name} ({knob.low:g} to {knob.high:g}, {knob.default:g}): {knob.help}"
        )
    lines += [
        "",
        "Give it:",
        "  - the whole frame, scene-linear, in the space that `primaries` names. Above 1 and below",
        "    0 pass. Not a crop: the look is decided from the frame.",
        "  - unpremultiplied RGB where there is alpha (Unpremult before, Premult after).",
        "  - with use_mask 1, the matte in the alpha.",
        "Any size goes, proxies give the same picture, and 'Optimise for speed and memory' (half)",
        "is safe: all inside runs in float, and only the result is rounded.",
        "",
    ]
    if locked:
        lines += [
            "The shot's look is baked in, with what the set itself says where plate and reference",
            "both show it: with locked 1 nothing can flicker.",
            "",
        ]
    else:
        lines += [
            "Each frame decides its own look here, so a shot may flicker. Export again with",
            "plate=<the shot> to bake in one look, or render with footagefit infer: these also",
            "hold the look to what stands in plate and reference both, which a net cannot.",
            "",
        ]
    lines += [
        f"Without NukeX: render with footagefit infer and the layers gain and offset, then open "
        f"{name}_from_layers.nk,",
        "point Plate and Layers at the files, and grade the change on its way.",
        "",
    ]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A text as one Tcl word."""
    for mark in ("\\", '"', "[", "]", "$", "{", "}"):
        text = text.replace(mark, "\\" + mark)
    return '"' + text.replace("\n", "\\n") + '"'


def _root(name: str) -> str:
    return (
        f"version {VERSION}\n"
        f"Root {{\n inputs 0\n name {name}.nk\n project_directory {quoted(HERE)}\n}}\n"
    )


def _note(text: str, x: int, y: int) -> str:
    return _node("StickyNote", "Note", {"inputs": "0", "label": quoted(text)}, x, y)


def _node(
    kind: str,
    name: str,
    knobs: Mapping[str, str],
    x: int,
    y: int,
    *,
    extra: Sequence[str] = (),
) -> str:
    lines = [f" {key} {value}" for key, value in knobs.items()]
    lines += [f" {line}" for line in extra]
    lines += [f" name {name}", f" xpos {x}", f" ypos {y}"]
    return f"{kind} {{\n" + "\n".join(lines) + "\n}\n"
