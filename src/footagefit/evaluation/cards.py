"""A fit's card for people: CARD.md, written anew from card.json whenever that changes.

What belongs here: taking an evaluation or an approval into a card, and the card's words. What does
not: judging, the catalogue (`commands/approve.py` writes both).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from footagefit.evaluation import leaks, tables, ways
from footagefit.evaluation.results import Evaluation, ShotResult
from footagefit.rendering.fits import RECIPE, read_card, read_recipe, write_card

MARKDOWN, PICTURES = "CARD.md", "pictures"
_FAILURES = 3
_SURE = "An interval that spans 0 tells nothing."
_USE = {
    "match": (
        "Bringing a shot's exposure, white balance and contrast to those of a reference of the "
        "same show, for a compositor to look at and to composite. Not for footage of other shows "
        "than the one named below without judging it there first, and not for making pixels that "
        "the plate does not have: clipped highlights stay clipped."
    ),
    "relight": (
        "Moving, softening, colouring or adding a light in a shot, for a compositor to look at and "
        "to composite. Experimental: not for a final without a person's eye on every frame, not "
        "for telling where a light stood, and not for footage that it was not judged on."
    ),
}


def take_evaluation(fit: Path, found: Evaluation, folder: Path) -> Path:
    """Put an evaluation's numbers and failure cases into a fit's card; returns CARD.md.

    Args:
        fit: The fit's folder.
        found: What was found.
        folder: The report's, which the pictures are copied from.
    """
    card = read_card(fit)
    everything = found.groups[0].metrics
    card["evaluation"] = {
        "show": found.show,
        "report": os.path.relpath(folder.resolve(), fit.resolve()),
        "settings": found.settings,
        "leak_check": found.leak_check,
        "lpips": found.lpips,
        "shots": [s.shot for s in found.shots],
        "methods": {m.name: m.about for m in found.methods},
        "metrics": {
            method: {k: [round(v, 4) for v in (i.mean, i.low, i.high)] for k, i in row.items()}
            for method, row in everything.items()
        },
        "table": tables.methods(found),
        "gains": tables.gains(found),
        "failures": _failures(fit, found, folder),
    }
    write_card(fit, card)
    return write_markdown(fit)


def take_approval(fit: Path, approval: Mapping[str, str]) -> Path:
    """Add an approval to a fit's card; returns CARD.md."""
    return _take(fit, approvals=[approval])


def take_review(
    fit: Path, *, approvals: Sequence[Mapping[str, Any]], remarks: Sequence[Mapping[str, Any]]
) -> Path:
    """Add what a report's review said to a fit's card, once each; returns CARD.md.

    Args:
        fit: The fit's folder.
        approvals: Of the fit.
        remarks: Picks and notes: `what shot frame by note at`.
    """
    card = read_card(fit)
    new = [a for a in approvals if dict(a) not in card.get("approvals", [])]
    said = [r for r in remarks if dict(r) not in card.get("remarks", [])]
    return _take(fit, approvals=new, remarks=said)


def _take(fit: Path, **said: Sequence[Mapping[str, Any]]) -> Path:
    card = read_card(fit)
    for key, entries in said.items():
        if entries:
            card[key] = [*card.get(key, []), *map(dict, entries)]
    write_card(fit, card)
    return write_markdown(fit)


def write_markdown(fit: Path, *, fits: Path | None = None) -> Path:
    """Write CARD.md beside card.json.

    Args:
        fit: The fit's folder.
        fits: Where the fits it began from may lie; the folder it lies in by default.
    """
    path = fit / MARKDOWN
    part = fit / f".{MARKDOWN}.{os.getpid()}.part"
    part.write_text(_text(fit, read_card(fit), fits or fit.parent), encoding="utf-8")
    os.replace(part, path)
    return path


def _failures(fit: Path, found: Evaluation, folder: Path) -> list[dict[str, Any]]:
    """The shots that the fit gains least on, with the worst frame of each as one picture."""

    def gain(shot: ShotResult) -> float:
        return min(e.metrics[ways.FIT]["psnr"] - e.metrics[ways.NOTHING]["psnr"]
                   for e in shot.examples)  # fmt: skip

    shutil.rmtree(fit / PICTURES, ignore_errors=True)
    made = []
    for number, shot in enumerate(sorted(found.shots, key=gain)[:_FAILURES], start=1):
        worst = [p for p in shot.pictures if p.why == "worst"]
        names = [n for n in ("reference", "plate", ways.FIT, "target")
                 if any(p.method == n for p in worst)]  # fmt: skip
        paths = [folder / next(p.path for p in worst if p.method == n) for n in names]
        name = f"{PICTURES}/least_gain_{number}.png"
        _side_by_side(paths, fit / name)
        made.append({
            "shot": shot.shot, "frame": worst[0].frame, "gain_db": round(gain(shot), 3),
            "picture": name, "panes": names,
        })  # fmt: skip
    return made


def _side_by_side(paths: list[Path], path: Path) -> None:
    import numpy as np
    from PIL import Image

    panes = []
    for one in paths:
        with Image.open(one) as picture:
            panes.append(picture.convert("RGB"))
    size = panes[-1].size
    row = [np.asarray(p if p.size == size else p.resize(size)) for p in panes]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(row, 1)).save(path)


def _text(fit: Path, card: Mapping[str, Any], fits: Path) -> str:
    recipe = read_recipe(fit / RECIPE)
    blocks = [
        f"# {fit.resolve().name}",
        f"A fit of the {recipe.model.name} model for the task {recipe.task.name}, made by "
        f"footagefit {card.get('code_version')} in {card.get('steps', 0)} steps "
        f"({card.get('minutes', 0)} minutes). Weights: sha256 "
        f"`{card['files']['weights.safetensors']}`.",
        "## Intended use",
        _USE.get(recipe.task.name, f"The task {recipe.task.name}, on the show named below."),
        "## What it was trained on, and what not",
        *_lineage(card.get("lineage") or {}),
        *_notes(card),
        "## What it began from",
        *_ancestry(card, fits),
        *_pretrained(card.get("weights") or {}),
        "## Numbers",
        *_numbers(card),
        "## Where it fails",
        *_failing(card),
        "## Consent and approvals",
        *_approvals(card),
        *_remarks(card),
    ]
    return "\n\n".join(blocks) + "\n"


def _lineage(lineage: Mapping[str, Any]) -> list[str]:
    if "stage" in lineage:
        stage = lineage["stage"]
        return [f"{stage['scenes']} scenes of the procedural soundstage, seed {stage['seed']}: no "
                "footage of any show."]  # fmt: skip
    clips = lineage.get("clips", [])
    if not clips:
        return ["The card does not say."]
    rows = [["shot", "clip", "frames", "content", "consent"]]
    rows += [
        [c["shot"], c["clip"], c["frames"], f"`{c['content'][:16]}`", consent_of(c)] for c in clips
    ]
    spaces = ", ".join(lineage.get("spaces", []))
    out = [
        f"{len(clips)} shots of the show {lineage.get('show')} ({spaces}):",
        tables.markdown(rows),
    ]
    for key, words in (("held_out", "Held out, never trained on"),
                       ("withdrawn", "Withdrawn by a person, never trained on")):  # fmt: skip
        names = lineage.get(key)
        if names:
            out.append(f"{words}: {', '.join(names)}.")
    if lineage.get("keyframes"):
        out.append(f"An artist's keyframes as well: {lineage['keyframes']}.")
    if replay := lineage.get("replay"):
        out.append(f"{replay['scenes']} scenes of the procedural soundstage among them, seed "
                   f"{replay['seed']}.")  # fmt: skip
    return out


def _notes(card: Mapping[str, Any]) -> list[str]:
    """What whoever trained it says about how."""
    notes = [f"- {line}" for line in card.get("notes", [])]
    return ["\n".join(notes)] if notes else []


def consent_of(clip: Mapping[str, Any]) -> str:
    """Who approved a clip before it was trained on, and the reference of the release."""
    by, reference = clip.get("approved_by", ""), clip.get("reference", "")
    return f"{by} ({reference})" if reference else by


def _ancestry(card: Mapping[str, Any], fits: Path) -> list[str]:
    """The chain of fits it began from, and the licence of what the chain ends in."""
    chain = list(leaks.lineages(card, fits, read_card))[1:]
    if not chain:
        return ["Nothing: its weights are this show's alone. No base, no licence but the show's."]
    lines = []
    for name, lineage in chain:
        if lineage is None:
            lines.append(f"- {name}: not found here; its lineage and licence are not known")
        elif "stage" in lineage:
            lines.append(f"- {name}: taught on the soundstage, ships with footagefit, Apache-2.0")
        else:
            lines.append(
                f"- {name}: a fit of the show {lineage.get('show')}; the show's own rights"
            )
    return ["\n".join(lines)]


def _pretrained(weights: Mapping[str, str]) -> list[str]:
    """The base that a diffusion fit is part of, which is not in it."""
    if "base" not in weights:
        return []
    return [
        f"It goes with the pretrained base {weights['base']} (content `{weights['base_hash']}`, "
        f"licence: {weights['base_licence']}), which it does not hold."
    ]


def _numbers(card: Mapping[str, Any]) -> list[str]:
    found = card.get("evaluation")
    if not found:
        standing = card.get("standing") or {}
        rows = [["method", "display PSNR dB", "log PSNR dB"]]
        rows += [[n, f"{r['psnr_db']:.2f}", f"{r['psnr_log_db']:.2f}"] for n, r in standing.items()]
        told = "Not evaluated yet (`footagefit evaluate`)."
        if len(rows) == 1:
            return [told]
        return [f"{told} At the end of training, a few held-out frames, no intervals:",
                tables.markdown(rows)]  # fmt: skip
    asked = found["settings"]
    return [
        f"On {len(found['shots'])} held-out shots of {found['show']}, {asked['frames']} frames "
        f"each under {_mismatches(asked['draws'])}, seed {asked['seed']}. Leak check: "
        f"{found['leak_check']}. LPIPS: {found['lpips']}. Means over shots and 95 % bootstrap "
        "intervals:",
        tables.markdown(found["table"]),
        f"Gain over each, display PSNR in dB, paired by shot. {_SURE}",
        tables.markdown(found["gains"]),
        "\n".join(f"- {name}: {about}" for name, about in found["methods"].items()),
    ]


def _mismatches(count: int) -> str:
    return "one drawn mismatch" if count == 1 else f"{count} drawn mismatches"


def _failing(card: Mapping[str, Any]) -> list[str]:
    failures = (card.get("evaluation") or {}).get("failures")
    if not failures:
        return ["Not evaluated yet."]
    out = ["The frames it gained least on (negative: it made them worse):"]
    for one in failures:
        words = f"{one['shot']}, frame {one['frame']}: {one['gain_db']:+.2f} dB over doing nothing"
        out.append(f"{words} ({', '.join(one['panes'])})")
        out.append(f"![{words}]({one['picture']})")
    return out


def _approvals(card: Mapping[str, Any]) -> list[str]:
    clips = (card.get("lineage") or {}).get("clips", [])
    agreed = {c["shot"]: c["approved_by"] for c in clips if c.get("approved_by")}
    given = card.get("approvals", [])
    agreed |= {a["name"]: a["by"] for a in given if a.get("what") == "clip"}
    names = {c["shot"] for c in clips}
    have = sorted(names & set(agreed))
    out = []
    if clips:
        people = ", ".join(sorted({agreed[n] for n in have})) or "nobody"
        out.append(f"{len(have)} of {len(names)} shots trained on are approved, by {people}.")
    rows = [["what", "name", "by", "on", "note"]]
    rows += [[a.get(k, "") for k in ("what", "name", "by", "at", "note")] for a in given]
    out.append(tables.markdown(rows) if given else "Nobody has approved the fit yet.")
    return out


def _remarks(card: Mapping[str, Any]) -> list[str]:
    said = card.get("remarks", [])
    if not said:
        return []
    rows = [["what", "shot", "frame", "by", "on", "note"]]
    keys = ("what", "shot", "frame", "by", "at", "note")
    rows += [[str(r.get(k, "")).replace("|", "\\|") for k in keys] for r in said]
    return ["## Picks and notes", tables.markdown(rows)]
