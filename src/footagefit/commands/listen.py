"""`footagefit listen`: what is said in shots, by a speech model of the user's, to search for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from footagefit.commands.progress import track


def listen(*, show: Path, speech: Path, clip: str | None, scene: str | None, again: bool) -> int:
    """Listen; see configs/listen.yaml for each key."""
    from footagefit.catalogue import heard
    from footagefit.commands.shots import chosen
    from footagefit.dailies.database import Catalogue
    from footagefit.dailies.show import load_show

    def progress(items: Iterable[object], total: int, label: str) -> Iterable[object]:
        return track(items, total=total, label=label, unit="shots")

    production = load_show(show)
    with Catalogue(production.catalogue) as catalogue:
        shots = chosen(catalogue.shots(), clip=clip, scene=scene, side=None)
    said = heard.listen(production, shots, speech.expanduser(), again=again, progress=progress)
    for name, text in said.items():
        print(f"{name}: {text}" if text else f"{name}: nothing was understood")
    print(f"{len(said)} shots listened to, {len(shots) - len(said)} known or without sound")
    return 0
