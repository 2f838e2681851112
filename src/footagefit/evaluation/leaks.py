"""Was a fit trained on what it is asked to judge? Then its numbers are worth nothing.

What belongs here: holding a fit's lineage, and its parents', against shots. What does not:
splitting a show (`dailies/splits.py`), judging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.errors import FootagefitError

if TYPE_CHECKING:
    from footagefit.dailies.entries import Medium, Shot


class LeakedFit(FootagefitError):
    """A fit that was trained on what it is asked to judge."""


def check(
    fit: Path, card: Mapping[str, Any], judged: Sequence[Shot], *, everything: Sequence[Shot],
    media: Sequence[Medium], fits: Path | None,
) -> str:  # fmt: skip
    """One line that says what was checked; raises where a judged shot was trained on.

    A shot was trained on if its content, its name in the same show, or a (near-)duplicate of it
    was, by this fit or by a fit that it began from.

    Args:
        fit: The fit's folder, for messages.
        card: Its card.
        judged: Shots to judge.
        everything: All shots of the show: duplicates are found in it.
        media: The show's media.
        fits: Where parents may lie.
    """
    from footagefit.rendering.fits import read_card

    unknown = []
    checked = 0
    for name, one in lineages(card, fits, read_card):
        if one is None:
            unknown.append(name)
            continue
        found = trained_on(one, judged, everything=everything, media=media)
        if found:
            whom = "it" if name == "" else f"{name}, which it began from,"
            raise LeakedFit(
                f"{whom} was trained on {len(found)} of the shots to judge: {', '.join(found)}",
                path=fit,
                hint="Judge it on held-out shots: shots= of the val side",
            )
        checked += len(one.get("clips", ()))
        if "clips" not in one and "stage" not in one:
            unknown.append(name or "the fit itself")
    line = f"none of {len(judged)} judged shots is among {checked} clips trained on"
    return line + (f"; lineage not known of: {', '.join(unknown)}" if unknown else "")


def trained_on(
    lineage: Mapping[str, Any], judged: Sequence[Shot], *, everything: Sequence[Shot],
    media: Sequence[Medium],
) -> list[str]:  # fmt: skip
    """Names of the judged shots that a lineage holds, by content, duplicate or name."""
    clips = lineage.get("clips", ())
    content = {m.path: m.content for m in media}
    spans: dict[str, list[tuple[int, int]]] = {}
    for clip in clips:
        first, _, last = str(clip.get("frames", "")).rpartition("-")
        spans.setdefault(str(clip.get("content")), []).append((int(first), int(last)))

    def seen(shot: Shot) -> bool:
        for link in shot.links:
            for first, last in spans.get(content.get(link.path, ""), ()):
                if first <= link.last and link.first <= last:
                    return True
        return False

    families = {s.family for s in everything if s.family and seen(s)}
    return [s.name for s in judged if seen(s) or (s.family and s.family in families)]


def lineages(
    card: Mapping[str, Any], fits: Path | None, read_card: Any
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """The lineage of a fit (named "") and of each that it began from; None where it is not found.

    Parents are looked for among the show's fits and the shipped bases, by the hash of the weights.
    """
    name = ""
    current: Mapping[str, Any] | None = card
    for _ in range(64):
        if current is None:
            yield name, None
            return
        yield name, current.get("lineage") or {}
        parent = current.get("parent")
        if not parent:
            return
        name, current = str(parent["fit"]), card_of(parent, fits, read_card)


def card_of(parent: Mapping[str, Any], fits: Path | None, read_card: Any) -> dict[str, Any] | None:
    """A parent's card, by the hash of its weights, wherever it lies."""
    from footagefit.evaluation.ways import shipped

    found = [shipped(str(parent["fit"]))]
    if fits is not None and fits.is_dir():
        found += sorted(p for p in fits.iterdir() if (p / "card.json").is_file())
    for path in found:
        if not (path / "card.json").is_file():
            continue
        card = read_card(path)
        if card["files"].get("weights.safetensors") == parent.get("hash"):
            return card
    return None
