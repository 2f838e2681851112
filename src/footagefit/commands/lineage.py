"""`footagefit lineage`: what a fit was made from, and who approved it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

As = Literal["table", "json"]


def lineage(*, fit: Path, as_: As) -> int:
    """Print a fit's lineage; see configs/lineage.yaml for each key."""
    from footagefit.rendering.fits import read_card

    card = read_card(fit)
    chain = chain_of(fit, card)
    if as_ == "json":
        said = {key: card.get(key, []) for key in ("approvals", "remarks")}
        print(json.dumps({"chain": chain, **said}, indent=1))
        return 0
    for depth, one in enumerate(chain):
        print(f"{'  ' * depth}{'from ' if depth else ''}{one['fit']}: {_said(one)}")
        for clip in one["clips"]:
            agreed = f", approved by {clip['approved_by']}" if clip.get("approved_by") else ""
            print(f"{'  ' * depth}  {clip['shot']}  {clip['clip']}  {clip['frames']}  "
                  f"{clip['content'][:16]}{agreed}")  # fmt: skip
    for one in card.get("approvals", []):
        note = f" ({one['note']})" if one.get("note") else ""
        print(f"approved: {one['what']} {one['name']} by {one['by']} on {one['at']}{note}")
    for one in card.get("remarks", []):
        note = f": {one['note']}" if one.get("note") else ""
        print(f"{one['what']}: {one['shot']} {one['frame']} by {one['by']} on {one['at']}{note}")
    if not card.get("approvals"):
        print("nobody has approved it yet")
    return 0


def chain_of(fit: Path, card: dict[str, Any]) -> list[dict[str, Any]]:
    """A fit, then each that it began from, with what they learnt from."""
    from footagefit.evaluation.leaks import lineages
    from footagefit.rendering.fits import read_card

    found = []
    for name, one in lineages(card, fit.resolve().parent, read_card):
        known = one or {}
        found.append({
            "fit": name or fit.resolve().name,
            "found": one is not None,
            "show": known.get("show"),
            "stage": known.get("stage"),
            "clips": known.get("clips", []),
        })  # fmt: skip
    return found


def _said(one: dict[str, Any]) -> str:
    if not one["found"]:
        return "not found here, so not known"
    if one["stage"]:
        return (
            f"{one['stage']['scenes']} soundstage scenes, seed {one['stage']['seed']}; Apache-2.0"
        )
    if one["clips"]:
        return f"{len(one['clips'])} shots of {one['show']}"
    return "its card does not say what it learnt from"
